// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// `schoolpulse-hub status`: what one looks at first. From the database alone, so that it works beside
// whatever runs.
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "schoolpulse/clock.h"
#include "tools/hub/cli/cli.h"
#include "tools/hub/serve/api.h"
#include "tools/hub/store/store_sums.h"

enum { WATCH_MAX = 3600 };

struct look {
	struct sp_store_status status;
	struct sp_store_gauges gauges;
	int64_t lines[SP_LINE_STATES], unregistered, incidents, away;
	int64_t now_ms;
};

static void count_line(void *arg, const struct sp_line_view *line)
{
	struct look *look = arg;
	if (line->registered)
		look->lines[line->state]++;
	else
		look->unregistered++;
}

static void count_incident(void *arg, const struct sp_incident_view *incident)
{
	struct look *look = arg;
	look->incidents++;
	look->away += incident->away;
}

static int read_all(struct sp_store *store, struct look *look)
{
	const struct sp_incident_filter open = {
	    .open = true, .id = -1, .from_ms = 0, .to_ms = INT64_MAX, .limit = 1000};
	*look = (struct look){.now_ms = sp_clock_now().wall_ms};
	int result = sp_store_read_begin(store, look->now_ms);
	if (result == 0)
		result = sp_store_status(store, &look->status);
	if (result == 0)
		result = sp_store_gauges(store, &look->gauges);
	if (result == 0)
		result = sp_store_lines(store, count_line, look);
	if (result == 0)
		result = sp_store_incidents(store, &open, count_incident, look);
	sp_store_read_end(store);
	return result;
}

/// Green or red on a terminal, nothing elsewhere.
static void word(const char *text, bool good)
{
	bool colours = isatty(STDOUT_FILENO);
	printf("%s%s%s", !colours ? "" : good ? "\033[32m" : "\033[31m", text, colours ? "\033[0m" : "");
}

static void size(int64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	size_t unit = 0;
	for (; value >= 1024 && unit + 1 < SP_COUNT(units); unit++)
		value /= 1024;
	printf("%.*f %s", unit ? 1 : 0, value, units[unit]);
}

/// `before` NULL: of one look there is no rate.
static void print(const struct look *look, const struct look *before)
{
	const char *ingest = sp_api_ingest(&look->status, look->now_ms);
	printf("ingest     ");
	word(ingest, strcmp(ingest, "running") == 0);
	if (look->status.ingest_ms > 0)
		printf(", last sign of life %.1f s ago",
		       (double)(look->now_ms - look->status.ingest_ms) / 1000);
	printf("\nevents     %" PRId64 " stored", look->gauges.events);
	if (before && look->now_ms > before->now_ms)
		printf(", %.0f a second", (double)(look->gauges.events - before->gauges.events) * 1000 /
					      (double)(look->now_ms - before->now_ms));
	printf("\nboards     %" PRId64 " online, %" PRId64 " lost, %" PRId64 " stopped\n",
	       look->gauges.boards[1], look->gauges.boards[3], look->gauges.boards[2]);
	printf("lines      %" PRId64 " up, %" PRId64 " degraded, ", look->lines[SP_LINE_UP],
	       look->lines[SP_LINE_DEGRADED]);
	char down[32];
	snprintf(down, sizeof(down), "%" PRId64 " down", look->lines[SP_LINE_DOWN]);
	word(down, look->lines[SP_LINE_DOWN] == 0);
	printf(", %" PRId64 " unknown", look->lines[SP_LINE_UNKNOWN]);
	if (look->unregistered > 0)
		printf("; %" PRId64 " not in the register", look->unregistered);
	printf("\nincidents  %" PRId64 " regional, %" PRId64 " lines not back; %" PRId64 " open outages\n",
	       look->incidents, look->away, look->gauges.open_outages);
	printf("gaps       %" PRId64 " ranges may still come; %" PRId64 " anomalies, %" PRId64
	       " messages set aside\n",
	       look->gauges.open_gaps, look->gauges.anomalies, look->gauges.set_asides);
	printf("database   ");
	size(look->gauges.bytes);
	printf(", revision %" PRId64 "\n", look->status.rev);
	fflush(stdout);
}

static int watch(struct sp_store *store, int64_t every)
{
	struct look now, before;
	int result = read_all(store, &now);
	if (result == 0)
		print(&now, NULL);
	while (result == 0 && every > 0) {
		poll(NULL, 0, (int)(every * 1000));
		before = now;
		result = read_all(store, &now);
		if (result < 0)
			break;
		fputs(isatty(STDOUT_FILENO) ? "\033[H\033[2J" : "\n", stdout);
		print(&now, &before);
	}
	if (result < 0)
		fprintf(stderr, "schoolpulse-hub: the store cannot be read: %s\n", sp_store_error(store));
	return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int sp_status_command(const struct sp_hub_config *config, int argc, char **argv)
{
	static const struct option options[] = {{"watch", required_argument, NULL, 'w'}, {0}};
	int64_t every = 0;
	char *end;
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c != 'w')
			return SP_EXIT_USAGE;
		every = strtoll(optarg, &end, 10);
		if (*end || every < 1 || every > WATCH_MAX)
			return sp_cli_usage("status: --watch takes seconds, 1 to 3600, not ", optarg);
	}
	if (optind < argc)
		return sp_cli_usage("this command takes no more words: ", argv[optind]);
	struct sp_store *store = sp_cli_open(config);
	if (!store)
		return EXIT_FAILURE;
	int status = watch(store, every);
	sp_store_close(store);
	return status;
}
