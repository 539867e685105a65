// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// `schoolpulse-hub register`: the register as CSV files again.
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "schoolpulse/clock.h"
#include "tools/hub/cli/cli.h"
#include "tools/hub/store/store.h"
#include "tools/hub/time/local_time.h"

static int print(const struct sp_hub_config *config, enum sp_register_kind kind, int64_t at_ms)
{
	struct sp_store *store = NULL;
	char why[256];
	int result = sp_store_open(&store, config->hub.db, SP_STORE_READ, why);
	if (result == 0) {
		result = sp_store_read_begin(store, at_ms);
		if (result == 0)
			result = sp_store_register_export(store, kind, at_ms, stdout);
		if (result == 0 && fflush(stdout) != 0)
			result = -errno;
		if (result < 0)
			snprintf(why, sizeof(why), "%s", sp_store_error(store));
		sp_store_read_end(store);
	}
	if (result < 0)
		fprintf(stderr, "schoolpulse-hub: %s: %s\n", config->hub.db, why);
	sp_store_close(store);
	return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int sp_register_command(const struct sp_hub_config *config, int argc, char **argv)
{
	static const struct option words[] = {
	    {"kind", required_argument, NULL, 'k'}, {"as-of", required_argument, NULL, 'a'}, {0}};
	int64_t at_ms = sp_clock_now().wall_ms;
	int kind = SP_KIND_REGISTER;
	for (int c; (c = getopt_long(argc, argv, "", words, NULL)) != -1;) {
		if (c == 'k' && (kind = sp_kind_find(optarg)) < 0)
			return sp_cli_usage("register: there is no kind of file called ", optarg);
		if (c == 'a') {
			if (!sp_local_date_parse(optarg, &at_ms))
				return sp_cli_usage("register: --as-of wants a day like 2026-09-05, not ",
						    optarg);
			at_ms += SP_DAY_MS - 1; // as the day ended
		}
		if (c == '?')
			return SP_EXIT_USAGE;
	}
	if (optind < argc)
		return sp_cli_usage("register: this command takes no more words: ", argv[optind]);
	return print(config, (enum sp_register_kind)kind, at_ms);
}
