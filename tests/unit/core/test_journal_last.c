// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The last sign of life that an opening has left in the journal.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tests/unit/core/store_bench.h"

static void commit_at(struct sp_journal_store *store, enum sp_record_class cls, int64_t mono_us, int64_t t_ms)
{
	char *when = t_ms < 0 ? sp_strdup("") : sp_asprintf(",\"t_ms\":%" PRId64 ",\"err_ms\":1", t_ms);
	// A text that looks like the beginning of a record is none.
	char *record = sp_asprintf(
	    "{\"type\":\"device\",\"mono_us\":%" PRId64 "%s,\"text\":\"{\\\"seq\\\":9\"}", mono_us, when);
	const char *records[] = {"{\"type\":\"device\",\"mono_us\":1}", record};
	struct sp_journal_commit what = {.records = {[0] = NULL}};
	what.records[cls] = records;
	what.count[cls] = 2;
	assert_int_equal(sp_journal_store_commit(store, &what, 1), 0);
	free(record);
	free(when);
}

static void assert_last(struct sp_journal_store *store, const char *expected)
{
	char *last = sp_journal_store_get(store, SP_JOURNAL_LAST);
	if (expected)
		assert_string_equal(last, expected);
	else
		assert_null(last);
	free(last);
}

static struct sp_journal_store *reopen(struct sp_journal_store *store, const char *boot)
{
	struct sp_journal_store_config config = test_config(&place);
	sp_journal_store_close(store);
	config.boot = boot;
	return bench_open_with(&config, 1);
}

static void test_the_newest_record_of_the_last_run(void **state)
{
	(void)state;
	struct sp_journal_store *store = bench_open();
	assert_last(store, NULL);
	commit_at(store, SP_RECORD_FACTS, 7000000, -1);
	assert_last(store, NULL); // this run's own records are no news
	store = reopen(store, TEST_BOOT);
	assert_last(store, TEST_BOOT " 7000000 -1");
	commit_at(store, SP_RECORD_FACTS, 8000000, 1795600000000);
	commit_at(store, SP_RECORD_BULK, 9000000, 1795600001000);
	store = reopen(store, TEST_BOOT);
	assert_last(store, TEST_BOOT " 9000000 1795600001000");
	sp_journal_store_close(store);
}

static void test_an_earlier_boot_with_a_later_clock_adds_nothing(void **state)
{
	(void)state;
	static const char other[] = "99999999-2222-3333-4444-555555555555";
	struct sp_journal_store *store = bench_open();
	commit_at(store, SP_RECORD_FACTS, 50000000, -1);
	store = reopen(store, other);
	commit_at(store, SP_RECORD_FACTS, 3000000, -1);
	store = reopen(store, TEST_BOOT);
	char *expected = sp_asprintf("%s 3000000 -1", other);
	assert_last(store, expected);
	free(expected);
	sp_journal_store_close(store);
}

static void test_a_torn_batch_is_no_sign_of_life(void **state)
{
	(void)state;
	struct sp_journal_store *store = bench_open();
	commit_at(store, SP_RECORD_FACTS, 5000000, -1);
	commit_at(store, SP_RECORD_BULK, 6000000, -1);
	assert_int_equal(
	    sqlite3_exec(store->db, "UPDATE batch SET body = x'78da00' WHERE deflated = 1", NULL, NULL, NULL),
	    SQLITE_OK);
	store = reopen(store, TEST_BOOT);
	assert_last(store, TEST_BOOT " 5000000 -1");
	assert_int_equal(sqlite3_exec(store->db,
				      "UPDATE batch SET body = '[{\"seq\":1,\"mono_us\":-4', deflated = 0",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	assert_last(store, NULL);
	sp_journal_store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, bench_setup, bench_teardown)
	    T(test_the_newest_record_of_the_last_run),
	    T(test_an_earlier_boot_with_a_later_clock_adds_nothing),
	    T(test_a_torn_batch_is_no_sign_of_life),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
