// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The clock: the kernel's two clocks agree with each other, and the source can be replaced.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <sys/timex.h>
#include <time.h>

#include "schoolpulse/clock.h"

static int64_t clock_us(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void mono_is_the_raw_clock(void **state)
{
	(void)state;
	int64_t before = clock_us(CLOCK_MONOTONIC_RAW);
	int64_t mono = sp_clock_mono_us();
	struct sp_clock_reading now = sp_clock_now();
	int64_t after = clock_us(CLOCK_MONOTONIC_RAW);
	assert_true(before <= mono && mono <= now.mono_us && now.mono_us <= after);
}

static void wall_lies_where_the_kernel_has_it(void **state)
{
	(void)state;
	int64_t before = clock_us(CLOCK_REALTIME) / 1000;
	struct sp_clock_reading now = sp_clock_now();
	int64_t after = clock_us(CLOCK_REALTIME) / 1000;
	assert_true(before <= now.wall_ms && now.wall_ms <= after);
}

static void sync_is_the_kernels_word(void **state)
{
	(void)state;
	struct timex kernel = {0};
	int asked = adjtimex(&kernel);
	struct sp_clock_reading now = sp_clock_now();
	assert_int_equal(now.synced, asked >= 0 && !(kernel.status & STA_UNSYNC));
	if (now.synced) { // at least what the kernel admits, and never the daemon's bare 0
		assert_true(now.err_ms >= kernel.maxerror / 1000);
		assert_true(now.err_ms >= 50);
	} else
		assert_int_equal(now.err_ms, 0);
}

static void monotonic_never_goes_back(void **state)
{
	(void)state;
	int64_t last = 0;
	for (int i = 0; i < 2000; i++) {
		struct sp_clock_reading now = sp_clock_now();
		assert_true(now.mono_us >= last);
		last = now.mono_us;
	}
}

static void read_virtual(void *arg, struct sp_clock_reading *out)
{
	*out = *(struct sp_clock_reading *)arg;
}

static void source_can_be_replaced_and_restored(void **state)
{
	(void)state;
	struct sp_clock_reading made_up = {.mono_us = 42, .synced = true, .wall_ms = -5, .err_ms = 7};
	struct sp_clock_source source = {.read = read_virtual, .arg = &made_up};
	sp_clock_set_source(&source);
	struct sp_clock_reading now = sp_clock_now();
	assert_memory_equal(&now.mono_us, &made_up.mono_us, sizeof(now.mono_us));
	assert_true(now.synced);
	assert_int_equal(now.wall_ms, -5);
	assert_int_equal(now.err_ms, 7);
	made_up.mono_us = 43;
	assert_int_equal(sp_clock_mono_us(), 43);
	sp_clock_set_source(NULL);
	assert_true(sp_clock_mono_us() > 1000);
	assert_true(sp_clock_now().wall_ms > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mono_is_the_raw_clock),
	    cmocka_unit_test(wall_lies_where_the_kernel_has_it),
	    cmocka_unit_test(sync_is_the_kernels_word),
	    cmocka_unit_test(monotonic_never_goes_back),
	    cmocka_unit_test(source_can_be_replaced_and_restored),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
