// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Time in the store: what each message teaches, and that records find their place later if not at once.
#include "tests/unit/hub/hub_util.h"

#include <inttypes.h>
#include <stdio.h>

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

static void placed(const char *stream, int64_t seq, enum sp_placed_by by, int64_t t_ms, int64_t err_ms)
{
	char row[256];
	snprintf(row, sizeof(row),
		 "FROM event e JOIN stream s ON s.id = e.stream WHERE s.name = '%s' AND seq = %" PRId64,
		 stream, seq);
	assert_int_equal(number(&hub, "SELECT placed %s", row), by);
	assert_int_equal(number(&hub, "SELECT e.t_ms %s", row), t_ms);
	assert_int_equal(number(&hub, "SELECT coalesce(e.err_ms, -1) %s", row), err_ms);
}

static void its_own_time_is_kept(void **state)
{
	(void)state;
	DELIVER(&hub, .last = 2, .t_ms = NOW_MS - 60000, .err_ms = 15);
	placed(STREAM_1, 2, SP_PLACED_OWN, NOW_MS - 59000, 15);
}

static void the_senders_clock_places_what_had_none(void **state)
{
	(void)state;
	DELIVER(&hub, .last = 3, .mono_us = 10 * SEC_US, .clk_mono_us = 70 * SEC_US, .synced = true,
		.clk_t_ms = NOW_MS - 500, .clk_err_ms = 40);
	placed(STREAM_1, 1, SP_PLACED_ENVELOPE, NOW_MS - 60500, 46);
	placed(STREAM_1, 3, SP_PLACED_ENVELOPE, NOW_MS - 58500, 46);
}

static void arrival_places_what_no_clock_does(void **state)
{
	(void)state;
	DELIVER(&hub, .mono_us = 10 * SEC_US, .clk_mono_us = 12 * SEC_US);
	placed(STREAM_1, 1, SP_PLACED_ARRIVAL, NOW_MS - 2000, SP_PLACE_TRANSIT_MS + 1);
}

static void a_message_that_may_have_waited_says_so(void **state)
{
	(void)state;
	DELIVER(&hub, .mono_us = 10 * SEC_US, .clk_mono_us = 12 * SEC_US, .lag_ms = HOUR_MS);
	placed(STREAM_1, 1, SP_PLACED_ARRIVAL, NOW_MS - 2000, SP_PLACE_TRANSIT_MS + HOUR_MS + 1);
	// One that came at once narrows it for all that follow.
	hub.now_ms += 60000;
	DELIVER(&hub, .first = 2, .mono_us = 70 * SEC_US, .clk_mono_us = 72 * SEC_US);
	placed(STREAM_1, 2, SP_PLACED_ARRIVAL, NOW_MS + 60000 - 2000, SP_PLACE_TRANSIT_MS + 1);
}

/// The later message came 3 s faster: so the earlier one was under way for at least 3 s. What the quicker one
/// took is not known better for it.
static void the_quickest_arrival_counts(void **state)
{
	(void)state;
	DELIVER(&hub, .mono_us = 10 * SEC_US);
	hub.now_ms += 57000;
	DELIVER(&hub, .first = 2, .mono_us = 70 * SEC_US, .clk_mono_us = 71 * SEC_US);
	assert_int_equal(number(&hub, "SELECT arrival_ms FROM boot"), NOW_MS + 57000);
	assert_int_equal(number(&hub, "SELECT arrival_err_ms FROM boot"), SP_PLACE_TRANSIT_MS);
	placed(STREAM_1, 1, SP_PLACED_ARRIVAL, NOW_MS + 57000 - 61000, SP_PLACE_TRANSIT_MS + 7);
}

/// A line that fails holds up what was just sent.
static void a_message_that_was_held_up_misleads_nobody_for_long(void **state)
{
	(void)state;
	hub.now_ms += 80000;
	DELIVER(&hub, .mono_us = 10 * SEC_US, .clk_mono_us = 12 * SEC_US);
	placed(STREAM_1, 1, SP_PLACED_ARRIVAL, NOW_MS + 78000, SP_PLACE_TRANSIT_MS + 1);
	DELIVER(&hub, .first = 2, .mono_us = 89 * SEC_US, .clk_mono_us = 92 * SEC_US);
	placed(STREAM_1, 1, SP_PLACED_ARRIVAL, NOW_MS - 2000, SP_PLACE_TRANSIT_MS + 9);
	// The other way round it is not even noticed.
	hub.now_ms += 150000;
	DELIVER(&hub, .first = 3, .mono_us = 150 * SEC_US, .clk_mono_us = 151 * SEC_US);
	placed(STREAM_1, 3, SP_PLACED_ARRIVAL, NOW_MS + 80000 + 58000, SP_PLACE_TRANSIT_MS + 6);
}

/// It called itself synchronised, and jumped by an hour: what it said before was wrong, and moves.
static void a_clock_that_is_set_takes_back_what_it_said(void **state)
{
	(void)state;
	const int64_t began_ms = NOW_MS - 4 * HOUR_MS;
	DELIVER(&hub, .last = 3, .mono_us = 60 * SEC_US, .t_ms = began_ms - HOUR_MS, .err_ms = 10,
		.clk_boot = BOOT_3, .clk_mono_us = 5 * SEC_US);
	placed(STREAM_1, 2, SP_PLACED_OWN, began_ms - HOUR_MS + 1000, 10);
	DELIVER(&hub, .first = 4, .mono_us = 660 * SEC_US, .t_ms = began_ms + 600000, .err_ms = 10,
		.clk_boot = BOOT_3, .clk_mono_us = 6 * SEC_US);
	placed(STREAM_1, 2, SP_PLACED_ANCHOR, began_ms + 1000, 10 + 60);
	placed(STREAM_1, 4, SP_PLACED_ANCHOR, began_ms + 600000, 10);
	assert_int_equal(anomalies(&hub, "clock_stepped", ""), 1);
	// And once more, with the third word: it is that of the first, so that the second was wrong.
	DELIVER(&hub, .first = 5, .mono_us = 1260 * SEC_US, .t_ms = began_ms - HOUR_MS + 1200000,
		.err_ms = 10, .clk_boot = BOOT_3, .clk_mono_us = 7 * SEC_US);
	placed(STREAM_1, 2, SP_PLACED_ANCHOR, began_ms - HOUR_MS + 1000, 10 + 1);
	placed(STREAM_1, 4, SP_PLACED_ANCHOR, began_ms - HOUR_MS + 600000, 10 + 12 + 1);
	assert_int_equal(number(&hub, "SELECT count(*) FROM anchor WHERE refuted = 1"), 1);
}

/// What arrived shows which of two words was right, whichever came last.
static void arrival_decides_between_two_words(void **state)
{
	(void)state;
	hub.now_ms = NOW_MS + 2000;
	DELIVER(&hub, .mono_us = 10 * SEC_US, .t_ms = NOW_MS, .err_ms = 10, .clk_mono_us = 11 * SEC_US,
		.synced = true, .clk_t_ms = NOW_MS + 1000, .clk_err_ms = 10);
	hub.now_ms = NOW_MS + 102000;
	DELIVER(&hub, .first = 2, .mono_us = 110 * SEC_US, .t_ms = NOW_MS - HOUR_MS, .err_ms = 10,
		.clk_mono_us = 111 * SEC_US, .synced = true, .clk_t_ms = NOW_MS - HOUR_MS + 1000,
		.clk_err_ms = 10);
	placed(STREAM_1, 1, SP_PLACED_ANCHOR, NOW_MS, 10 + 1);
	placed(STREAM_1, 2, SP_PLACED_ANCHOR, NOW_MS + 100000, 10 + 10);
}

/// A hostile board may jump as often as it likes.
static void jumps_are_followed_for_a_while(void **state)
{
	(void)state;
	for (int64_t i = 0; i < 100; i++)
		DELIVER(&hub, .first = 2 + i, .mono_us = (100 + 60 * i) * SEC_US,
			.t_ms = NOW_MS - (2 + i % 2) * HOUR_MS + 60000 * i, .err_ms = 10, .clk_boot = BOOT_3,
			.clk_mono_us = (5 + i) * SEC_US);
	assert_int_equal(number(&hub, "SELECT disputes FROM boot WHERE disputes > 0"), 16);
	assert_in_range(number(&hub, "SELECT count(*) FROM anchor"), 3, 30);
}

static void a_clock_that_becomes_known_places_the_boot_again(void **state)
{
	(void)state;
	DELIVER(&hub, .last = 2,
		.records =
		    "[{\"seq\":1,\"type\":\"opened\",\"mono_us\":1000000,\"class\":\"facts\",\"prev\":null},"
		    "{\"seq\":2,\"type\":\"line\",\"device\":\"main\",\"mono_us\":2000000,\"state\":\"up\"}]",
		.clk_mono_us = 3 * SEC_US);
	placed(STREAM_1, 2, SP_PLACED_ARRIVAL, NOW_MS - 1000, SP_PLACE_TRANSIT_MS + 1);
	assert_int_equal(number(&hub, "SELECT loose FROM batch"), 2);
	assert_int_equal(number(&hub, "SELECT since_ms FROM line"), NOW_MS - 1000);
	// Synchronised at 60 s, and the hub's estimate was 1.3 s late.
	hub.now_ms += 60000;
	DELIVER(&hub, .first = 3, .mono_us = 60 * SEC_US, .t_ms = NOW_MS + 57000 - 1300 - 1000, .err_ms = 20);
	int64_t expected = NOW_MS + 57000 - 1300 - 1000 - 58000;
	placed(STREAM_1, 2, SP_PLACED_ANCHOR, expected, 26);
	assert_int_equal(number(&hub, "SELECT since_ms FROM line"), expected);
	assert_int_equal(number(&hub, "SELECT count(*) FROM line_point"), 1);
	assert_int_equal(number(&hub, "SELECT from_ms FROM stream"), expected - 1000);
	assert_int_equal(number(&hub, "SELECT count(*) FROM batch WHERE loose > 0"), 0);
}

static void another_boots_records_are_placed_by_that_boots_anchors(void **state)
{
	(void)state;
	DELIVER(&hub, .last = 2, .mono_us = 100 * SEC_US, .t_ms = NOW_MS - HOUR_MS, .err_ms = 10);
	// The backlog of the same boot, sent after a restart by a clock that knows nothing of it.
	DELIVER(&hub, .first = 3, .mono_us = 130 * SEC_US, .clk_boot = BOOT_2, .clk_mono_us = 40 * SEC_US);
	placed(STREAM_1, 3, SP_PLACED_ANCHOR, NOW_MS - HOUR_MS + 30000, 10 + 3);
}

static void a_boot_that_never_had_a_clock_lies_between_its_neighbours(void **state)
{
	(void)state;
	DELIVER(&hub, .last = 2, .t_ms = NOW_MS - HOUR_MS, .err_ms = 10);
	DELIVER(&hub, .stream = STREAM_2, .boot = BOOT_2, .prev = STREAM_1, .prev_last = 2,
		.clk_boot = BOOT_3, .clk_mono_us = 40 * SEC_US);
	// Not after the sender's boot began, not before the last record of the stream before.
	placed(STREAM_2, 1, SP_PLACED_BOUNDS, NOW_MS - 40000 + 4,
	       HOUR_MS - 1000 + 10 - 10000 + 1 - 40000 + 4);
	// Bounds are no place on the day's strip.
	assert_int_equal(number(&hub, "SELECT from_ms IS NULL FROM stream WHERE name = '" STREAM_2 "'"), 1);
}

static void without_a_neighbour_there_is_no_lower_bound(void **state)
{
	(void)state;
	DELIVER(&hub, .boot = BOOT_2, .clk_boot = BOOT_3, .clk_mono_us = 40 * SEC_US);
	placed(STREAM_1, 1, SP_PLACED_BOUNDS, NOW_MS - 40000 + 4, -1);
}

static void a_clock_that_lies_is_told_and_not_believed(void **state)
{
	(void)state;
	DELIVER(&hub, .t_ms = NOW_MS + HOUR_MS, .err_ms = 10, .synced = true, .clk_t_ms = NOW_MS + HOUR_MS,
		.clk_err_ms = 10);
	assert_true(anomalies(&hub, "clock_implausible", "") > 0);
	assert_int_equal(number(&hub, "SELECT count(*) FROM anchor"), 0);
	assert_int_equal(number(&hub, "SELECT placed FROM event"), SP_PLACED_ARRIVAL);
	assert_int_equal(number(&hub, "SELECT t_ms FROM event"), NOW_MS - 1000);
}

static void anchors_are_few(void **state)
{
	(void)state;
	for (int64_t i = 0; i < 100; i++)
		DELIVER(&hub, .first = 2 + i, .mono_us = (100 + 60 * i) * SEC_US,
			.t_ms = NOW_MS - 2 * HOUR_MS + 60000 * i, .err_ms = 10);
	assert_in_range(number(&hub, "SELECT count(*) FROM anchor"), 3, 5);
}

static void a_repeated_birth_teaches_no_arrival(void **state)
{
	(void)state;
	BORN(&hub, .retained = true);
	assert_int_equal(number(&hub, "SELECT arrival_ms IS NULL FROM boot"), 1);
	BORN(&hub, .mono_us = 30 * SEC_US);
	assert_int_equal(number(&hub, "SELECT arrival_ms FROM boot"), NOW_MS);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(its_own_time_is_kept),
	    T(the_senders_clock_places_what_had_none),
	    T(arrival_places_what_no_clock_does),
	    T(a_message_that_may_have_waited_says_so),
	    T(the_quickest_arrival_counts),
	    T(a_message_that_was_held_up_misleads_nobody_for_long),
	    T(a_clock_that_is_set_takes_back_what_it_said),
	    T(arrival_decides_between_two_words),
	    T(jumps_are_followed_for_a_while),
	    T(a_clock_that_becomes_known_places_the_boot_again),
	    T(another_boots_records_are_placed_by_that_boots_anchors),
	    T(a_boot_that_never_had_a_clock_lies_between_its_neighbours),
	    T(without_a_neighbour_there_is_no_lower_bound),
	    T(a_clock_that_lies_is_told_and_not_believed),
	    T(anchors_are_few),
	    T(a_repeated_birth_teaches_no_arrival),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
