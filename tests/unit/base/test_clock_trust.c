// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Whose word on the time counts: a kernel that cannot be right, a hub that is far or lies, a memory that
// was wrong; and that over a month of drift the stated error holds true time.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "agent/base/clock_trust.h"

#define SEC     INT64_C(1000000)
#define HOUR    (3600 * SEC)
#define YEAR_MS (INT64_C(365) * 24 * 3600 * 1000)
#define NOW_MS  (SP_CLOCK_BUILT_MS + YEAR_MS)

static struct sp_clock_reading kernel(int64_t mono_us, int64_t wall_ms)
{
	return (struct sp_clock_reading){
	    .mono_us = mono_us, .synced = true, .wall_ms = wall_ms, .err_ms = 50};
}

static struct sp_clock_reading unsynced(int64_t mono_us)
{
	return (struct sp_clock_reading){.mono_us = mono_us, .wall_ms = 12345};
}

static struct sp_clock_reading judged(struct sp_clock_trust *trust, struct sp_clock_reading reading)
{
	sp_clock_trust_judge(trust, &reading);
	return reading;
}

static void a_kernel_that_can_be_right_is_believed(void **state)
{
	(void)state;
	struct sp_clock_trust trust = {.saved_ms = NOW_MS};
	struct sp_clock_reading now = judged(&trust, kernel(SEC, NOW_MS + 1000));
	assert_true(now.synced && !now.doubted && now.from == SP_CLOCK_KERNEL);
	assert_int_equal(now.wall_ms, NOW_MS + 1000);
	assert_true(judged(&trust, kernel(SEC, NOW_MS + 9 * YEAR_MS)).synced);
	// Within its own error it may not be before what was saved.
	assert_true(judged(&trust, kernel(SEC, NOW_MS - 50)).synced);
}

static void a_kernel_that_cannot_be_right_is_not(void **state)
{
	(void)state;
	static const int64_t absurd[] = {
	    0, 1000, SP_CLOCK_BUILT_MS - 1000, NOW_MS - 51, NOW_MS + SP_CLOCK_REACH_MS + 1000, -YEAR_MS};
	for (size_t i = 0; i < sizeof(absurd) / sizeof(absurd[0]); i++) {
		struct sp_clock_trust trust = {.saved_ms = NOW_MS};
		struct sp_clock_reading now = judged(&trust, kernel(SEC, absurd[i]));
		if (now.synced || !now.doubted)
			fail_msg("%" PRId64 " is believed", absurd[i]);
	}
	// Without a memory the build's date is what there is.
	struct sp_clock_trust none = {0};
	assert_true(judged(&none, kernel(SEC, SP_CLOCK_BUILT_MS - 1000)).doubted);
	assert_true(judged(&none, kernel(SEC, SP_CLOCK_BUILT_MS + 1000)).synced);
}

static void the_hub_teaches_where_the_kernel_says_nothing(void **state)
{
	(void)state;
	struct sp_clock_trust trust = {0};
	assert_false(judged(&trust, unsynced(SEC)).synced);
	assert_int_equal(sp_clock_trust_learn(&trust, 10 * SEC, 12 * SEC, NOW_MS, 100), 0);
	struct sp_clock_reading now = judged(&trust, unsynced(11 * SEC));
	assert_true(now.synced && now.from == SP_CLOCK_HUB);
	assert_int_equal(now.wall_ms, NOW_MS);
	assert_in_range(now.err_ms, 1100, 1102);
	// An hour later: 500 ppm of it.
	now = judged(&trust, unsynced(11 * SEC + HOUR));
	assert_int_equal(now.wall_ms, NOW_MS + 3600000);
	assert_in_range(now.err_ms, 1100 + 1800, 1102 + 1801);
	// The kernel's own word comes first, and in place of one that cannot be true the hub's stands.
	assert_true(judged(&trust, kernel(11 * SEC, NOW_MS + 5000)).from == SP_CLOCK_KERNEL);
	now = judged(&trust, kernel(11 * SEC, 5000));
	assert_true(now.doubted && now.synced && now.from == SP_CLOCK_HUB);
	assert_int_equal(now.wall_ms, NOW_MS);
}

static void the_best_sample_is_kept_until_it_has_aged(void **state)
{
	(void)state;
	struct sp_clock_trust trust = {0};
	assert_int_equal(sp_clock_trust_learn(&trust, 0, SEC / 10, NOW_MS, 10), 0);
	assert_int_equal(sp_clock_trust_learn(&trust, SEC, 3 * SEC, NOW_MS + 2300, 10), 0);
	assert_int_equal(trust.hub.t_ms, NOW_MS);
	// Two hours later the first one's error has grown by 3.6 s.
	assert_int_equal(sp_clock_trust_learn(&trust, 2 * HOUR, 2 * HOUR + 2 * SEC, NOW_MS + 7201000, 10), 0);
	assert_int_equal(trust.hub.t_ms, NOW_MS + 7201000);
}

static void a_hub_that_contradicts_itself_was_set(void **state)
{
	(void)state;
	struct sp_clock_trust trust = {0};
	assert_int_equal(sp_clock_trust_learn(&trust, 0, SEC / 10, NOW_MS, 10), 0);
	assert_int_equal(sp_clock_trust_learn(&trust, 10 * SEC, 14 * SEC, NOW_MS - 60000, 10), 0);
	assert_int_equal(trust.hub.t_ms, NOW_MS - 60000);
}

static void a_hub_that_cannot_be_right_teaches_nothing(void **state)
{
	(void)state;
	struct sp_clock_trust trust = {.saved_ms = NOW_MS};
	static const int64_t absurd[] = {
	    INT64_MIN, -1, 0, SP_CLOCK_BUILT_MS - 1000, NOW_MS - 100000, NOW_MS + SP_CLOCK_REACH_MS + 1000,
	    INT64_MAX};
	for (size_t i = 0; i < sizeof(absurd) / sizeof(absurd[0]); i++) {
		assert_int_equal(sp_clock_trust_learn(&trust, SEC, 2 * SEC, absurd[i], 10), -ERANGE);
		assert_false(judged(&trust, unsynced(2 * SEC)).synced);
	}
	assert_int_equal(sp_clock_trust_learn(&trust, 2 * SEC, SEC, NOW_MS, 10), -EINVAL);
	assert_int_equal(sp_clock_trust_learn(&trust, -1, SEC, NOW_MS, 10), -EINVAL);
	assert_int_equal(sp_clock_trust_learn(&trust, SEC, SEC, NOW_MS, -1), -EINVAL);
	assert_int_equal(sp_clock_trust_learn(&trust, SEC, SEC, NOW_MS, INT64_MAX), -EINVAL);
	assert_int_equal(sp_clock_trust_learn(&trust, 0, INT64_MAX, NOW_MS, 0), 0); // huge, and not undefined
}

static void two_witnesses_outvote_a_wrong_memory(void **state)
{
	(void)state;
	struct sp_clock_trust trust = {.saved_ms = NOW_MS + 5 * YEAR_MS}; // a server once said 2032
	assert_true(judged(&trust, kernel(SEC, NOW_MS)).doubted);
	assert_int_equal(sp_clock_trust_learn(&trust, SEC, 2 * SEC, NOW_MS + 700, 10), -ERANGE);
	struct sp_clock_reading now = judged(&trust, kernel(3 * SEC, NOW_MS + 2000));
	assert_true(now.synced && !now.doubted);
	assert_int_equal(trust.saved_ms, 0);
	// But neither a hub nor a kernel alone, nor both when they disagree.
	trust = (struct sp_clock_trust){.saved_ms = NOW_MS + 5 * YEAR_MS};
	assert_int_equal(sp_clock_trust_learn(&trust, SEC, 2 * SEC, NOW_MS + 700, 10), -ERANGE);
	assert_false(judged(&trust, unsynced(3 * SEC)).synced);
	assert_false(judged(&trust, kernel(3 * SEC, NOW_MS + 60000)).synced);
}

static void a_kernel_that_insists_outvotes_a_wrong_memory(void **state)
{
	(void)state;
	const struct sp_clock_trust wrong = {.saved_ms = NOW_MS + 5 * YEAR_MS};
	struct sp_clock_trust trust = wrong;
	int64_t s = 10;
	for (; s < 10 + 6 * 3600; s += 5)
		assert_true(judged(&trust, kernel(s * SEC, NOW_MS + s * 1000)).doubted);
	struct sp_clock_reading now = judged(&trust, kernel(s * SEC, NOW_MS + s * 1000));
	assert_true(now.synced && !now.doubted && now.from == SP_CLOCK_KERNEL);
	assert_int_equal(trust.saved_ms, 0);
	// One that steps, or loses its server, begins anew.
	for (int way = 0; way < 3; way++) {
		trust = wrong;
		for (s = 10; s < 10 + 9 * 3600; s += 5) {
			bool late = s > 5 * 3600;
			if (way == 2 && s == 5 * 3600)
				(void)judged(&trust, unsynced(s * SEC));
			int64_t step = late && way < 2 ? (way ? -1 : 1) * 3600000 : 0;
			assert_true(judged(&trust, kernel(s * SEC, NOW_MS + s * 1000 + step)).doubted);
		}
	}
	// Nor against a hub, nor before the build, nor decades later.
	trust = wrong;
	assert_int_equal(sp_clock_trust_learn(&trust, SEC, 2 * SEC, NOW_MS + 600000, 10), -ERANGE);
	for (s = 10; s < 10 + 9 * 3600; s += 5)
		assert_true(judged(&trust, kernel(s * SEC, NOW_MS + s * 1000)).doubted);
	trust = wrong;
	for (s = 10; s < 10 + 9 * 3600; s += 5)
		assert_true(judged(&trust, kernel(s * SEC, s * 1000)).doubted);
}

/// xorshift64*: the same on every machine.
static uint64_t chance(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * UINT64_C(2685821657736338717);
}

static int64_t below(uint64_t *seed, int64_t limit)
{
	return (int64_t)(chance(seed) % (uint64_t)limit);
}

/// A month, a crystal that is wrong by up to 100 ppm, a hub whose clock is wrong by what it admits, ways
/// there and back that are as unlike as can be: what is stated always holds true time.
static void the_error_is_honest_for_a_month(void **state)
{
	(void)state;
	for (uint64_t start = 1; start <= 300; start++) {
		uint64_t seed = start * 77777;
		struct sp_clock_trust trust = {0};
		double ppm = (double)below(&seed, 200) - 100;
		int64_t mono = SEC, checked = 0;
		while (mono < 720 * HOUR) {
			mono += SEC + below(&seed, below(&seed, 10) ? 300 * SEC : 48 * HOUR);
			int64_t there = below(&seed, 5 * SEC), back = below(&seed, 5 * SEC),
				err = below(&seed, 500);
			// True time runs with the crystal's error against the monotonic clock.
#define TRUE_MS(at) (NOW_MS + (int64_t)((double)(at) * (1 + ppm / 1e6) / 1000))
			int64_t said = TRUE_MS(mono + there) + (err ? below(&seed, 2 * err) - err : 0);
			if (below(&seed, 3) == 0)
				assert_int_equal(
				    sp_clock_trust_learn(&trust, mono, mono + there + back, said, err), 0);
			mono += there + back;
			struct sp_clock_reading now = judged(&trust, unsynced(mono));
			if (!now.synced)
				continue;
			int64_t off = llabs(now.wall_ms - TRUE_MS(mono));
			if (off > now.err_ms)
				fail_msg("seed %" PRIu64 ": off by %" PRId64 " ms, ± %" PRId64 " stated",
					 start, off, now.err_ms);
			checked++;
		}
		assert_true(checked > 50);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_kernel_that_can_be_right_is_believed),
	    cmocka_unit_test(a_kernel_that_cannot_be_right_is_not),
	    cmocka_unit_test(the_hub_teaches_where_the_kernel_says_nothing),
	    cmocka_unit_test(the_best_sample_is_kept_until_it_has_aged),
	    cmocka_unit_test(a_hub_that_contradicts_itself_was_set),
	    cmocka_unit_test(a_hub_that_cannot_be_right_teaches_nothing),
	    cmocka_unit_test(two_witnesses_outvote_a_wrong_memory),
	    cmocka_unit_test(a_kernel_that_insists_outvotes_a_wrong_memory),
	    cmocka_unit_test(the_error_is_honest_for_a_month),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
