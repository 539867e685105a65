// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The journal's file in good times: identities, chains, splitting, the hub's word, small state.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tests/unit/core/store_bench.h"

// ---- identities ---------------------------------------------------------------------------------

static void test_first_stream_has_no_predecessor(void **state)
{
	(void)state;
	struct audit a;
	struct sp_journal_store *store = bench_open();
	assert_int_equal(test_commit(store, SP_RECORD_FACTS, 0, 3, 0), 0);
	audit(&a, store, true);
	assert_int_equal(a.records, 4);
	assert_int_equal(a.opened, 1);
	assert_int_equal(a.last_prev, -1);
	assert_false(a.set_aside);
	assert_int_equal(store->now.stream[SP_RECORD_FACTS].last, 4);
	audit_free(&a);
	sp_journal_store_close(store);
}

static void test_each_opening_begins_a_stream_that_links_the_last(void **state)
{
	(void)state;
	struct audit a;
	char names[3][SP_ID_LENGTH + 1];
	for (int i = 0; i < 3; i++) {
		struct sp_journal_store *store = bench_open();
		assert_int_equal(test_commit(store, SP_RECORD_FACTS, i * 10, 5, 0), 0);
		strcpy(names[i], store->now.stream[SP_RECORD_FACTS].name);
		audit(&a, store, true);
		assert_int_equal(a.last_prev, i == 0 ? -1 : 6);
		assert_int_equal(a.streams, i + 1);
		audit_free(&a);
		sp_journal_store_close(store);
	}
	assert_string_not_equal(names[0], names[1]);
	assert_string_not_equal(names[1], names[2]);
}

static void test_an_opening_without_records_leaves_no_stream(void **state)
{
	(void)state;
	struct audit a;
	for (int i = 0; i < 3; i++)
		sp_journal_store_close(bench_open());
	struct sp_journal_store *store = bench_open();
	assert_int_equal(test_commit(store, SP_RECORD_BULK, 0, 1, 0), 0);
	audit(&a, store, true);
	assert_int_equal(a.streams, 1);
	audit_free(&a);
	sp_journal_store_close(store);
}

static void test_chain_goes_on_after_everything_was_forgotten(void **state)
{
	(void)state;
	struct audit a;
	struct sp_journal_store_config config = test_config(&place);
	config.keep_acked_ms = 1000;
	struct sp_journal_store *store = bench_open_with(&config, 0);
	assert_int_equal(test_commit(store, SP_RECORD_FACTS, 0, 41, 0), 0);
	struct sp_feed_ack ack = ack_of(store->now.stream[SP_RECORD_FACTS].name, 42);
	apply(store, &ack);
	assert_int_equal(sp_journal_store_forget(store, 1), 0); // writes down what is settled
	assert_int_equal(sp_journal_store_forget(store, 5000), 0);
	struct sp_feed_held held[SP_FEED_HELD_MAX];
	size_t count;
	assert_int_equal(sp_journal_store_held(store, held, &count), 0);
	assert_int_equal(count, 0);
	sp_journal_store_close(store);
	store = bench_open();
	assert_int_equal(test_commit(store, SP_RECORD_FACTS, 50, 1, 0), 0);
	audit(&a, store, true);
	assert_int_equal(a.last_prev, 42);
	audit_free(&a);
	sp_journal_store_close(store);
}

static void test_restored_old_copy_shows_as_lower_prev(void **state)
{
	(void)state;
	struct audit a;
	struct test_place old;
	test_place_make(&old);
	struct sp_journal_store *store = bench_open();
	assert_int_equal(test_commit(store, SP_RECORD_FACTS, 0, 5, 0), 0);
	test_place_copy(&place, &old); // as a running card is imaged
	assert_int_equal(test_commit(store, SP_RECORD_FACTS, 5, 5, 0), 0);
	char original[SP_ID_LENGTH + 1];
	strcpy(original, store->now.stream[SP_RECORD_FACTS].name);
	sp_journal_store_close(store);
	test_place_copy(&old, &place);
	store = bench_open();
	assert_int_equal(test_commit(store, SP_RECORD_FACTS, 100, 1, 0), 0);
	assert_string_not_equal(store->now.stream[SP_RECORD_FACTS].name, original);
	audit(&a, store, true);
	assert_int_equal(a.last_prev, 6);
	// The hub knows more of the old stream than this card: what is left of it is settled.
	struct sp_feed_ack ack = ack_of(original, 11);
	apply(store, &ack);
	assert_int_equal(unsettled(store), 2);
	audit_free(&a);
	sp_journal_store_close(store);
	test_place_remove(&old);
}

static void test_large_commits_are_split_to_fit_the_wire(void **state)
{
	(void)state;
	struct audit a;
	struct sp_journal_store *store = bench_open();
	assert_int_equal(test_commit(store, SP_RECORD_FACTS, 0, 3000, 0), 0);
	assert_int_equal(test_commit(store, SP_RECORD_ATTENDANCE, 3000, 40, 9000), 0);
	assert_int_equal(test_commit(store, SP_RECORD_BULK, 4000, 3000, 0), 0);
	assert_int_equal(test_commit(store, SP_RECORD_BULK, 8000, 60, 15000), 0); // hardly deflates
	audit(&a, store, true);
	assert_int_equal(a.records, 3000 + 40 + 3000 + 60 + 3);
	assert_true(a.batches > 3000 / SP_FEED_BATCH_MAX * 2 + 40 * 9000 / 65536 + 60 * 15000 / 131072);
	audit_free(&a);
	sp_journal_store_close(store);
}

static void test_live_lane_is_this_openings_facts_and_attendance(void **state)
{
	(void)state;
	struct sp_journal_batch *batches[8];
	size_t count;
	struct sp_journal_store *store = bench_open();
	assert_int_equal(test_commit(store, SP_RECORD_FACTS, 0, 1, 0), 0);
	sp_journal_store_close(store);
	store = bench_open();
	assert_int_equal(test_commit(store, SP_RECORD_BULK, 1, 1, 0), 0);
	assert_int_equal(test_commit(store, SP_RECORD_FACTS, 2, 1, 0), 0);
	assert_int_equal(test_commit(store, SP_RECORD_ATTENDANCE, 3, 1, 0), 0);
	assert_int_equal(sp_journal_store_fetch(store, SP_LANE_LIVE, 0, 8, batches, &count, 0), 0);
	assert_int_equal(count, 2);
	assert_int_equal(batches[0]->envelope.cls, SP_RECORD_FACTS);
	assert_int_equal(batches[1]->envelope.cls, SP_RECORD_ATTENDANCE);
	assert_false(batches[0]->deflate);
	int64_t after = batches[0]->id;
	for (size_t i = 0; i < count; i++)
		sp_journal_batch_free(batches[i]);
	assert_int_equal(sp_journal_store_fetch(store, SP_LANE_LIVE, after, 8, batches, &count, 0), 0);
	assert_int_equal(count, 1);
	sp_journal_batch_free(batches[0]);
	assert_int_equal(sp_journal_store_fetch(store, SP_LANE_BACKLOG, 0, 8, batches, &count, 0), 0);
	assert_int_equal(count, 2);
	assert_int_equal(batches[0]->envelope.cls, SP_RECORD_FACTS);
	assert_int_equal(batches[1]->envelope.cls, SP_RECORD_BULK);
	assert_true(batches[1]->deflate);
	for (size_t i = 0; i < count; i++)
		sp_journal_batch_free(batches[i]);
	sp_journal_store_close(store);
}

// ---- the hub's word -----------------------------------------------------------------------------

static void test_ack_settles_what_it_covers_and_no_more(void **state)
{
	(void)state;
	struct audit a;
	struct sp_journal_store *store = bench_open();
	for (int i = 0; i < 10; i++) // seqs 1-3, 4-5, 6-7, …
		assert_int_equal(test_commit(store, SP_RECORD_FACTS, i * 2, 2, 0), 0);
	struct sp_feed_ack ack = ack_of(store->now.stream[SP_RECORD_FACTS].name, 4);
	assert_false(apply(store, &ack));
	assert_int_equal(store->settled_seq, 4);
	assert_int_equal(unsettled(store), 21 - 3); // the batch 4-5 is not whole
	ack.have_count = 2;
	ack.have[0].from = 8;
	ack.have[0].to = 11;
	ack.have[1].from = 13;
	ack.have[1].to = 15;
	assert_false(apply(store, &ack));
	assert_int_equal(unsettled(store), 18 - 4 - 2);
	audit(&a, store, false);
	assert_int_equal(a.batches, 10 - 1 - 2 - 1);
	audit_free(&a);
	// The same after it was written down and read again.
	assert_int_equal(test_commit(store, SP_RECORD_BULK, 100, 1, 0), 0);
	sp_journal_store_close(store);
	store = bench_open();
	assert_int_equal(unsettled(store), 12 + 2);
	sp_journal_store_close(store);
}

static void test_ack_reaching_over_upto_and_ranges(void **state)
{
	(void)state;
	struct sp_journal_store *store = bench_open();
	assert_int_equal(test_commit(store, SP_RECORD_FACTS, 0, 9, 0), 0); // 1-10
	struct sp_feed_ack ack = ack_of(store->now.stream[SP_RECORD_FACTS].name, 4);
	ack.have_count = 2;
	ack.have[0].from = 5;
	ack.have[0].to = 7;
	ack.have[1].from = 8;
	ack.have[1].to = 10;
	apply(store, &ack);
	assert_int_equal(unsettled(store), 0);
	ack.have[1].from = 9;
	assert_true(apply(store, &ack)); // 8 is missing
	assert_int_equal(unsettled(store), 10);
	sp_journal_store_close(store);
}

static void test_hub_that_takes_back_is_obeyed(void **state)
{
	(void)state;
	struct audit a;
	struct sp_journal_store *store = bench_open();
	for (int i = 0; i < 300; i++)
		assert_int_equal(test_commit(store, SP_RECORD_FACTS, i, 1, 0), 0);
	struct sp_feed_ack ack = ack_of(store->now.stream[SP_RECORD_FACTS].name, 301);
	assert_false(apply(store, &ack)); // more than pending can note: some are written
	assert_int_equal(unsettled(store), 0);
	ack.upto = 200;
	assert_true(apply(store, &ack));
	assert_int_equal(unsettled(store), 101);
	ack.upto = 0;
	assert_true(apply(store, &ack));
	assert_int_equal(unsettled(store), 301);
	audit(&a, store, true);
	assert_int_equal(a.batches, 300);
	audit_free(&a);
	sp_journal_store_close(store);
}

static void test_impossible_acks_change_nothing(void **state)
{
	(void)state;
	bool again;
	struct sp_journal_store *store = bench_open();
	assert_int_equal(test_commit(store, SP_RECORD_FACTS, 0, 5, 0), 0);
	struct sp_feed_ack ack = ack_of(store->now.stream[SP_RECORD_FACTS].name, 7);
	assert_int_equal(sp_journal_store_ack(store, &ack, &again, 0), -EINVAL);
	ack.upto = 0;
	ack.have_count = 1;
	ack.have[0].from = 2;
	ack.have[0].to = 100;
	assert_int_equal(sp_journal_store_ack(store, &ack, &again, 0), -EINVAL);
	ack = ack_of("aaaaaaaaaaaaaaaaaaaaaaaaaa", 3);
	assert_int_equal(sp_journal_store_ack(store, &ack, &again, 0), 0);
	assert_int_equal(unsettled(store), 6);
	sp_journal_store_close(store);
}

static void test_settle_by_batch(void **state)
{
	(void)state;
	struct sp_journal_batch *batches[4];
	size_t count;
	struct sp_journal_store *store = bench_open();
	for (int i = 0; i < 3; i++)
		assert_int_equal(test_commit(store, SP_RECORD_FACTS, i, 1, 0), 0);
	assert_int_equal(sp_journal_store_fetch(store, SP_LANE_LIVE, 0, 4, batches, &count, 0), 0);
	assert_int_equal(count, 3);
	assert_int_equal(sp_journal_store_settle(store, batches[1]->id, 0), 0);
	assert_int_equal(sp_journal_store_settle(store, batches[1]->id, 0), 0); // twice is once
	assert_int_equal(sp_journal_store_settle(store, 999999, 0), 0);
	assert_int_equal(unsettled(store), 3);
	for (size_t i = 0; i < count; i++)
		sp_journal_batch_free(batches[i]);
	sp_journal_store_close(store);
}

// ---- small state --------------------------------------------------------------------------------

static void put(struct sp_journal_store *store, const char *key, const char *value, bool clean)
{
	struct sp_journal_small small = {.key = key, .value = value};
	struct sp_journal_commit what = {.small = &small, .small_count = key ? 1 : 0, .clean = clean};
	assert_int_equal(sp_journal_store_commit(store, &what, 0), 0);
}

static void expect_small(struct sp_journal_store *store, const char *key, const char *value)
{
	char *found = sp_journal_store_get(store, key);
	if (value) {
		assert_non_null(found);
		assert_string_equal(found, value);
	} else {
		assert_null(found);
	}
	free(found);
}

static void test_small_state_survives(void **state)
{
	(void)state;
	struct sp_journal_store *store = bench_open();
	put(store, "outage.main", "{\"open\":true}", false);
	put(store, "budget", "1", false);
	put(store, "budget", "2", false);
	put(store, "gone", "x", false);
	put(store, "gone", NULL, false);
	sp_journal_store_close(store);
	store = bench_open();
	expect_small(store, "outage.main", "{\"open\":true}");
	expect_small(store, "budget", "2");
	expect_small(store, "gone", NULL);
	sp_journal_store_close(store);
}

static void test_clean_mark_tells_clean_from_crash(void **state)
{
	(void)state;
	struct sp_journal_store *store = bench_open();
	expect_small(store, SP_JOURNAL_CLEAN, NULL);
	put(store, NULL, NULL, true);
	sp_journal_store_close(store);
	store = bench_open();
	expect_small(store, SP_JOURNAL_CLEAN, TEST_BOOT);
	assert_int_equal(test_commit(store, SP_RECORD_FACTS, 0, 1, 0), 0);
	expect_small(store, SP_JOURNAL_CLEAN, TEST_BOOT); // as found, all through this opening
	sp_journal_store_close(store);                    // without the last commit: a crash
	store = bench_open();
	expect_small(store, SP_JOURNAL_CLEAN, NULL);
	sp_journal_store_close(store);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_first_stream_has_no_predecessor),
	    T(test_each_opening_begins_a_stream_that_links_the_last),
	    T(test_an_opening_without_records_leaves_no_stream),
	    T(test_chain_goes_on_after_everything_was_forgotten),
	    T(test_restored_old_copy_shows_as_lower_prev),
	    T(test_large_commits_are_split_to_fit_the_wire),
	    T(test_live_lane_is_this_openings_facts_and_attendance),
	    T(test_ack_settles_what_it_covers_and_no_more),
	    T(test_ack_reaching_over_upto_and_ranges),
	    T(test_hub_that_takes_back_is_obeyed),
	    T(test_impossible_acks_change_nothing),
	    T(test_settle_by_batch),
	    T(test_small_state_survives),
	    T(test_clean_mark_tells_clean_from_crash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
