// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What speed drivers reckon with: the meter of bytes and the statistics of round trips.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/speed/latency.h"
#include "drivers/speed/meter.h"

enum { SECOND = 1000 * 1000, START = 77 * SECOND };

static struct sp_meter meter;

#define assert_near(a, b, by) assert_true(fabs((double)(a) - (double)(b)) <= (by))

static void between_two_looks_it_is_straight(void **state)
{
	(void)state;
	sp_meter_start(&meter, START);
	sp_meter_look(&meter, START + SECOND, 1000);
	sp_meter_look(&meter, START + 3 * SECOND, 2000);
	assert_int_equal(sp_meter_at(&meter, START - 5), 0);
	assert_int_equal(sp_meter_at(&meter, START), 0);
	assert_int_equal(sp_meter_at(&meter, START + SECOND / 2), 500);
	assert_int_equal(sp_meter_at(&meter, START + SECOND), 1000);
	assert_int_equal(sp_meter_at(&meter, START + 2 * SECOND), 1500);
	assert_int_equal(sp_meter_at(&meter, START + 9 * SECOND), 2000);
	assert_int_equal(sp_meter_between(&meter, START + SECOND / 2, START + 2 * SECOND), 1000);
	assert_int_equal(sp_meter_between(&meter, START + SECOND, START), 0);
}

static void nothing_runs_backwards(void **state)
{
	(void)state;
	sp_meter_start(&meter, START);
	sp_meter_look(&meter, START + SECOND, 1000);
	sp_meter_look(&meter, START + 2 * SECOND, 400);
	sp_meter_look(&meter, START + SECOND / 2, 1200);
	assert_int_equal(sp_meter_at(&meter, START + 2 * SECOND), 1200);
	assert_int_equal(sp_meter_at(&meter, START + SECOND), 1000);
}

/// The warm-up slow, then steady, looked at with uneven steps: the figure is that of the steady part.
static void the_warm_up_is_left_out(void **state)
{
	(void)state;
	struct sp_speed_result result = {0};
	const double rate = 12.5e6; // byte/s
	srand(1);
	sp_meter_start(&meter, START);
	int64_t at = 0, end = 10 * (int64_t)SECOND;
	while (at < end) {
		at += 30000 + rand() % 50000;
		if (at > end)
			at = end;
		double t = (double)at / SECOND;
		double bytes = t < 1 ? 0.1 * rate * t : 0.1 * rate + rate * (t - 1);
		sp_meter_look(&meter, START + at, (int64_t)bytes);
	}
	assert_true(sp_meter_result(&meter, 2 * SECOND, START + end, SECOND, &result));
	assert_int_equal(result.duration_us, 8 * SECOND);
	assert_int_equal(result.warmup_us, 2 * SECOND);
	assert_near(result.bytes, 8 * rate, 100);
	assert_int_equal(result.curve_count, 10);
	assert_near(result.curve[0], 0.8 * rate, 0.4 * rate);
	for (unsigned i = 2; i < 10; i++)
		assert_near(result.curve[i], 8 * rate, 100);
	assert_near(sp_meter_now(&meter, SECOND), 8 * rate, 1000);
}

static void too_short_is_no_figure(void **state)
{
	(void)state;
	struct sp_speed_result result = {.bytes = 5, .duration_us = 5};
	sp_meter_start(&meter, START);
	sp_meter_look(&meter, START + 2 * SECOND, 1000000);
	assert_false(sp_meter_result(&meter, SECOND, START + 2 * SECOND - 1, SECOND, &result));
	assert_int_equal(result.bytes, 0);
	assert_int_equal(result.duration_us, 0);
	assert_int_equal(result.curve_count, 1);
	assert_true(sp_meter_result(&meter, SECOND, START + 2 * SECOND, SECOND, &result));
	assert_int_equal(result.bytes, 500000);
	assert_false(sp_meter_result(&meter, 2 * SECOND, START + 2 * SECOND, 0, &result));
}

/// However long the load and however often it is looked at: neither an overflow nor a lost end.
static void it_stays_within_its_bounds(void **state)
{
	(void)state;
	struct sp_speed_result result = {0};
	sp_meter_start(&meter, START);
	for (int64_t i = 1; i <= 200 * 1000; i++)
		sp_meter_look(&meter, START + i * 1000, i * 100);
	assert_true(meter.count <= SP_METER_POINTS);
	assert_int_equal(sp_meter_at(&meter, START + 200 * (int64_t)SECOND), 20 * 1000 * 1000);
	assert_true(sp_meter_result(&meter, SECOND, START + 200 * (int64_t)SECOND, SECOND, &result));
	assert_int_equal(result.curve_count, SP_SPEED_CURVE);
	assert_near(result.curve[59], 800000, 30000);
}

static void when_it_moved_last(void **state)
{
	(void)state;
	sp_meter_start(&meter, START);
	assert_int_equal(sp_meter_moved_us(&meter), START);
	assert_true(sp_meter_now(&meter, SECOND) == 0);
	sp_meter_look(&meter, START + SECOND, 0);
	assert_int_equal(sp_meter_moved_us(&meter), START);
	sp_meter_look(&meter, START + 2 * SECOND, 10);
	sp_meter_look(&meter, START + 3 * SECOND, 10);
	sp_meter_look(&meter, START + 4 * SECOND, 10);
	assert_int_equal(sp_meter_moved_us(&meter), START + 2 * SECOND);
}

static void round_trips(void **state)
{
	(void)state;
	struct sp_latency latency = {0};
	struct sp_speed_latency out;
	sp_latency_result(&latency, &out);
	assert_int_equal(out.count, 0);
	sp_latency_add(&latency, 0.5);
	sp_latency_result(&latency, &out);
	assert_true(out.min == 0.5 && out.median == 0.5 && out.p95 == 0.5 && out.jitter == 0);
	sp_latency_add(&latency, 0.25);
	sp_latency_add(&latency, 1.0);
	sp_latency_gap(&latency);
	sp_latency_add(&latency, 0.125);
	sp_latency_add(&latency, NAN);
	sp_latency_add(&latency, -1);
	sp_latency_result(&latency, &out);
	assert_int_equal(out.count, 4);
	assert_true(out.min == 0.125);
	assert_true(out.median == 0.375);
	assert_true(out.p95 == 1.0);
	assert_true(out.jitter == 0.5); // |0.25 - 0.5| and |1 - 0.25|, not over the gap
}

static void percentiles(void **state)
{
	(void)state;
	struct sp_latency latency = {0};
	struct sp_speed_latency out;
	for (int i = 1; i <= 100; i++)
		sp_latency_add(&latency, (i * 37) % 101);
	sp_latency_result(&latency, &out);
	assert_true(out.p95 == 95 && out.median == 50.5 && out.min == 1);
	for (int i = 0; i < 5000; i++)
		sp_latency_add(&latency, 7);
	sp_latency_result(&latency, &out);
	assert_int_equal(out.count, SP_LATENCY_MOST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(between_two_looks_it_is_straight),
	    cmocka_unit_test(nothing_runs_backwards),
	    cmocka_unit_test(the_warm_up_is_left_out),
	    cmocka_unit_test(too_short_is_no_figure),
	    cmocka_unit_test(it_stays_within_its_bounds),
	    cmocka_unit_test(when_it_moved_last),
	    cmocka_unit_test(round_trips),
	    cmocka_unit_test(percentiles),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
