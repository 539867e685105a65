// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// `schoolpulse-hub register`: the register as CSV files again.
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "schoolpulse/clock.h"
#include "tools/hub/cli/cli.h"
#include "tools/hub/store/store.h"
#include "tools/hub/time/local_time.h"

struct request {
	int kind; ///< enum sp_register_kind
	int64_t at_ms;
};

static int print(struct sp_store *store, void *arg)
{
	const struct request *request = arg;
	int result =
	    sp_store_register_export(store, (enum sp_register_kind)request->kind, request->at_ms, stdout);
	return result == 0 && fflush(stdout) != 0 ? -errno : result;
}

int sp_register_command(const struct sp_hub_config *config, int argc, char **argv)
{
	static const struct option words[] = {
	    {"kind", required_argument, NULL, 'k'}, {"as-of", required_argument, NULL, 'a'}, {0}};
	struct request request = {SP_KIND_REGISTER, sp_clock_now().wall_ms};
	for (int c; (c = getopt_long(argc, argv, "", words, NULL)) != -1;) {
		if (c == 'k' && (request.kind = sp_kind_find(optarg)) < 0)
			return sp_cli_usage("register: there is no kind of file called ", optarg);
		if (c == 'a') {
			if (!sp_local_date_parse(optarg, &request.at_ms))
				return sp_cli_usage("register: --as-of wants a day like 2026-09-05, not ",
						    optarg);
			request.at_ms += SP_DAY_MS - 1; // as the day ended
		}
		if (c == '?')
			return SP_EXIT_USAGE;
	}
	if (optind < argc)
		return sp_cli_usage("register: this command takes no more words: ", argv[optind]);
	return sp_cli_answer(config, print, &request);
}
