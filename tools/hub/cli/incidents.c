// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// schoolpulse-hub incidents: regional faults, each once, with how many boards.
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/hub/cli/cli.h"
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

struct request {
	struct sp_incident_filter filter;
	bool json;
};

static int print(struct sp_store *store, void *arg)
{
	const struct request *request = arg;
	const struct sp_incident_filter *filter = &request->filter;
	struct sp_buf out = SP_BUF(SP_API_MAX);
	int64_t count = 0;
	int result;
	if (request->json) {
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
	struct request request = {.filter = {.id = -1, .to_ms = INT64_MAX, .limit = ROWS}};
	char *end = NULL;
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c == 'o')
			request.filter.open = true;
		else if (c == 'm')
			request.filter.id = strtoll(optarg, &end, 10);
		else if (c == 'j')
			request.json = true;
		else
			return SP_EXIT_USAGE;
	}
	if (optind < argc)
		return sp_cli_usage("incidents takes no more words: ", argv[optind]);
	if (end && (*end || request.filter.id < 0))
		return sp_cli_usage("--members: of which incident? a number, not ", argv[optind - 1]);
	return sp_cli_answer(config, print, &request);
}
