// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Timetables, and what the hub makes of a silence.
#include "tests/unit/hub/hub_util.h"

#include <string.h>

#include "tools/hub/time/silence.h"

/// NOW_MS is a Saturday, 10:00 at UTC+7.
#define MINUTE_MS   INT64_C(60000)
#define SATURDAY_MS (NOW_MS - 10 * HOUR_MS)
#define FRIDAY_MS   (SATURDAY_MS - 24 * HOUR_MS)
#define SUNDAY_MS   (SATURDAY_MS + 24 * HOUR_MS)
#define MONDAY_MS   (SATURDAY_MS + 48 * HOUR_MS)

/// Until the next call but three.
static const struct sp_schedule *week(const char *text)
{
	static struct sp_schedule_week weeks[4];
	static unsigned at;
	struct sp_timetable timetable;
	assert_int_equal(sp_timetable_parse(&timetable, text), 0);
	struct sp_schedule_week *kept = &weeks[at++ % 4];
	sp_schedule_of_week(kept, &timetable);
	return &kept->schedule;
}

static bool in_use(const char *text, int64_t t_ms)
{
	const struct sp_schedule *timetable = week(text);
	return sp_schedule_touches(timetable, t_ms, t_ms, 0);
}

static void timetables_are_read(void **state)
{
	(void)state;
	static const char school[] = "mon-fri 07:00-17:00; sat 07:00-11:30";
	assert_int_equal(week(school)->use_count, 1);
	assert_false(in_use(school, SATURDAY_MS + 7 * HOUR_MS - 1));
	assert_true(in_use(school, SATURDAY_MS + 7 * HOUR_MS));
	assert_true(in_use(school, SATURDAY_MS + 11 * HOUR_MS));
	assert_false(in_use(school, SATURDAY_MS + 11 * HOUR_MS + 30 * MINUTE_MS));
	assert_true(in_use(school, FRIDAY_MS + 16 * HOUR_MS));
	assert_false(in_use(school, SUNDAY_MS + 9 * HOUR_MS));
	assert_true(in_use(school, MONDAY_MS + 9 * HOUR_MS));
	assert_true(in_use(school, MONDAY_MS + 9 * HOUR_MS - 520 * 168 * HOUR_MS)); // years away
	assert_true(in_use(school, MONDAY_MS + 9 * HOUR_MS + 520 * 168 * HOUR_MS));
	assert_true(in_use("T2-T6 7h00-11h30, 13h30-17h00; T7,CN 8:00-9:00", SUNDAY_MS + 8 * HOUR_MS));
	assert_false(in_use("T2-T6 7h00-11h30, 13h30-17h00", MONDAY_MS + 12 * HOUR_MS));
	assert_true(in_use("  MON-SUN 00:00-24:00 ; ", SUNDAY_MS));
	assert_false(sp_schedule_known(week(""), NOW_MS));
	assert_false(in_use("", NOW_MS));
}

static void what_is_no_timetable_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
	    "sáng",
	    "mon",
	    "07:00-17:00",
	    "mon 7-17",
	    "mon 17:00-07:00",
	    "mon 07:00-07:00",
	    "mon 07:00-24:01",
	    "mon 07:60-09:00",
	    "fri-mon 07:00-17:00",
	    "mon-fri 07:00-17:00,",
	    "mond 07:00-17:00",
	    "mon-fri 07:00-17:00 sat 7:00-8:00",
	    "mon,,tue 07:00-08:00",
	    "mon 07:00-17:00;; x",
	    "mon 0007:00-08:00",
	    ";",
	};
	struct sp_timetable timetable;
	char many[400] = "";
	for (size_t i = 0; i < SP_COUNT(bad); i++) {
		if (sp_timetable_parse(&timetable, bad[i]) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_int_equal(timetable.count, 0);
	}
	for (int i = 0; i < 7; i++)
		strcat(many, "mon-sun 07:00-08:00;");
	assert_int_equal(sp_timetable_parse(&timetable, many), -EINVAL); // more stretches than are kept
	memset(many, ' ', 399);
	assert_int_equal(sp_timetable_parse(&timetable, many), -EINVAL);
}

static void a_long_time_touches_what_lies_within(void **state)
{
	(void)state;
	const struct sp_schedule *timetable = week("mon-fri 07:00-17:00");
	assert_false(sp_schedule_touches(timetable, FRIDAY_MS + 17 * HOUR_MS, MONDAY_MS + 6 * HOUR_MS, 0));
	assert_true(sp_schedule_touches(timetable, FRIDAY_MS + 17 * HOUR_MS, MONDAY_MS + 8 * HOUR_MS, 0));
	assert_false(sp_schedule_touches(timetable, FRIDAY_MS + 17 * HOUR_MS,
					 MONDAY_MS + 7 * HOUR_MS + 9 * MINUTE_MS, 10 * MINUTE_MS));
	assert_true(
	    sp_schedule_touches(timetable, FRIDAY_MS + 17 * HOUR_MS, MONDAY_MS + 30 * 24 * HOUR_MS, 0));
	assert_true(sp_schedule_touches(timetable, 0, INT64_MAX / 2, 0));
	// A stretch shorter than its grace is none.
	timetable = week("mon 07:00-07:15");
	assert_false(sp_schedule_touches(timetable, 0, INT64_MAX / 2, 10 * MINUTE_MS));
}

// ---- since when -----------------------------------------------------------------------------------------

#define START(...)                                                        \
	sp_silence_start(&(struct sp_silence_evidence){.last_ms = -1,     \
						       .last_err_ms = -1, \
						       .width_ms = -1,    \
						       .heard_ms = -1,    \
						       .lost_ms = -1,     \
						       .end_ms = -1,      \
						       __VA_ARGS__})

static void assert_start(struct sp_silence_start start, int64_t from_ms, int64_t to_ms)
{
	assert_int_equal(start.from_ms, from_ms);
	assert_int_equal(start.to_ms, to_ms);
}

static void the_start_is_narrowed_by_all_that_was_heard(void **state)
{
	(void)state;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
	assert_start(START(.width_ms = 0), -1, -1);
	assert_start(START(.last_ms = 1000, .width_ms = 360000, .end_ms = 900000), 1000, 361000);
	assert_start(START(.last_ms = 1000, .last_err_ms = 50, .width_ms = 360000, .end_ms = 900000), 950,
		     361050);
	// Back before the commit interval was over.
	assert_start(START(.last_ms = 1000, .width_ms = 360000, .end_ms = 40000), 1000, 40000);
	assert_start(START(.last_ms = 1000, .width_ms = 360000, .heard_ms = 200000, .end_ms = 900000), 200000,
		     361000);
	assert_start(START(.last_ms = 1000, .width_ms = 360000, .heard_ms = 200000, .lost_ms = 300000,
			   .end_ms = 900000),
		     200000, 300000);
	// The session had ended because the line was down.
	assert_start(START(.last_ms = 1000, .width_ms = 360000, .lost_ms = 300000, .line_was_down = true,
			   .end_ms = 900000),
		     1000, 361000);
	// … or long before: the board wrote on.
	assert_start(START(.last_ms = 500000, .width_ms = 360000, .lost_ms = 300000, .end_ms = 900000),
		     500000, 860000);
	// The journal is lost: only the hub's ears.
	assert_start(START(.heard_ms = 5000, .lost_ms = 95000, .end_ms = 900000), 5000, 95000);
	assert_start(START(.heard_ms = 5000, .end_ms = 900000), 5000, 900000);
	assert_start(START(.heard_ms = 5000), -1, -1);
	// Clocks that contradict each other never turn it round.
	assert_start(START(.last_ms = 1000, .width_ms = 0, .heard_ms = 7000, .end_ms = 900000), 7000, 7000);
#pragma GCC diagnostic pop
}

static bool off(int64_t from_ms, int64_t to_ms)
{
	const struct sp_schedule *timetable = week("mon-fri 07:00-17:00; sat 07:00-11:30");
	struct sp_silence_start start = {from_ms, to_ms};
	return sp_silence_switched_off(&start, timetable);
}

static void power_lost_after_school_is_switched_off(void **state)
{
	(void)state;
	const int64_t five = FRIDAY_MS + 17 * HOUR_MS;
	assert_true(off(five + 2 * MINUTE_MS, five + 8 * MINUTE_MS));
	assert_true(off(five - 4 * MINUTE_MS, five + 2 * MINUTE_MS)); // the bell or the switch
	assert_false(off(five - 12 * MINUTE_MS, five - 8 * MINUTE_MS));
	assert_false(off(five - 20 * MINUTE_MS, five + 40 * MINUTE_MS)); // it may have been in school
	assert_false(off(FRIDAY_MS + 10 * HOUR_MS, FRIDAY_MS + 10 * HOUR_MS));
	assert_true(off(SUNDAY_MS + 10 * HOUR_MS, SUNDAY_MS + 11 * HOUR_MS));
	assert_false(off(FRIDAY_MS + 18 * HOUR_MS, MONDAY_MS + 9 * HOUR_MS));
	assert_false(off(-1, -1));
	const struct sp_schedule *none = week("");
	struct sp_silence_start start = {five + HOUR_MS, five + HOUR_MS};
	assert_false(sp_silence_switched_off(&start, none)); // without a timetable nobody knows
	assert_null(sp_silence_side(&start, none));
}

static void while_it_is_away_only_a_presumption(void **state)
{
	(void)state;
	const struct sp_schedule *timetable = week("mon-fri 07:00-17:00");
	struct sp_silence_start evening = {FRIDAY_MS + 17 * HOUR_MS, FRIDAY_MS + 17 * HOUR_MS + 90000};
	assert_string_equal(sp_silence_side(&evening, timetable), "outside");
	assert_true(sp_silence_presumed_off(&evening, timetable, SUNDAY_MS));
	assert_true(sp_silence_presumed_off(&evening, timetable, MONDAY_MS + 7 * HOUR_MS + 9 * MINUTE_MS));
	// School has begun, and the board is not there.
	assert_false(sp_silence_presumed_off(&evening, timetable, MONDAY_MS + 7 * HOUR_MS + 10 * MINUTE_MS));
	assert_false(sp_silence_presumed_off(&evening, timetable, MONDAY_MS + 20 * HOUR_MS));
	struct sp_silence_start noon = {FRIDAY_MS + 12 * HOUR_MS, FRIDAY_MS + 12 * HOUR_MS};
	assert_string_equal(sp_silence_side(&noon, timetable), "inside");
	assert_false(sp_silence_presumed_off(&noon, timetable, FRIDAY_MS + 20 * HOUR_MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(timetables_are_read),
	    cmocka_unit_test(what_is_no_timetable_is_refused),
	    cmocka_unit_test(a_long_time_touches_what_lies_within),
	    cmocka_unit_test(the_start_is_narrowed_by_all_that_was_heard),
	    cmocka_unit_test(power_lost_after_school_is_switched_off),
	    cmocka_unit_test(while_it_is_away_only_a_presumption),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
