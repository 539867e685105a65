// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// How long a reader waits for evidence: a province's month of speed tests, taken in by the hub's own path,
// then asked for as the page does. The best of a few runs, and the limit beside it.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/base/mem.h"
#include "tools/hub/store/store.h"

enum {
	SCHOOLS = 600,
	DAYS = 22,
	WINDOWS = 3,
	A_DAY = WINDOWS * SP_TEST_DIRECTIONS,
	RUNS = 5,
};
#define DAY_MS  INT64_C(86400000)
#define HOUR_MS INT64_C(3600000)
#define FROM_MS INT64_C(1793466000000) // 2026-11-01 at UTC+7
#define TO_MS   (FROM_MS + 30 * DAY_MS)
#define LIMIT_S 0.5

static const char boot[] = "00000000-0000-4000-8000-000000000000";

static double now(void)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void check(struct sp_store *store, int result, const char *what)
{
	if (result == 0)
		return;
	fprintf(stderr, "bench_hub_speed: %s: %s\n", what, sp_store_error(store));
	exit(1);
}

static void enter_schools(struct sp_store *store)
{
	static const char *const plans[] = {"Mạng A,Fiber100,100,50", "Mạng B,Fiber150,150,150",
					    "Mạng C,Mesh2,200,100"};
	struct sp_config_errors errors = {0};
	struct sp_register reg;
	struct sp_store_import done;
	struct sp_buf csv = SP_BUF(1024 * 1024);
	sp_buf_text(&csv, "school,school_name,site,line,device,shard,provider,contract,down_mbps,up_mbps\n");
	for (int i = 0; i < SCHOOLS; i++)
		sp_buf_printf(&csv, "%d,T,chinh,main,board-%d,bench,%s\n", 1000 + i, i, plans[i % 3]);
	if (sp_register_parse(&reg, "bench", csv.data, csv.length, &errors) != 0)
		abort();
	check(store, sp_store_import(store, &reg, false, FROM_MS, &done), "import");
	sp_register_free(&reg);
	sp_buf_free(&csv);
}

/// One in ten does not count, for one of two reasons.
static void add_test(struct sp_buf *out, int64_t seq, int64_t at_ms)
{
	bool up = seq % 2 == 1;
	int fate = rand() % 20;
	sp_buf_printf(
	    out,
	    "%s{\"seq\":%" PRId64 ",\"mono_us\":%" PRId64 ",\"t_ms\":%" PRId64
	    ",\"err_ms\":10,\"type\":\"speedtest\",\"device\":\"lan\",\"test\":"
	    "\"cccccccccccccccccccccccccc\",\"line\":\"main\",\"method\":\"librespeed\",\"trigger\":"
	    "\"schedule\",\"scope\":\"domestic\",\"direction\":\"%s\",",
	    seq % A_DAY == 2 ? "[" : ",", seq, (at_ms - FROM_MS) * 1000, at_ms, up ? "up" : "down");
	if (fate == 0)
		sp_buf_text(out, "\"validity\":\"failed\",\"reason\":\"timeout\"}");
	else
		sp_buf_printf(out, "\"validity\":\"%s\",%s\"goodput_bps\":%d}",
			      fate == 1 ? "contended" : "valid", fate == 1 ? "\"reason\":\"busy\"," : "",
			      50000000 + rand() % 60000000);
}

static void deliver(struct sp_store *store, int board, int64_t first, int64_t last, int64_t at_ms,
		    char *events)
{
	struct sp_feed_envelope envelope = {
	    .cls = SP_RECORD_FACTS,
	    .first = first,
	    .last = last,
	    .clk = {.mono_us = (at_ms - FROM_MS) * 1000, .synced = true, .wall_ms = at_ms, .err_ms = 10}};
	struct sp_buf wire = SP_BUF(SP_FEED_PAYLOAD_MAX);
	struct sp_feed_message message;
	enum sp_verdict verdict = SP_VERDICT_CONFLICT;
	char why[128];
	snprintf(envelope.device, sizeof(envelope.device), "board-%d", board);
	snprintf(envelope.stream, sizeof(envelope.stream), "aaaaaaaaaaaaaaaaaaaaaaaaaa");
	strcpy(envelope.boot, boot);
	strcpy(envelope.clk_boot, boot);
	sp_digest(events, strlen(events), envelope.digest);
	if (sp_feed_envelope_encode(&wire, &envelope, events, false) != 0 ||
	    sp_feed_envelope_decode(&message, wire.data, wire.length, SP_FEED_JSON, why) != SP_FEED_OK)
		abort();
	const struct sp_arrival arrival = {.shard = "bench", .device = envelope.device, .arrived_ms = at_ms};
	check(store, sp_store_batch(store, &arrival, &message, &verdict), "batch");
	if (verdict != SP_VERDICT_STORED)
		abort();
	sp_feed_message_free(&message);
	sp_buf_free(&wire);
}

static void one_day(struct sp_store *store, int board, int day)
{
	static const double windows[WINDOWS] = {7.2, 9.7, 13.9};
	struct sp_buf events = SP_BUF(SP_FEED_INFLATED_MAX);
	int64_t first = 2 + (int64_t)day * A_DAY, at_ms = 0;
	for (int i = 0; i < A_DAY; i++) {
		at_ms = FROM_MS + day * DAY_MS +
			(int64_t)((windows[i / 2] + (double)(board % 100) / 50) * HOUR_MS) + i % 2 * 15000;
		add_test(&events, first + i, at_ms);
	}
	sp_buf_text(&events, "]");
	deliver(store, board, first, first + A_DAY - 1, at_ms + 1000, events.data);
	sp_buf_free(&events);
}

static void fill(struct sp_store *store)
{
	struct sp_store_news news;
	for (int day = 0; day < DAYS; day++) {
		check(store, sp_store_begin(store, FROM_MS + (day + 1) * DAY_MS), "begin");
		for (int board = 0; board < SCHOOLS; board++) {
			if (day == 0)
				deliver(
				    store, board, 1, 1, FROM_MS,
				    (char[]){
					"[{\"seq\":1,\"mono_us\":0,\"type\":\"opened\",\"class\":\"facts\","
					"\"prev\":null}]"});
			one_day(store, board, day);
		}
		check(store, sp_store_seal(store, false, &news), "seal");
		check(store, sp_store_commit(store), "commit");
		sp_store_news_free(&news);
	}
}

// ---- asking -----------------------------------------------------------------------------------------

static int64_t rows;

static void on_site(void *arg, const struct sp_site_speed *site)
{
	(void)arg;
	rows += site->samples;
}

static void on_test(void *arg, const struct sp_test_view *test)
{
	(void)arg;
	(void)test;
	rows++;
}

static void ask_evidence(struct sp_store *store)
{
	struct sp_evidence *evidence;
	size_t count;
	check(store,
	      sp_store_evidence(store, FROM_MS, TO_MS, NULL, NULL, &(struct sp_evidence_rules){1000, 0.8},
				&evidence),
	      "evidence");
	const struct sp_evidence_pool *const *pools = sp_evidence_finish(evidence, &count);
	for (size_t i = 0; i < count; i++) {
		for (size_t d = 0; d < SP_TEST_DIRECTIONS; d++) {
			rows += pools[i]->sides[d].valid.count;
			for (size_t k = 0; k < pools[i]->sides[d].excluded_count; k++)
				rows += pools[i]->sides[d].excluded[k].count;
		}
	}
	sp_evidence_free(evidence);
}

static void ask_sites(struct sp_store *store)
{
	check(store, sp_store_site_speeds(store, FROM_MS, TO_MS, on_site, NULL), "medians");
}

static void ask_line(struct sp_store *store)
{
	const struct sp_test_filter filter = {.school = "1300",
					      .site = "chinh",
					      .line = "main",
					      .from_ms = FROM_MS,
					      .to_ms = TO_MS,
					      .limit = 1000,
					      .after = {.t_ms = -1}};
	check(store, sp_store_tests(store, &filter, on_test, NULL), "tests");
}

/// True if it is quick enough.
static bool measure(struct sp_store *store, const char *what, void (*ask)(struct sp_store *store))
{
	double best = 1e9;
	for (int i = 0; i < RUNS; i++) {
		rows = 0;
		double start = now();
		ask(store);
		double seconds = now() - start;
		best = seconds < best ? seconds : best;
	}
	printf("%-48s %8" PRId64 " rows %8.3f s (limit %.1f s)\n", what, rows, best, LIMIT_S);
	return best < LIMIT_S && rows > 0;
}

int main(int argc, char **argv)
{
	struct sp_store *store;
	char why[256], epoch[SP_ID_LENGTH + 1];
	if (argc != 2) {
		fputs("usage: bench_hub_speed FOLDER\n", stderr);
		return 2;
	}
	char *path = sp_asprintf("%s/speed.db", argv[1]);
	if (sp_store_open(&store, path, SP_STORE_WRITE, why) != 0) {
		fprintf(stderr, "bench_hub_speed: %s\n", why);
		return 1;
	}
	sp_id_new(epoch);
	check(store, sp_store_begin(store, FROM_MS), "begin");
	check(store, sp_store_epoch(store, epoch), "epoch");
	check(store, sp_store_commit(store), "commit");
	enter_schools(store);
	double start = now();
	fill(store);
	printf("%d speed tests of %d schools in %d days, taken in within %.1f s\n\n", SCHOOLS * DAYS * A_DAY,
	       SCHOOLS, DAYS, now() - start);
	bool good = measure(store, "evidence of all providers and plans", ask_evidence);
	good = measure(store, "median download of each site", ask_sites) && good;
	good = measure(store, "one line's tests", ask_line) && good;
	sp_store_close(store);
	free(path);
	return good ? 0 : 1;
}
