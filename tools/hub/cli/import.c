// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// `schoolpulse-hub import`: the register from a CSV file.
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "schoolpulse/clock.h"
#include "tools/hub/cli/cli.h"
#include "tools/hub/store/store.h"

static int import(const struct sp_hub_config *config, const char *file, bool dry)
{
	struct sp_config_errors errors = {0};
	struct sp_register reg;
	struct sp_store *store = NULL;
	struct sp_store_import done = {0};
	char why[256];
	if (sp_register_read(&reg, file, &errors) < 0) {
		sp_cli_errors(&errors);
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

int sp_import_command(const struct sp_hub_config *config, int argc, char **argv)
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
			return SP_EXIT_USAGE;
	}
	if (!file && optind < argc)
		file = argv[optind++];
	if (!file || optind < argc)
		return sp_cli_usage("import: which CSV file?", "");
	return import(config, file, dry);
}
