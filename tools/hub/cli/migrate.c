// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// `schoolpulse-hub migrate`: the database's schema, up or down.
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "schoolpulse/clock.h"
#include "tools/hub/cli/cli.h"
#include "tools/hub/store/migrate.h"

static void print_step(void *arg, int from, int to, const char *name, int64_t rows, const char *lost)
{
	const struct sp_migration *how = arg;
	printf("%s %d -> %d (%s)", how->dry ? "would go" : "going", from, to, name);
	if (rows > 0)
		printf(": loses %" PRId64 " %s", rows, lost);
	printf("\n");
}

static int status(const struct sp_hub_config *config)
{
	char why[256];
	int version, newest;
	if (sp_migrate_status(config->hub.db, &version, &newest, why) < 0)
		return sp_cli_store_failed(config, why);
	if (version == 0)
		printf("empty; this program makes schema %d\n", newest);
	else
		printf("schema %d; this program needs %d\n", version, newest);
	return EXIT_SUCCESS;
}

int sp_migrate_command(const struct sp_hub_config *config, int argc, char **argv)
{
	static const struct option options[] = {{"to", required_argument, NULL, 't'},
						{"status", no_argument, NULL, 's'},
						{"dry-run", no_argument, NULL, 'n'},
						{"lose", no_argument, NULL, 'l'},
						{NULL, 0, NULL, 0}};
	struct sp_migration how = {.now_ms = sp_clock_now().wall_ms, .step = print_step};
	char why[256], *end;
	long to;
	how.arg = &how;
	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (option) {
		case 't':
			to = strtol(optarg, &end, 10);
			if (*end || to < 1 || to > 1000)
				return sp_cli_usage("migrate: no version: ", optarg);
			how.to = (int)to;
			break;
		case 's':
			return status(config);
		case 'n':
			how.dry = true;
			break;
		case 'l':
			how.lose = true;
			break;
		default:
			return SP_EXIT_USAGE;
		}
	}
	if (argc != optind)
		return sp_cli_usage("migrate: what is this? ", argv[optind]);
	return sp_migrate(config->hub.db, &how, why) < 0 ? sp_cli_store_failed(config, why) : EXIT_SUCCESS;
}
