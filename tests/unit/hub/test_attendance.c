// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What may be shown of a day's attendance, and kiosks against the timetable: values known by construction.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/figures/automation.h"
#include "tools/hub/time/local_time.h"

static struct sp_attendance_raw *raw;
static struct sp_attendance_day *day;

static int set_up(void **state)
{
	(void)state;
	raw = sp_alloc(sizeof(*raw));
	day = sp_alloc(sizeof(*day));
	raw->basis = SP_ATTENDANCE_EVENTS;
	raw->begin_minute = 7 * 60;
	raw->now_minute = -1;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(raw);
	free(day);
	return 0;
}

static void arrive(const char *group, int minute, int64_t persons)
{
	sp_attendance_group(raw, group)->bins[minute / 5] += persons;
}

/// "20 on 15: 06:50 10, 07:00 15; a 12, b 8"
static const char *shown(void)
{
	static char text[1024];
	sp_attendance_finish(raw, day);
	size_t used =
	    (size_t)snprintf(text, sizeof(text), "%" PRId64 " on %" PRId64 ":", day->persons, day->on_time);
	for (size_t i = 0; i < day->point_count; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s %02d:%02d %" PRId64,
					 i ? "," : "", day->points[i].minute / 60, day->points[i].minute % 60,
					 day->points[i].persons);
	for (size_t i = 0; i < day->group_count; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s %s %" PRId64, i ? "," : ";",
					 day->groups[i].name, day->groups[i].persons);
	return text;
}

static void a_curve_of_whole_groups(void **state)
{
	(void)state;
	arrive("a", 6 * 60 + 45, 10);
	arrive("a", 6 * 60 + 55, 20);
	arrive("a", 7 * 60, 5); // from seven to five past: late
	arrive("b", 7 * 60 + 10, 6);
	assert_string_equal(shown(), "41 on 30: 06:50 10, 07:00 30, 07:05 35, 07:15 41; a 35, b 6");
	assert_int_equal(day->withheld, 0);
}

static void no_step_is_about_fewer_than_five(void **state)
{
	(void)state;
	for (int minute = 6 * 60; minute < 6 * 60 + 50; minute += 5)
		arrive("a", minute, 2);
	arrive("a", 8 * 60, 2);
	// 2, 4, 6: a point; … The last one would leave four to the whole.
	assert_string_equal(shown(), "22 on -1: 06:15 6, 06:30 12; a 22");
	for (size_t i = 1; i < day->point_count; i++)
		assert_true(day->points[i].persons - day->points[i - 1].persons >= SP_ATTENDANCE_LEAST);
}

static void the_few_late_ones_are_kept_back(void **state)
{
	(void)state;
	arrive("a", 6 * 60 + 50, 30);
	arrive("a", 6 * 60 + 55, 8);
	arrive("a", 7 * 60 + 20, 3);
	// 38 of 41 would tell of three.
	assert_string_equal(shown(), "41 on -1: 06:55 30; a 41");
}

static void nobody_late_may_be_said(void **state)
{
	(void)state;
	arrive("a", 6 * 60 + 50, 30);
	assert_string_equal(shown(), "30 on 30: 06:55 30; a 30");
	raw->begin_minute = -1;
	assert_string_equal(shown(), "30 on -1: 06:55 30; a 30");
}

static void fewer_than_five_are_nobody(void **state)
{
	(void)state;
	arrive("a", 6 * 60 + 50, 4);
	assert_string_equal(shown(), "-1 on -1:; a -1");
}

static void a_small_group_takes_the_next_one_with_it(void **state)
{
	(void)state;
	arrive("a", 400, 3);
	arrive("b", 400, 9);
	arrive("c", 400, 20);
	assert_string_equal(shown(), "32 on 32: 06:45 32; a -1, b -1, c 20");
	assert_int_equal(day->withheld, 2);
	// Two whose sum is small would follow, too.
	arrive("d", 400, 1);
	arrive("b", 400, 20);
	assert_string_equal(shown(), "53 on 53: 06:45 53; a -1, b 29, c -1, d -1");
	// Two that hide each other.
	arrive("d", 400, 3);
	assert_string_equal(shown(), "56 on 56: 06:45 56; a -1, b 29, c 20, d -1");
}

static void a_running_day_never_takes_a_number_back(void **state)
{
	(void)state;
	int64_t before = 0;
	for (int minute = 6 * 60; minute < 7 * 60 + 30; minute += 5)
		arrive("a", minute, 1 + minute % 7);
	for (raw->now_minute = 6 * 60; raw->now_minute < 8 * 60; raw->now_minute++) {
		sp_attendance_finish(raw, day);
		if (day->persons < 0)
			continue;
		assert_true(day->persons == before || day->persons - before >= SP_ATTENDANCE_LEAST);
		assert_int_equal(day->groups[0].persons, day->persons);
		before = day->persons;
	}
	assert_true(before > 0);
}

// ---- kiosks -------------------------------------------------------------------------------------------

#define MONDAY  INT64_C(20780) // 2026-11-23
#define HOUR_MS INT64_C(3600000)

static struct sp_schedule_week used;

static const struct sp_schedule *week(const char *text)
{
	struct sp_timetable timetable;
	assert_int_equal(sp_timetable_parse(&timetable, text), 0);
	sp_schedule_of_week(&used, &timetable);
	return &used.schedule;
}

static struct sp_segment at(int64_t on, double from_hour, double to_hour, enum sp_line_state state)
{
	return (struct sp_segment){sp_local_day_ms(on) + (int64_t)(from_hour * HOUR_MS),
				   sp_local_day_ms(on) + (int64_t)(to_hour * HOUR_MS), state, ""};
}

static void school_time_alone_counts(void **state)
{
	(void)state;
	const struct sp_schedule *schedule = week("mon-fri 07:00-11:00, 13:30-16:30");
	const struct sp_segment segments[] = {
	    at(MONDAY, 0, 8, SP_LINE_UP), at(MONDAY, 8, 9, SP_LINE_DOWN), at(MONDAY, 9, 10, SP_LINE_DEGRADED),
	    at(MONDAY, 10, 13, SP_LINE_UNKNOWN), at(MONDAY, 13, 24, SP_LINE_UP)};
	struct sp_uptime up =
	    sp_uptime_of(segments, 5, schedule, sp_local_day_ms(MONDAY), sp_local_day_ms(MONDAY + 1));
	assert_int_equal(up.scheduled_ms, 7 * HOUR_MS);
	assert_int_equal(up.up_ms, 5 * HOUR_MS); // 7-8, 9-10, 13:30-16:30
	assert_int_equal(up.down_ms, HOUR_MS);
	assert_int_equal(up.unknown_ms, HOUR_MS);
	up = sp_uptime_of(segments, 5, schedule, sp_local_day_ms(MONDAY - 1), sp_local_day_ms(MONDAY));
	assert_int_equal(up.scheduled_ms, 0);
	// What nobody tells of is not known.
	up = sp_uptime_of(NULL, 0, schedule, sp_local_day_ms(MONDAY), sp_local_day_ms(MONDAY) + 8 * HOUR_MS);
	assert_int_equal(up.unknown_ms, HOUR_MS);
}

static void the_first_bell_of_a_day(void **state)
{
	(void)state;
	const struct sp_schedule *schedule = week("t2-t6 13h30-16h30, 7h00-11h00; t7 8h00-9h00");
	assert_int_equal(sp_schedule_begin(schedule, MONDAY), 420);
	assert_int_equal(sp_schedule_begin(schedule, MONDAY + 5), 480);
	assert_int_equal(sp_schedule_begin(schedule, MONDAY + 6), -1);
	assert_int_equal(sp_schedule_begin(schedule, MONDAY - 7 * 5000), 420);
}

/// Ten school days: so many on which the kiosk was up, and down; of the others nobody knows.
static struct sp_automation_view automated(int up_days, int down_days, int64_t kiosks)
{
	struct sp_segment segments[14];
	size_t count = 0;
	struct sp_automation_view view = {.kiosks = kiosks};
	struct sp_automation *automation = sp_automation_new(MONDAY, 14);
	int64_t now_ms = sp_local_day_ms(MONDAY + 14);
	const struct sp_schedule *schedule = week("mon-fri 07:00-11:00");
	for (int64_t i = 0, n = 0; i < 14; i++) {
		if (i % 7 > 4)
			continue;
		enum sp_line_state state = n < up_days               ? SP_LINE_UP
					   : n < up_days + down_days ? SP_LINE_DOWN
								     : SP_LINE_UNKNOWN;
		n++;
		segments[count++] = at(MONDAY + i, 0, 24, state);
	}
	sp_automation_schedule(automation, schedule, now_ms);
	if (kiosks)
		sp_automation_kiosk(automation, segments, count, schedule, now_ms);
	sp_automation_judge(automation, &view);
	sp_automation_free(automation);
	return view;
}

static void a_school_is_automated_on_nine_days_of_ten(void **state)
{
	(void)state;
	struct sp_automation_view view = automated(9, 1, 1);
	assert_int_equal(view.unit, SP_UNIT_YES);
	assert_int_equal(view.days, 10);
	assert_int_equal(view.yes, 9);
	assert_int_equal(view.no, 1);
	assert_int_equal(automated(8, 2, 1).unit, SP_UNIT_NO);
	assert_int_equal(automated(0, 10, 1).unit, SP_UNIT_NO);
	// Nobody knows of two days: it may have been nine.
	view = automated(8, 0, 1);
	assert_int_equal(view.unit, SP_UNIT_UNKNOWN);
	assert_int_equal(view.unknown, 2);
	assert_string_equal(view.reason, "not_measured");
	view = automated(0, 0, 0);
	assert_int_equal(view.unit, SP_UNIT_UNKNOWN);
	assert_string_equal(view.reason, "no_kiosk");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(a_curve_of_whole_groups),
	    T(no_step_is_about_fewer_than_five),
	    T(the_few_late_ones_are_kept_back),
	    T(nobody_late_may_be_said),
	    T(fewer_than_five_are_nobody),
	    T(a_small_group_takes_the_next_one_with_it),
	    T(a_running_day_never_takes_a_number_back),
	    T(school_time_alone_counts),
	    T(the_first_bell_of_a_day),
	    T(a_school_is_automated_on_nine_days_of_ten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
