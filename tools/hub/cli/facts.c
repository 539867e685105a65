// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The facts command. A board has reported when its `boot` and a `line` or `carrier` fact are committed;
// then a moment of quiet is waited for, so that what was just measured is printed, too.
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "schoolpulse/clock.h"
#include "tools/hub/cli/cli.h"
#include "tools/hub/serve/api.h"
#include "tools/hub/text/columns.h"
#include "tools/hub/time/local_time.h"

enum {
	POLL_MS = 250,
	PAGE = 500,
	SHOWN = 200,                  ///< the newest ones
	QUIET_US = 3 * 1000 * 1000,   ///< without a new fact
	LINGER_US = 15 * 1000 * 1000, ///< at most, after the board has reported
};

struct facts_request {
	const char *db;
	const char *device;   ///< NULL: any
	int64_t wait_seconds; ///< 0: do not wait
	bool json;
};

struct board {
	char name[33];
	bool boot, line, carrier;
};

struct watch {
	const struct facts_request *request;
	struct sp_store *store;
	struct board *boards;
	size_t board_count;
	char *shown[SHOWN]; ///< a ring
	int64_t count, after;
	int64_t changed_us, reported_us; ///< 0: not yet
	bool has_line;                   ///< a board that reported has said what its line is
};

static struct board *board_of(struct watch *watch, const char *name)
{
	for (size_t i = 0; i < watch->board_count; i++) {
		if (strcmp(watch->boards[i].name, name) == 0)
			return &watch->boards[i];
	}
	watch->boards = sp_realloc(watch->boards, (watch->board_count + 1) * sizeof(*watch->boards));
	struct board *board = &watch->boards[watch->board_count++];
	*board = (struct board){0};
	snprintf(board->name, sizeof(board->name), "%s", name);
	return board;
}

static void table_row(struct sp_buf *out, const struct sp_fact_view *fact)
{
	char time[SP_LOCAL_TIME_SIZE], err[24] = "?";
	if (fact->when.err_ms >= 0)
		snprintf(err, sizeof(err), "±%.3gs", (double)fact->when.err_ms / 1000);
	sp_buf_printf(out, "%-19.19s %-*s %-20s %-8s %-*s ", sp_local_time(fact->when.t_ms, time),
		      sp_columns(8, err), err, fact->device, fact->type, sp_columns(12, fact->instance),
		      fact->instance);
	sp_fact_summary(out, fact->data);
}

static void on_fact(void *arg, const struct sp_fact_view *fact)
{
	struct watch *watch = arg;
	struct board *board = board_of(watch, fact->device);
	struct sp_buf out = SP_BUF(64 * 1024);
	board->boot |= strcmp(fact->type, "boot") == 0;
	board->line |= strcmp(fact->type, "line") == 0;
	board->carrier |= strcmp(fact->type, "carrier") == 0;
	if (board->boot && (board->line || board->carrier) && !watch->reported_us)
		watch->reported_us = sp_clock_mono_us();
	watch->has_line |= board->boot && board->line;
	if (watch->request->json)
		sp_api_fact(&out, fact);
	else
		table_row(&out, fact);
	size_t place = (size_t)(watch->count++ % SHOWN);
	free(watch->shown[place]);
	watch->shown[place] = sp_buf_take(&out);
	watch->after = fact->id;
	watch->changed_us = sp_clock_mono_us();
}

/// 0, or -errno with `why`.
static int look(struct watch *watch, char why[256])
{
	int64_t before;
	if (!watch->store) {
		int result = sp_store_open(&watch->store, watch->request->db, SP_STORE_READ, why);
		if (result < 0)
			return result;
	}
	do {
		before = watch->count;
		int result = sp_store_facts(watch->store, watch->request->device, false, watch->after, PAGE,
					    on_fact, watch);
		if (result < 0) {
			snprintf(why, 256, "%s", sp_store_error(watch->store));
			return result;
		}
	} while (watch->count - before == PAGE);
	return 0;
}

static bool settled(const struct watch *watch)
{
	int64_t now = sp_clock_mono_us();
	if (!watch->reported_us)
		return false;
	return now - watch->reported_us >= LINGER_US ||
	       (watch->has_line && now - watch->changed_us >= QUIET_US);
}

static void print(const struct watch *watch)
{
	int64_t first = watch->count > SHOWN ? watch->count - SHOWN : 0;
	if (watch->request->json)
		puts("[");
	else
		printf("%-19s %-8s %-20s %-8s %-12s %s\n", "TIME (+07:00)", "ERROR", "BOARD", "FACT", "OF",
		       "WHAT");
	for (int64_t i = first; i < watch->count; i++)
		printf("%s%s\n", watch->shown[i % SHOWN],
		       watch->request->json && i + 1 < watch->count ? "," : "");
	if (watch->request->json)
		puts("]");
	else if (first > 0)
		printf("(and %" PRId64 " older ones)\n", first);
}

static const char *missing(const struct watch *watch, char out[256])
{
	const char *who = watch->request->device ? watch->request->device : "any board";
	if (watch->count == 0)
		snprintf(out, 256, "no fact of %s is committed", who);
	else
		snprintf(out, 256,
			 "facts are committed, but of %s not yet both `boot` and a `line` or `carrier` fact",
			 who);
	return out;
}

static int wait_for(struct watch *watch)
{
	int64_t start = sp_clock_mono_us(), until = start + watch->request->wait_seconds * 1000000;
	bool progress = isatty(STDERR_FILENO);
	char why[256] = "";
	int result;
	while ((result = look(watch, why)), !settled(watch)) {
		// A database that is not there yet is what waiting is for.
		if (result < 0 && result != -ENOENT && result != -EBUSY)
			break;
		if (sp_clock_mono_us() >= until)
			break;
		if (progress)
			fprintf(stderr, "\rwaiting: %" PRId64 " s, %" PRId64 " facts \033[K",
				(sp_clock_mono_us() - start) / 1000000, watch->count);
		poll(NULL, 0, POLL_MS);
	}
	if (progress)
		fputs("\r\033[K", stderr);
	if (watch->reported_us)
		return 0;
	char text[256];
	fprintf(stderr, "schoolpulse-hub: after %" PRId64 " s: %s\n", watch->request->wait_seconds,
		result < 0 ? why : missing(watch, text));
	return 1;
}

static int look_once(struct watch *watch)
{
	char why[256], text[256];
	int result = look(watch, why);
	if (result == 0 && watch->count > 0)
		return 0;
	fprintf(stderr, "schoolpulse-hub: %s\n", result < 0 ? why : missing(watch, text));
	return 1;
}

static int run(const struct facts_request *request)
{
	struct watch watch = {.request = request};
	int status = request->wait_seconds > 0 ? wait_for(&watch) : look_once(&watch);
	if (status == 0)
		print(&watch);
	for (size_t i = 0; i < SHOWN; i++)
		free(watch.shown[i]);
	free(watch.boards);
	sp_store_close(watch.store);
	return status;
}

int sp_facts_command(const struct sp_hub_config *config, int argc, char **argv)
{
	static const struct option options[] = {{"device", required_argument, NULL, 'd'},
						{"wait", required_argument, NULL, 'w'},
						{"json", no_argument, NULL, 'j'},
						{0}};
	struct facts_request request = {.db = config->hub.db};
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		char *end = NULL;
		if (c == 'd') {
			request.device = optarg;
		} else if (c == 'j') {
			request.json = true;
		} else if (c == 'w') {
			request.wait_seconds = strtol(optarg, &end, 10);
			if (*end || request.wait_seconds < 1 || request.wait_seconds > 86400)
				return sp_cli_usage("--wait takes 1 to 86400 seconds, not ", optarg);
		} else {
			return SP_EXIT_USAGE;
		}
	}
	return optind < argc ? sp_cli_usage("facts: what is ", argv[optind]) : run(&request);
}
