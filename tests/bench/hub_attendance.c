// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Events of a province's kiosks: how many the hub takes in a second beside plain inserts of rows as wide, and
// how long a reader waits for a school's day and for the province's month. The limits stand beside the
// figures.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/base/mem.h"
#include "tools/hub/time/local_time.h"
#include "tools/hub/store/store.h"

enum {
	SCHOOLS = 600,
	PUPILS = 50,
	DAYS = 7,
	A_BATCH = 100, ///< events; each school's day comes in so many
	RUNS = 3,
};
#define FROM_DAY      INT64_C(20758) // 2026-11-01
#define LIMIT_DAY_S   0.05
#define LIMIT_MONTH_S 2.0

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
	fprintf(stderr, "bench_hub_attendance: %s: %s\n", what, sp_store_error(store));
	exit(1);
}

static int64_t day_ms(int day)
{
	return sp_local_day_ms(FROM_DAY + day);
}

static void enter_schools(struct sp_store *store)
{
	struct sp_config_errors errors = {0};
	struct sp_register reg;
	struct sp_store_import done;
	struct sp_buf csv = SP_BUF(1024 * 1024);
	sp_buf_text(&csv, "school,school_name,site,line,device,shard,timetable\n");
	for (int i = 0; i < SCHOOLS; i++)
		sp_buf_printf(&csv, "%d,T,chinh,main,board-%d,bench,mon-sun 07:00-11:00\n", 1000 + i, i);
	if (sp_register_parse(&reg, "bench", csv.data, csv.length, &errors) != 0)
		abort();
	check(store, sp_store_import(store, &reg, false, day_ms(0), &done), "import");
	sp_register_free(&reg);
	sp_buf_free(&csv);
}

static void deliver(struct sp_store *store, int board, enum sp_record_class cls, int64_t at_ms, char *events)
{
	struct sp_feed_envelope envelope = {
	    .cls = cls,
	    .clk = {.mono_us = (at_ms - day_ms(0)) * 1000, .synced = true, .wall_ms = at_ms, .err_ms = 10}};
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

static void digest_of(char out[SP_DIGEST_LENGTH + 1], const char *what, int board, int day, int number)
{
	char text[64];
	snprintf(text, sizeof(text), "%s %d %d %d", what, board, day, number);
	sp_digest(text, strlen(text), out);
}

/// Each pupil comes and goes once.
static void add_punch(struct sp_buf *out, int64_t seq, int board, int day, int number)
{
	char event[SP_DIGEST_LENGTH + 1], person[SP_DIGEST_LENGTH + 1];
	bool leaving = number >= PUPILS;
	int minute = (leaving ? 11 * 60 : 6 * 60 + 30) + rand() % 40;
	int64_t t_ms = day_ms(day) + minute * INT64_C(60000) + rand() % 60000;
	digest_of(event, "event", board, day, number);
	digest_of(person, "person", board, 0, number % PUPILS);
	sp_buf_printf(
	    out,
	    "%s{\"seq\":%" PRId64 ",\"type\":\"punch\",\"device\":\"cổng\",\"mono_us\":%" PRId64
	    ",\"t_ms\":%" PRId64
	    ",\"err_ms\":52,\"event\":\"%s\",\"person\":\"%s\",\"person_kind\":\"pin\",\"direction\":\"%s\","
	    "\"method\":\"finger\",\"gate\":\"\",\"number\":null,\"kiosk_time\":\"2026-11-02T06:50:00\","
	    "\"kiosk_t_ms\":%" PRId64 ",\"corrected_t_ms\":%" PRId64
	    ",\"correction\":\"none\",\"correction_seconds\":null,\"mark\":\"live\"}",
	    out->length ? "," : "[", seq, (t_ms - day_ms(0)) * 1000, t_ms, event, person,
	    leaving ? "out" : "in", t_ms, t_ms);
}

static void school_day(struct sp_store *store, int board, int day)
{
	int64_t seq = 2 + (int64_t)day * 2 * PUPILS;
	for (int done = 0; done < 2 * PUPILS;) {
		struct sp_buf events = SP_BUF(SP_FEED_INFLATED_MAX);
		for (int end = done + A_BATCH; done < end; done++)
			add_punch(&events, seq++, board, day, done);
		sp_buf_text(&events, "]");
		deliver(store, board, SP_RECORD_ATTENDANCE, day_ms(day) + 12 * INT64_C(3600000), events.data);
		sp_buf_free(&events);
	}
}

static void fill(struct sp_store *store)
{
	struct sp_store_news news;
	for (int day = 0; day < DAYS; day++) {
		// Schools come by turns: what the index holds of one is not what the next one needs.
		for (int from = 0; from < SCHOOLS; from += 100) {
			check(store, sp_store_begin(store, day_ms(day) + 12 * INT64_C(3600000)), "begin");
			for (int board = from; board < from + 100; board++) {
				if (day == 0)
					deliver(store, board, SP_RECORD_ATTENDANCE, day_ms(0) + 1,
						(char[]){
						    "[{\"seq\":1,\"mono_us\":0,\"type\":\"opened\",\"class\":"
						    "\"attendance\",\"prev\":null}]"});
				school_day(store, board, day);
			}
			check(store, sp_store_seal(store, false, &news), "seal");
			check(store, sp_store_commit(store), "commit");
			sp_store_news_free(&news);
		}
	}
}

// ---- asking -----------------------------------------------------------------------------------------

static int64_t persons, rows;

static void on_day(void *arg, const struct sp_attendance_view *view)
{
	(void)arg;
	rows++;
	persons += view->figures->persons;
}

/// True if it is quick enough, and tells of everybody.
static bool measure(struct sp_store *store, const char *what, const char *school, int64_t days,
		    int64_t expected, double limit_s)
{
	const struct sp_attendance_filter filter = {school, FROM_DAY + (days == 1 ? 5 : 0),
						    FROM_DAY + (days == 1 ? 6 : days), school != NULL};
	double best = 1e9;
	for (int i = 0; i < RUNS; i++) {
		persons = rows = 0;
		double start = now();
		check(store, sp_store_read_begin(store, day_ms(100)), "read");
		check(store, sp_store_attendance(store, &filter, on_day, NULL), "attendance");
		sp_store_read_end(store);
		double seconds = now() - start;
		best = seconds < best ? seconds : best;
	}
	printf("%-40s %8" PRId64 " school days %9" PRId64 " persons %8.3f s (limit %.2f s)\n", what, rows,
	       persons, best, limit_s);
	return best < limit_s && persons == expected;
}

int main(int argc, char **argv)
{
	struct sp_store *store;
	char why[256], epoch[SP_ID_LENGTH + 1];
	if (argc != 2) {
		fputs("usage: bench_hub_attendance FOLDER\n", stderr);
		return 2;
	}
	char *path = sp_asprintf("%s/attendance.db", argv[1]);
	if (sp_store_open(&store, path, SP_STORE_WRITE, why) != 0) {
		fprintf(stderr, "bench_hub_attendance: %s\n", why);
		return 1;
	}
	sp_id_new(epoch);
	check(store, sp_store_begin(store, day_ms(0)), "begin");
	check(store, sp_store_epoch(store, epoch), "epoch");
	check(store, sp_store_commit(store), "commit");
	enter_schools(store);
	int64_t events = (int64_t)SCHOOLS * DAYS * 2 * PUPILS;
	double start = now();
	fill(store);
	double seconds = now() - start;
	printf("%" PRId64
	       " events of %d schools in %d days, decoded and taken in within %.1f s: %.0f in a second\n",
	       events, SCHOOLS, DAYS, seconds, (double)events / seconds);
	bool good = measure(store, "a school's day", "1030", 1, PUPILS, LIMIT_DAY_S);
	good = measure(store, "600 schools, 7 days", NULL, DAYS, (int64_t)SCHOOLS * DAYS * PUPILS,
		       LIMIT_MONTH_S) &&
	       good;
	sp_store_close(store);
	free(path);
	return good ? 0 : 1;
}
