// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// schoolpulse-hub incidents: regional faults, each once, with how many boards.
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "schoolpulse/clock.h"
#include "tools/hub/cli/cli.h"
#include "tools/hub/db/db.h"
#include "tools/hub/serve/api.h"
#include "tools/hub/serve/api_incident.h"
#include "tools/hub/time/local_time.h"

enum { ROWS = 200, MEMBERS = 100000 };

static void member_row(void *arg, const struct sp_incident_member_view *member)
{
	char from[SP_LOCAL_TIME_SIZE], to[SP_LOCAL_TIME_SIZE];
	(void)arg;
	printf("      %-20s %-12s %-10s %-10s %.19s  %-19.19s  %s\n", member->device, member->school,
	       member->site, member->line, sp_local_time(member->from_ms, from),
	       member->to_ms < 0 ? "-" : sp_local_time(member->to_ms, to), member->told);
}

static void incident_row(void *arg, const struct sp_incident_view *incident)
{
	char from[SP_LOCAL_TIME_SIZE], to[SP_LOCAL_TIME_SIZE];
	int64_t *count = arg;
	++*count;
	printf("%6" PRId64 "  %-8s %.19s  %-19.19s %6" PRId64 "/%-6" PRId64 " %6" PRId64 "  %s%s%s%s%s\n",
	       incident->id, incident->cause, sp_local_time(incident->from_ms, from),
	       incident->to_ms < 0 ? "-" : sp_local_time(incident->to_ms, to), incident->boards,
	       incident->of_boards, incident->away, incident->provider,
	       incident->provider[0] && incident->area[0] ? ", " : "", incident->area,
	       incident->hop[0] ? " by " : "", incident->hop);
}

static int print(struct sp_store *store, const struct sp_incident_filter *filter, bool json)
{
	struct sp_buf out = SP_BUF(SP_API_MAX);
	int64_t count = 0;
	int result;
	if (json) {
		result = sp_api_incidents(store, filter, filter->id >= 0 ? MEMBERS : 0, &out);
		if (result == 0)
			puts(out.data);
		sp_buf_free(&out);
		return result;
	}
	printf("%6s  %-8s %-19s  %-19s %6s/%-6s %6s  %s\n", "ID", "CAUSE", "FROM (+07:00)", "TO", "BOARDS",
	       "OF", "AWAY", "WHERE");
	result = sp_store_incidents(store, filter, incident_row, &count);
	if (result == 0 && filter->id >= 0 && count > 0)
		result = sp_store_incident_members(store, filter->id, MEMBERS, member_row, NULL);
	return result;
}

int sp_incidents_command(const struct sp_hub_config *config, int argc, char **argv)
{
	static const struct option options[] = {{"open", no_argument, NULL, 'o'},
						{"members", required_argument, NULL, 'm'},
						{"json", no_argument, NULL, 'j'},
						{0}};
	struct sp_incident_filter filter = {.id = -1, .to_ms = INT64_MAX, .limit = ROWS};
	struct sp_store *store;
	bool json = false;
	char why[256], *end = NULL;
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c == 'o')
			filter.open = true;
		else if (c == 'm')
			filter.id = strtoll(optarg, &end, 10);
		else if (c == 'j')
			json = true;
		else
			return SP_EXIT_USAGE;
	}
	if (optind < argc)
		return sp_cli_usage("incidents takes no more words: ", argv[optind]);
	if (end && (*end || filter.id < 0))
		return sp_cli_usage("--members: of which incident? a number, not ", argv[optind - 1]);
	if (sp_store_open(&store, config->hub.db, SP_STORE_READ, why) < 0) {
		fprintf(stderr, "schoolpulse-hub: %s: %s\n",
			sp_db_shown(config->hub.db, (char[SP_DB_SHOWN]){0}), why);
		return EXIT_FAILURE;
	}
	int result = sp_store_read_begin(store, sp_clock_now().wall_ms);
	if (result == 0) {
		result = print(store, &filter, json);
		sp_store_read_end(store);
	}
	if (result < 0)
		fprintf(stderr, "schoolpulse-hub: %s\n", sp_store_error(store));
	sp_store_close(store);
	return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
