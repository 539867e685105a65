// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A speed test that somebody watches. Who leaves (Ctrl-C) cancels it: the agent sees the socket close.
#include "agent/cli/speedtest.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/cli/client.h"
#include "agent/base/language.h"
#include "agent/cli/show.h"

enum { EXIT_MEASURED = 0, EXIT_NOT_MEASURED = 1, EXIT_ABSENT = 3, BAR = 24, PAGE_MAX = 64 * 1024 };

struct watching {
	bool json, terminal, drawn;
	char said[128]; ///< the stage that was told last, without a terminal
};

static volatile sig_atomic_t cancelled;

static void cancel(int signal_number)
{
	(void)signal_number;
	cancelled = 1;
}

static void describe(const cJSON *view, char out[128])
{
	const char *stage = sp_member_text(view, "stage"), *waits = sp_member_text(view, "waits_for");
	const char *phase = sp_member_text(view, "phase");
	const char *text = _("Preparing");
	if (strcmp(stage, "waiting") == 0)
		text = strcmp(waits, "busy") == 0      ? _("Waiting: others use the line")
		       : strcmp(waits, "cpu") == 0     ? _("Waiting: the board is busy")
		       : strcmp(waits, "running") == 0 ? _("Waiting: another test runs")
						       : _("Looking whether the line is quiet");
	else if (strcmp(stage, "recording") == 0)
		text = _("Recording");
	else if (strcmp(phase, "idle") == 0)
		text = _("Latency without load");
	else if (strcmp(phase, "down") == 0)
		text = _("Download");
	else if (strcmp(phase, "up") == 0)
		text = _("Upload");
	snprintf(out, 128, "%s", text);
}

static void draw_bar(const cJSON *view, const char *what)
{
	char bar[BAR + 1], speed[32] = "";
	double done = sp_member_number(view, "done"), bps = sp_member_number(view, "bps");
	int full = done >= 0 && done <= 1 ? (int)(done * BAR) : 0;
	for (int i = 0; i < BAR; i++)
		bar[i] = i < full ? '#' : '-';
	bar[BAR] = '\0';
	if (!isnan(bps))
		snprintf(speed, sizeof(speed), "%.1f Mbit/s", bps / 1e6);
	printf("\r\033[K%s", what);
	if (strcmp(sp_member_text(view, "stage"), "running") == 0)
		printf("  [%s]  %s", bar, speed);
	fflush(stdout);
}

static bool progress(void *arg, const cJSON *view)
{
	struct watching *watching = arg;
	char what[128];
	if (cancelled)
		return false;
	if (!view || watching->json)
		return true;
	describe(view, what);
	if (watching->terminal) {
		draw_bar(view, what);
		watching->drawn = true;
	} else if (strcmp(what, watching->said) != 0) {
		printf("%s\n", what);
		fflush(stdout);
		strcpy(watching->said, what);
	}
	return true;
}

static bool measured(const cJSON *document)
{
	const cJSON *record;
	bool any = false;
	cJSON_ArrayForEach(record, sp_member(document, "records"))
	{
		const char *validity = sp_member_text(record, "validity");
		if (strcmp(validity, "skipped") == 0 || strcmp(validity, "failed") == 0)
			return false;
		any = true;
	}
	return any;
}

static char *request_text(const struct sp_speedtest_arguments *arguments)
{
	cJSON *json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "cmd", "speedtest");
	if (arguments->device)
		cJSON_AddStringToObject(json, "name", arguments->device);
	if (arguments->line)
		cJSON_AddStringToObject(json, "line", arguments->line);
	if (arguments->down != arguments->up)
		cJSON_AddStringToObject(json, "direction", arguments->down ? "down" : "up");
	if (arguments->force)
		cJSON_AddTrueToObject(json, "force");
	char *text = cJSON_PrintUnformatted(json);
	cJSON_Delete(json);
	return text;
}

static void show(const struct watching *watching, cJSON *document)
{
	if (watching->json) {
		cJSON_DeleteItemFromObjectCaseSensitive(document, "ok");
		char *text = cJSON_Print(document);
		puts(text ? text : "{}");
		cJSON_free(text);
		return;
	}
	struct sp_page page = {.text = SP_BUF(PAGE_MAX), .colours = sp_page_wants_colours(STDOUT_FILENO)};
	sp_show_speedtest(&page, sp_member(document, "records"));
	sp_page_print(&page);
	sp_page_free(&page);
}

int sp_speedtest_run(const struct sp_speedtest_arguments *arguments)
{
	struct watching watching = {.json = arguments->json, .terminal = isatty(STDOUT_FILENO)};
	struct sigaction action = {.sa_handler = cancel};
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	cJSON *document;
	char why[512], *request = request_text(arguments);
	enum sp_client_result result =
	    sp_client_follow(arguments->socket, request, progress, &watching, &document, why);
	cJSON_free(request);
	if (watching.drawn)
		printf("\r\033[K");
	if (result == SP_CLIENT_CANCELLED) {
		fprintf(stderr, "%s\n", _("Cancelled."));
		return EXIT_NOT_MEASURED;
	}
	if (result != SP_CLIENT_OK) {
		fprintf(stderr, "%s\n", why);
		return result == SP_CLIENT_ABSENT || result == SP_CLIENT_DENIED ? EXIT_ABSENT
										: EXIT_NOT_MEASURED;
	}
	show(&watching, document);
	int code = measured(document) ? EXIT_MEASURED : EXIT_NOT_MEASURED;
	cJSON_Delete(document);
	return code;
}
