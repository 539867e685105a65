// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Times as kiosks write them, against the system's own calendar and against what no calendar has.
#include "drivers/kiosk/civil_time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

enum { VIETNAM_S = 7 * 3600, DAY_S = 24 * 3600 };

static int64_t plain(const char *text)
{
	struct sp_civil civil;
	assert_int_equal(sp_civil_parse(text, strlen(text), &civil), 0);
	assert_false(civil.zoned);
	return sp_civil_ms(&civil, VIETNAM_S);
}

static int64_t iso(const char *text)
{
	struct sp_civil civil;
	assert_int_equal(sp_civil_parse_iso(text, strlen(text), &civil), 0);
	return sp_civil_ms(&civil, VIETNAM_S);
}

static void plain_times_are_in_the_kiosks_zone(void **state)
{
	(void)state;
	assert_int_equal(plain("1970-01-01 07:00:00"), 0);
	assert_int_equal(plain("2024-08-05 12:40:57"), INT64_C(1722836457000));
	assert_int_equal(plain("2000-02-29 23:59:59"), INT64_C(951843599000));
	assert_int_equal(plain("2000-01-01 00:00:00"), INT64_C(946659600000));
}

static void impossible_times_are_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {
	    "",
	    "not-a-date",
	    "2026-02-29 08:00:00", // no leap year
	    "2100-02-29 08:00:00",
	    "2026-02-30 08:00:00",
	    "2026-04-31 08:00:00",
	    "2026-00-10 08:00:00",
	    "2026-13-10 08:00:00",
	    "2026-01-00 08:00:00",
	    "2026-01-32 08:00:00",
	    "0000-01-01 08:00:00",
	    "2026-01-01 24:00:00",
	    "2026-01-01 23:60:00",
	    "2026-01-01 23:59:60",
	    "2026-01-01 8:00:00",
	    "2026-01-01T08:00:00",
	    "2026-01-01 08:00:00 ",
	    " 2026-01-01 08:00:00",
	    "2026-01-01 08:00",
	    "2026-01-01 +8:00:00",
	    "2026/01/01 08:00:00",
	    "2026-01-01 08:00:00Z",
	};
	struct sp_civil civil;
	for (size_t i = 0; i < SP_COUNT(wrong); i++)
		assert_int_equal(sp_civil_parse(wrong[i], strlen(wrong[i]), &civil), -EINVAL);
	static const char good[] = "2026-11-23 06:58:41";
	for (size_t length = 0; length < sizeof(good) - 1; length++)
		assert_int_equal(sp_civil_parse(good, length, &civil), -EINVAL);
	assert_int_equal(sp_civil_parse("2026-11-23 06:58:4\0", 19, &civil), -EINVAL);
}

static void iso_times_bring_their_own_zone(void **state)
{
	(void)state;
	const int64_t t_ms = INT64_C(1722836457000);
	assert_int_equal(iso("2024-08-05T12:40:57"), t_ms);
	assert_int_equal(iso("2024-08-05 12:40:57"), t_ms);
	assert_int_equal(iso("2024-08-05T05:40:57Z"), t_ms);
	assert_int_equal(iso("2024-08-05T12:40:57+07:00"), t_ms);
	assert_int_equal(iso("2024-08-05T13:40:57+0800"), t_ms);
	assert_int_equal(iso("2024-08-05T13:40:57+08"), t_ms);
	assert_int_equal(iso("2024-08-04T23:10:57.250-06:30"), t_ms + 250);
	assert_int_equal(iso("2024-08-05T12:40:57.1234567"), t_ms + 123);
	assert_int_equal(iso("2024-08-05T12:40:57,5Z"), t_ms + 7 * 3600 * 1000 + 500);
}

static void broken_iso_times_are_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {
	    "2024-08-05T12:40:57.",
	    "2024-08-05T12:40:57.Z",
	    "2024-08-05T12:40:57+7",
	    "2024-08-05T12:40:57+07:",
	    "2024-08-05T12:40:57+07:60",
	    "2024-08-05T12:40:57+15:00",
	    "2024-08-05T12:40:57+14:01",
	    "2024-08-05T12:40:57+07:000",
	    "2024-08-05T12:40:57ZZ",
	    "2024-08-05T12:40:57z",
	    "2024-08-05t12:40:57Z",
	    "2024-08-05T12:40Z",
	    "2024-08-05",
	    "20240805T124057Z",
	    "2024-08-05T12:40:57 +07:00",
	};
	struct sp_civil civil;
	for (size_t i = 0; i < SP_COUNT(wrong); i++)
		assert_int_equal(sp_civil_parse_iso(wrong[i], strlen(wrong[i]), &civil), -EINVAL);
}

static void days_agree_with_the_system(void **state)
{
	(void)state;
	for (int32_t day = -135000; day < 250000; day++) { // 1600 to 2654
		time_t seconds = (time_t)day * DAY_S;
		if ((int64_t)seconds / DAY_S != day) // 32-bit time_t
			continue;
		struct tm tm;
		gmtime_r(&seconds, &tm);
		struct sp_civil civil = sp_civil_of((int64_t)day * DAY_S * 1000 + 1, 0);
		assert_int_equal(civil.year, tm.tm_year + 1900);
		assert_int_equal(civil.month, tm.tm_mon + 1);
		assert_int_equal(civil.day, tm.tm_mday);
		assert_int_equal(sp_civil_day(&civil), day);
	}
}

static void a_time_survives_the_way_there_and_back(void **state)
{
	(void)state;
	const int64_t times[] = {0, -1, 999, INT64_C(1722836457123), INT64_C(-62135596800000)};
	for (size_t i = 0; i < SP_COUNT(times); i++) {
		struct sp_civil civil = sp_civil_of(times[i], 0);
		assert_int_equal(sp_civil_ms(&civil, 99), times[i]);
	}
	char text[SP_CIVIL_TEXT];
	struct sp_civil civil = sp_civil_of(INT64_C(1722836457000), VIETNAM_S);
	assert_string_equal(sp_civil_print(&civil, text), "2024-08-05 12:40:57");
	assert_int_equal(sp_civil_ms(&civil, 0), INT64_C(1722836457000));
	civil = sp_civil_of(INT64_MAX, VIETNAM_S);
	assert_string_equal(sp_civil_print(&civil, text), "9999-12-31 23:59:59");
	civil = sp_civil_of(INT64_MIN, -VIETNAM_S);
	assert_string_equal(sp_civil_print(&civil, text), "0001-01-01 00:00:00");
}

static void zones_are_read_alone(void **state)
{
	(void)state;
	int32_t zone_s;
	assert_int_equal(sp_zone_parse("+07:00", 6, &zone_s), 0);
	assert_int_equal(zone_s, VIETNAM_S);
	assert_int_equal(sp_zone_parse("-05:30", 6, &zone_s), 0);
	assert_int_equal(zone_s, -19800);
	assert_int_equal(sp_zone_parse("7", 1, &zone_s), -EINVAL);
	assert_int_equal(sp_zone_parse("", 0, &zone_s), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_times_are_in_the_kiosks_zone),
	    cmocka_unit_test(impossible_times_are_refused),
	    cmocka_unit_test(iso_times_bring_their_own_zone),
	    cmocka_unit_test(broken_iso_times_are_refused),
	    cmocka_unit_test(days_agree_with_the_system),
	    cmocka_unit_test(a_time_survives_the_way_there_and_back),
	    cmocka_unit_test(zones_are_read_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
