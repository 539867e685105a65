// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What should not be and what could not be taken, on the command line: the words that ops/README.md explains.
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/hub/cli/cli.h"
#include "tools/hub/serve/api.h"
#include "tools/hub/store/store.h"
#include "tools/hub/text/json_out.h"
#include "tools/hub/time/local_time.h"

struct told {
	struct sp_buf out;
	bool json;
};

static void line(const char *word, const char *device, int64_t count, int64_t last_ms, const char *text)
{
	char time[SP_LOCAL_TIME_SIZE];
	printf("%-20s %-32s %10" PRId64 "  %.19s  %s\n", word, device[0] ? device : "-", count,
	       sp_local_time(last_ms, time), text);
}

static void anomaly_row(void *arg, const struct sp_anomaly_view *view)
{
	struct told *told = arg;
	if (!told->json) {
		line(view->kind, view->device, view->count, view->last_ms, view->detail);
		return;
	}
	sp_out_open(&told->out, NULL, '{');
	sp_out_text(&told->out, "kind", view->kind);
	sp_out_text(&told->out, "device", view->device);
	sp_out_text_or_null(&told->out, "stream", view->stream);
	sp_out_int(&told->out, "count", view->count);
	sp_out_int(&told->out, "first_ms", view->first_ms);
	sp_out_int(&told->out, "last_ms", view->last_ms);
	sp_out_text(&told->out, "text", view->detail);
	sp_out_close(&told->out, '}');
}

static void set_aside_row(void *arg, const struct sp_set_aside_view *view)
{
	struct told *told = arg;
	if (!told->json) {
		line(view->fault, view->device, view->count, view->last_ms, view->why);
		return;
	}
	sp_out_open(&told->out, NULL, '{');
	sp_out_text(&told->out, "fault", view->fault);
	sp_out_text_or_null(&told->out, "device", view->device);
	sp_out_int(&told->out, "count", view->count);
	sp_out_int(&told->out, "last_ms", view->last_ms);
	sp_out_text(&told->out, "about", view->topic);
	sp_out_text(&told->out, "text", view->why);
	sp_out_close(&told->out, '}');
}

static int tell(struct sp_store *store, void *arg)
{
	struct told *told = arg;
	if (!told->json)
		printf("%-20s %-32s %10s  %-19s  %s\n", "ANOMALY", "BOARD", "TIMES", "LAST (+07:00)", "");
	sp_out_open(&told->out, NULL, '{');
	sp_out_open(&told->out, "anomalies", '[');
	int result = sp_store_anomalies(store, anomaly_row, told);
	sp_out_close(&told->out, ']');
	if (!told->json)
		printf("\n%-20s %-32s %10s  %-19s  %s\n", "SET ASIDE", "BOARD", "TIMES", "LAST (+07:00)",
		       "WHY, THE LAST TIME");
	sp_out_open(&told->out, "set_aside", '[');
	if (result == 0)
		result = sp_store_set_asides(store, set_aside_row, told);
	sp_out_close(&told->out, ']');
	sp_out_close(&told->out, '}');
	if (result == 0 && told->out.overflowed)
		result = -EMSGSIZE;
	if (result == 0 && told->json)
		puts(told->out.data);
	return result;
}

int sp_anomalies_command(const struct sp_hub_config *config, int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};
	struct told told = {.out = SP_BUF(SP_API_MAX)};
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c != 'j')
			return SP_EXIT_USAGE;
		told.json = true;
	}
	if (optind < argc)
		return sp_cli_usage("anomalies takes no more words: ", argv[optind]);
	int status = sp_cli_answer(config, tell, &told);
	sp_buf_free(&told.out);
	return status;
}
