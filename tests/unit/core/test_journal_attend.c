// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Attendance in the journal's file: which events are new, which are published, how long they stay, and what
// becomes of their keys.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "tests/unit/core/attend_bench.h"
#include "tests/unit/core/store_bench.h"

enum { DAY = 20780, DAY_MS = 86400000 };

static struct roll roll;

/// Batches of attendance that the publisher would be given.
static size_t offered(struct sp_journal_store *store)
{
	struct sp_journal_batch *batches[64];
	size_t count, found = 0;
	for (int lane = 0; lane < 2; lane++) {
		assert_int_equal(sp_journal_store_fetch(store, (enum sp_lane)lane, 0, 64, batches, &count, 0),
				 0);
		for (size_t i = 0; i < count; i++) {
			found += batches[i]->envelope.cls == SP_RECORD_ATTENDANCE;
			sp_journal_batch_free(batches[i]);
		}
	}
	return found;
}

static size_t held_streams(struct sp_journal_store *store, enum sp_record_class cls)
{
	static struct sp_feed_held held[SP_FEED_HELD_MAX];
	size_t count, found = 0;
	assert_int_equal(sp_journal_store_held(store, held, &count), 0);
	for (size_t i = 0; i < count; i++)
		found += held[i].cls == cls;
	return found;
}

static void test_what_comes_again_is_known(void **state)
{
	(void)state;
	struct sp_journal_store *store = bench_open();
	size_t known;
	assert_int_equal(commit_events(store, 0, 500, DAY, true, &known), 0);
	assert_int_equal(known, 0);
	// Across groups: half of them again, then restarts in between.
	assert_int_equal(commit_events(store, 250, 500, DAY, true, &known), 0);
	assert_int_equal(known, 250);
	sp_journal_store_close(store);
	store = bench_open();
	assert_int_equal(commit_events(store, 0, 750, DAY, false, &known), 0);
	assert_int_equal(known, 750); // whatever the level is now
	call_roll(&roll, store);
	assert_int_equal(roll.events, 750);
	int64_t count;
	assert_int_equal(sp_journal_seen_count(store, GATE, DAY, &count), 0);
	assert_int_equal(count, 750);
	assert_int_equal(sp_journal_seen_count(store, GATE, DAY + 1, &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(sp_journal_seen_count(store, "cổng sau", DAY, &count), 0);
	assert_int_equal(count, 0);
	sp_journal_store_close(store);
}

static void test_twice_in_one_commit(void **state)
{
	(void)state;
	struct sp_journal_store *store = bench_open();
	char *records[] = {event_record(1, 1), event_record(1, 1), event_record(2, 1), event_record(1, 1)};
	uint8_t one[16], two[16];
	event_key(one, 1);
	event_key(two, 2);
	struct sp_journal_mark marks[] = {
	    {.kiosk = GATE, .key = one, .day = DAY},
	    {.kiosk = GATE, .key = one, .day = DAY, .local = true},
	    {.kiosk = GATE, .key = two, .day = DAY},
	    {.kiosk = "cổng sau", .key = one, .day = DAY}, // another kiosk: another event
	};
	struct sp_journal_commit what = {.marks = marks};
	what.records[SP_RECORD_ATTENDANCE] = (const char *const *)records;
	what.count[SP_RECORD_ATTENDANCE] = 4;
	assert_int_equal(sp_journal_store_commit(store, &what, 0), 0);
	assert_false(marks[0].known);
	assert_true(marks[1].known);
	assert_false(marks[2].known);
	assert_false(marks[3].known);
	call_roll(&roll, store);
	assert_int_equal(roll.seen[1], 2);
	assert_int_equal(roll.seen[2], 1);
	for (int i = 0; i < 4; i++)
		free(records[i]);
	sp_journal_store_close(store);
}

/// A key beside its own: known by that, it is known, and its own is not noted.
static void test_known_by_another_key(void **state)
{
	(void)state;
	struct sp_journal_store *store = bench_open();
	char *records[] = {event_record(1, 1), event_record(2, 1), event_record(3, 1), event_record(2, 1)};
	uint8_t keys[4][16];
	for (int i = 0; i < 4; i++)
		event_key(keys[i], i + 1);
	struct sp_journal_mark marks[] = {
	    {.kiosk = GATE, .key = keys[0], .day = DAY},
	    {.kiosk = GATE, .key = keys[1], .other = keys[0], .day = DAY},
	    {.kiosk = GATE, .key = keys[2], .other = keys[3], .day = DAY},
	    {.kiosk = GATE, .key = keys[1], .day = DAY},
	};
	struct sp_journal_commit what = {.marks = marks};
	what.records[SP_RECORD_ATTENDANCE] = (const char *const *)records;
	what.count[SP_RECORD_ATTENDANCE] = 4;
	assert_int_equal(sp_journal_store_commit(store, &what, 0), 0);
	assert_false(marks[0].known);
	assert_true(marks[1].known);
	assert_false(marks[2].known);
	assert_false(marks[3].known);
	int64_t count;
	assert_int_equal(sp_journal_seen_count(store, GATE, DAY, &count), 0);
	assert_int_equal(count, 3);
	for (int i = 0; i < 4; i++)
		free(records[i]);
	sp_journal_store_close(store);
}

static void test_a_known_upload_writes_nothing(void **state)
{
	(void)state;
	struct sp_journal_store *store = bench_open();
	size_t known;
	assert_int_equal(commit_events(store, 0, 2000, DAY, true, &known), 0);
	assert_int_equal(sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(commit_events(store, 0, 2000, DAY, true, &known), 0);
	assert_int_equal(known, 2000);
	int log = -1, done = -1;
	assert_int_equal(sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &log, &done),
			 SQLITE_OK);
	assert_true(log <= 0);
	sp_journal_store_close(store);
}

static void test_local_events_are_nobodys_business(void **state)
{
	(void)state;
	struct sp_journal_store *store = bench_open();
	size_t known;
	assert_int_equal(commit_events(store, 0, 100, DAY, false, &known), 0);
	assert_int_equal(known, 0);
	assert_int_equal(offered(store), 0);
	assert_int_equal(held_streams(store, SP_RECORD_ATTENDANCE), 0);
	assert_int_equal(store->now.stream[SP_RECORD_ATTENDANCE].row, 0);
	assert_int_equal(unsettled(store), 0);
	// The level rises: only what comes from now on is published.
	sp_journal_store_close(store);
	store = bench_open();
	assert_int_equal(commit_events(store, 100, 10, DAY, true, &known), 0);
	struct audit a;
	audit(&a, store, true);
	assert_int_equal(a.records, 11); // and `opened`
	for (int n = 0; n < 110; n++)
		assert_int_equal(a.seen[n], n >= 100);
	audit_free(&a);
	call_roll(&roll, store);
	assert_int_equal(roll.events, 110);
	sp_journal_store_close(store);
	// It falls: what was to be published and is not sent stays here, and the hub is told that it is held.
	struct sp_journal_store_config config = test_config(&place);
	config.withhold_attendance = true;
	store = bench_open_with(&config, 0);
	assert_int_equal(commit_events(store, 110, 10, DAY, false, &known), 0);
	assert_int_equal(test_commit(store, SP_RECORD_FACTS, 1, 1, 0), 0);
	assert_int_equal(offered(store), 0);
	assert_int_equal(held_streams(store, SP_RECORD_ATTENDANCE), 1);
	assert_int_equal(held_streams(store, SP_RECORD_FACTS), 1);
	sp_journal_store_close(store);
	store = bench_open();
	assert_int_equal(offered(store), 1);
	call_roll(&roll, store);
	assert_int_equal(roll.events, 120);
	sp_journal_store_close(store);
}

static void test_local_events_go_by_age(void **state)
{
	(void)state;
	struct sp_journal_store_config config = test_config(&place);
	config.keep_attendance_ms = 10000;
	struct sp_journal_store *store = bench_open_with(&config, 0);
	size_t known;
	assert_int_equal(commit_events(store, 0, 100, DAY, false, &known), 0);
	assert_int_equal(sp_journal_store_forget(store, 6000), 0);
	sp_journal_store_close(store);
	// A day without power is no age.
	store = bench_open_with(&config, DAY_MS);
	assert_int_equal(sp_journal_store_forget(store, DAY_MS + 3000), 0);
	call_roll(&roll, store);
	assert_int_equal(roll.events, 100);
	assert_int_equal(sp_journal_store_forget(store, DAY_MS + 5000), 0);
	call_roll(&roll, store);
	assert_int_equal(roll.events, 0);
	// The keys stay.
	assert_int_equal(commit_events(store, 0, 100, DAY, false, &known), 0);
	assert_int_equal(known, 100);
	sp_journal_store_close(store);
}

static void test_settled_attendance_has_an_age_of_its_own(void **state)
{
	(void)state;
	struct sp_journal_store_config config = test_config(&place);
	config.keep_attendance_ms = 10000;
	config.keep_acked_ms = 20000;
	struct sp_journal_store *store = bench_open_with(&config, 0);
	size_t known;
	assert_int_equal(commit_events(store, 0, 10, DAY, true, &known), 0);
	assert_int_equal(test_commit(store, SP_RECORD_FACTS, 11, 1, 0), 0);
	// Long before the hub answers nothing is forgotten.
	assert_int_equal(sp_journal_store_forget(store, 50000), 0);
	for (int cls = 0; cls < 2; cls++) {
		struct sp_feed_ack ack = ack_of(store->now.stream[cls].name, store->now.stream[cls].last);
		apply(store, &ack);
	}
	assert_int_equal(sp_journal_store_forget(store, 51000), 0); // settled from here
	assert_int_equal(sp_journal_store_forget(store, 60000), 0);
	call_roll(&roll, store);
	assert_int_equal(roll.events, 10);
	assert_int_equal(sp_journal_store_forget(store, 62000), 0);
	call_roll(&roll, store);
	assert_int_equal(roll.events, 0);
	assert_int_equal(held_streams(store, SP_RECORD_FACTS), 1);
	assert_int_equal(sp_journal_store_forget(store, 72000), 0);
	assert_int_equal(held_streams(store, SP_RECORD_FACTS), 0);
	sp_journal_store_close(store);
}

static void test_what_nobody_takes_is_dropped_with_a_fact(void **state)
{
	(void)state;
	struct sp_journal_store_config config = test_config(&place);
	config.unsent_attendance_ms = 30000;
	size_t known;
	struct audit a;
	struct sp_journal_store *store = bench_open_with(&config, 0);
	// A hundred batches in two streams, and a younger one.
	for (int i = 0; i < 50; i++)
		assert_int_equal(commit_events(store, i, 1, DAY, true, &known), 0);
	sp_journal_store_close(store);
	store = bench_open_with(&config, 0);
	for (int i = 50; i < 100; i++)
		assert_int_equal(commit_events(store, i, 1, DAY, true, &known), 0);
	assert_int_equal(sp_journal_store_forget(store, 20000), 0);
	assert_int_equal(commit_events(store, 100, 1, DAY, true, &known), 0);
	assert_int_equal(store->now.dropped, 0);
	assert_int_equal(sp_journal_store_forget(store, 30001), 0);
	assert_int_equal(store->now.dropped, 102); // and two `opened`
	assert_int_equal(store->now.unsettled[SP_RECORD_ATTENDANCE], 1);
	audit(&a, store, false);
	assert_int_equal(a.dropped_records, 102);
	assert_int_equal(a.dropped, 2); // one range for each stream
	assert_int_equal(a.seen[100], 1);
	audit_free(&a);
	sqlite3_stmt *statement;
	assert_int_equal(
	    sqlite3_prepare_v2(
		store->db, "SELECT count(*) FROM batch WHERE instr(body, CAST('\"reason\":\"age\"' AS BLOB))",
		-1, &statement, NULL),
	    SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	assert_true(sqlite3_column_int(statement, 0) >= 1);
	sqlite3_finalize(statement);
	// What a restored hub wants again gets its time again.
	assert_int_equal(commit_events(store, 0, 100, DAY, true, &known), 0);
	assert_int_equal(known, 100);
	sp_journal_store_close(store);
}

static void test_keys_do_not_eat_the_cap(void **state)
{
	(void)state;
	struct sp_journal_store_config config = test_config(&place);
	config.cap_bytes = 1 << 20;
	struct sp_journal_store *store = bench_open_with(&config, 0);
	size_t known;
	int64_t next = 0;
	// Keys of some 2 MB and more, under a cap of 1 MiB that records fill as well.
	for (int i = 0; i < 60; i++, next += 1000)
		assert_int_equal(commit_events(store, next, 1000, DAY + i / 10, false, &known), 0);
	print_message("%" PRId64 " bytes of keys, %" PRId64 " of others\n", store->now.seen_bytes,
		      store->now.bytes);
	assert_true(store->now.seen_bytes > config.cap_bytes);
	assert_true(store->now.bytes <= config.cap_bytes);
	assert_true(store->now.bytes > config.cap_bytes / 2);
	int64_t pages = store->now.pages * 4096;
	// What dbstat says of the table is what was accounted for.
	sqlite3_stmt *statement;
	if (sqlite3_prepare_v2(store->db, "SELECT sum(pgsize) FROM dbstat WHERE name = 'seen'", -1,
			       &statement, NULL) == SQLITE_OK) {
		assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
		int64_t truth = sqlite3_column_int64(statement, 0);
		print_message("60000 keys: %" PRId64 " bytes accounted, %" PRId64 " by dbstat, file %" PRId64
			      "\n",
			      store->now.seen_bytes, truth, pages);
		assert_true(llabs(truth - store->now.seen_bytes) <= 8 * 4096);
		sqlite3_finalize(statement);
	}
	sp_journal_store_close(store);
	store = bench_open_with(&config, 0);
	assert_true(store->now.seen_bytes > config.cap_bytes);
	// None was given up.
	for (int64_t n = 0; n < next; n += 1000) {
		assert_int_equal(commit_events(store, n, 1000, DAY + (int)(n / 10000), false, &known), 0);
		assert_int_equal(known, 1000);
	}
	sp_journal_store_close(store);
}

/// Keys alone, by SQL: a hundred thousand events would only cost time.
static void plant_keys(struct sp_journal_store *store, int days, int each)
{
	char *sql = sp_asprintf("INSERT INTO seen SELECT 1, %d + value / %d, randomblob(16) FROM "
				"(WITH RECURSIVE r(value) AS (SELECT 0 UNION ALL SELECT value + 1 FROM r "
				"LIMIT %d) SELECT value FROM r)",
				DAY, each, days * each);
	assert_int_equal(sqlite3_exec(store->db, sql, NULL, NULL, NULL), SQLITE_OK);
	free(sql);
	sql = sp_asprintf("UPDATE kiosk SET count = count + %d", days * each);
	assert_int_equal(sqlite3_exec(store->db, sql, NULL, NULL, NULL), SQLITE_OK);
	free(sql);
}

static void test_the_oldest_keys_go_when_there_are_too_many(void **state)
{
	(void)state;
	struct sp_journal_store *store = bench_open();
	size_t known;
	int64_t count, first;
	assert_int_equal(commit_events(store, 0, 100, DAY + 300, true, &known), 0);
	plant_keys(store, 201, 1000);
	sp_journal_store_close(store);
	store = bench_open();
	assert_false(sp_journal_seen_crowded(store)); // it does not know yet
	assert_int_equal(commit_events(store, 100, 1, DAY + 300, true, &known), 0);
	assert_true(sp_journal_seen_crowded(store));
	assert_int_equal(sp_journal_store_prune(store, 0), 0);
	assert_false(sp_journal_seen_crowded(store));
	count = 0;
	assert_int_equal(sp_journal_seen_count(store, GATE, DAY + 300, &count), 0);
	assert_int_equal(count, 101);
	assert_int_equal(sp_journal_seen_count(store, GATE, DAY + 200, &count), 0);
	assert_int_equal(count, 1000);
	assert_int_equal(sp_journal_seen_count(store, GATE, DAY, &first), 0);
	assert_int_equal(first, 0);
	assert_int_equal(store->kiosks[0].count, SP_JOURNAL_SEEN_MIN / 10 * 9);
	sp_journal_store_close(store);
	// Who stores more than half of that has twice its capacity.
	store = bench_open();
	plant_keys(store, 201, 1000);
	char *record = event_record(200, 1);
	uint8_t key[16];
	event_key(key, 200);
	struct sp_journal_mark mark = {.kiosk = GATE, .key = key, .day = DAY, .capacity = 300000};
	struct sp_journal_commit what = {.marks = &mark};
	what.records[SP_RECORD_ATTENDANCE] = (const char *const *)&record;
	what.count[SP_RECORD_ATTENDANCE] = 1;
	assert_int_equal(sp_journal_store_commit(store, &what, 0), 0);
	assert_false(sp_journal_seen_crowded(store));
	free(record);
	sp_journal_store_close(store);
}

static void test_counts_are_never_too_low(void **state)
{
	(void)state;
	size_t known;
	int64_t made = 0;
	for (int opening = 0; opening < 20; opening++) {
		struct sp_journal_store *store = bench_open();
		for (int i = 0; i < 7; i++, made += 37)
			assert_int_equal(commit_events(store, made, 37, DAY, true, &known), 0);
		assert_true(store->kiosks[0].count >= made);
		assert_true(store->kiosks[0].count <= made + 256 * (opening + 1));
		sp_journal_store_close(store);
	}
}

static void test_more_kiosks_than_there_is_room_for(void **state)
{
	(void)state;
	struct sp_journal_store *store = bench_open();
	char *record = event_record(1, 1), name[32];
	uint8_t key[16];
	event_key(key, 1);
	struct sp_journal_mark mark = {.kiosk = name, .key = key, .day = DAY};
	struct sp_journal_commit what = {.marks = &mark};
	what.records[SP_RECORD_ATTENDANCE] = (const char *const *)&record;
	what.count[SP_RECORD_ATTENDANCE] = 1;
	for (int i = 0; i < SP_JOURNAL_KIOSKS_MAX; i++) {
		snprintf(name, sizeof(name), "cổng %d", i);
		assert_int_equal(sp_journal_store_commit(store, &what, 0), 0);
		assert_false(mark.known);
	}
	sp_journal_store_close(store);
	store = bench_open();
	snprintf(name, sizeof(name), "cổng 0"); // in use, so not given up
	assert_int_equal(sp_journal_store_commit(store, &what, 0), 0);
	assert_true(mark.known);
	snprintf(name, sizeof(name), "thêm");
	assert_int_equal(sp_journal_store_commit(store, &what, 0), 0);
	assert_false(mark.known);
	snprintf(name, sizeof(name), "cổng 0");
	assert_int_equal(sp_journal_store_commit(store, &what, 0), 0);
	assert_true(mark.known);
	snprintf(name, sizeof(name), "cổng 1"); // its place was taken
	assert_int_equal(sp_journal_store_commit(store, &what, 0), 0);
	assert_false(mark.known);
	assert_int_equal(store->kiosk_count, SP_JOURNAL_KIOSKS_MAX);
	free(record);
	sp_journal_store_close(store);
}

static void test_a_file_of_the_first_version_goes_on(void **state)
{
	(void)state;
	struct sp_journal_store *store = bench_open();
	size_t known;
	assert_int_equal(test_commit(store, SP_RECORD_FACTS, 5, 3, 0), 0);
	assert_int_equal(sqlite3_exec(store->db,
				      "DROP TABLE seen; DROP TABLE kiosk; DROP TABLE local; "
				      "ALTER TABLE batch DROP COLUMN redacted; PRAGMA user_version=1",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	sp_journal_store_close(store);
	store = bench_open();
	assert_false(store->set_aside);
	assert_int_equal(commit_events(store, 10, 3, DAY, true, &known), 0);
	struct audit a;
	audit(&a, store, true);
	for (int n = 5; n < 13; n++)
		assert_int_equal(a.seen[n], n < 8 || n >= 10);
	audit_free(&a);
	sp_journal_store_close(store);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_what_comes_again_is_known),
	    T(test_twice_in_one_commit),
	    T(test_known_by_another_key),
	    T(test_a_known_upload_writes_nothing),
	    T(test_local_events_are_nobodys_business),
	    T(test_local_events_go_by_age),
	    T(test_settled_attendance_has_an_age_of_its_own),
	    T(test_what_nobody_takes_is_dropped_with_a_fact),
	    T(test_keys_do_not_eat_the_cap),
	    T(test_the_oldest_keys_go_when_there_are_too_many),
	    T(test_counts_are_never_too_low),
	    T(test_more_kiosks_than_there_is_room_for),
	    T(test_a_file_of_the_first_version_goes_on),
	};
	FILE *quiet = fopen("/dev/null", "we");
	sp_log_setup(SP_LOG_ERR, false, quiet);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	fclose(quiet);
	return failed;
}
