// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// schoolpulse: asks the agent on this board and shows what it says.
#include <cjson/cJSON.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/config.h"
#include "agent/cli/client.h"
#include "agent/base/language.h"
#include "agent/cli/privacy.h"
#include "agent/cli/show.h"
#include "agent/cli/speedtest.h"

enum { EXIT_DONE = 0, EXIT_ANSWER = 1, EXIT_USAGE = 2, EXIT_ABSENT = 3 };
enum { PAGE_MAX = 1024 * 1024 };

static const char help[] =
    N_("Usage: schoolpulse [--socket PATH] COMMAND [--json]\n"
       "\n"
       "Shows what the agent on this board knows.\n"
       "\n"
       "  status [--watch]   the line, the devices, the journal, the hub and the board;\n"
       "                     --watch draws it anew every second\n"
       "  outages [--long]   when the line was out, how long, and whose fault it was;\n"
       "                     --long shows the evidence of each, not only of the latest\n"
       "  budget             what of each line's monthly bytes is used, by what, and what is left\n"
       "  kiosks             attendance kiosks: last heard, clock, what they store, what is missing\n"
       "  speedtest [DEVICE] [--line LINE] [--down|--up] [--force]\n"
       "                     test the line's speed now; Ctrl-C cancels; --force also while others\n"
       "                     use the line, but never beyond the month's budget\n"
       "  speedtest --list   the last tests, and when the next ones are due\n"
       "  export --person NUMBER [--kind KIND] [--output FILE]\n"
       "                     the events of a person that this board holds, and an extract at the\n"
       "                     centre; KIND: pin (without it), card, code, other\n"
       "  forget --person NUMBER [--kind KIND] [--once] [--yes]\n"
       "                     erase them here and at the centre, and drop later ones; --once: record\n"
       "                     later ones. Without --person it is asked for, - reads it from standard\n"
       "                     input: so it stands in no history\n"
       "  remember --person NUMBER [--kind KIND]\n"
       "                     record later events of a forgotten person again\n"
       "  keys [status]      the keys by which persons are known, and their back-up\n"
       "  keys print         a new recovery code, as a page to be printed\n"
       "  keys restore --blob FILE\n"
       "                     on a new board: the keys from the centre's back-up; asks for the code\n"
       "  drivers [NAME]     what can be watched; with a name, its options and metrics\n"
       "\n"
       "      --json         the agent's answer as JSON\n"
       "      --socket PATH  the agent's socket (also SCHOOLPULSE_SOCKET; else\n"
       "                     %s)\n"
       "      --lang LANG    vi or en, whatever the locale says\n"
       "      --version      print the version and end\n"
       "  -h, --help         print this and end\n"
       "\n"
       "Exit status: 0 done, or measured; 1 the agent's answer is an error or cannot be read, or a\n"
       "test failed or was not done; 2 the command line has mistakes; 3 the agent is not there.\n");

struct arguments {
	const char *socket, *command, *name, *language;
	bool json, watch, detailed, list;
	struct sp_speedtest_arguments test;
	struct sp_privacy_arguments privacy;
};

static const struct option long_options[] = {
    {"socket", required_argument, NULL, 's'},
    {"json", no_argument, NULL, 'j'},
    {"watch", no_argument, NULL, 'w'},
    {"version", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {"long", no_argument, NULL, 'l'},
    {"lang", required_argument, NULL, 'g'},
    {"line", required_argument, NULL, 'n'},
    {"down", no_argument, NULL, 'd'},
    {"up", no_argument, NULL, 'u'},
    {"force", no_argument, NULL, 'f'},
    {"list", no_argument, NULL, 'i'},
    {"person", required_argument, NULL, 'p'},
    {"kind", required_argument, NULL, 'k'},
    {"output", required_argument, NULL, 'o'},
    {"blob", required_argument, NULL, 'b'},
    {"once", no_argument, NULL, 'c'},
    {"yes", no_argument, NULL, 'y'},
    {0},
};

static const char *const commands[] = {"status",  "outages", "budget", "kiosks",   "speedtest",
				       "drivers", "export",  "forget", "remember", "keys"};

static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
	(void)signal_number;
	stopped = 1;
}

static int usage(const char *text)
{
	fprintf(stderr, "schoolpulse: %s\nTry schoolpulse --help.\n", text);
	return EXIT_USAGE;
}

static int check_command(const struct arguments *arguments)
{
	for (size_t i = 0; i < SP_COUNT(commands); i++)
		if (strcmp(commands[i], arguments->command) == 0)
			return -1;
	const char *meant = sp_config_suggest(arguments->command, commands, SP_COUNT(commands));
	if (meant)
		fprintf(stderr, "schoolpulse: unknown command; did you mean %s?\n", meant);
	return meant ? EXIT_USAGE : usage("unknown command");
}

static bool word_of(const char *word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return false;
}

static bool about_person(const struct arguments *arguments)
{
	static const char *const words[] = {"export", "forget", "remember"};
	return word_of(arguments->command, words, SP_COUNT(words));
}

/// NULL, or what is wrong with the options of persons and keys.
static const char *check_privacy(struct arguments *out)
{
	static const char *const kinds[] = {"pin", "card", "code", "other"};
	static const char *const verbs[] = {"status", "print", "restore"};
	struct sp_privacy_arguments *privacy = &out->privacy;
	bool forget = strcmp(out->command, "forget") == 0, keys = strcmp(out->command, "keys") == 0;
	if ((privacy->person || privacy->kind) && !about_person(out))
		return "--person and --kind go with export, forget and remember";
	if (privacy->kind && !word_of(privacy->kind, kinds, SP_COUNT(kinds)))
		return "--kind is pin, card, code or other";
	if (privacy->output && strcmp(out->command, "export") != 0)
		return "--output goes with export";
	if (privacy->once && !forget)
		return "--once goes with forget";
	if (privacy->yes && !forget && !keys)
		return "--yes goes with forget and keys print";
	if (!privacy->verb)
		privacy->verb = "status";
	if (keys && !word_of(privacy->verb, verbs, SP_COUNT(verbs)))
		return "keys status, keys print or keys restore";
	if ((privacy->blob != NULL) != (keys && strcmp(privacy->verb, "restore") == 0))
		return "keys restore needs --blob FILE, which goes with nothing else";
	if (!privacy->kind)
		privacy->kind = "pin";
	privacy->socket = out->socket;
	privacy->command = out->command;
	privacy->json = out->json;
	return NULL;
}

/// Switches. False: it is none.
static bool take_switch(struct arguments *out, int option)
{
	switch (option) {
	case 'j':
		return out->json = true;
	case 'l':
		return out->detailed = true;
	case 'w':
		return out->watch = true;
	case 'i':
		return out->list = true;
	case 'd':
		return out->test.down = true;
	case 'u':
		return out->test.up = true;
	case 'f':
		return out->test.force = true;
	case 'c':
		return out->privacy.once = true;
	case 'y':
		return out->privacy.yes = true;
	default:
		return false;
	}
}

/// What has a value. False: it is none.
static bool take_value(struct arguments *out, int option, const char *value)
{
	switch (option) {
	case 's':
		out->socket = value;
		return true;
	case 'g':
		out->language = value;
		return true;
	case 'n':
		out->test.line = value;
		return true;
	case 'p':
		out->privacy.person = value;
		return true;
	case 'k':
		out->privacy.kind = value;
		return true;
	case 'o':
		out->privacy.output = value;
		return true;
	case 'b':
		out->privacy.blob = value;
		return true;
	default:
		return false;
	}
}

/// -1: go on; otherwise the exit code. So it is below.
static int take_options(int argc, char **argv, struct arguments *out)
{
	int option;
	while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		if (take_switch(out, option) || take_value(out, option, optarg))
			continue;
		if (option == 'v') {
			puts("schoolpulse " SP_VERSION);
			return EXIT_DONE;
		}
		if (option == 'h') {
			sp_language_choose("schoolpulse", out->language);
			printf(_(help), SP_CLIENT_SOCKET);
			return EXIT_DONE;
		}
		fputs("Try schoolpulse --help.\n", stderr);
		return EXIT_USAGE;
	}
	return -1;
}

/// The command, and the word that some have behind it.
static int take_words(int argc, char **argv, struct arguments *out)
{
	if (optind == argc)
		return usage("which command?");
	out->command = argv[optind++];
	if (optind < argc && strcmp(out->command, "drivers") == 0)
		out->name = argv[optind++];
	if (optind < argc && strcmp(out->command, "speedtest") == 0 && !out->list)
		out->test.device = argv[optind++];
	if (optind < argc && strcmp(out->command, "keys") == 0)
		out->privacy.verb = argv[optind++];
	return optind < argc ? usage("too many arguments") : -1;
}

/// NULL, or what is wrong with the other options.
static const char *check_options(const struct arguments *arguments)
{
	const struct sp_speedtest_arguments *test = &arguments->test;
	bool about_test = test->line || test->down || test->up || test->force;
	if (arguments->watch && strcmp(arguments->command, "status") != 0)
		return "--watch goes with status";
	if (arguments->detailed && strcmp(arguments->command, "outages") != 0)
		return "--long goes with outages";
	if ((about_test || arguments->list) && strcmp(arguments->command, "speedtest") != 0)
		return "--line, --down, --up, --force and --list go with speedtest";
	if (about_test && arguments->list)
		return "--list goes alone";
	return NULL;
}

static int parse_arguments(int argc, char **argv, struct arguments *out)
{
	const char *from_environment = getenv("SCHOOLPULSE_SOCKET"), *fault;
	out->socket = from_environment && from_environment[0] ? from_environment : SP_CLIENT_SOCKET;
	int result = take_options(argc, argv, out);
	if (result < 0)
		result = take_words(argc, argv, out);
	if (result >= 0)
		return result;
	if ((fault = check_privacy(out)) || (fault = check_options(out)))
		return usage(fault);
	out->test.socket = out->socket;
	out->test.json = out->json;
	return check_command(out);
}

static void build_page(struct sp_page *page, const struct arguments *arguments, const cJSON *document)
{
	if (strcmp(arguments->command, "status") == 0)
		sp_show_status(page, document);
	else if (strcmp(arguments->command, "outages") == 0)
		sp_show_outages(page, document, arguments->detailed);
	else if (strcmp(arguments->command, "budget") == 0)
		sp_show_budget(page, document);
	else if (strcmp(arguments->command, "kiosks") == 0)
		sp_show_kiosks(page, document);
	else if (arguments->list)
		sp_show_speedtests(page, document);
	else
		sp_show_drivers(page, document, arguments->name != NULL);
}

static int exit_code(enum sp_client_result result)
{
	switch (result) {
	case SP_CLIENT_OK:
		return EXIT_DONE;
	case SP_CLIENT_ABSENT:
	case SP_CLIENT_DENIED:
		return EXIT_ABSENT;
	case SP_CLIENT_BROKEN:
	case SP_CLIENT_REFUSED:
	case SP_CLIENT_CANCELLED:
		return EXIT_ANSWER;
	}
	return EXIT_ANSWER;
}

static struct sp_page new_page(void)
{
	return (struct sp_page){.text = SP_BUF(PAGE_MAX), .colours = sp_page_wants_colours(STDOUT_FILENO)};
}

static void print_json(cJSON *document)
{
	cJSON_DeleteItemFromObjectCaseSensitive(document, "ok");
	char *text = cJSON_Print(document);
	puts(text ? text : "{}");
	fflush(stdout);
	cJSON_free(text);
}

static int show_once(const struct arguments *arguments)
{
	cJSON *document;
	char why[512];
	enum sp_client_result result =
	    sp_client_ask(arguments->socket, arguments->list ? "speedtests" : arguments->command,
			  arguments->name, &document, why);
	if (result != SP_CLIENT_OK) {
		fprintf(stderr, "%s\n", why);
		return exit_code(result);
	}
	if (arguments->json) {
		print_json(document);
	} else {
		struct sp_page page = new_page();
		build_page(&page, arguments, document);
		sp_page_print(&page);
		sp_page_free(&page);
	}
	cJSON_Delete(document);
	return EXIT_DONE;
}

/// One drawing of the watched page; an agent that is away is waited for.
static size_t draw(const struct arguments *arguments, size_t previous, bool terminal)
{
	cJSON *document;
	char why[512];
	struct sp_page page = new_page();
	if (sp_client_ask(arguments->socket, arguments->command, NULL, &document, why) == SP_CLIENT_OK) {
		build_page(&page, arguments, document);
		cJSON_Delete(document);
	} else {
		for (char *line = strtok(why, "\n"); line; line = strtok(NULL, "\n")) {
			sp_page_add(&page, SP_STYLE_WARN, line);
			sp_page_end(&page);
		}
	}
	size_t drawn = 0;
	if (terminal) {
		drawn = sp_page_redraw(&page, previous);
	} else {
		sp_page_end(&page);
		sp_page_print(&page);
	}
	sp_page_free(&page);
	return drawn;
}

static int watch(const struct arguments *arguments)
{
	struct sigaction action = {.sa_handler = stop};
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	bool terminal = isatty(STDOUT_FILENO);
	size_t lines = 0;
	while (!stopped && !ferror(stdout)) {
		if (arguments->json)
			show_once(arguments);
		else
			lines = draw(arguments, lines, terminal);
		if (!stopped)
			sleep(1);
	}
	return EXIT_DONE;
}

int main(int argc, char **argv)
{
	// Widths of characters, whatever the user's locale; times as the user writes them.
	setlocale(LC_TIME, "");
	setlocale(LC_CTYPE, "C.UTF-8");
	struct arguments arguments = {0};
	int code = parse_arguments(argc, argv, &arguments);
	if (code >= 0)
		return code;
	sp_language_choose("schoolpulse", arguments.language);
	if (strcmp(arguments.command, "speedtest") == 0 && !arguments.list)
		return sp_speedtest_run(&arguments.test);
	if (about_person(&arguments))
		return sp_privacy_run(&arguments.privacy);
	if (strcmp(arguments.command, "keys") == 0)
		return sp_keys_run(&arguments.privacy);
	return arguments.watch ? watch(&arguments) : show_once(&arguments);
}
