// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// When a site is in use: timetables that change, holidays, summer, examinations and maintenance, of all, of
// an area, a school, a site.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tools/hub/register/calendar.h"
#include "tools/hub/register/file.h"
#include "tools/hub/time/local_time.h"

#define MONDAY  INT64_C(20780) // 2026-11-23
#define HOUR_MS INT64_C(3600000)

static struct sp_calendar *calendar;
static struct sp_calendar_rows rows;
static struct sp_rel_texts texts;

static int tear_down(void **state)
{
	(void)state;
	sp_calendar_free(calendar);
	free(rows.sites.items);
	free(rows.timetables.items);
	free(rows.holidays.items);
	free(rows.exams.items);
	free(rows.maintenance.items);
	free(rows.areas.items);
	rows = (struct sp_calendar_rows){0};
	calendar = NULL;
	sp_rel_texts_free(&texts);
	return 0;
}

/// Cells separated by '|'.
static void put(struct sp_rel_rows *to, const char *cells, int64_t from, int64_t until)
{
	struct sp_rel_row *row = sp_rel_add(to);
	char *text = strdup(cells), *at = text, *cell;
	for (int i = 0; (cell = strsep(&at, "|")) != NULL; i++)
		row->cells[i] = sp_rel_text(&texts, cell);
	row->from = from;
	row->to = until;
	free(text);
}

/// "7-11:30 lesson, …" of a day of site 1/chinh.
static const char *day_of(const char *school, int64_t day)
{
	static char text[512];
	struct sp_stretch out[SP_STRETCHES_MAX];
	size_t used = 0;
	if (!calendar)
		calendar = sp_calendar_new(&rows);
	size_t count = sp_schedule_day(sp_calendar_of(calendar, school, "chinh"), day, out);
	text[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		int from = (int)((out[i].from_ms - sp_local_day_ms(day)) / 60000);
		int to = (int)((out[i].to_ms - sp_local_day_ms(day)) / 60000);
		used +=
		    (size_t)snprintf(text + used, sizeof(text) - used, "%s%d:%02d-%d:%02d %s", i ? ", " : "",
				     from / 60, from % 60, to / 60, to % 60, sp_time_kind_name(out[i].kind));
	}
	return text;
}

#define OPEN SP_OPEN_END
#define WEEK "t2-t6 7h00-11h30, 13h30-17h00"

static void a_week_and_what_takes_from_it(void **state)
{
	(void)state;
	put(&rows.sites,
	    "1|chinh|||"
	    "|" WEEK,
	    0, OPEN);
	put(&rows.sites,
	    "2|chinh|||"
	    "|",
	    0, OPEN);
	put(&rows.holidays, "all|||holiday|Lễ", MONDAY + 1, MONDAY + 2);
	put(&rows.holidays, "school|2||holiday|Lễ", MONDAY, MONDAY + 7);
	put(&rows.holidays, "school|1||summer|Hè", MONDAY + 3, MONDAY + 5);
	put(&rows.exams, "school|1||Thi", sp_local_day_ms(MONDAY + 3) + 8 * HOUR_MS,
	    sp_local_day_ms(MONDAY + 3) + 10 * HOUR_MS);
	put(&rows.exams, "site|1|chinh|Thi", sp_local_day_ms(MONDAY + 2) + 10 * HOUR_MS,
	    sp_local_day_ms(MONDAY + 2) + 12 * HOUR_MS);
	put(&rows.maintenance, "all|||Bảo trì", sp_local_day_ms(MONDAY) + 8 * HOUR_MS,
	    sp_local_day_ms(MONDAY) + 9 * HOUR_MS);
	assert_string_equal(day_of("1", MONDAY), "7:00-8:00 lesson, 9:00-11:30 lesson, 13:30-17:00 lesson");
	assert_string_equal(day_of("1", MONDAY + 1), "");
	assert_string_equal(day_of("1", MONDAY + 2),
			    "7:00-10:00 lesson, 10:00-12:00 exam, 13:30-17:00 lesson");
	// Examinations are held in summer, too.
	assert_string_equal(day_of("1", MONDAY + 3), "8:00-10:00 exam");
	assert_string_equal(day_of("1", MONDAY + 4), "");
	assert_string_equal(day_of("1", MONDAY + 5), "");
	assert_string_equal(day_of("1", MONDAY + 7), "7:00-11:30 lesson, 13:30-17:00 lesson");
	assert_string_equal(day_of("2", MONDAY), "");
	assert_false(sp_schedule_known(sp_calendar_of(calendar, "2", "chinh"), sp_local_day_ms(MONDAY)));
	assert_true(sp_schedule_known(sp_calendar_of(calendar, "1", "chinh"), sp_local_day_ms(MONDAY)));
	assert_string_equal(day_of("3", MONDAY), "");
}

static void timetables_and_areas_change(void **state)
{
	(void)state;
	int64_t thursday_ms = sp_local_day_ms(MONDAY + 3);
	put(&rows.sites, "1|chinh||||cap1", 0, thursday_ms);
	put(&rows.sites, "1|chinh||||" WEEK, thursday_ms, OPEN);
	put(&rows.timetables, "cap1|lesson|mon-sun 08:00-09:00", 0, MONDAY + 1);
	put(&rows.timetables, "cap1|lesson|mon-sun 10:00-11:00", MONDAY + 1, OPEN);
	put(&rows.timetables, "cap1|exam|mon-sun 10:30-12:00", MONDAY + 2, OPEN);
	// A holiday of the old commune counts until the school left it.
	put(&rows.areas, "1|2025:a", 0, sp_local_day_ms(MONDAY + 4));
	put(&rows.areas, "1|2025:b", sp_local_day_ms(MONDAY + 4), OPEN);
	put(&rows.holidays, "area|2025:a||holiday|Lễ", MONDAY + 4, MONDAY + 5);
	put(&rows.holidays, "area|2025:b||holiday|Lễ", MONDAY + 3, MONDAY + 4);
	put(&rows.holidays, "area|2025:b||holiday|Lễ", MONDAY + 7, MONDAY + 8);
	assert_string_equal(day_of("1", MONDAY), "8:00-9:00 lesson");
	assert_string_equal(day_of("1", MONDAY + 1), "10:00-11:00 lesson");
	assert_string_equal(day_of("1", MONDAY + 2), "10:00-10:30 lesson, 10:30-12:00 exam");
	assert_string_equal(day_of("1", MONDAY + 3), "7:00-11:30 lesson, 13:30-17:00 lesson");
	assert_string_equal(day_of("1", MONDAY + 4), "7:00-11:30 lesson, 13:30-17:00 lesson");
	assert_string_equal(day_of("1", MONDAY + 7), "");
}

static void a_switch_turned_in_summer_is_no_loss(void **state)
{
	(void)state;
	put(&rows.sites, "1|chinh||||" WEEK, 0, OPEN);
	put(&rows.holidays, "all|||summer|Hè", MONDAY, MONDAY + 90);
	calendar = sp_calendar_new(&rows);
	const struct sp_schedule *schedule = sp_calendar_of(calendar, "1", "chinh");
	int64_t ten_ms = sp_local_day_ms(MONDAY) + 10 * HOUR_MS;
	assert_false(sp_schedule_touches(schedule, ten_ms, ten_ms + 80 * SP_DAY_MS, 0));
	assert_true(sp_schedule_touches(schedule, ten_ms, ten_ms + 95 * SP_DAY_MS, 0));
	assert_true(sp_schedule_touches(schedule, ten_ms - 3 * SP_DAY_MS, ten_ms, 0));
	struct sp_stretch next;
	assert_true(sp_schedule_next(schedule, ten_ms, OPEN, &next));
	assert_int_equal(next.from_ms,
			 sp_local_day_ms(MONDAY + 91) + 7 * HOUR_MS); // its 90th day is a Sunday
	assert_false(sp_schedule_next(schedule, ten_ms, next.from_ms, &next));
	assert_int_equal(sp_schedule_begin(schedule, MONDAY), -1);
	assert_int_equal(sp_schedule_begin(schedule, MONDAY + 91), 7 * 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(a_week_and_what_takes_from_it, tear_down),
	    cmocka_unit_test_teardown(timetables_and_areas_change, tear_down),
	    cmocka_unit_test_teardown(a_switch_turned_in_summer_is_no_loss, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
