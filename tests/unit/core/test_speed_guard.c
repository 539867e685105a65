// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Who uses the line, by readings of several sources, and when that is reason to wait.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "agent/core/speed/guard.h"

#define SECOND INT64_C(1000000)

static struct sp_guard *guard;
static struct sp_guard_rate rate;

static int begin(void **state)
{
	(void)state;
	guard = sp_guard_new();
	return 0;
}

static int end(void **state)
{
	(void)state;
	sp_guard_free(guard);
	return 0;
}

/// Seconds from … to; bytes of all in that time; our own counter at its end.
static void reading(enum sp_traffic_source source, int64_t from, int64_t to, int64_t bytes, int64_t own)
{
	struct sp_traffic traffic = {.source = source,
				     .from_us = from * SECOND,
				     .to_us = to * SECOND,
				     .down_bytes = bytes - bytes / 4,
				     .up_bytes = bytes / 4};
	sp_guard_reading(guard, &traffic, own);
}

static bool asked(int64_t from, int64_t to)
{
	return sp_guard_rate(guard, from * SECOND, to * SECOND, &rate);
}

static void test_our_own_part_is_not_others(void **state)
{
	(void)state;
	assert_false(asked(0, 10));
	reading(SP_TRAFFIC_CAPTURE, 0, 1, 999, 5000); // ours of that second is not known
	assert_false(asked(0, 10));
	for (int i = 1; i <= 10; i++)
		reading(SP_TRAFFIC_CAPTURE, i, i + 1, 30000, 5000 + i * 20000);
	assert_true(asked(1, 11));
	assert_int_equal(rate.source, SP_TRAFFIC_CAPTURE);
	assert_true(rate.all == 30000 && rate.others == 9600);
	// A router on PPPoE counts more of the same frames than our port does.
	reading(SP_TRAFFIC_CAPTURE, 11, 12, 1015000, 5000 + 10 * 20000 + 1000000);
	assert_true(asked(11, 12));
	assert_true(rate.others == 0);
	// What a source counts a moment later than we do is no negative traffic.
	reading(SP_TRAFFIC_CAPTURE, 12, 13, 300000, 5000 + 10 * 20000 + 1400000);
	assert_true(asked(12, 13));
	assert_true(rate.others == 0);
}

static void test_the_gateway_is_believed_before_the_capture(void **state)
{
	(void)state;
	for (int i = 0; i <= 30; i++)
		reading(SP_TRAFFIC_CAPTURE, i, i + 1, 50000, i * 1000);
	for (int i = 0; i <= 3; i++)
		reading(SP_TRAFFIC_GATEWAY, i * 10, i * 10 + 10, 200000, i * 10000);
	assert_true(asked(20, 30));
	assert_int_equal(rate.source, SP_TRAFFIC_GATEWAY);
	assert_true(rate.all == 20000 && rate.others == 18980);
	// It is silent since: the next best that saw that time.
	for (int i = 31; i <= 70; i++)
		reading(SP_TRAFFIC_CAPTURE, i, i + 1, 50000, i * 1000);
	assert_true(asked(60, 70));
	assert_int_equal(rate.source, SP_TRAFFIC_CAPTURE);
	assert_true(rate.others == 48980);
}

static void test_too_little_of_the_time_is_nothing(void **state)
{
	(void)state;
	for (int i = 0; i <= 4; i++)
		reading(SP_TRAFFIC_CAPTURE, i, i + 1, 50000, 0);
	assert_true(asked(0, 8));
	assert_false(asked(0, 11)); // four of eleven seconds
	assert_false(asked(20, 30));
	reading(SP_TRAFFIC_CAPTURE, 9, 10, 50000, 0); // what lies between is not known
	assert_false(asked(9, 10));
}

static void test_a_source_that_does_not_see_us_is_passed_over(void **state)
{
	(void)state;
	// The counters of another port: we moved ten times what it saw.
	for (int i = 0; i <= 10; i++)
		reading(SP_TRAFFIC_GATEWAY, i, i + 1, 10000, i * 100000);
	assert_false(asked(1, 10));
	for (int i = 0; i <= 10; i++)
		reading(SP_TRAFFIC_CAPTURE, i, i + 1, 130000, i * 100000);
	assert_true(asked(1, 10));
	assert_int_equal(rate.source, SP_TRAFFIC_CAPTURE);
	assert_true(rate.others == 28000);
}

static void test_hostile_readings_are_dropped(void **state)
{
	(void)state;
	static const struct sp_traffic bad[] = {
	    {SP_TRAFFIC_CAPTURE, 2 * SECOND, 1 * SECOND, 1, 1}, {SP_TRAFFIC_CAPTURE, SECOND, SECOND, 1, 1},
	    {SP_TRAFFIC_CAPTURE, 0, 3600 * SECOND, 1, 1},       {SP_TRAFFIC_CAPTURE, 0, SECOND, -1, 1},
	    {SP_TRAFFIC_CAPTURE, 0, SECOND, 1, INT64_MAX},      {SP_TRAFFIC_INTERFACE, 0, SECOND, 1, 1},
	    {(enum sp_traffic_source)9, 0, SECOND, 1, 1},
	};
	for (size_t i = 0; i < SP_COUNT(bad); i++) {
		sp_guard_reading(guard, &bad[i], 0);
		sp_guard_reading(guard, &bad[i], 0);
	}
	assert_false(asked(0, 1));
	assert_true(sp_guard_awaits(guard, SECOND, SECOND) == 0);
}

static void test_more_readings_than_are_kept(void **state)
{
	(void)state;
	for (int i = 0; i <= 1000; i++)
		reading(SP_TRAFFIC_CAPTURE, i, i + 1, i, 0);
	assert_true(asked(990, 1001));
	assert_true(rate.all == 995);
	assert_false(asked(0, 10));
}

static void test_the_last_reading_is_waited_for_and_not_for_ever(void **state)
{
	(void)state;
	assert_true(sp_guard_awaits(guard, 20 * SECOND, 20 * SECOND) == 0);
	reading(SP_TRAFFIC_GATEWAY, 0, 10, 1000, 0);
	reading(SP_TRAFFIC_GATEWAY, 10, 20, 1000, 0);
	assert_true(sp_guard_window_us(guard, 21 * SECOND) == 10 * SECOND);
	assert_true(sp_guard_awaits(guard, 19 * SECOND, 21 * SECOND) == 0); // it has told
	assert_true(sp_guard_awaits(guard, 22 * SECOND, 23 * SECOND) == 35 * SECOND);
	assert_true(sp_guard_awaits(guard, 22 * SECOND, 36 * SECOND) == 0);
	// One that has fallen silent is not waited for.
	assert_true(sp_guard_awaits(guard, 60 * SECOND, 61 * SECOND) == 0);
	assert_true(sp_guard_window_us(guard, 61 * SECOND) == 0);
}

static void test_busy_is_more_than_the_threshold(void **state)
{
	(void)state;
	assert_int_equal(sp_guard_decide(25000, 25000, 0.30, 0.30), SP_GUARD_GO);
	assert_int_equal(sp_guard_decide(25001, 25000, 0.30, 0.30), SP_GUARD_BUSY);
	assert_int_equal(sp_guard_decide(25000, 25000, 0.31, 0.30), SP_GUARD_CPU);
	assert_int_equal(sp_guard_decide(25001, 25000, 0.31, 0.30), SP_GUARD_BUSY);
	assert_int_equal(sp_guard_decide(NAN, 25000, NAN, 0.30), SP_GUARD_GO);
}

static void test_the_busiest_processor_counts(void **state)
{
	(void)state;
	struct sp_board_cores from = {.count = 3, .cores = {{100, 1000}, {0, 0}, {500, 1000}}};
	struct sp_board_cores to = {.count = 3, .cores = {{130, 1100}, {0, 0}, {580, 1100}}};
	assert_true(sp_guard_busiest(&from, &to) == 0.8);
	assert_true(isnan(sp_guard_busiest(&to, &to)));
	assert_true(isnan(sp_guard_busiest(&to, &from))); // counters that go back
	from.count = 0;
	assert_true(isnan(sp_guard_busiest(&from, &to)));
}

static void test_what_a_port_carried(void **state)
{
	(void)state;
	struct sp_board_port from = {.counted = true, .rx_bytes = 1000, .tx_bytes = 500};
	struct sp_board_port to = {.counted = true, .rx_bytes = 4000, .tx_bytes = 700};
	assert_true(sp_guard_carried("eth0", &from, &to) == 3200);
	assert_true(sp_guard_carried("lo", &from, &to) == 3000);
	assert_true(sp_guard_carried("eth0", &to, &from) == -1);
	to.counted = false;
	assert_true(sp_guard_carried("eth0", &from, &to) == -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_our_own_part_is_not_others, begin, end),
	    cmocka_unit_test_setup_teardown(test_the_gateway_is_believed_before_the_capture, begin, end),
	    cmocka_unit_test_setup_teardown(test_too_little_of_the_time_is_nothing, begin, end),
	    cmocka_unit_test_setup_teardown(test_a_source_that_does_not_see_us_is_passed_over, begin, end),
	    cmocka_unit_test_setup_teardown(test_hostile_readings_are_dropped, begin, end),
	    cmocka_unit_test_setup_teardown(test_more_readings_than_are_kept, begin, end),
	    cmocka_unit_test_setup_teardown(test_the_last_reading_is_waited_for_and_not_for_ever, begin, end),
	    cmocka_unit_test(test_busy_is_more_than_the_threshold),
	    cmocka_unit_test(test_the_busiest_processor_counts),
	    cmocka_unit_test(test_what_a_port_carried),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
