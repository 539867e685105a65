// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// When did it happen? A kiosk's clock and zone, wrong in the ways that are seen in schools.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/attendance/correct.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define T0     INT64_C(1795391921000) // 2026-11-23 06:58:41 at +07:00
#define Y2000  INT64_C(946659600000)
#define Y2099  INT64_C(4089200400000)

static struct sp_clock_reading at(int64_t after_ms)
{
	return (struct sp_clock_reading){
	    .mono_us = 1000000 + after_ms * 1000, .synced = true, .wall_ms = T0 + after_ms, .err_ms = 50};
}

/// `count` live events, a minute apart, by a clock that is so far ahead; each came `lag_ms` after it
/// happened. The time then.
static int64_t live(struct sp_kiosk_clock *clock, int64_t from_ms, int count, int64_t ahead_ms,
		    int64_t lag_ms)
{
	for (int i = 0; i < count; i++, from_ms += MINUTE) {
		struct sp_clock_reading now = at(from_ms);
		sp_kiosk_clock_live(clock, &now, now.wall_ms - lag_ms + ahead_ms);
	}
	return from_ms;
}

static int64_t ahead(const struct sp_kiosk_clock *clock, int64_t now_ms)
{
	int64_t out = 0;
	return sp_kiosk_clock_ahead(clock, at(now_ms).mono_us, &out) ? out : INT64_MIN;
}

static void test_a_clock_is_judged(void **state)
{
	(void)state;
	struct sp_kiosk_clock clock = {0};
	assert_int_equal(ahead(&clock, 0), INT64_MIN);
	int64_t now = live(&clock, 0, 2, -5 * MINUTE, 0);
	assert_int_equal(ahead(&clock, now), INT64_MIN); // two are none
	now = live(&clock, now, 1, -5 * MINUTE, 0);
	assert_int_equal(ahead(&clock, now), -5 * MINUTE);
	// The one that lagged least is nearest to the truth.
	now = live(&clock, now, 1, -5 * MINUTE + 4 * SECOND, 0);
	assert_int_equal(ahead(&clock, now), -5 * MINUTE + 4 * SECOND);
	// Late ones in between are no witnesses, however many.
	for (int i = 0; i < 10; i++)
		now = live(&clock, now, 1, -5 * MINUTE, i * 97 * SECOND + HOUR);
	assert_int_equal(ahead(&clock, now), -5 * MINUTE + 4 * SECOND);
	// After a day nothing of that is true any more.
	assert_int_equal(ahead(&clock, now + DAY), INT64_MIN);
}

static void test_one_event_from_the_future_is_proof(void **state)
{
	(void)state;
	struct sp_kiosk_clock clock = {0};
	int64_t now = live(&clock, 0, 1, HOUR, 3 * SECOND);
	assert_int_equal(ahead(&clock, now), HOUR - 3 * SECOND);
	// Somebody sets the clock right: one event may have lagged, three cannot have lagged alike.
	now = live(&clock, now, 2, 0, 2 * SECOND);
	assert_int_equal(ahead(&clock, now), HOUR - 3 * SECOND);
	now = live(&clock, now, 1, 0, 2 * SECOND);
	assert_int_equal(ahead(&clock, now), -2 * SECOND);
}

static void test_a_backlog_is_no_witness(void **state)
{
	(void)state;
	struct sp_kiosk_clock clock = {0};
	// A hundred events of two hours ago, said to be live, within ten seconds.
	for (int i = 0; i < 100; i++) {
		struct sp_clock_reading now = at(i * 100);
		sp_kiosk_clock_live(&clock, &now, now.wall_ms - 2 * HOUR + i * SECOND);
	}
	assert_int_equal(clock.count, 1);
	assert_int_equal(ahead(&clock, 20 * SECOND), INT64_MIN);
}

static void test_what_the_driver_measured_counts_first(void **state)
{
	(void)state;
	struct sp_kiosk_clock clock = {0};
	int64_t now = live(&clock, 0, 3, -5 * MINUTE, 0);
	sp_kiosk_clock_told(&clock, at(now).mono_us, NAN);
	assert_int_equal(ahead(&clock, now), -5 * MINUTE);
	sp_kiosk_clock_told(&clock, at(now).mono_us, -298.5);
	assert_int_equal(ahead(&clock, now), -298500);
	sp_kiosk_clock_told(&clock, at(now).mono_us, INFINITY);
	sp_kiosk_clock_told(&clock, at(now).mono_us, 1e300);
	assert_int_equal(ahead(&clock, now), -298500);
	// Until an event proves it too small.
	now = live(&clock, now + MINUTE, 1, 10 * MINUTE, 0);
	assert_int_equal(ahead(&clock, now), 10 * MINUTE);
}

// ---- corrections -------------------------------------------------------------------------------------

struct expected {
	const char *what;
	double told_s;    ///< NAN: the driver knows nothing
	int64_t kiosk_ms; ///< less T0, when it is not one of the odd ones
	bool odd;         ///< `kiosk_ms` is as it is
	bool live;
	bool known;
	int64_t t_ms; ///< less T0
	enum sp_correction correction;
	int64_t ahead_ms;
	enum sp_punch_mark mark;
};

static void check(const struct expected *it, const struct sp_clock_reading *received)
{
	struct sp_kiosk_clock clock = {0};
	int64_t kiosk_ms = it->odd ? it->kiosk_ms : T0 + it->kiosk_ms;
	sp_kiosk_clock_told(&clock, received->mono_us, it->told_s);
	if (it->live && kiosk_ms != SP_PUNCH_NO_TIME)
		sp_kiosk_clock_live(&clock, received, kiosk_ms);
	struct sp_corrected out = sp_punch_correct(&clock, received, kiosk_ms, it->live);
	int64_t t_ms = it->known ? T0 + it->t_ms : 0;
	if (out.known != it->known || (out.known && out.t_ms != t_ms) || out.correction != it->correction ||
	    out.ahead_ms != it->ahead_ms || out.mark != it->mark)
		fail_msg("%s: known %d, t %+lld ms, %s %lld, %s", it->what, out.known,
			 (long long)(out.t_ms - T0), sp_correction_name(out.correction),
			 (long long)out.ahead_ms, sp_punch_mark_name(out.mark));
}

#define ODD(t) (t), true
#define REL(t) (t), false

static void test_corrections(void **state)
{
	(void)state;
	static const struct expected cases[] = {
	    {"right", NAN, REL(-2 * SECOND), true, true, -2 * SECOND, SP_CORRECTION_NONE, 0, SP_MARK_LIVE},
	    {"right, from memory", NAN, REL(-5 * HOUR), false, true, -5 * HOUR, SP_CORRECTION_NONE, 0,
	     SP_MARK_LATE},
	    {"ten minutes are not late", NAN, REL(-10 * MINUTE), false, true, -10 * MINUTE,
	     SP_CORRECTION_NONE, 0, SP_MARK_LIVE},
	    {"a second more is", NAN, REL(-10 * MINUTE - SECOND), false, true, -10 * MINUTE - SECOND,
	     SP_CORRECTION_NONE, 0, SP_MARK_LATE},
	    {"a minute is tolerated", 60, REL(60 * SECOND), true, true, 60 * SECOND, SP_CORRECTION_NONE, 0,
	     SP_MARK_LIVE},
	    {"61 s ahead", 61, REL(61 * SECOND), true, true, 0, SP_CORRECTION_KIOSK_CLOCK, 61 * SECOND,
	     SP_MARK_LIVE},
	    {"four minutes behind", -240, REL(-240 * SECOND), true, true, 0, SP_CORRECTION_KIOSK_CLOCK,
	     -240 * SECOND, SP_MARK_LIVE},
	    {"factory zone GMT+8, read as +07:00", 3600, REL(HOUR), true, true, 0, SP_CORRECTION_ZONE, HOUR,
	     SP_MARK_LIVE},
	    {"the same by its first event alone", NAN, REL(HOUR - 3 * SECOND), true, true, -3 * SECOND,
	     SP_CORRECTION_ZONE, HOUR, SP_MARK_LIVE},
	    {"local time, labelled +08:00", -3600, REL(-HOUR), true, true, 0, SP_CORRECTION_ZONE, -HOUR,
	     SP_MARK_LIVE},
	    {"and a drift of half a minute stays", -3630, REL(-3630 * SECOND), true, true, -30 * SECOND,
	     SP_CORRECTION_ZONE, -HOUR, SP_MARK_LIVE},
	    {"two hours and a half", 9000, REL(9000 * SECOND), true, true, 0, SP_CORRECTION_ZONE,
	     9000 * SECOND, SP_MARK_LIVE},
	    {"UTC", -7 * 3600, REL(-7 * HOUR), true, true, 0, SP_CORRECTION_ZONE, -7 * HOUR, SP_MARK_LIVE},
	    {"+7 taken for seven minutes", -(7 * 3600 - 420), REL(-(7 * HOUR - 7 * MINUTE)), true, true, 0,
	     SP_CORRECTION_ZONE, -(7 * HOUR - 7 * MINUTE), SP_MARK_LIVE},
	    {"15 h are no zone", 15 * 3600, REL(15 * HOUR), true, true, 0, SP_CORRECTION_KIOSK_CLOCK,
	     15 * HOUR, SP_MARK_LIVE},
	    {"a quarter of an hour is no zone", 900, REL(900 * SECOND), true, true, 0,
	     SP_CORRECTION_KIOSK_CLOCK, 900 * SECOND, SP_MARK_LIVE},
	    {"from memory, by a clock that is wrong now", 3600, REL(-4 * HOUR), false, true, -5 * HOUR,
	     SP_CORRECTION_ZONE, HOUR, SP_MARK_LATE},
	    {"no clock", NAN, ODD(SP_PUNCH_NO_TIME), true, true, 0, SP_CORRECTION_RECEIVED, 0, SP_MARK_LIVE},
	    {"no date", NAN, ODD(SP_PUNCH_NO_TIME), false, false, 0, SP_CORRECTION_UNKNOWN, 0,
	     SP_MARK_IMPLAUSIBLE},
	    {"year 2000, live", NAN, ODD(Y2000), true, true, 0, SP_CORRECTION_RECEIVED, 0,
	     SP_MARK_IMPLAUSIBLE},
	    {"year 2000, from memory", NAN, ODD(Y2000), false, false, 0, SP_CORRECTION_UNKNOWN, 0,
	     SP_MARK_IMPLAUSIBLE},
	    {"the last moment of 2019", NAN, ODD(SP_PUNCH_LEAST_MS - 1), false, false, 0,
	     SP_CORRECTION_UNKNOWN, 0, SP_MARK_IMPLAUSIBLE},
	    {"the first of 2020", NAN, ODD(SP_PUNCH_LEAST_MS), false, true, SP_PUNCH_LEAST_MS - T0,
	     SP_CORRECTION_NONE, 0, SP_MARK_LATE},
	    {"2099, live", NAN, ODD(Y2099), true, true, 0, SP_CORRECTION_RECEIVED, 0, SP_MARK_FUTURE},
	    {"2099, from memory", NAN, ODD(Y2099), false, false, 0, SP_CORRECTION_UNKNOWN, 0, SP_MARK_FUTURE},
	    {"2099, and so is its clock", (double)(Y2099 - T0) / 1000, ODD(Y2099), false, true, 0,
	     SP_CORRECTION_KIOSK_CLOCK, Y2099 - T0, SP_MARK_LIVE},
	    {"before 2020, less the error", (double)(Y2099 - T0) / 1000, REL(0), false, false, 0,
	     SP_CORRECTION_UNKNOWN, 0, SP_MARK_IMPLAUSIBLE},
	    {"a day ahead, from memory", NAN, REL(DAY), false, true, DAY, SP_CORRECTION_NONE, 0,
	     SP_MARK_LIVE},
	    {"more than a day ahead", NAN, REL(DAY + 1), false, false, 0, SP_CORRECTION_UNKNOWN, 0,
	     SP_MARK_FUTURE},
	};
	struct sp_clock_reading received = at(0);
	for (size_t i = 0; i < SP_COUNT(cases); i++)
		check(&cases[i], &received);
}

static void test_a_board_that_does_not_know_the_time(void **state)
{
	(void)state;
	static const struct expected cases[] = {
	    {"live", NAN, REL(0), true, false, 0, SP_CORRECTION_RECEIVED, 0, SP_MARK_LIVE},
	    {"live, no clock", NAN, ODD(SP_PUNCH_NO_TIME), true, false, 0, SP_CORRECTION_RECEIVED, 0,
	     SP_MARK_LIVE},
	    {"live, year 2000", NAN, ODD(Y2000), true, false, 0, SP_CORRECTION_RECEIVED, 0,
	     SP_MARK_IMPLAUSIBLE},
	    {"from memory", NAN, REL(-HOUR), false, true, -HOUR, SP_CORRECTION_NONE, 0, SP_MARK_LATE},
	    {"from memory, 2099", NAN, ODD(Y2099), false, false, 0, SP_CORRECTION_UNKNOWN, 0, SP_MARK_FUTURE},
	};
	struct sp_clock_reading received = {.mono_us = 1000000, .wall_ms = 12345};
	for (size_t i = 0; i < SP_COUNT(cases); i++)
		check(&cases[i], &received);
	// Nor does it judge a clock.
	struct sp_kiosk_clock clock = {0};
	sp_kiosk_clock_live(&clock, &received, T0);
	assert_int_equal(clock.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_clock_is_judged),
	    cmocka_unit_test(test_one_event_from_the_future_is_proof),
	    cmocka_unit_test(test_a_backlog_is_no_witness),
	    cmocka_unit_test(test_what_the_driver_measured_counts_first),
	    cmocka_unit_test(test_corrections),
	    cmocka_unit_test(test_a_board_that_does_not_know_the_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
