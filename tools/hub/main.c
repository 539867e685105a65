// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// schoolpulse-hub: one program, its roles by subcommand.
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/mqtt.h"
#include "schoolpulse/clock.h"
#include "tools/hub/cli/cli.h"
#include "tools/hub/ingest/ingest.h"
#include "tools/hub/ops/metrics.h"
#include "tools/hub/serve/serve.h"

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
	struct sp_metrics_server *metrics = NULL;
	int stop = signal_fd(), result = stop < 0 ? -errno : 0;
	if (result < 0)
		snprintf(why, sizeof(why), "signalfd: %s", strerror(-result));
	if (result == 0 && serving && !(serve = sp_serve_new(config, why)))
		result = -EADDRINUSE;
	if (result == 0 && !serving && config->metrics.listen[0] &&
	    !(metrics = sp_metrics_server_new(config, why)))
		result = -EADDRINUSE;
	if (result == 0 && ingesting)
		result = sp_ingest_start(&ingest, config, why);
	if (result < 0) {
		sp_err("hub", "%s", why);
		sp_metrics_server_free(metrics);
		sp_serve_free(serve);
		return EXIT_FAILURE;
	}
	if (serve) {
		sp_notice("hub", "the page is at http://%s:%u/", config->http.listen, sp_serve_port(serve));
		if (!ingesting) // which makes the database, or tells what is wrong with it
			sp_serve_look(serve);
		sp_serve_run(serve, stop);
	} else if (metrics) {
		sp_notice("hub", "figures are at http://%s:%u/metrics", config->metrics.listen,
			  sp_metrics_server_port(metrics));
		sp_metrics_server_run(metrics, stop);
	} else {
		wait_for_signal(stop);
	}
	sp_notice("hub", "stopping");
	sp_metrics_server_free(metrics);
	sp_serve_free(serve);
	sp_ingest_stop(ingest);
	close(stop);
	return EXIT_SUCCESS;
}

static int roles(const struct sp_hub_config *config, int argc, char **argv)
{
	if (argc > 1)
		return sp_cli_usage("this command takes no more words: ", argv[1]);
	return run(config, strcmp(argv[0], "serve") != 0, strcmp(argv[0], "ingest") != 0);
}

// ---- words ------------------------------------------------------------------------------------------

static const struct command {
	const char *name, *words, *help;
	int (*run)(const struct sp_hub_config *config, int argc, char **argv);
} commands[] = {
    {"ingest", "", "take the boards' facts from the broker, commit, acknowledge", roles},
    {"serve", "", "the page and its JSON API", roles},
    {"all", "", "both, in one process", roles},
    {"import", "[--dry-run] [--from DAY] [--kind KIND] [--partial] FILE...",
     "what these CSV files say is the register from now or that day on, all or nothing", sp_import_command},
    {"migrate", "[--to VERSION] [--status] [--dry-run] [--lose]",
     "bring the database to this program's schema, or to an older one; no ingest may run",
     sp_migrate_command},
    {"register", "[--kind KIND] [--as-of DAY]", "print the register as a CSV file, now or as it was on a day",
     sp_register_command},
    {"facts", "[--device ID] [--wait SECONDS] [--json]",
     "print committed facts; wait until a board's first ones are", sp_facts_command},
    {"status", "[--watch SECONDS]", "how ingest, boards, lines and the database are", sp_status_command},
    {"backup", "FILE|FOLDER", "copy the database while it is used; never over a file", sp_backup_command},
    {"restore", "FILE", "make the database from such a copy, where there is none", sp_restore_command},
    {"speed", "--from DAY --to DAY [--provider NAME] [--plan NAME] [--json | --csv]",
     "how fast lines were against what was bought, up to but not with the last day", sp_speed_command},
    {"attendance", "[--school CODE] [--from DAY --to DAY] [--json]",
     "who came by when, as counts; kiosks and how much of school time they were up", sp_attendance_report},
    {"anomalies", "[--json]", "what should not be, and what could not be taken: by board, and how often",
     sp_anomalies_command},
    {"incidents", "[--open] [--members ID] [--json]",
     "regional faults, each once: where, since when, how many boards, and what it was", sp_incidents_command},
    {"kpi",
     "--plan ID [--month YYYY-MM | --from DAY --to DAY] [--as-of DAY] [--area CODE [--tree NAME]]"
     " [--lang vi|en] [--json | --csv] | --list",
     "a plan's promises against what was measured; what every KPI means", sp_kpi_command},
    {"size", "[--json]", "how large the database is, by table, and what a board takes in a year",
     sp_size_command},
    {"subjects", "[--fetch REQUEST [--csv]] [--json]",
     "requests of persons, and what was put together for one", sp_subjects_command},
    {"keys", "[--device ID --output FILE]", "sealed key backups of boards", sp_keys_command},
    {"command",
     "--key FILE --device ID [--shard NAME] [--expires 10min] [--wait SECONDS] [--instance NAME]"
     " [--line NAME] [--direction down|up] speedtest",
     "have a board test its line's speed; print the command's id", sp_hub_command},
};

static void print_usage(FILE *to)
{
	fputs("usage: schoolpulse-hub --config FILE COMMAND\n"
	      "       schoolpulse-hub --check-config FILE\n"
	      "       schoolpulse-hub command-key FILE    make a key for commands, print its public part\n"
	      "       schoolpulse-hub --version | --help\n\n",
	      to);
	for (size_t i = 0; i < SP_COUNT(commands); i++)
		fprintf(to, "  %s%s%s\n        %s\n", commands[i].name, commands[i].words[0] ? " " : "",
			commands[i].words, commands[i].help);
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < SP_COUNT(commands); i++) {
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	}
	return NULL;
}

/// What is wrong, or asked, before any file is read; -1: nothing.
static int words_only(int argc, char **argv)
{
	const struct command *command = find(argv[0]);
	if (!command)
		return sp_cli_usage("unknown command ", argv[0]);
	if (argc < 2 || strcmp(argv[1], "--help") != 0)
		return -1;
	printf("usage: schoolpulse-hub --config FILE %s%s%s\n        %s\n", command->name,
	       command->words[0] ? " " : "", command->words, command->help);
	return EXIT_SUCCESS;
}

static int with_config(const char *file, bool check_only, int argc, char **argv)
{
	static const char *const levels[] = {"error", "warning", "notice", "info", "debug"};
	struct sp_config_errors errors = {0};
	struct sp_hub_config config;
	int status = EXIT_FAILURE;
	if (sp_hub_config_read(&config, file, &errors) < 0) {
		sp_cli_errors(&errors);
	} else if (check_only) {
		printf("%s: good\n", file);
		status = EXIT_SUCCESS;
	} else {
		sp_log_setup((enum sp_log_level)sp_log_level_parse(levels[config.hub.log_level]),
			     sp_log_wants_sd_prefix(), NULL);
		sp_log_setup_format((enum sp_log_format)config.hub.log_format);
		sp_mqtt_library_init();
		optind = 0; // starts getopt anew
		status = find(argv[0])->run(&config, argc, argv);
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
			print_usage(stdout);
			return EXIT_SUCCESS;
		default: // getopt has said it
			fputs("(schoolpulse-hub --help lists the commands)\n", stderr);
			return SP_EXIT_USAGE;
		}
	}
	if (!check && optind < argc && strcmp(argv[optind], "command-key") == 0)
		return optind + 2 == argc ? sp_hub_command_key(argv[optind + 1])
					  : sp_cli_usage("command-key: which file?", "");
	if (!check && optind >= argc)
		return sp_cli_usage("which command?", "");
	int said = check ? -1 : words_only(argc - optind, argv + optind);
	if (said >= 0)
		return said;
	if (!file)
		return sp_cli_usage("--config FILE is missing", "");
	return with_config(file, check, argc - optind, argv + optind);
}
