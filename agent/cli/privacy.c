// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Requests of persons. Their numbers come from a prompt or from standard input, so that they need not stand
// in a shell's history, and are never printed.
#include "agent/cli/privacy.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/cli/client.h"
#include "agent/base/language.h"
#include "agent/cli/show.h"

enum { EXIT_DONE = 0, EXIT_ANSWER = 1, EXIT_USAGE = 2, EXIT_ABSENT = 3, NUMBER_MAX = 256 };

bool sp_ask_line(const char *prompt, char *out, int size)
{
	FILE *from = prompt ? fopen("/dev/tty", "r+") : stdin;
	if (!from)
		return false;
	if (prompt) {
		fputs(prompt, from);
		fflush(from);
	}
	char *got = fgets(out, size, from);
	if (got)
		out[strcspn(out, "\r\n")] = '\0';
	if (prompt)
		fclose(from);
	return got != NULL;
}

bool sp_ask_yes(const char *question)
{
	char answer[16];
	if (!sp_ask_line(question, answer, sizeof(answer)))
		return false;
	static const char *const words[] = {"y", "yes", "c", "có", "co"};
	for (size_t i = 0; i < SP_COUNT(words); i++)
		if (strcasecmp(words[i], answer) == 0)
			return true;
	return false;
}

static bool read_number(const struct sp_privacy_arguments *arguments, char out[NUMBER_MAX])
{
	if (!arguments->person)
		return sp_ask_line(_("Number of the person: "), out, NUMBER_MAX);
	if (strcmp(arguments->person, "-") == 0)
		return sp_ask_line(NULL, out, NUMBER_MAX);
	return snprintf(out, NUMBER_MAX, "%s", arguments->person) < NUMBER_MAX;
}

static bool wait_on(void *arg, const cJSON *json)
{
	(void)arg;
	(void)json;
	return true;
}

static char *request_text(const struct sp_privacy_arguments *arguments, const char *number)
{
	cJSON *json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "cmd", arguments->command);
	cJSON_AddStringToObject(json, "kind", arguments->kind);
	cJSON_AddStringToObject(json, "person", number);
	if (arguments->once)
		cJSON_AddTrueToObject(json, "once");
	char *text = cJSON_PrintUnformatted(json);
	cJSON_Delete(json);
	return text;
}

static bool confirmed(const struct sp_privacy_arguments *arguments)
{
	if (strcmp(arguments->command, "forget") != 0 || arguments->yes)
		return true;
	if (arguments->once)
		return sp_ask_yes(
		    _("Every event of this person is erased here and at the centre, for good. Later "
		      "events are recorded again. Erase? [y/N] "));
	return sp_ask_yes(
	    _("Every event of this person is erased here and at the centre, for good, and later ones "
	      "are dropped. Erase? [y/N] "));
}

/// 0600: it is about a person.
static FILE *open_output(const char *path)
{
	if (!path)
		return stdout;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file)
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	return file;
}

/// A direction, or a way of recognising.
static const char *event_word(const char *word)
{
	static const struct sp_word words[] = {
	    {"in", N_("in")},         {"out", N_("out")},          {"unknown", N_("not known")},
	    {"card", N_("card")},     {"pin", N_("number typed")}, {"password", N_("password")},
	    {"finger", N_("finger")}, {"face", N_("face")},        {"palm", N_("palm")},
	    {"vein", N_("vein")},     {"code", N_("code shown")},  {"other", N_("otherwise")},
	};
	return sp_show_word(words, SP_COUNT(words), word);
}

static void print_events(FILE *out, const cJSON *document)
{
	const cJSON *events = sp_member(document, "events"), *event;
	fprintf(out, _("Events of the person on this board: %d\n"), cJSON_GetArraySize(events));
	cJSON_ArrayForEach(event, events)
	{
		const char *when = sp_member_text(event, "kiosk_time");
		fprintf(out, "%s  %s  %s  %s\n", when[0] ? when : "-", sp_member_text(event, "device"),
			event_word(sp_member_text(event, "direction")),
			event_word(sp_member_text(event, "method")));
	}
	double left_out = sp_member_number(document, "left_out");
	if (left_out > 0)
		fprintf(out, _("Not shown, since there are too many: %.0f\n"), left_out);
	fprintf(out, _("The centre was asked to keep an extract as well, under request %s.\n"),
		sp_member_text(document, "request"));
}

static int show_export(const struct sp_privacy_arguments *arguments, cJSON *document)
{
	FILE *out = open_output(arguments->output);
	if (!out)
		return EXIT_ANSWER;
	if (arguments->json) {
		cJSON_DeleteItemFromObjectCaseSensitive(document, "ok");
		char *text = cJSON_Print(document);
		fprintf(out, "%s\n", text ? text : "{}");
		cJSON_free(text);
	} else {
		print_events(out, document);
	}
	bool good = fflush(out) == 0 && !ferror(out);
	if (out != stdout)
		good = fclose(out) == 0 && good;
	return good ? EXIT_DONE : EXIT_ANSWER;
}

static int show(const struct sp_privacy_arguments *arguments, cJSON *document)
{
	if (strcmp(arguments->command, "export") == 0)
		return show_export(arguments, document);
	if (arguments->json) {
		cJSON_DeleteItemFromObjectCaseSensitive(document, "ok");
		char *text = cJSON_Print(document);
		puts(text ? text : "{}");
		cJSON_free(text);
	} else if (strcmp(arguments->command, "forget") == 0) {
		printf(_("Erased on this board: %.0f events. The centre was told, under request %s.\n"),
		       sp_member_number(document, "erased"), sp_member_text(document, "request"));
		puts(arguments->once ? _("Later events of this person are recorded.")
				     : _("Later events of this person are dropped; to record them again: "
					 "schoolpulse remember"));
	} else {
		puts(_("Events of this person are recorded again from now on."));
	}
	return EXIT_DONE;
}

int sp_privacy_run(const struct sp_privacy_arguments *arguments)
{
	char number[NUMBER_MAX], why[512];
	if (!read_number(arguments, number)) {
		fprintf(stderr, "%s\n", _("No number was given: --person NUMBER, or --person - and a line."));
		return EXIT_USAGE;
	}
	if (!confirmed(arguments)) {
		explicit_bzero(number, sizeof(number));
		fprintf(stderr, "%s\n", _("Nothing was erased."));
		return EXIT_ANSWER;
	}
	char *request = request_text(arguments, number);
	explicit_bzero(number, sizeof(number));
	cJSON *document;
	enum sp_client_result result =
	    sp_client_follow(arguments->socket, request, wait_on, NULL, &document, why);
	explicit_bzero(request, strlen(request));
	cJSON_free(request);
	if (result != SP_CLIENT_OK) {
		fprintf(stderr, "%s\n", why);
		return result == SP_CLIENT_ABSENT || result == SP_CLIENT_DENIED ? EXIT_ABSENT : EXIT_ANSWER;
	}
	int code = show(arguments, document);
	cJSON_Delete(document);
	return code;
}
