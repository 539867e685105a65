// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a plan does when things go wrong: starts at any moment, tests that cannot begin, a board that is off,
// a clock that steps, a file that says nonsense.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/speed/draw.h"
#include "agent/core/speed/plan.h"

#define MONDAY_MS INT64_C(1795366800000) // 2026-11-23T00:00+07:00
#define DAY_MS    SP_SPEED_DAY_MS
#define HOUR_MS   INT64_C(3600000)
#define TICK_MS   INT64_C(60000)

static const struct sp_pace none = {0};
static const struct sp_pace ndt7 = {.mean_s = 21600, .least_s = 2160, .most_s = 54000};

static const struct sp_speed_times times = {.windows = {{7 * 3600, 9 * 3600 + 1800},
							{9 * 3600 + 1800, 11 * 3600 + 1800},
							{13 * 3600 + 1800, 16 * 3600 + 1800}},
					    .window_count = 3,
					    .days = 0x3f,
					    .samples = 1};

/// A board: its plan, what lies on its card, and what became of its tests.
struct bench {
	struct sp_speed_plan *plan;
	char *card;
	const struct sp_pace *pace;
	const char *salt;
	unsigned begun, missed;
};

static void keep(struct bench *b)
{
	char *text;
	if (!sp_speed_plan_news(b->plan, &text))
		return;
	free(b->card);
	b->card = text;
}

static void start(struct bench *b)
{
	sp_speed_plan_free(b->plan);
	b->plan = sp_speed_plan_new(&times, b->salt);
	sp_speed_plan_add(b->plan, "anchor", b->pace);
	sp_speed_plan_load(b->plan, b->card);
}

static struct bench bench_new(const char *salt, const struct sp_pace *pace)
{
	struct bench b = {.salt = salt, .pace = pace};
	start(&b);
	return b;
}

static void bench_free(struct bench *b)
{
	sp_speed_plan_free(b->plan);
	free(b->card);
}

/// True when a test begins; what was missed is counted.
static bool look(struct bench *b, int64_t now_ms)
{
	struct sp_speed_due due;
	bool begins = false;
	while (sp_speed_plan_take(b->plan, now_ms, &due)) {
		b->missed += due.missed;
		b->begun += !due.missed;
		begins = begins || !due.missed;
	}
	keep(b);
	return begins;
}

static void ran(struct bench *b, int64_t now_ms)
{
	sp_speed_plan_ran(b->plan, 0, now_ms);
	keep(b);
}

static void ended(struct bench *b, int64_t now_ms, enum sp_speed_fate fate)
{
	sp_speed_plan_ended(b->plan, 0, now_ms, fate);
	keep(b);
}

/// Ticks until a test begins; the moment, or 0.
static int64_t until_begin(struct bench *b, int64_t from_ms, int64_t to_ms)
{
	for (int64_t now = from_ms; now < to_ms; now += TICK_MS)
		if (look(b, now))
			return now;
	return 0;
}

static unsigned window_of(int64_t t_ms)
{
	int64_t at = (t_ms - sp_speed_day_start_ms(sp_speed_day(t_ms))) / 1000;
	for (unsigned w = 0; w < 3; w++)
		if (at >= times.windows[w].from_s && at < times.windows[w].to_s)
			return w;
	return 9;
}

/// Restarts by chance, some of them while a test runs, during a month: each window holds one test that ran,
/// and never two.
static void test_starts_at_any_moment(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 5; seed++) {
		char salt[16];
		snprintf(salt, sizeof(salt), "s%u", seed);
		struct bench b = bench_new(salt, &none);
		struct sp_speed_chance chance = sp_speed_chance(salt, "starts", 0, 0, 0);
		unsigned held[28][3] = {{0}};
		bool waiting = false;
		int64_t runs_until = 0, due = 0;
		for (int64_t now = MONDAY_MS; now < MONDAY_MS + 28 * DAY_MS; now += TICK_MS) {
			double dice = sp_speed_chance_unit(&chance);
			if (dice < 0.02) {
				start(&b); // what waited or ran is gone
				waiting = false;
				runs_until = 0;
				continue;
			}
			if (look(&b, now)) {
				waiting = true;
				due = now;
			}
			if (waiting && dice > 0.5) {
				waiting = false;
				ran(&b, now);
				held[(due - MONDAY_MS) / DAY_MS][window_of(due) % 3]++;
				runs_until = now + 2 * TICK_MS;
			} else if (runs_until && now >= runs_until) {
				ended(&b, now, SP_SPEED_TAKEN);
				runs_until = 0;
			}
		}
		unsigned empty = 0;
		for (size_t day = 0; day < 28; day++) {
			for (size_t w = 0; w < 3; w++) {
				assert_true(held[day][w] <= 1);
				empty += day % 7 != 6 && held[day][w] == 0;
			}
		}
		// Only a start at the very end of a window leaves no room; that is told.
		assert_int_equal(empty, b.missed);
		assert_true(empty <= 3);
		bench_free(&b);
	}
}

static void test_what_cannot_begin_is_made_up(void **state)
{
	(void)state;
	unsigned twice = 0;
	for (unsigned seed = 0; seed < 50; seed++) {
		char salt[16];
		snprintf(salt, sizeof(salt), "m%u", seed);
		struct bench b = bench_new(salt, &none);
		int64_t first = until_begin(&b, MONDAY_MS, MONDAY_MS + DAY_MS),
			end = MONDAY_MS + 9 * HOUR_MS + HOUR_MS / 2;
		assert_int_equal(window_of(first), 0);
		ended(&b, first + 20 * TICK_MS, SP_SPEED_AGAIN);
		int64_t again = until_begin(&b, first + 20 * TICK_MS, end);
		if (again) {
			assert_true(again >= first + 21 * TICK_MS);
			assert_int_equal(window_of(again), 0);
			ended(&b, again + TICK_MS, SP_SPEED_AGAIN);
			start(&b); // how often it was tried outlives a start
			int64_t third = until_begin(&b, again + TICK_MS, end);
			if (third) {
				twice++;
				ended(&b, third + TICK_MS, SP_SPEED_AGAIN);
				assert_int_equal(until_begin(&b, third + TICK_MS, end), 0);
			}
		}
		// There is a record of each that was tried: none is missed.
		assert_int_equal(until_begin(&b, end, end + HOUR_MS / 100), 0);
		assert_int_equal(b.missed, 0);
		bench_free(&b);
	}
	assert_true(twice > 15);
}

static void test_what_is_done_stays_done(void **state)
{
	(void)state;
	struct bench b = bench_new("d", &none);
	int64_t first = until_begin(&b, MONDAY_MS, MONDAY_MS + DAY_MS);
	ended(&b, first + TICK_MS, SP_SPEED_TAKEN);
	for (int i = 0; i < 20; i++) {
		start(&b);
		assert_int_equal(until_begin(&b, MONDAY_MS + (6 + i % 3) * HOUR_MS, MONDAY_MS + 9 * HOUR_MS),
				 0);
	}
	bench_free(&b);
}

static void test_a_board_that_was_off(void **state)
{
	(void)state;
	struct bench b = bench_new("off", &none);
	assert_int_equal(until_begin(&b, MONDAY_MS, MONDAY_MS + HOUR_MS), 0);
	// Off until 10:00: the first window cannot be made up, the second can.
	start(&b);
	int64_t begun = until_begin(&b, MONDAY_MS + 10 * HOUR_MS, MONDAY_MS + 12 * HOUR_MS);
	assert_int_equal(b.missed, 1);
	assert_int_equal(window_of(begun), 1);
	ended(&b, begun + TICK_MS, SP_SPEED_TAKEN);
	// Off until Thursday morning: Monday's last is missed; of the days between nobody knows.
	start(&b);
	assert_int_equal(until_begin(&b, MONDAY_MS + 3 * DAY_MS, MONDAY_MS + 3 * DAY_MS + HOUR_MS), 0);
	assert_int_equal(b.missed, 2);
	assert_int_equal(b.begun, 1);
	bench_free(&b);
}

static void test_a_board_that_is_new(void **state)
{
	(void)state;
	struct bench b = bench_new("new", &none);
	// Put up at 12:00: what went before is nobody's loss.
	int64_t begun = until_begin(&b, MONDAY_MS + 12 * HOUR_MS, MONDAY_MS + 17 * HOUR_MS);
	assert_int_equal(window_of(begun), 2);
	assert_int_equal(b.missed, 0);
	bench_free(&b);
}

static void test_a_clock_that_steps(void **state)
{
	(void)state;
	struct bench b = bench_new("steps", &none);
	int64_t first = until_begin(&b, MONDAY_MS, MONDAY_MS + DAY_MS);
	ran(&b, first);
	ended(&b, first + TICK_MS, SP_SPEED_TAKEN);
	// An hour back, within the day: it is not done twice.
	assert_int_equal(until_begin(&b, first - HOUR_MS, MONDAY_MS + 9 * HOUR_MS), 0);
	// A day ahead and back: what lay behind is not done again, the rest of the day is.
	look(&b, MONDAY_MS + DAY_MS + 6 * HOUR_MS);
	unsigned begun = b.begun;
	int64_t next = until_begin(&b, MONDAY_MS + 9 * HOUR_MS + HOUR_MS / 4, MONDAY_MS + 12 * HOUR_MS);
	assert_int_equal(window_of(next), 1);
	assert_int_equal(b.begun, begun + 1);
	ended(&b, next + TICK_MS, SP_SPEED_TAKEN);
	// Ten years ahead and back: the plan goes on.
	look(&b, MONDAY_MS + 3650 * DAY_MS);
	next = until_begin(&b, MONDAY_MS + DAY_MS, MONDAY_MS + 2 * DAY_MS);
	assert_int_equal(window_of(next), 0);
	bench_free(&b);
}

static void test_other_windows_in_the_configuration(void **state)
{
	(void)state;
	struct bench b = bench_new("other", &none);
	int64_t first = until_begin(&b, MONDAY_MS, MONDAY_MS + DAY_MS);
	ended(&b, first + TICK_MS, SP_SPEED_TAKEN);
	struct sp_speed_times changed = times;
	changed.windows[0].to_s -= 600;
	struct sp_speed_plan *plan = sp_speed_plan_new(&changed, "x");
	sp_speed_plan_add(plan, "anchor", &none);
	sp_speed_plan_load(plan, b.card);
	struct sp_speed_due due;
	for (int64_t now = first + 2 * TICK_MS; now < MONDAY_MS + 24 * HOUR_MS; now += TICK_MS)
		if (sp_speed_plan_take(plan, now, &due)) {
			assert_false(due.missed);
			sp_speed_plan_ended(plan, 0, now, SP_SPEED_TAKEN);
		}
	sp_speed_plan_free(plan);
	bench_free(&b);
}

static void test_a_pace_outlives_starts(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 3; seed++) {
		char salt[16];
		snprintf(salt, sizeof(salt), "p%u", seed);
		struct bench b = bench_new(salt, &ndt7);
		struct sp_speed_chance chance = sp_speed_chance(salt, "starts", 0, 0, 0);
		int64_t last = 0;
		unsigned count = 0;
		for (int64_t now = MONDAY_MS; now < MONDAY_MS + 60 * DAY_MS; now += TICK_MS) {
			if (sp_speed_chance_unit(&chance) < 0.01)
				start(&b);
			if (!look(&b, now))
				continue;
			ran(&b, now);
			assert_true(!last || now - last >= 2160 * 1000 - TICK_MS);
			last = now;
			count++;
			if (sp_speed_chance_unit(&chance) < 0.3)
				start(&b);
			else
				ended(&b, now, SP_SPEED_TAKEN);
		}
		// 60 days by a mean of 20,000 s: 259.
		assert_in_range(count, 190, 330);
		bench_free(&b);
	}
}

static void test_no_capacity_backs_off(void **state)
{
	(void)state;
	struct bench b = bench_new("full", &ndt7);
	int64_t at = until_begin(&b, MONDAY_MS, MONDAY_MS + DAY_MS);
	const int64_t waits_s[] = {60, 120, 240, 480, 960, 960};
	for (size_t i = 0; i < SP_COUNT(waits_s); i++) {
		ended(&b, at, SP_SPEED_NO_CAPACITY);
		start(&b);
		assert_int_equal(sp_speed_plan_next_ms(b.plan, 0, at), at + waits_s[i] * 1000);
		assert_false(look(&b, at + waits_s[i] * 1000 - 1));
		at += waits_s[i] * 1000;
		assert_true(look(&b, at));
	}
	ended(&b, at, SP_SPEED_TAKEN);
	assert_true(sp_speed_plan_next_ms(b.plan, 0, at) >= at + 2160 * 1000);
	bench_free(&b);
}

static void test_a_pace_and_a_clock_that_steps(void **state)
{
	(void)state;
	struct bench b = bench_new("pace", &ndt7);
	look(&b, MONDAY_MS + 3650 * DAY_MS);
	assert_false(look(&b, MONDAY_MS));
	assert_true(sp_speed_plan_next_ms(b.plan, 0, MONDAY_MS) <= MONDAY_MS + 54000 * 1000);
	// Long overdue: within ten minutes, not at once.
	assert_false(look(&b, MONDAY_MS + 10 * DAY_MS));
	int64_t at = until_begin(&b, MONDAY_MS + 10 * DAY_MS, MONDAY_MS + 11 * DAY_MS);
	assert_in_range(at - (MONDAY_MS + 10 * DAY_MS), 60 * 1000, 660 * 1000);
	bench_free(&b);
}

static void test_nonsense_on_the_card(void **state)
{
	(void)state;
	static const char *const texts[] = {
	    "",
	    "[]",
	    "null",
	    "{",
	    "{\"salt\":5}",
	    "{\"salt\":\"\"}",
	    "{\"salt\":\"x\",\"shape\":1e300,\"devices\":[{\"name\":\"anchor\",\"day\":1e300,\"next_ms\":-1}]"
	    "}",
	    "{\"salt\":\"x\",\"devices\":{\"name\":\"anchor\"}}",
	    "{\"salt\":\"x\",\"devices\":[null,7,{\"name\":\"anchor\",\"day\":20779,\"slots\":["
	    "\"zzzzzzzzzzzzzzzz\",5]}]}",
	};
	for (size_t i = 0; i < SP_COUNT(texts); i++) {
		struct bench b = bench_new("n", i % 2 ? &ndt7 : &none);
		sp_speed_plan_load(b.plan, texts[i]);
		assert_true(until_begin(&b, MONDAY_MS, MONDAY_MS + 2 * DAY_MS) > 0);
		bench_free(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_starts_at_any_moment),
	    cmocka_unit_test(test_what_cannot_begin_is_made_up),
	    cmocka_unit_test(test_what_is_done_stays_done),
	    cmocka_unit_test(test_a_board_that_was_off),
	    cmocka_unit_test(test_a_board_that_is_new),
	    cmocka_unit_test(test_a_clock_that_steps),
	    cmocka_unit_test(test_other_windows_in_the_configuration),
	    cmocka_unit_test(test_a_pace_outlives_starts),
	    cmocka_unit_test(test_no_capacity_backs_off),
	    cmocka_unit_test(test_a_pace_and_a_clock_that_steps),
	    cmocka_unit_test(test_nonsense_on_the_card),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
