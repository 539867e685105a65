// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// schoolpulse-hub size: bytes by table and horizon, and what a school takes in a year.
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/hub/cli/cli.h"
#include "tools/hub/serve/api.h"
#include "tools/hub/store/store_sums.h"
#include "tools/hub/text/json_out.h"
#include "tools/hub/time/local_time.h"

#define YEAR 365.0

enum { RECKONED_BYTES = 65536 }; ///< of a table with less its empty pages would be all that is seen

struct sizes {
	const struct sp_hub_config *config;
	struct sp_buf out;
	bool json;
	int64_t bytes, boards;
	double days[SP_HORIZON_PUNCHES + 1]; ///< of boards, as far as rows of that horizon tell of them
	double yearly;                       ///< of all tables, per board
};

/// Days for which rows of that kind stay; 0: for ever.
static double kept_days(const struct sp_hub_config *config, enum sp_horizon horizon)
{
	switch (horizon) {
	case SP_HORIZON_EVENTS:
		return (double)config->retention.raw_days;
	case SP_HORIZON_SUMMARY:
		return (double)config->retention.minute_days;
	case SP_HORIZON_PUNCHES:
		return (double)config->hub.attendance_days;
	case SP_HORIZON_EVER:
	case SP_HORIZON_NONE:
		return 0;
	}
	return 0;
}

/// After a year: what one board's rows take that are there then. Of events the facts stay, the samples go.
static double after_year(const struct sizes *sizes, const struct sp_size_view *view)
{
	if (sizes->days[SP_HORIZON_EVER] <= 0 || view->horizon == SP_HORIZON_NONE ||
	    view->bytes < RECKONED_BYTES)
		return -1;
	double daily = (double)view->bytes / sizes->days[view->horizon];
	double kept = kept_days(sizes->config, view->horizon);
	double days = kept > 0 && kept < YEAR ? kept : YEAR;
	if (view->horizon != SP_HORIZON_EVENTS)
		return daily * days;
	double facts = (double)view->bytes / sizes->days[SP_HORIZON_EVER];
	return view->bulk_share * daily * days + (1 - view->bulk_share) * facts * YEAR;
}

static const char *horizon_text(const struct sizes *sizes, const struct sp_size_view *view, char text[48])
{
	double kept = kept_days(sizes->config, view->horizon);
	if (view->horizon == SP_HORIZON_NONE)
		return "by what there is";
	if (kept <= 0)
		return "for ever";
	if (view->horizon == SP_HORIZON_EVENTS)
		snprintf(text, 48, "samples %.0f days", kept);
	else
		snprintf(text, 48, "%.0f days", kept);
	return text;
}

static void size_row(void *arg, const struct sp_size_view *view)
{
	struct sizes *sizes = arg;
	char text[48];
	sizes->boards = view->boards;
	double year = after_year(sizes, view);
	sizes->bytes += view->bytes;
	sizes->yearly += year > 0 ? year : 0;
	if (sizes->json) {
		sp_out_open(&sizes->out, NULL, '{');
		sp_out_text(&sizes->out, "table", view->table);
		sp_out_int(&sizes->out, "bytes", view->bytes);
		sp_out_text(&sizes->out, "kept", horizon_text(sizes, view, text));
		sp_out_real_or_null(&sizes->out, "bytes_per_board_after_a_year", year);
		sp_out_close(&sizes->out, '}');
		return;
	}
	printf("%-20s %16" PRId64 "  %-18s", view->table, view->bytes, horizon_text(sizes, view, text));
	if (year >= 0)
		printf(" %14.0f\n", year);
	else
		printf(" %14s\n", "-");
}

static int print(struct sp_store *store, void *arg)
{
	struct sizes *sizes = arg;
	if (!sizes->json)
		printf("%-20s %16s  %-18s %14s\n", "TABLE", "BYTES", "KEPT", "BOARD, 1 YEAR");
	sp_out_open(&sizes->out, NULL, '{');
	sp_out_open(&sizes->out, "tables", '[');
	int result = 0;
	for (int i = 0; result == 0 && i < (int)SP_COUNT(sizes->days); i++)
		result = sp_store_board_days(store, (int64_t)kept_days(sizes->config, (enum sp_horizon)i),
					     &sizes->days[i]);
	if (result == 0)
		result = sp_store_size(store, size_row, sizes);
	sp_out_close(&sizes->out, ']');
	sp_out_int(&sizes->out, "bytes", sizes->bytes);
	sp_out_int(&sizes->out, "boards", sizes->boards);
	sp_out_real_or_null(&sizes->out, "board_days", sizes->days[SP_HORIZON_EVER]);
	sp_out_real_or_null(&sizes->out, "bytes_per_board_after_a_year",
			    sizes->days[SP_HORIZON_EVER] > 0 ? sizes->yearly : -1);
	sp_out_close(&sizes->out, '}');
	if (result < 0)
		return result;
	if (sizes->json)
		puts(sizes->out.data);
	else if (sizes->days[SP_HORIZON_EVER] > 0)
		printf("%-20s %16" PRId64 "  %" PRId64 " boards, %.1f days of boards: %.0f\n"
		       "A year of 600 boards: %.1f GB; of 41,000: %.2f TB. Reckoned from these days as they "
		       "were.\n",
		       "together", sizes->bytes, sizes->boards, sizes->days[SP_HORIZON_EVER], sizes->yearly,
		       sizes->yearly * 600 / 1e9, sizes->yearly * 41000 / 1e12);
	else
		printf("%-20s %16" PRId64 "  nothing has come yet to reckon from\n", "together",
		       sizes->bytes);
	return 0;
}

int sp_size_command(const struct sp_hub_config *config, int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};
	struct sizes sizes = {.config = config, .out = SP_BUF(SP_API_MAX)};
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c != 'j')
			return SP_EXIT_USAGE;
		sizes.json = true;
	}
	if (optind < argc)
		return sp_cli_usage("size takes no more words: ", argv[optind]);
	int status = sp_cli_answer(config, print, &sizes);
	sp_buf_free(&sizes.out);
	return status;
}
