// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The journal's thread: grouping, answers, small state and acknowledgements.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "schoolpulse/clock.h"
#include "tests/unit/core/journal_bench.h"

static void test_facts_are_committed_and_told(void **state)
{
	(void)state;
	struct sp_journal *journal = bench_open();
	for (int i = 0; i < 50; i++)
		assert_int_equal(append(journal, SP_RECORD_FACTS, i, 0, count_answer), 0);
	wait_for(&seen.good, 50);
	struct sp_journal_status status;
	sp_journal_status(journal, &status);
	assert_int_equal(status.state, SP_JOURNAL_WRITABLE);
	assert_int_equal(status.unsettled[SP_RECORD_FACTS], 51);
	assert_int_equal(status.committed, 51);
	assert_int_equal(status.waiting, 0);
	wait_for(&seen.news, 2); // opened, committed
	assert_int_equal(sp_journal_close(journal, 60000), 0);
}

static void test_bulk_waits_and_is_committed_at_the_clean_close(void **state)
{
	(void)state;
	struct sp_journal *journal = bench_open();
	for (int i = 0; i < 20; i++)
		assert_int_equal(append(journal, SP_RECORD_BULK, i, 0, count_answer), 0);
	assert_int_equal(append(journal, SP_RECORD_FACTS, 100, 0, count_answer), 0);
	wait_for(&seen.good, 1);
	struct sp_journal_status status;
	sp_journal_status(journal, &status);
	assert_int_equal(status.waiting, 20);
	assert_int_equal(status.unsettled[SP_RECORD_BULK], 0);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
	assert_int_equal(seen.good, 21);
	journal = bench_open();
	char *clean = sp_journal_get(journal, SP_JOURNAL_CLEAN);
	assert_non_null(clean);
	assert_string_equal(clean, TEST_BOOT);
	free(clean);
	fetch(journal, SP_LANE_BACKLOG, 0, 8);
	assert_int_equal(got.count, 2);
	assert_int_equal(got.batches[1]->envelope.cls, SP_RECORD_BULK);
	assert_int_equal(got.batches[1]->envelope.last, 21); // one batch
	let_go();
	assert_int_equal(sp_journal_close(journal, 60000), 0);
}

static void test_much_bulk_does_not_wait(void **state)
{
	(void)state;
	struct sp_journal *journal = bench_open();
	for (int i = 0; i < 40; i++)
		assert_int_equal(append(journal, SP_RECORD_BULK, i, 8000, count_answer), 0);
	wait_for(&seen.good, 20);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
	assert_int_equal(seen.good, 40);
}

static void test_bulk_and_attendance_come_when_due(void **state)
{
	(void)state;
	struct sp_journal_config config = thread_config();
	config.bulk_commit_ms = 50;
	struct sp_journal *journal = bench_open_with(&config);
	assert_int_equal(append(journal, SP_RECORD_BULK, 1, 0, count_answer), 0);
	wait_for(&seen.good, 1);
	assert_int_equal(append(journal, SP_RECORD_ATTENDANCE, 2, 0, count_answer), 0);
	assert_int_equal(append(journal, SP_RECORD_ATTENDANCE, 3, 0, count_answer), 0);
	wait_for(&seen.good, 3);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
}

static void test_refused_attendance_is_no_loss_while_its_source_waits(void **state)
{
	(void)state;
	struct sp_journal_config config = thread_config();
	config.group_commit_ms = 3600 * 1000;
	struct sp_journal *journal = bench_open_with(&config);
	int refused = 0;
	for (int i = 0; i < 200; i++)
		refused += append(journal, SP_RECORD_ATTENDANCE, i, 12000, count_answer) == -ENOBUFS;
	assert_in_range(refused, 50, 199);
	assert_int_equal(append(journal, SP_RECORD_ATTENDANCE, 200, 12000, NULL), -ENOBUFS);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
	struct sp_journal_store_config stored = test_config(&place);
	struct sp_journal_store *store;
	struct audit a;
	assert_int_equal(sp_journal_store_open(&store, &stored, 0), 0);
	audit(&a, store, true);
	assert_int_equal(a.memory_records, 1);
	audit_free(&a);
	sp_journal_store_close(store);
}

static void test_small_state_and_get(void **state)
{
	(void)state;
	struct sp_journal *journal = bench_open();
	char *none = sp_journal_get(journal, "outages");
	assert_null(none);
	assert_int_equal(sp_journal_put(journal, "outages", "[1]", count_answer, NULL), 0);
	assert_int_equal(sp_journal_put(journal, "outages", "[1,2]", count_answer, NULL), 0);
	wait_for(&seen.good, 2);
	char *large = sp_alloc(64 * 1024 + 2);
	memset(large, 'x', 64 * 1024 + 1);
	assert_int_equal(sp_journal_put(journal, "outages", large, NULL, NULL), -EINVAL);
	free(large);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
	journal = bench_open();
	char *value = sp_journal_get(journal, "outages");
	assert_non_null(value);
	assert_string_equal(value, "[1,2]");
	free(value);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
}

static void test_ack_settles_and_status_follows(void **state)
{
	(void)state;
	struct sp_journal *journal = bench_open();
	struct sp_journal_status status;
	assert_int_equal(append(journal, SP_RECORD_FACTS, 1, 0, count_answer), 0);
	wait_for(&seen.good, 1);
	got.answers = 0;
	sp_journal_held(journal, keep_held, NULL);
	wait_for(&got.answers, 1);
	assert_int_equal(got.held_count, 1);
	assert_int_equal(got.held[0].newest, 2);
	struct sp_feed_ack ack = {.upto = 2};
	strcpy(ack.stream, got.held[0].stream);
	sp_journal_ack(journal, &ack);
	fetch(journal, SP_LANE_LIVE, 0, 4);
	assert_int_equal(got.count, 0);
	let_go();
	int64_t end = sp_clock_mono_us() + PATIENCE_US;
	do {
		sp_journal_status(journal, &status);
	} while (status.settled_seq != 2 && sp_clock_mono_us() < end);
	assert_int_equal(status.settled_seq, 2);
	assert_int_equal(status.unsettled[SP_RECORD_FACTS], 0);
	// A restored hub takes it back, and that is news.
	int before = seen.news;
	ack.upto = 0;
	sp_journal_ack(journal, &ack);
	wait_for(&seen.news, before + 1);
	fetch(journal, SP_LANE_LIVE, 0, 4);
	assert_int_equal(got.count, 1);
	sp_journal_settle(journal, got.batches[0]->id);
	let_go();
	fetch(journal, SP_LANE_LIVE, 0, 4);
	assert_int_equal(got.count, 0);
	let_go();
	assert_int_equal(sp_journal_close(journal, 60000), 0);
}

static void test_fetch_sees_what_was_appended_before(void **state)
{
	(void)state;
	struct sp_journal *journal = bench_open();
	for (int i = 0; i < 50; i++) {
		assert_int_equal(append(journal, SP_RECORD_FACTS, i, 0, NULL), 0);
		fetch(journal, SP_LANE_LIVE, 0, 100);
		assert_true(got.count > 0);
		assert_int_equal(got.batches[got.count - 1]->envelope.last, i + 2);
		let_go();
	}
	assert_int_equal(sp_journal_close(journal, 60000), 0);
}

static void test_invalid_records_are_refused(void **state)
{
	(void)state;
	struct sp_journal *journal = bench_open();
	char *large = sp_alloc(SP_FEED_RECORD_MAX + 3);
	memset(large, '{', SP_FEED_RECORD_MAX + 2);
	assert_int_equal(sp_journal_append(journal, SP_RECORD_FACTS, large, NULL, NULL), -EINVAL);
	assert_int_equal(sp_journal_append(journal, SP_RECORD_FACTS, "", NULL, NULL), -EINVAL);
	free(large);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_facts_are_committed_and_told),
	    T(test_bulk_waits_and_is_committed_at_the_clean_close),
	    T(test_much_bulk_does_not_wait),
	    T(test_bulk_and_attendance_come_when_due),
	    T(test_refused_attendance_is_no_loss_while_its_source_waits),
	    T(test_small_state_and_get),
	    T(test_ack_settles_and_status_follows),
	    T(test_fetch_sees_what_was_appended_before),
	    T(test_invalid_records_are_refused),
	};
	FILE *quiet = fopen("/dev/null", "we");
	sp_log_setup(SP_LOG_ERR, false, quiet);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	fclose(quiet);
	return failed;
}
