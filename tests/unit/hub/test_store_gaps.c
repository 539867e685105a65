// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The ledger: one row per record however often and in whatever order it comes, and every missing
// one named; what is acknowledged follows from that alone.
#include "tests/unit/hub/hub_util.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/mem.h"

static struct hub hub;

static int set_up(void **state)
{
	(void)state;
	hub_open(&hub);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hub_close(&hub);
	return 0;
}

static int64_t rows(void)
{
	return number(&hub, "SELECT count(*) FROM event");
}

static void records_in_order_are_settled(void **state)
{
	(void)state;
	assert_int_equal(DELIVER(&hub, .last = 5), SP_VERDICT_STORED);
	assert_string_equal(acked(&hub, STREAM_1), "5");
	assert_int_equal(DELIVER(&hub, .first = 6, .last = 9), SP_VERDICT_STORED);
	assert_string_equal(acked(&hub, STREAM_1), "9");
	assert_int_equal(rows(), 9);
	assert_string_equal(gaps(&hub, STREAM_1), "");
}

static void a_replay_changes_nothing_and_is_acknowledged_again(void **state)
{
	(void)state;
	DELIVER(&hub, .last = 5);
	int64_t first = hub.news.acks[0].ack.number;
	assert_int_equal(DELIVER(&hub, .last = 5), SP_VERDICT_DUPLICATE);
	assert_string_equal(acked(&hub, STREAM_1), "5");
	assert_true(hub.news.acks[0].ack.number > first);
	assert_int_equal(rows(), 5);
	assert_int_equal(number(&hub, "SELECT count(*) FROM anomaly"), 0);
}

static void any_order_comes_to_the_same(void **state)
{
	(void)state;
	DELIVER(&hub, .first = 11, .last = 20, .mono_us = 30 * SEC_US);
	assert_string_equal(acked(&hub, STREAM_1), "0 11-20");
	assert_string_equal(gaps(&hub, STREAM_1), "open 1-10");
	DELIVER(&hub, .first = 5, .last = 6, .mono_us = 14 * SEC_US);
	assert_string_equal(acked(&hub, STREAM_1), "0 5-6 11-20");
	assert_string_equal(gaps(&hub, STREAM_1), "open 1-4, open 7-10");
	DELIVER(&hub, .first = 1, .last = 4);
	assert_string_equal(acked(&hub, STREAM_1), "6 11-20");
	DELIVER(&hub, .first = 10, .last = 10);
	assert_string_equal(acked(&hub, STREAM_1), "6 10-20");
	DELIVER(&hub, .first = 7, .last = 9);
	assert_string_equal(acked(&hub, STREAM_1), "20");
	assert_string_equal(gaps(&hub, STREAM_1), "");
	assert_int_equal(rows(), 20);
}

static void an_acknowledgement_names_the_lowest_32_ranges(void **state)
{
	(void)state;
	for (int64_t seq = 2; seq <= 100; seq += 2)
		DELIVER(&hub, .first = seq);
	assert_int_equal(hub.news.acks[0].ack.upto, 0);
	assert_int_equal(hub.news.acks[0].ack.have_count, SP_FEED_HAVE_MAX);
	assert_int_equal(hub.news.acks[0].ack.have[31].to, 64);
	// Every range becomes one again.
	for (int64_t seq = 1; seq <= 99; seq += 2)
		DELIVER(&hub, .first = seq);
	assert_string_equal(acked(&hub, STREAM_1), "100");
}

static void another_digest_is_a_conflict(void **state)
{
	(void)state;
	DELIVER(&hub, .last = 5);
	assert_int_equal(DELIVER(&hub, .last = 5, .digest = "ffffffffffffffffffffffffffffffff"),
			 SP_VERDICT_CONFLICT);
	assert_string_equal(acked(&hub, STREAM_1), "");
	assert_int_equal(anomalies(&hub, "identity_conflict", STREAM_1), 1);
	DELIVER(&hub, .last = 5, .digest = "ffffffffffffffffffffffffffffffff");
	assert_int_equal(anomalies(&hub, "identity_conflict", STREAM_1), 2);
	assert_int_equal(rows(), 5);
}

static void ranges_that_overlap_are_a_conflict(void **state)
{
	(void)state;
	const int64_t ranges[][2] = {{1, 12}, {8, 9}, {10, 30}, {12, 12}, {15, 16}, {5, 10}};
	DELIVER(&hub, .last = 4);
	DELIVER(&hub, .first = 10, .last = 15);
	for (size_t i = 0; i < SP_COUNT(ranges); i++) {
		bool free = ranges[i][0] == 8; // between the two
		assert_int_equal(DELIVER(&hub, .first = ranges[i][0], .last = ranges[i][1]),
				 free ? SP_VERDICT_STORED : SP_VERDICT_CONFLICT);
	}
	assert_int_equal(rows(), 4 + 6 + 2);
	assert_int_equal(anomalies(&hub, "identity_conflict", STREAM_1), 5);
}

static void a_stream_has_one_class(void **state)
{
	(void)state;
	DELIVER(&hub, .last = 2);
	assert_int_equal(DELIVER(&hub, .first = 3, .cls = SP_RECORD_BULK), SP_VERDICT_CONFLICT);
	assert_int_equal(anomalies(&hub, "identity_conflict", STREAM_1), 1);
}

static void the_same_stream_name_of_two_boards_is_two_streams(void **state)
{
	(void)state;
	DELIVER(&hub, .last = 2);
	assert_int_equal(DELIVER(&hub, .device = "board-2", .last = 3), SP_VERDICT_STORED);
	assert_int_equal(number(&hub, "SELECT count(*) FROM stream"), 2);
	assert_int_equal(rows(), 5);
}

#define HELD(name, from, to)                                                               \
	{                                                                                  \
		.stream = (name), .cls = SP_RECORD_FACTS, .oldest = (from), .newest = (to) \
	}

static void a_birth_tells_what_was_issued_and_what_is_gone(void **state)
{
	(void)state;
	DELIVER(&hub, .first = 5, .last = 8);
	BORN(&hub, .held = {HELD(STREAM_1, 4, 12)}, .held_count = 1);
	assert_string_equal(gaps(&hub, STREAM_1), "lost 1-3 forgotten, open 4-4, open 9-12");
	assert_string_equal(acked(&hub, STREAM_1), "3 5-8");
	// The same again is the same.
	BORN(&hub, .held = {HELD(STREAM_1, 4, 12)}, .held_count = 1);
	assert_string_equal(gaps(&hub, STREAM_1), "lost 1-3 forgotten, open 4-4, open 9-12");
	// What was given up may still come.
	assert_int_equal(DELIVER(&hub, .first = 2, .last = 2), SP_VERDICT_STORED);
	assert_string_equal(gaps(&hub, STREAM_1),
			    "lost 1-1 forgotten, lost 3-3 forgotten, open 4-4, open 9-12");
}

static void a_birth_that_answers_another_epoch_gets_no_acknowledgement(void **state)
{
	(void)state;
	DELIVER(&hub, .last = 8);
	BORN(&hub, .epoch = "", .held = {HELD(STREAM_1, 1, 8)}, .held_count = 1);
	assert_int_equal(hub.news.ack_count, 0);
	BORN(&hub, .epoch = STREAM_3, .held = {HELD(STREAM_1, 1, 8)}, .held_count = 1);
	assert_int_equal(hub.news.ack_count, 0);
	BORN(&hub, .held = {HELD(STREAM_1, 1, 8), HELD(STREAM_2, 1, 3)}, .held_count = 2);
	assert_int_equal(hub.news.ack_count, 2);
	assert_string_equal(acked(&hub, STREAM_1), "8");
	assert_string_equal(acked(&hub, STREAM_2), "0");
}

static void what_the_board_dropped_is_settled_and_named(void **state)
{
	(void)state;
	DELIVER(&hub, .last = 1);
	DELIVER(&hub, .first = 8, .last = 9);
	DELIVER(&hub, .first = 10,
		.records = "[{\"seq\":10,\"type\":\"dropped\",\"mono_us\":90000000,\"class\":\"facts\","
			   "\"stream\":\"" STREAM_1 "\",\"from\":3,\"to\":8,\"reason\":\"cap\"}]");
	assert_string_equal(gaps(&hub, STREAM_1), "open 2-2, dropped 3-7 cap");
	assert_string_equal(acked(&hub, STREAM_1), "1 3-10");
	// Of a stream that never arrived at all.
	DELIVER(&hub, .first = 11,
		.records = "[{\"seq\":11,\"type\":\"dropped\",\"mono_us\":91000000,\"class\":\"bulk\","
			   "\"stream\":\"" STREAM_2 "\",\"from\":1,\"to\":40,\"reason\":\"corrupt\"}]");
	assert_string_equal(gaps(&hub, STREAM_2), "dropped 1-40 corrupt");
	assert_string_equal(acked(&hub, STREAM_2), "40");
	// Dropped explains more than lost does.
	BORN(&hub, .held = {HELD(STREAM_1, 3, 11)}, .held_count = 1);
	assert_string_equal(gaps(&hub, STREAM_1), "lost 2-2 forgotten, dropped 3-7 cap");
}

static void losses_in_memory_are_told_although_they_have_no_seq(void **state)
{
	(void)state;
	DELIVER(&hub, .first = 2,
		.records = "[{\"seq\":2,\"type\":\"dropped\",\"mono_us\":90000000,\"class\":\"bulk\","
			   "\"reason\":\"memory\","
			   "\"count\":12}]");
	assert_int_equal(anomalies(&hub, "records_lost", ""), 1);
	assert_int_equal(number(&hub, "SELECT count(*) FROM set_aside"), 0);
}

static void a_restored_database_says_less(void **state)
{
	(void)state;
	DELIVER(&hub, .last = 10);
	hub_keep(&hub);
	DELIVER(&hub, .first = 11, .last = 30, .mono_us = 20 * SEC_US);
	assert_string_equal(acked(&hub, STREAM_1), "30");
	sp_store_close(hub.store);
	hub.store = NULL;
	hub_restore(&hub);
	hub_reopen(&hub);
	BORN(&hub, .held = {HELD(STREAM_1, 6, 30)}, .held_count = 1);
	assert_string_equal(acked(&hub, STREAM_1), "10");
	assert_string_equal(gaps(&hub, STREAM_1), "open 11-30");
	assert_int_equal(DELIVER(&hub, .first = 11, .last = 30, .mono_us = 20 * SEC_US), SP_VERDICT_STORED);
	assert_string_equal(acked(&hub, STREAM_1), "30");
}

static void numbers_rise_within_an_epoch(void **state)
{
	(void)state;
	int64_t before = 0;
	for (int64_t seq = 1; seq <= 5; seq++) {
		DELIVER(&hub, .first = seq);
		assert_true(hub.news.acks[0].ack.number > before);
		before = hub.news.acks[0].ack.number;
	}
}

/// A transaction that fails leaves no trace, and its numbers are used again by the one that works.
static void a_rollback_leaves_nothing(void **state)
{
	(void)state;
	struct sp_store_news news;
	DELIVER(&hub, .last = 3);
	int64_t number_before = hub.news.acks[0].ack.number;
	assert_int_equal(sp_store_begin(hub.store, hub.now_ms), 0);
	assert_int_equal(sp_store_set_aside(hub.store, "malformed", "board-1", "t", "w", 1), 0);
	assert_int_equal(sp_store_seal(hub.store, false, &news), 0);
	sp_store_news_free(&news);
	sp_store_rollback(hub.store);
	assert_int_equal(number(&hub, "SELECT count(*) FROM set_aside"), 0);
	DELIVER(&hub, .first = 4);
	assert_int_equal(hub.news.acks[0].ack.number, number_before + 1);
}

static void set_aside_messages_are_counted_within_bounds(void **state)
{
	(void)state;
	char device[33];
	assert_int_equal(sp_store_begin(hub.store, hub.now_ms), 0);
	for (int i = 0; i < 1500; i++) {
		snprintf(device, sizeof(device), "made-up-%d", i);
		assert_int_equal(sp_store_set_aside(hub.store, "malformed", device, "t", "first", 1), 0);
	}
	for (int i = 0; i < 10; i++)
		assert_int_equal(sp_store_set_aside(hub.store, "malformed", "made-up-7", "t", "last", 1), 0);
	assert_int_equal(sp_store_commit(hub.store), 0);
	assert_int_equal(number(&hub, "SELECT count(*) FROM set_aside"), 1001);
	assert_int_equal(number(&hub, "SELECT sum(count) FROM set_aside"), 1510);
	assert_int_equal(
	    number(&hub, "SELECT count FROM set_aside WHERE device = 'made-up-7' AND why = 'last'"), 11);
	assert_int_equal(number(&hub, "SELECT count FROM set_aside WHERE device = '*'"), 500);
}

static void records_of_an_unknown_type_are_kept_and_counted(void **state)
{
	(void)state;
	DELIVER(
	    &hub, .first = 2,
	    .records =
		"[{\"seq\":2,\"type\":\"moon_phase\",\"mono_us\":1,\"phase\":\"full\"},"
		"{\"seq\":3,\"type\":\"line\",\"device\":\"main\",\"mono_us\":2,\"state\":\"sideways\"}]");
	assert_int_equal(rows(), 2);
	assert_string_equal(acked(&hub, STREAM_1), "0 2-3");
	assert_int_equal(number(&hub, "SELECT count FROM set_aside WHERE fault = 'unknown_type'"), 1);
	assert_int_equal(number(&hub, "SELECT count FROM set_aside WHERE fault = 'malformed_record'"), 1);
}

/// Extremes of what the decoder lets through.
static void the_largest_numbers_do_no_harm(void **state)
{
	(void)state;
	const int64_t most = INT64_C(9007199254740991);
	assert_int_equal(DELIVER(&hub, .first = most, .mono_us = most, .clk_mono_us = most),
			 SP_VERDICT_STORED);
	assert_int_equal(hub.news.acks[0].ack.upto, 0);
	BORN(&hub, .mono_us = most, .held = {HELD(STREAM_1, most, most)}, .held_count = 1);
	assert_int_equal(hub.news.acks[0].ack.upto, most);
	assert_int_equal(DELIVER(&hub, .stream = STREAM_2, .t_ms = most, .err_ms = most, .clk_mono_us = most,
				 .synced = true, .clk_t_ms = most, .clk_err_ms = most),
			 SP_VERDICT_STORED);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(records_in_order_are_settled),
	    T(a_replay_changes_nothing_and_is_acknowledged_again),
	    T(any_order_comes_to_the_same),
	    T(an_acknowledgement_names_the_lowest_32_ranges),
	    T(another_digest_is_a_conflict),
	    T(ranges_that_overlap_are_a_conflict),
	    T(a_stream_has_one_class),
	    T(the_same_stream_name_of_two_boards_is_two_streams),
	    T(a_birth_tells_what_was_issued_and_what_is_gone),
	    T(a_birth_that_answers_another_epoch_gets_no_acknowledgement),
	    T(what_the_board_dropped_is_settled_and_named),
	    T(losses_in_memory_are_told_although_they_have_no_seq),
	    T(a_restored_database_says_less),
	    T(numbers_rise_within_an_epoch),
	    T(a_rollback_leaves_nothing),
	    T(set_aside_messages_are_counted_within_bounds),
	    T(records_of_an_unknown_type_are_kept_and_counted),
	    T(the_largest_numbers_do_no_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
