// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Space in the journal's file: the cap, what is given up first, and forgetting.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/mem.h"
#include "tests/unit/core/store_bench.h"

static void test_cap_gives_up_settled_then_bulk_and_tells(void **state)
{
	(void)state;
	struct audit a;
	struct sp_journal_store_config config = test_config(&place);
	config.cap_bytes = 1 << 20;
	struct sp_journal_store *store = bench_open_with(&config, 0);
	assert_int_equal(test_commit(store, SP_RECORD_FACTS, 0, 20, 1000), 0);
	int64_t n = 100;
	for (int i = 0; i < 40; i++, n += 4)
		assert_int_equal(test_commit(store, SP_RECORD_BULK, n, 4, 4000), 0);
	struct sp_feed_ack ack = ack_of(store->now.stream[SP_RECORD_BULK].name, 4 * 30 + 1);
	apply(store, &ack);
	for (int i = 0; i < 40; i++, n += 4)
		assert_int_equal(test_commit(store, SP_RECORD_BULK, n, 4, 4000), 0);
	// So far settled batches made room: nothing was lost.
	assert_int_equal(store->now.dropped, 0);
	audit(&a, store, false);
	assert_int_equal(a.dropped, 0);
	audit_free(&a);
	for (int i = 0; i < 100; i++, n += 4) {
		assert_int_equal(test_commit(store, SP_RECORD_BULK, n, 4, 4000), 0);
		assert_true(store->now.bytes <= config.cap_bytes);
	}
	audit(&a, store, false);
	assert_true(a.dropped > 0 && a.dropped < 100);
	assert_int_equal(a.dropped_records, store->now.dropped);
	// Every bulk record was settled, is held, or is told to be dropped; no fact is missing.
	assert_int_equal(store->now.stream[SP_RECORD_BULK].last,
			 4 * 30 + 1 + store->now.dropped + store->now.unsettled[SP_RECORD_BULK]);
	for (int i = 0; i < 20; i++)
		assert_int_equal(a.seen[i], 1);
	audit_free(&a);
	sp_journal_store_close(store);
}

static void test_cap_gives_up_facts_last(void **state)
{
	(void)state;
	struct audit a;
	struct sp_journal_store_config config = test_config(&place);
	config.cap_bytes = 1 << 20;
	struct sp_journal_store *store = bench_open_with(&config, 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(test_commit(store, SP_RECORD_ATTENDANCE, i * 4, 4, 4000), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(test_commit(store, SP_RECORD_FACTS, 1000 + i * 4, 4, 4000), 0);
	assert_int_equal(store->now.unsettled[SP_RECORD_ATTENDANCE], 0);
	assert_true(store->now.unsettled[SP_RECORD_FACTS] > 100);
	assert_true(store->now.bytes <= config.cap_bytes);
	audit(&a, store, false);
	assert_int_equal(a.seen[1399], 1); // the newest are there
	audit_free(&a);
	sp_journal_store_close(store);
}

static void test_memory_losses_become_facts(void **state)
{
	(void)state;
	struct audit a;
	struct sp_journal_store *store = bench_open();
	struct sp_journal_commit what = {.lost = {0, 3, 17}};
	assert_int_equal(sp_journal_store_commit(store, &what, 0), 0);
	audit(&a, store, true);
	assert_int_equal(a.dropped, 2);
	assert_int_equal(a.memory_records, 20);
	assert_int_equal(store->now.dropped, 20);
	audit_free(&a);
	sp_journal_store_close(store);
}

static void test_streams_stay_as_few_as_a_birth_can_name(void **state)
{
	(void)state;
	struct audit a;
	struct sp_feed_held *held = sp_alloc(SP_FEED_HELD_MAX * sizeof(*held));
	size_t count;
	struct sp_journal_store *store = NULL;
	for (int i = 0; i < SP_FEED_HELD_MAX + 40; i++) {
		store = bench_open();
		assert_int_equal(test_commit(store, SP_RECORD_FACTS, i, 1, 0), 0);
		if (i + 1 < SP_FEED_HELD_MAX + 40)
			sp_journal_store_close(store);
	}
	assert_int_equal(sp_journal_store_held(store, held, &count), 0);
	assert_true(count <= SP_FEED_HELD_MAX && count > SP_FEED_HELD_MAX - 10);
	audit(&a, store, false);
	assert_true(a.dropped > 30);
	assert_int_equal(a.seen[0], 0);
	assert_int_equal(a.seen[SP_FEED_HELD_MAX + 39], 1);
	audit_free(&a);
	sp_journal_store_close(store);
	free(held);
}

/// Attendance worth a fifth of the cap in one commit, and memory losses of every class.
static void flood(struct sp_journal_store *store, int64_t n)
{
	enum { RECORDS = 20 };
	const char *records[RECORDS];
	char *owned[RECORDS];
	for (int i = 0; i < RECORDS; i++)
		records[i] = owned[i] = test_record(n + i, 10000);
	struct sp_journal_commit what = {.records = {[SP_RECORD_ATTENDANCE] = records},
					 .count = {[SP_RECORD_ATTENDANCE] = RECORDS},
					 .lost = {1, 1, 1}};
	assert_int_equal(sp_journal_store_commit(store, &what, 0), 0);
	for (int i = 0; i < RECORDS; i++)
		free(owned[i]);
}

static void test_more_losses_than_a_commit_can_tell(void **state)
{
	(void)state;
	enum { OPENINGS = SP_JOURNAL_LOSSES_MAX + 6, FLOODS = 20 };
	struct audit a;
	struct sp_journal_store_config config = test_config(&place);
	config.cap_bytes = 1 << 20;
	struct sp_journal_store *store = NULL;
	for (int i = 0; i < OPENINGS; i++) {
		sp_journal_store_close(store);
		store = bench_open_with(&config, 0);
		assert_int_equal(test_commit(store, SP_RECORD_BULK, i, 1, 0), 0);
	}
	int64_t held = unsettled(store), committed = store->now.committed;
	size_t most = 0;
	for (int i = 0; i < FLOODS; i++) {
		flood(store, 1000 + i * 20);
		most = store->loss_count > most ? store->loss_count : most;
		assert_true(store->loss_count <= SP_JOURNAL_LOSSES_MAX);
	}
	assert_int_equal(most, SP_JOURNAL_LOSSES_MAX);
	assert_true(store->now.bytes <= config.cap_bytes);
	// Whatever went was told; what could not be told in one commit went with a later one.
	audit(&a, store, false);
	assert_int_equal(a.memory_records, 3 * FLOODS);
	assert_int_equal(a.dropped_records, store->now.dropped - a.memory_records);
	int64_t issued = held + store->now.committed - committed;
	assert_int_equal(unsettled(store), issued - a.dropped_records);
	assert_int_equal(a.seen[0], 0);
	assert_int_equal(a.seen[1000 + FLOODS * 20 - 1], 1);
	audit_free(&a);
	sp_journal_store_close(store);
}

static int64_t size_of(const char *suffix)
{
	char path[200];
	struct stat st;
	snprintf(path, sizeof(path), "%s%s", place.file, suffix);
	return stat(path, &st) == 0 ? st.st_size : -1;
}

static bool file_contains(const char *suffix, const char *text)
{
	char path[200];
	snprintf(path, sizeof(path), "%s%s", place.file, suffix);
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	char *all = sp_alloc((size_t)size_of(suffix) + 1);
	size_t length = fread(all, 1, (size_t)size_of(suffix), file);
	fclose(file);
	bool found = memmem(all, length, text, strlen(text)) != NULL;
	free(all);
	return found;
}

static void test_forgetting_by_powered_on_age(void **state)
{
	(void)state;
	struct sp_journal_store_config config = test_config(&place);
	config.keep_attendance_ms = 10000;
	struct sp_journal_store *store = bench_open_with(&config, 0);
	char *record = test_record(77777 % AUDIT_MAX, 50), *needle = strstr(record, "fill");
	assert_int_equal(test_commit(store, SP_RECORD_ATTENDANCE, 77777 % AUDIT_MAX, 1, 50), 0);
	assert_true(file_contains("", needle) || file_contains("-wal", needle));
	struct sp_feed_ack ack = ack_of(store->now.stream[SP_RECORD_ATTENDANCE].name, 2);
	apply(store, &ack);
	assert_int_equal(sp_journal_store_forget(store, 9000), 0); // settled at 9 s of age
	sp_journal_store_close(store);
	// A day without power is no age.
	store = bench_open_with(&config, 86400000);
	assert_int_equal(sp_journal_store_forget(store, 86400000 + 9000), 0);
	assert_true(file_contains("", needle) || file_contains("-wal", needle));
	assert_int_equal(sp_journal_store_forget(store, 86400000 + 11000), 0);
	assert_false(file_contains("", needle));
	assert_false(file_contains("-wal", needle));
	assert_int_equal(size_of("-wal"), 0);
	free(record);
	sp_journal_store_close(store);
}

static void test_long_runs_stay_bounded(void **state)
{
	(void)state;
	// Offline for long, a small cap: the facts about losses must not push everything else out.
	struct sp_journal_store_config config = test_config(&place);
	config.cap_bytes = 1 << 20;
	struct sp_journal_store *store = bench_open_with(&config, 0);
	for (int i = 0; i < 1500; i++) {
		assert_int_equal(test_commit(store, SP_RECORD_BULK, i, 1, 8000), 0);
		assert_true(store->now.bytes <= config.cap_bytes);
	}
	assert_true(store->now.unsettled[SP_RECORD_FACTS] < 500);
	assert_true(store->now.unsettled[SP_RECORD_BULK] > 50);
	assert_true(size_of("") <= config.cap_bytes + (256 << 10));
	assert_true(size_of("-wal") <= 4 << 20);
	sp_journal_store_close(store);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_cap_gives_up_settled_then_bulk_and_tells),
	    T(test_cap_gives_up_facts_last),
	    T(test_memory_losses_become_facts),
	    T(test_streams_stay_as_few_as_a_birth_can_name),
	    T(test_more_losses_than_a_commit_can_tell),
	    T(test_forgetting_by_powered_on_age),
	    T(test_long_runs_stay_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
