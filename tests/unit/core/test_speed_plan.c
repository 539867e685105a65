// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What months of a plan look like while nothing goes wrong: as many tests as wanted in each window, never
// near the hour, none in quiet periods, spread evenly, each board at its own moments; and a method's own
// pace.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/speed/draw.h"
#include "agent/core/speed/plan.h"

#define MONDAY_MS INT64_C(1795366800000) // 2026-11-23T00:00+07:00
#define DAY_MS    SP_SPEED_DAY_MS

enum { MONTHS_DAYS = 183, CELLS = 12 };

static const struct sp_pace none = {0};
static const struct sp_pace ndt7 = {.mean_s = 21600, .least_s = 2160, .most_s = 54000};

static struct sp_speed_times school_times(unsigned samples)
{
	return (struct sp_speed_times){.windows = {{7 * 3600, 9 * 3600 + 1800},
						   {9 * 3600 + 1800, 11 * 3600 + 1800},
						   {13 * 3600 + 1800, 16 * 3600 + 1800}},
				       .window_count = 3,
				       .days = 0x3f,
				       .samples = samples};
}

/// Runs a plan from `from_ms` on; each test takes a minute and is done.
static size_t run(struct sp_speed_plan *plan, int64_t from_ms, int64_t to_ms, int64_t *starts, size_t max)
{
	size_t count = 0;
	struct sp_speed_due due;
	for (int64_t now = from_ms; now < to_ms;) {
		while (sp_speed_plan_take(plan, now, &due)) {
			assert_false(due.missed);
			assert_true(count < max);
			starts[count++] = now;
			sp_speed_plan_ran(plan, due.device, now);
			sp_speed_plan_ended(plan, due.device, now + 1, SP_SPEED_TAKEN);
		}
		int64_t next = INT64_MAX;
		for (size_t i = 0; i < sp_speed_plan_count(plan); i++) {
			int64_t it = sp_speed_plan_next_ms(plan, i, now);
			if (it > now && it < next)
				next = it;
		}
		now = next < now + DAY_MS / 4 ? next : now + DAY_MS / 4;
	}
	return count;
}

static struct sp_speed_plan *plan_of(const struct sp_speed_times *times, unsigned seed,
				     const struct sp_pace *pace)
{
	char salt[24];
	snprintf(salt, sizeof(salt), "board-%u", seed);
	struct sp_speed_plan *plan = sp_speed_plan_new(times, salt);
	sp_speed_plan_add(plan, "anchor", pace);
	sp_speed_plan_load(plan, NULL);
	return plan;
}

static int64_t second_of_day(int64_t t_ms)
{
	return (t_ms - sp_speed_day_start_ms(sp_speed_day(t_ms))) / 1000;
}

static void test_every_window_gets_its_samples(void **state)
{
	(void)state;
	static int64_t starts[MONTHS_DAYS * 9];
	for (unsigned samples = 1; samples <= 3; samples++) {
		struct sp_speed_times times = school_times(samples);
		for (unsigned seed = 0; seed < 20; seed++) {
			unsigned held[MONTHS_DAYS][3] = {{0}};
			struct sp_speed_plan *plan = plan_of(&times, seed, &none);
			size_t count =
			    run(plan, MONDAY_MS, MONDAY_MS + MONTHS_DAYS * DAY_MS, starts, SP_COUNT(starts));
			sp_speed_plan_free(plan);
			for (size_t i = 0; i < count; i++) {
				int64_t day = (starts[i] - MONDAY_MS) / DAY_MS, at = second_of_day(starts[i]);
				int64_t beyond = at % 1800;
				assert_true(beyond >= 90 && beyond <= 1710);
				for (size_t w = 0; w < 3; w++)
					held[day][w] +=
					    at >= times.windows[w].from_s && at < times.windows[w].to_s;
			}
			for (size_t day = 0; day < MONTHS_DAYS; day++)
				for (size_t w = 0; w < 3; w++)
					assert_int_equal(held[day][w], day % 7 == 6 ? 0 : samples);
			assert_int_equal(count, (MONTHS_DAYS - MONTHS_DAYS / 7) * 3 * samples);
		}
	}
}

/// Where in the usable time of its window a start lies, 0 … 1.
static double share_of(const struct sp_speed_times *times, size_t window, int64_t t_ms)
{
	struct sp_speed_spans whole, left;
	sp_speed_spans(times, window, sp_speed_day(t_ms), INT64_MIN, &whole);
	sp_speed_spans(times, window, sp_speed_day(t_ms), t_ms, &left);
	return 1 - (double)left.total_ms / (double)whole.total_ms;
}

/// Pearson's, over equal cells. 11 degrees of freedom: 31.3 is passed once in a thousand by chance.
static double chi_square(const unsigned *cells, size_t count, double total)
{
	double sum = 0, expected = total / (double)count;
	for (size_t i = 0; i < count; i++)
		sum += (cells[i] - expected) * (cells[i] - expected) / expected;
	return sum;
}

static void test_samples_cover_a_window_evenly(void **state)
{
	(void)state;
	static int64_t starts[MONTHS_DAYS * 9];
	struct sp_speed_times times = school_times(1);
	unsigned over_boards[CELLS] = {0}, in_cell[CELLS] = {0};
	double total = 0;
	for (unsigned seed = 100; seed < 140; seed++) {
		unsigned of_board[CELLS] = {0};
		struct sp_speed_plan *plan = plan_of(&times, seed, &none);
		size_t count = run(plan, MONDAY_MS, MONDAY_MS + 168 * DAY_MS, starts, SP_COUNT(starts)),
		       first = 0;
		unsigned week_cells = 0;
		sp_speed_plan_free(plan);
		for (size_t i = 0; i < count; i++) {
			if (second_of_day(starts[i]) >= times.windows[0].to_s)
				continue;
			double share = share_of(&times, 0, starts[i]);
			of_board[(size_t)(share * CELLS)]++;
			over_boards[(size_t)(share * CELLS)]++;
			in_cell[(size_t)(fmod(share * 6, 1) * CELLS)]++;
			total++;
			// Each of a week's six days another sixth of the window.
			week_cells |= 1U << (unsigned)(share * 6);
			if (++first % 6 == 0) {
				assert_int_equal(week_cells, 0x3f);
				week_cells = 0;
			}
		}
		assert_true(chi_square(of_board, CELLS, 144) < 31.3);
	}
	// Stratified samples are more even than independent ones over the cells, and like them within one.
	assert_true(chi_square(over_boards, CELLS, total) < 31.3);
	assert_true(chi_square(in_cell, CELLS, total) < 31.3);
	assert_true(chi_square(in_cell, CELLS, total) > 1.5);
}

static void test_a_day_tells_nothing_of_the_next(void **state)
{
	(void)state;
	// The same weekday falls into each sixth equally often, over the weeks and boards.
	static int64_t starts[MONTHS_DAYS * 9];
	struct sp_speed_times times = school_times(1);
	unsigned cells[6] = {0};
	for (unsigned seed = 0; seed < 60; seed++) {
		struct sp_speed_plan *plan = plan_of(&times, seed, &none);
		size_t count = run(plan, MONDAY_MS, MONDAY_MS + 70 * DAY_MS, starts, SP_COUNT(starts));
		sp_speed_plan_free(plan);
		for (size_t i = 0; i < count; i++)
			if ((starts[i] - MONDAY_MS) / DAY_MS % 7 == 2 &&
			    second_of_day(starts[i]) < times.windows[0].to_s)
				cells[(size_t)(share_of(&times, 0, starts[i]) * 6)]++;
	}
	assert_true(chi_square(cells, 6, 600) < 20.5); // 5 degrees of freedom, 1 in 1000
}

static void test_boards_and_devices_differ(void **state)
{
	(void)state;
	enum { BOARDS = 600 };
	struct sp_speed_times times = school_times(1);
	static int64_t first[BOARDS];
	unsigned together = 0;
	for (unsigned seed = 0; seed < BOARDS; seed++) {
		struct sp_speed_plan *plan = plan_of(&times, seed, &none);
		assert_int_equal(run(plan, MONDAY_MS, MONDAY_MS + DAY_MS / 24 * 9, &first[seed], 1) <= 1, 1);
		sp_speed_plan_free(plan);
	}
	for (size_t i = 0; i < BOARDS; i++)
		for (size_t j = 0; j < i; j++)
			together += first[i] != 0 && first[i] == first[j];
	// 600 boards in two hours, by the millisecond.
	assert_true(together <= 1);
	struct sp_speed_plan *plan = sp_speed_plan_new(&times, "one board");
	sp_speed_plan_add(plan, "domestic", &none);
	sp_speed_plan_add(plan, "abroad", &none);
	sp_speed_plan_load(plan, NULL);
	struct sp_speed_due due;
	assert_false(sp_speed_plan_take(plan, MONDAY_MS, &due));
	assert_int_not_equal(sp_speed_plan_next_ms(plan, 0, MONDAY_MS),
			     sp_speed_plan_next_ms(plan, 1, MONDAY_MS));
	sp_speed_plan_free(plan);
}

static void test_quiet_periods_are_kept(void **state)
{
	(void)state;
	static int64_t starts[MONTHS_DAYS * 9];
	struct sp_speed_times times = school_times(2);
	// Tuesday whole, Wednesday 08:00 to 14:00, Thursday until 09:25: five minutes of the first window are
	// left.
	times.quiet_count = 3;
	times.quiets[0] = (struct sp_speed_quiet){MONDAY_MS + DAY_MS, MONDAY_MS + 2 * DAY_MS};
	times.quiets[1] = (struct sp_speed_quiet){MONDAY_MS + 2 * DAY_MS + 8 * 3600000LL,
						  MONDAY_MS + 2 * DAY_MS + 14 * 3600000LL};
	times.quiets[2] =
	    (struct sp_speed_quiet){MONDAY_MS + 3 * DAY_MS, MONDAY_MS + 3 * DAY_MS + (9 * 60 + 25) * 60000LL};
	for (unsigned seed = 0; seed < 200; seed++) {
		unsigned held[7] = {0};
		struct sp_speed_plan *plan = plan_of(&times, seed, &none);
		size_t count = run(plan, MONDAY_MS, MONDAY_MS + 7 * DAY_MS, starts, SP_COUNT(starts));
		sp_speed_plan_free(plan);
		for (size_t i = 0; i < count; i++) {
			held[(starts[i] - MONDAY_MS) / DAY_MS]++;
			assert_false(sp_speed_is_quiet(&times, starts[i]));
			assert_false(sp_speed_is_quiet(&times, starts[i] + 179 * 1000));
		}
		const unsigned wanted[7] = {6, 0, 4, 4, 6, 6, 0};
		assert_memory_equal(held, wanted, sizeof(wanted));
	}
}

static void test_a_pace_of_its_own(void **state)
{
	(void)state;
	static int64_t starts[4000];
	struct sp_speed_times times = school_times(1);
	unsigned below_mean = 0, intervals = 0, nights = 0;
	double sum = 0;
	for (unsigned seed = 0; seed < 10; seed++) {
		struct sp_speed_plan *plan = plan_of(&times, seed, &ndt7);
		size_t count =
		    run(plan, MONDAY_MS, MONDAY_MS + MONTHS_DAYS * DAY_MS, starts, SP_COUNT(starts));
		sp_speed_plan_free(plan);
		for (size_t i = 1; i < count; i++) {
			double interval = (double)(starts[i] - starts[i - 1]) / 1000;
			assert_true(interval >= 2160 && interval <= 54000.1);
			sum += interval;
			intervals++;
			below_mean += interval < 21600;
			nights += second_of_day(starts[i]) < 6 * 3600;
		}
	}
	// The clamps cost the exponential's ends: mean 20,000 s; 63 % lie below the mean of the one
	// unclamped.
	assert_true(fabs(sum / intervals / 20000 - 1) < 0.03);
	assert_true(fabs((double)below_mean / intervals - 0.632) < 0.02);
	assert_true(nights > intervals / 5);
}

static void test_a_pace_keeps_quiet_periods(void **state)
{
	(void)state;
	static int64_t starts[400];
	struct sp_speed_times times = school_times(1);
	times.quiet_count = 1;
	times.quiets[0] = (struct sp_speed_quiet){MONDAY_MS + DAY_MS, MONDAY_MS + 5 * DAY_MS};
	unsigned outside = 0;
	for (unsigned seed = 0; seed < 30; seed++) {
		struct sp_speed_plan *plan = plan_of(&times, seed, &ndt7);
		size_t count = run(plan, MONDAY_MS, MONDAY_MS + 10 * DAY_MS, starts, SP_COUNT(starts));
		sp_speed_plan_free(plan);
		for (size_t i = 0; i < count; i++) {
			assert_false(sp_speed_is_quiet(&times, starts[i]));
			outside++;
		}
	}
	assert_true(outside > 30 * 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_window_gets_its_samples),
	    cmocka_unit_test(test_samples_cover_a_window_evenly),
	    cmocka_unit_test(test_a_day_tells_nothing_of_the_next),
	    cmocka_unit_test(test_boards_and_devices_differ),
	    cmocka_unit_test(test_quiet_periods_are_kept),
	    cmocka_unit_test(test_a_pace_of_its_own),
	    cmocka_unit_test(test_a_pace_keeps_quiet_periods),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
