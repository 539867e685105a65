// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What streams say of each other: what was issued and never came, cards rolled back, copied, begun
// anew; in whatever order it is heard.
#include "tests/unit/hub/hub_util.h"

static struct hub hub;

#define HELD(name, from, to)                                                               \
	{                                                                                  \
		.stream = (name), .cls = SP_RECORD_FACTS, .oldest = (from), .newest = (to) \
	}

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

static int64_t all_anomalies(void)
{
	return number(&hub, "SELECT count(*) FROM anomaly");
}

static void a_chain_shows_what_never_came(void **state)
{
	(void)state;
	DELIVER(&hub, .last = 3);
	DELIVER(&hub, .stream = STREAM_2, .prev = STREAM_1, .prev_last = 5);
	assert_string_equal(gaps(&hub, STREAM_1), "open 4-5");
	// A stream of which nothing at all came.
	DELIVER(&hub, .stream = STREAM_4, .prev = STREAM_3, .prev_last = 7);
	assert_string_equal(gaps(&hub, STREAM_3), "open 1-7");
	assert_int_equal(all_anomalies(), 0);
}

static void a_predecessor_that_issued_nothing_is_no_gap(void **state)
{
	(void)state;
	DELIVER(&hub, .stream = STREAM_2, .prev = STREAM_1, .prev_last = 0);
	assert_string_equal(gaps(&hub, STREAM_1), "");
	assert_int_equal(all_anomalies(), 0);
}

static void a_card_rolled_back_is_seen(void **state)
{
	(void)state;
	DELIVER(&hub, .last = 9);
	DELIVER(&hub, .stream = STREAM_2, .prev = STREAM_1, .prev_last = 6);
	assert_int_equal(anomalies(&hub, "rollback", STREAM_1), 1);
	assert_int_equal(all_anomalies(), 1);
	assert_int_equal(number(&hub, "SELECT count(*) FROM event"), 10); // nothing is taken back
}

static void a_rollback_is_seen_when_the_later_records_come_late(void **state)
{
	(void)state;
	DELIVER(&hub, .last = 6);
	DELIVER(&hub, .stream = STREAM_2, .prev = STREAM_1, .prev_last = 6);
	assert_int_equal(all_anomalies(), 0);
	assert_int_equal(DELIVER(&hub, .first = 7, .last = 9), SP_VERDICT_STORED);
	assert_int_equal(anomalies(&hub, "rollback", STREAM_1), 1);
}

static void a_birth_reveals_a_rollback(void **state)
{
	(void)state;
	DELIVER(&hub, .last = 6);
	DELIVER(&hub, .stream = STREAM_2, .prev = STREAM_1, .prev_last = 6);
	BORN(&hub, .held = {HELD(STREAM_1, 1, 8)}, .held_count = 1);
	assert_int_equal(anomalies(&hub, "rollback", STREAM_1), 1);
}

static void a_copied_card_is_seen(void **state)
{
	(void)state;
	DELIVER(&hub, .last = 4);
	DELIVER(&hub, .stream = STREAM_2, .prev = STREAM_1, .prev_last = 4);
	assert_int_equal(all_anomalies(), 0);
	DELIVER(&hub, .stream = STREAM_3, .prev = STREAM_1, .prev_last = 4);
	assert_int_equal(anomalies(&hub, "clone", STREAM_1), 1);
	assert_int_equal(all_anomalies(), 1);
	// A replay is no second copy.
	assert_int_equal(DELIVER(&hub, .stream = STREAM_3, .prev = STREAM_1, .prev_last = 4),
			 SP_VERDICT_DUPLICATE);
	assert_int_equal(anomalies(&hub, "clone", STREAM_1), 1);
}

static void a_new_journal_where_one_was_known_is_seen(void **state)
{
	(void)state;
	DELIVER(&hub, .last = 4);
	DELIVER(&hub, .stream = STREAM_2);
	assert_int_equal(anomalies(&hub, "journal_reset", STREAM_2), 1);
	// Another class, another board: each begins once.
	DELIVER(&hub, .stream = STREAM_3, .cls = SP_RECORD_BULK);
	DELIVER(&hub, .stream = STREAM_3, .device = "board-2");
	assert_int_equal(all_anomalies(), 1);
}

static void a_chain_heard_backwards_is_no_reset(void **state)
{
	(void)state;
	DELIVER(&hub, .stream = STREAM_3, .prev = STREAM_2, .prev_last = 1);
	DELIVER(&hub, .stream = STREAM_2, .prev = STREAM_1, .prev_last = 1);
	DELIVER(&hub, .stream = STREAM_1);
	assert_int_equal(all_anomalies(), 0);
	assert_int_equal(number(&hub, "SELECT count(*) FROM gap"), 0);
}

/// What lies between is still under way: nothing proves that the first one is not its ancestor.
static void a_chain_with_a_missing_link_is_no_reset(void **state)
{
	(void)state;
	DELIVER(&hub, .stream = STREAM_3, .prev = STREAM_2, .prev_last = 1);
	DELIVER(&hub, .stream = STREAM_1);
	assert_int_equal(all_anomalies(), 0);
	DELIVER(&hub, .stream = STREAM_2, .prev = STREAM_1, .prev_last = 1);
	assert_int_equal(all_anomalies(), 0);
}

/// The old journal's beginning will never come, and yet there was one.
static void a_new_journal_is_seen_although_the_old_ones_beginning_was_lost(void **state)
{
	(void)state;
	DELIVER(&hub, .stream = STREAM_2, .prev = STREAM_1, .prev_last = 5);
	BORN(&hub, .held = {HELD(STREAM_2, 1, 1)}, .held_count = 1);
	assert_string_equal(gaps(&hub, STREAM_1), "lost 1-5 forgotten");
	DELIVER(&hub, .stream = STREAM_3);
	assert_int_equal(anomalies(&hub, "journal_reset", STREAM_3), 1);
}

static void a_stream_without_its_link_is_told(void **state)
{
	(void)state;
	DELIVER(&hub, .records = "[{\"seq\":1,\"type\":\"clock\",\"mono_us\":5,\"event\":\"hourly\"}]");
	assert_int_equal(anomalies(&hub, "chain_missing", STREAM_1), 1);
	// One that names itself.
	DELIVER(&hub, .stream = STREAM_2, .prev = STREAM_2, .prev_last = 50);
	assert_int_equal(anomalies(&hub, "chain_missing", STREAM_2), 1);
	assert_string_equal(acked(&hub, STREAM_2), "1");
}

static void a_ring_of_streams_ends(void **state)
{
	(void)state;
	DELIVER(&hub, .stream = STREAM_2, .prev = STREAM_1, .prev_last = 2);
	DELIVER(&hub, .stream = STREAM_1, .prev = STREAM_2, .prev_last = 2);
	DELIVER(&hub, .stream = STREAM_3);
	BORN(&hub, .held = {HELD(STREAM_1, 1, 1)}, .held_count = 1, .retained = true);
	assert_string_equal(gaps(&hub, STREAM_2), "lost 2-2 forgotten");
}

static void what_a_birth_no_longer_holds_of_the_chain_is_lost(void **state)
{
	(void)state;
	DELIVER(&hub, .last = 3);
	DELIVER(&hub, .stream = STREAM_2, .prev = STREAM_1, .prev_last = 5);
	DELIVER(&hub, .stream = STREAM_3, .prev = STREAM_2, .prev_last = 4);
	BORN(&hub, .held = {HELD(STREAM_3, 1, 1)}, .held_count = 1);
	assert_string_equal(gaps(&hub, STREAM_1), "lost 4-5 forgotten");
	assert_string_equal(gaps(&hub, STREAM_2), "lost 2-4 forgotten");
	assert_string_equal(acked(&hub, STREAM_3), "1");
}

/// A broker may bring back an old birth after newer records: they are not lost.
static void an_old_birth_closes_nothing_that_came_after_it(void **state)
{
	(void)state;
	DELIVER(&hub, .last = 3);
	DELIVER(&hub, .stream = STREAM_2, .prev = STREAM_1, .prev_last = 3);
	DELIVER(&hub, .stream = STREAM_2, .first = 6);
	BORN(&hub, .held = {HELD(STREAM_1, 1, 3)}, .held_count = 1, .retained = true);
	assert_string_equal(gaps(&hub, STREAM_2), "open 2-5");
	assert_string_equal(acked(&hub, STREAM_2), "");
}

static void a_reset_closes_the_old_journal(void **state)
{
	(void)state;
	DELIVER(&hub, .last = 3);
	DELIVER(&hub, .first = 6);
	DELIVER(&hub, .stream = STREAM_2, .set_aside = true);
	BORN(&hub, .held = {HELD(STREAM_2, 1, 1)}, .held_count = 1);
	assert_string_equal(gaps(&hub, STREAM_1), "lost 4-5 not_held");
}

/// Of two copies of a card each holds what the other does not. What one gives up, the other's birth takes
/// back before it is acknowledged.
static void what_is_held_after_all_is_open_again(void **state)
{
	(void)state;
	DELIVER(&hub, .last = 4);
	DELIVER(&hub, .stream = STREAM_2, .prev = STREAM_1, .prev_last = 4);
	DELIVER(&hub, .stream = STREAM_2, .first = 5);
	DELIVER(&hub, .stream = STREAM_3, .prev = STREAM_1, .prev_last = 4);
	BORN(&hub, .held = {HELD(STREAM_1, 1, 4), HELD(STREAM_3, 1, 1)}, .held_count = 2);
	assert_string_equal(gaps(&hub, STREAM_2), "lost 2-4 not_held");
	assert_string_equal(acked(&hub, STREAM_2), "");
	BORN(&hub, .mono_us = 30 * SEC_US, .held = {HELD(STREAM_1, 1, 4), HELD(STREAM_2, 1, 5)},
	     .held_count = 2);
	assert_string_equal(gaps(&hub, STREAM_2), "open 2-4");
	assert_string_equal(acked(&hub, STREAM_2), "1 5-5");
}

/// An old card holds more of the past than the hub, which had given it up.
static void an_old_card_put_back_may_fill_what_was_lost(void **state)
{
	(void)state;
	DELIVER(&hub, .first = 9);
	BORN(&hub, .held = {HELD(STREAM_1, 7, 9)}, .held_count = 1);
	assert_string_equal(gaps(&hub, STREAM_1), "lost 1-6 forgotten, open 7-8");
	BORN(&hub, .boot = BOOT_2, .held = {HELD(STREAM_1, 3, 9)}, .held_count = 1);
	assert_string_equal(gaps(&hub, STREAM_1), "lost 1-2 forgotten, open 3-6, open 7-8");
	assert_string_equal(acked(&hub, STREAM_1), "2 9-9");
}

static void a_birth_that_holds_nothing_gives_up_nothing(void **state)
{
	(void)state;
	DELIVER(&hub, .first = 2);
	BORN(&hub, .held_count = 0);
	assert_string_equal(gaps(&hub, STREAM_1), "open 1-1");
}

// ---- presence ------------------------------------------------------------------------------------------

static int64_t presence(void)
{
	return number(&hub, "SELECT presence FROM device WHERE name = 'board-1'");
}

static void a_will_counts_only_for_its_own_session(void **state)
{
	(void)state;
	BORN(&hub, .session = STREAM_1);
	assert_int_equal(presence(), 1);
	BORN(&hub, .session = STREAM_2, .presence = SP_FEED_LOST);
	assert_int_equal(presence(), 1);
	BORN(&hub, .session = STREAM_1, .presence = SP_FEED_LOST);
	assert_int_equal(presence(), 3);
	BORN(&hub, .session = STREAM_3, .mono_us = 30 * SEC_US);
	assert_int_equal(presence(), 1);
	BORN(&hub, .session = STREAM_3, .mono_us = 40 * SEC_US, .presence = SP_FEED_STOPPED);
	assert_int_equal(presence(), 2);
	// Stopped is stopped: the will of that session says nothing more.
	BORN(&hub, .session = STREAM_3, .presence = SP_FEED_LOST);
	assert_int_equal(presence(), 2);
	// A will of nobody makes no board.
	BORN(&hub, .device = "nobody", .presence = SP_FEED_LOST);
	assert_int_equal(number(&hub, "SELECT count(*) FROM device"), 1);
}

static void an_older_birth_of_the_same_boot_is_ignored(void **state)
{
	(void)state;
	BORN(&hub, .session = STREAM_2, .mono_us = 100 * SEC_US, .presence = SP_FEED_STOPPED);
	BORN(&hub, .session = STREAM_1, .mono_us = 50 * SEC_US, .retained = true);
	assert_int_equal(presence(), 2);
	BORN(&hub, .session = STREAM_3, .mono_us = 5 * SEC_US, .boot = BOOT_2);
	assert_int_equal(presence(), 1);
}

static void a_repeated_birth_does_not_make_a_board_heard(void **state)
{
	(void)state;
	BORN(&hub, .retained = true);
	assert_int_equal(number(&hub, "SELECT last_heard_ms IS NULL FROM device"), 1);
	BORN(&hub, .mono_us = 30 * SEC_US, .retained = true, .synced = true, .t_ms = NOW_MS - HOUR_MS);
	assert_int_equal(number(&hub, "SELECT last_heard_ms FROM device"), NOW_MS - HOUR_MS);
	BORN(&hub, .mono_us = 40 * SEC_US);
	assert_int_equal(number(&hub, "SELECT last_heard_ms FROM device"), NOW_MS);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(a_chain_shows_what_never_came),
	    T(a_predecessor_that_issued_nothing_is_no_gap),
	    T(a_card_rolled_back_is_seen),
	    T(a_rollback_is_seen_when_the_later_records_come_late),
	    T(a_birth_reveals_a_rollback),
	    T(a_copied_card_is_seen),
	    T(a_new_journal_where_one_was_known_is_seen),
	    T(a_chain_heard_backwards_is_no_reset),
	    T(a_chain_with_a_missing_link_is_no_reset),
	    T(a_new_journal_is_seen_although_the_old_ones_beginning_was_lost),
	    T(a_stream_without_its_link_is_told),
	    T(a_ring_of_streams_ends),
	    T(what_a_birth_no_longer_holds_of_the_chain_is_lost),
	    T(an_old_birth_closes_nothing_that_came_after_it),
	    T(a_reset_closes_the_old_journal),
	    T(what_is_held_after_all_is_open_again),
	    T(an_old_card_put_back_may_fill_what_was_lost),
	    T(a_birth_that_holds_nothing_gives_up_nothing),
	    T(a_will_counts_only_for_its_own_session),
	    T(an_older_birth_of_the_same_boot_is_ignored),
	    T(a_repeated_birth_does_not_make_a_board_heard),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
