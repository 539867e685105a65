// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// schoolpulse-hub: one program, its roles by subcommand.
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/mqtt.h"
#include "schoolpulse/clock.h"
#include "tools/hub/cli/attendance_report.h"
#include "tools/hub/cli/command.h"
#include "tools/hub/cli/facts.h"
#include "tools/hub/ingest/ingest.h"
#include "tools/hub/serve/serve.h"
#include "tools/hub/cli/speed_report.h"
#include "tools/hub/store/store.h"
#include "tools/hub/cli/subjects.h"

enum { EXIT_USAGE = 2 };

static const char usage[] =
    "usage: schoolpulse-hub --config FILE COMMAND\n"
    "       schoolpulse-hub --check-config FILE\n"
    "\n"
    "  ingest                     take the boards' facts from the broker, commit, acknowledge\n"
    "  serve                      the page and its JSON API\n"
    "  all                        both, in one process\n"
    "  import [--dry-run] [--csv] FILE\n"
    "                             replace the register by this CSV file, all or nothing\n"
    "  facts [--device ID] [--wait SECONDS] [--json]\n"
    "                             print committed facts; wait until a board's first ones are\n"
    "  speed --from DAY --to DAY [--provider NAME] [--plan NAME] [--json | --csv]\n"
    "                             how fast lines were against what was bought, up to but not with the last "
    "day\n"
    "  attendance [--school CODE] [--from DAY --to DAY] [--json]\n"
    "                             who came by when, as counts; kiosks and how much of school time they were "
    "up\n"
    "  subjects [--fetch REQUEST [--csv]] [--json]\n"
    "                             requests of persons, and what was put together for one\n"
    "  keys [--device ID --output FILE]\n"
    "                             sealed key backups of boards\n"
    "  command --key FILE --device ID [--shard NAME] [--expires 10min] [--wait SECONDS]\n"
    "          [--instance NAME] [--line NAME] [--direction down|up] speedtest\n"
    "                             have a board test its line's speed; print the command's id\n"
    "  command-key FILE           (without --config) make a key for commands, print its public part\n"
    "  --version, --help\n";

static int bad_usage(const char *text, const char *word)
{
	fprintf(stderr, "schoolpulse-hub: %s%s\n%s", text, word, usage);
	return EXIT_USAGE;
}

static void print_errors(struct sp_config_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		fprintf(stderr, "%s\n", errors->lines[i]);
	sp_config_errors_free(errors);
}

// ---- ingest, serve, all -------------------------------------------------------------------------------

/// Before any thread: signals come by descriptor, to the main thread only.
static int signal_fd(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); // a file-size limit is a full disk, not an end
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static void wait_for_signal(int fd)
{
	struct signalfd_siginfo info;
	while (read(fd, &info, sizeof(info)) < 0 && errno == EINTR)
		;
}

static int run(const struct sp_hub_config *config, bool ingesting, bool serving)
{
	char why[256];
	struct sp_ingest *ingest = NULL;
	struct sp_serve *serve = NULL;
	int stop = signal_fd(), result = stop < 0 ? -errno : 0;
	if (result < 0)
		snprintf(why, sizeof(why), "signalfd: %s", strerror(-result));
	if (result == 0 && serving && !(serve = sp_serve_new(config, why)))
		result = -EADDRINUSE;
	if (result == 0 && ingesting)
		result = sp_ingest_start(&ingest, config, why);
	if (result < 0) {
		sp_err("hub", "%s", why);
		sp_serve_free(serve);
		return EXIT_FAILURE;
	}
	if (serve) {
		sp_notice("hub", "the page is at http://%s:%u/", config->http.listen, sp_serve_port(serve));
		sp_serve_run(serve, stop);
	} else {
		wait_for_signal(stop);
	}
	sp_notice("hub", "stopping");
	sp_serve_free(serve);
	sp_ingest_stop(ingest);
	close(stop);
	return EXIT_SUCCESS;
}

// ---- import ---------------------------------------------------------------------------------------------

static int import(const struct sp_hub_config *config, const char *file, bool dry)
{
	struct sp_config_errors errors = {0};
	struct sp_register reg;
	struct sp_store *store = NULL;
	struct sp_store_import done = {0};
	char why[256];
	if (sp_register_read(&reg, file, &errors) < 0) {
		print_errors(&errors);
		sp_register_free(&reg);
		return EXIT_FAILURE;
	}
	int result = sp_store_open(&store, config->hub.db, SP_STORE_WRITE, why);
	if (result == 0 && (result = sp_store_import(store, &reg, dry, sp_clock_now().wall_ms, &done)) < 0)
		snprintf(why, sizeof(why), "%s", sp_store_error(store));
	if (result < 0)
		fprintf(stderr, "schoolpulse-hub: %s: %s; nothing was imported\n", config->hub.db, why);
	else
		printf("%s: %zu lines: %" PRId64 " added, %" PRId64 " changed, %" PRId64 " removed, %" PRId64
		       " unchanged%s\n",
		       file, reg.count, done.added, done.changed, done.removed, done.unchanged,
		       dry ? " (dry run: nothing was written)" : "");
	sp_store_close(store);
	sp_register_free(&reg);
	return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int import_command(const struct sp_hub_config *config, int argc, char **argv)
{
	static const struct option options[] = {
	    {"csv", required_argument, NULL, 'c'}, {"dry-run", no_argument, NULL, 'n'}, {0}};
	const char *file = NULL;
	bool dry = false;
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c == 'c')
			file = optarg;
		else if (c == 'n')
			dry = true;
		else
			return EXIT_USAGE;
	}
	if (!file && optind < argc)
		file = argv[optind++];
	if (!file || optind < argc)
		return bad_usage("import: which CSV file?", "");
	return import(config, file, dry);
}

// ---- facts ------------------------------------------------------------------------------------------------

static int facts_command(const struct sp_hub_config *config, int argc, char **argv)
{
	static const struct option options[] = {{"device", required_argument, NULL, 'd'},
						{"wait", required_argument, NULL, 'w'},
						{"json", no_argument, NULL, 'j'},
						{0}};
	struct sp_facts_request request = {.db = config->hub.db};
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		char *end = NULL;
		if (c == 'd') {
			request.device = optarg;
		} else if (c == 'j') {
			request.json = true;
		} else if (c == 'w') {
			request.wait_seconds = strtol(optarg, &end, 10);
			if (*end || request.wait_seconds < 1 || request.wait_seconds > 86400)
				return bad_usage("--wait takes 1 to 86400 seconds, not ", optarg);
		} else {
			return EXIT_USAGE;
		}
	}
	return optind < argc ? bad_usage("facts: what is ", argv[optind]) : sp_facts_run(&request);
}

// ---- speed ------------------------------------------------------------------------------------------------

static int speed_command(const struct sp_hub_config *config, int argc, char **argv)
{
	static const struct option options[] = {{"from", required_argument, NULL, 'f'},
						{"to", required_argument, NULL, 't'},
						{"provider", required_argument, NULL, 'p'},
						{"plan", required_argument, NULL, 'l'},
						{"json", no_argument, NULL, 'j'},
						{"csv", no_argument, NULL, 'c'},
						{0}};
	struct sp_speed_request request = {.format = SP_SPEED_TABLE};
	const char *from = NULL, *to = NULL;
	char why[SP_PERIOD_WHY];
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (c) {
		case 'f':
			from = optarg;
			break;
		case 't':
			to = optarg;
			break;
		case 'p':
			request.provider = optarg;
			break;
		case 'l':
			request.plan = optarg;
			break;
		case 'j':
		case 'c':
			request.format = c == 'j' ? SP_SPEED_JSON : SP_SPEED_CSV;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind < argc)
		return bad_usage("speed: what is ", argv[optind]);
	if (!from || !to)
		return bad_usage("speed: of which period? --from and --to", "");
	if (sp_period_parse(&request.period, from, to, sp_clock_now().wall_ms, why) < 0)
		return bad_usage("speed: ", why);
	return sp_speed_report(config, &request);
}

// ---- words ------------------------------------------------------------------------------------------

static int command(const struct sp_hub_config *config, int argc, char **argv)
{
	const char *word = argv[0];
	bool ingesting = strcmp(word, "ingest") == 0, serving = strcmp(word, "serve") == 0;
	optind = 0; // starts getopt anew
	if (strcmp(word, "import") == 0)
		return import_command(config, argc, argv);
	if (strcmp(word, "facts") == 0)
		return facts_command(config, argc, argv);
	if (strcmp(word, "speed") == 0)
		return speed_command(config, argc, argv);
	if (strcmp(word, "attendance") == 0)
		return sp_attendance_report(config, argc, argv);
	if (strcmp(word, "subjects") == 0)
		return sp_subjects_command(config, argc, argv);
	if (strcmp(word, "keys") == 0)
		return sp_keys_command(config, argc, argv);
	if (strcmp(word, "command") == 0)
		return sp_hub_command(config, argc, argv);
	if (strcmp(word, "all") == 0)
		ingesting = serving = true;
	if (!ingesting && !serving)
		return bad_usage("unknown command ", word);
	if (argc > 1)
		return bad_usage("this command takes no more words: ", argv[1]);
	return run(config, ingesting, serving);
}

static int with_config(const char *file, bool check_only, int argc, char **argv)
{
	static const char *const levels[] = {"error", "warning", "notice", "info", "debug"};
	struct sp_config_errors errors = {0};
	struct sp_hub_config config;
	int status = EXIT_FAILURE;
	if (sp_hub_config_read(&config, file, &errors) < 0) {
		print_errors(&errors);
	} else if (check_only) {
		printf("%s: good\n", file);
		status = EXIT_SUCCESS;
	} else {
		sp_log_setup((enum sp_log_level)sp_log_level_parse(levels[config.hub.log_level]),
			     sp_log_wants_sd_prefix(), NULL);
		sp_mqtt_library_init();
		status = command(&config, argc, argv);
		sp_mqtt_library_cleanup();
	}
	sp_hub_config_free(&config);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
						{"check-config", required_argument, NULL, 'k'},
						{"version", no_argument, NULL, 'V'},
						{"help", no_argument, NULL, 'h'},
						{0}};
	const char *file = NULL;
	bool check = false;
	// "+": the subcommand's own options stay for it.
	for (int c; (c = getopt_long(argc, argv, "+", options, NULL)) != -1;) {
		switch (c) {
		case 'k':
			check = true; // fall through
		case 'c':
			file = optarg;
			break;
		case 'V':
			puts("schoolpulse-hub " SP_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (!check && optind < argc && strcmp(argv[optind], "command-key") == 0)
		return optind + 2 == argc ? sp_hub_command_key(argv[optind + 1])
					  : bad_usage("command-key: which file?", "");
	if (!file)
		return bad_usage("--config FILE is missing", "");
	if (!check && optind >= argc)
		return bad_usage("which command?", "");
	return with_config(file, check, argc - optind, argv + optind);
}
