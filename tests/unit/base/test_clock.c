// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The clock: the kernel's two clocks agree with each other, and the source can be replaced.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/timex.h>
#include <time.h>

#include "schoolpulse/clock.h"

static const struct timex *pretended; ///< NULL: the kernel's own answer
static int refused_errno;

/// Stands before the C library's, so that kernels in every state can be tried.
int adjtimex(struct timex *kernel)
{
	if (refused_errno) {
		errno = refused_errno;
		return -1;
	}
	if (!pretended)
		return clock_adjtime(CLOCK_REALTIME, kernel);
	*kernel = *pretended;
	return kernel->status & STA_UNSYNC ? TIME_ERROR : TIME_OK;
}

static int ask_the_kernel(void **state)
{
	(void)state;
	pretended = NULL;
	refused_errno = 0;
	return 0;
}

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

static struct sp_clock_reading pretend(struct timex kernel)
{
	if (kernel.time.tv_sec == 0)
		kernel.time.tv_sec = 1800000000; // one that can be true
	pretended = &kernel;
	struct sp_clock_reading now = sp_clock_now();
	pretended = NULL;
	return now;
}

/// Bracketing adds its own microseconds to the error: at least one millisecond, rarely more.
static void assert_error(struct sp_clock_reading now, int64_t least_ms)
{
	assert_true(now.synced);
	assert_true(now.err_ms > least_ms);
	assert_true(now.err_ms < least_ms + 1000);
}

static void the_error_counts_what_the_kernel_admits(void **state)
{
	(void)state;
	assert_error(pretend((struct timex){.maxerror = 5000000}), 5000);
	assert_error(pretend((struct timex){.maxerror = 5000000, .offset = -2000000}), 7000);
	assert_error(pretend((struct timex){.maxerror = 5000000, .offset = 300000000, .status = STA_NANO}),
		     5300);
	assert_error(pretend((struct timex){.maxerror = 0}), 50); // nobody knows it that well
}

static void an_undisciplined_clock_claims_nothing(void **state)
{
	(void)state;
	struct sp_clock_reading now = pretend((struct timex){.status = STA_UNSYNC, .maxerror = 16000000});
	assert_false(now.synced);
	assert_int_equal(now.err_ms, 0);
	refused_errno = EPERM; // a sandbox
	int64_t before = clock_us(CLOCK_REALTIME) / 1000;
	now = sp_clock_now();
	assert_false(now.synced);
	assert_true(before <= now.wall_ms && now.wall_ms <= clock_us(CLOCK_REALTIME) / 1000);
}

static void fractions_have_two_units(void **state)
{
	(void)state;
	struct timex kernel = {.time = {.tv_sec = 1800000000, .tv_usec = 123999}};
	assert_true(pretend(kernel).wall_ms == INT64_C(1800000000123));
	kernel.time.tv_usec = 123999999;
	kernel.status = STA_NANO;
	assert_true(pretend(kernel).wall_ms == INT64_C(1800000000123));
	kernel.time.tv_sec = -1; // before 1970: rounded down all the same
	kernel.time.tv_usec = 999999999;
	assert_int_equal(pretend(kernel).wall_ms, -1);
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
	    cmocka_unit_test_teardown(the_error_counts_what_the_kernel_admits, ask_the_kernel),
	    cmocka_unit_test_teardown(an_undisciplined_clock_claims_nothing, ask_the_kernel),
	    cmocka_unit_test_teardown(fractions_have_two_units, ask_the_kernel),
	    cmocka_unit_test(monotonic_never_goes_back),
	    cmocka_unit_test(source_can_be_replaced_and_restored),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
