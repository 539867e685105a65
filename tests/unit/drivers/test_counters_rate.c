// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What moved between two readings of a router's counters: wraps are counted, and nothing that a router does
// to its counters is ever taken for traffic.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drivers/link/counters_rate.h"
#include "schoolpulse/err.h"

#define SECOND_US INT64_C(1000000)

static struct sp_counters_reading reading(double seconds, bool wide, uint64_t in, uint64_t out)
{
	return (struct sp_counters_reading){
	    .at_us = (int64_t)(seconds * 1e6),
	    .uptime_cs = (uint32_t)(seconds * 100) + 5000,
	    .index = 3,
	    .wide = wide,
	    .in = in,
	    .out = out,
	};
}

static struct sp_counters begun(const struct sp_counters_reading *first)
{
	struct sp_counters counters = {0};
	struct sp_counters_moved moved;
	assert_int_equal(sp_counters_step(&counters, first, &moved), SP_COUNTERS_FIRST);
	return counters;
}

static void counts_what_moved(void **state)
{
	(void)state;
	struct sp_counters_moved moved;
	struct sp_counters_reading a = reading(100, true, 1000, 50), b = reading(110, true, 9000, 60);
	struct sp_counters counters = begun(&a);
	assert_int_equal(sp_counters_step(&counters, &b, &moved), SP_COUNTERS_MOVED);
	assert_int_equal(moved.in, 8000);
	assert_int_equal(moved.out, 10);
	assert_int_equal(moved.from_us, 100 * SECOND_US);
	assert_int_equal(moved.to_us, 110 * SECOND_US);
	// Beyond 32 bits nothing wraps.
	struct sp_counters_reading c = reading(120, true, (UINT64_C(1) << 32) + 1, 61);
	assert_int_equal(sp_counters_step(&counters, &c, &moved), SP_COUNTERS_MOVED);
	assert_int_equal(moved.in, (UINT64_C(1) << 32) + 1 - 9000);
}

static void counts_over_a_wrap(void **state)
{
	(void)state;
	struct sp_counters_moved moved;
	struct sp_counters_reading a = reading(100, false, UINT32_MAX - 99, 7),
				   b = reading(110, false, 900, 8);
	a.speed_bps = b.speed_bps = 100 * 1000 * 1000;
	struct sp_counters counters = begun(&a);
	assert_int_equal(sp_counters_step(&counters, &b, &moved), SP_COUNTERS_MOVED);
	assert_int_equal(moved.in, 1000);
	assert_int_equal(moved.out, 1);
}

static void knows_a_reboot(void **state)
{
	(void)state;
	struct sp_counters_moved moved;
	// Counters begin anew; by 32 bits alone that would look like a wrap of 3.3 GB.
	for (int wide = 0; wide < 2; wide++) {
		struct sp_counters_reading a = reading(100, wide, 1000000000, 1000000000);
		struct sp_counters_reading b = reading(110, wide, 500, 1000000200);
		struct sp_counters_reading c = reading(120, wide, 700, 1000000300);
		b.uptime_cs = 400;
		c.uptime_cs = 1400;
		struct sp_counters counters = begun(&a);
		assert_int_equal(sp_counters_step(&counters, &b, &moved), SP_COUNTERS_RESET);
		// And what comes after it counts from there.
		assert_int_equal(sp_counters_step(&counters, &c, &moved), SP_COUNTERS_MOVED);
		assert_int_equal(moved.in, 200);
		assert_int_equal(moved.out, 100);
	}
}

static void knows_an_uptime_that_wraps(void **state)
{
	(void)state;
	struct sp_counters_moved moved;
	struct sp_counters_reading a = reading(100, true, 10, 10), b = reading(110, true, 20, 20);
	a.uptime_cs = UINT32_MAX - 300;
	b.uptime_cs = 700;
	struct sp_counters counters = begun(&a);
	assert_int_equal(sp_counters_step(&counters, &b, &moved), SP_COUNTERS_MOVED);
}

static void begins_anew(void **state)
{
	(void)state;
	struct sp_counters_moved moved;
	const struct sp_counters_reading a = reading(100, true, 5000, 5000);
	struct sp_counters_reading cases[] = {
	    reading(110, true, 6000, 6000),               // another interface
	    reading(110, true, 6000, 6000),               // the router says so itself
	    reading(110, false, 6000, 6000),              // other counters
	    reading(110, true, 4000, 6000),               // a wide one never wraps
	    reading(110, true, UINT64_C(1) << 40, 6000),  // more than any line carries
	    reading(110, true, UINT64_C(25000000), 6000), // more than this port carries
	};
	cases[0].index = 4;
	cases[1].discontinuity = 1;
	cases[5].speed_bps = 1000000;
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct sp_counters counters = begun(&a);
		assert_int_equal(sp_counters_step(&counters, &cases[i], &moved), SP_COUNTERS_RESET);
	}
	// A line that was dialled again: both back at once, and the router runs on.
	struct sp_counters_reading n = reading(100, false, 4294960000u, 4294960000u),
				   m = reading(110, false, 10, 10);
	struct sp_counters counters = begun(&n);
	assert_int_equal(sp_counters_step(&counters, &m, &moved), SP_COUNTERS_RESET);
	// So long that 32 bits may have gone round unseen.
	struct sp_counters_reading late = reading(400, false, 4294960500u, 4294960500u);
	late.speed_bps = 1000 * 1000 * 1000;
	counters = begun(&n);
	assert_int_equal(sp_counters_step(&counters, &late, &moved), SP_COUNTERS_RESET);
}

static void waits_for_a_fresh_reading(void **state)
{
	(void)state;
	struct sp_counters_moved moved;
	struct sp_counters_reading a = reading(100, true, 5000, 5000), b = reading(110, true, 5000, 5000),
				   c = reading(120, true, 95000, 5500), d = reading(170, true, 95000, 5500),
				   e = reading(181, true, 95000, 5500);
	struct sp_counters counters = begun(&a);
	assert_int_equal(sp_counters_step(&counters, &b, &moved), SP_COUNTERS_OLD);
	assert_int_equal(sp_counters_step(&counters, &c, &moved), SP_COUNTERS_MOVED);
	assert_int_equal(moved.from_us, 100 * SECOND_US);
	assert_int_equal(moved.in, 90000);
	// A minute without a byte is a line without a byte.
	assert_int_equal(sp_counters_step(&counters, &d, &moved), SP_COUNTERS_OLD);
	assert_int_equal(sp_counters_step(&counters, &e, &moved), SP_COUNTERS_MOVED);
	assert_int_equal(moved.in, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(counts_what_moved), cmocka_unit_test(counts_over_a_wrap),
	    cmocka_unit_test(knows_a_reboot),    cmocka_unit_test(knows_an_uptime_that_wraps),
	    cmocka_unit_test(begins_anew),       cmocka_unit_test(waits_for_a_fresh_reading),
	};
	return cmocka_run_group_tests_name("drivers.counters_rate", tests, NULL, NULL);
}
