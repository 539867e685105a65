// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Windows, days and quiet periods: what is read from texts, and what whole configurations say of mistakes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/core/settings.h"

static void test_windows(void **state)
{
	(void)state;
	struct sp_speed_window window;
	assert_int_equal(sp_speed_window_parse("07:00-09:30", &window), 0);
	assert_int_equal(window.from_s, 7 * 3600);
	assert_int_equal(window.to_s, 9 * 3600 + 1800);
	assert_int_equal(sp_speed_window_parse("7:05 - 24:00", &window), 0);
	assert_int_equal(window.from_s, 7 * 3600 + 300);
	assert_int_equal(window.to_s, 86400);
	assert_int_equal(sp_speed_window_room(&window), 101);
	assert_int_equal(sp_speed_window_parse("09:30-07:00", &window), -ERANGE);
	assert_int_equal(sp_speed_window_parse("07:00-07:00", &window), -ERANGE);
	const char *const bad[] = {
	    "",    "07:00",        "07:00-",    "-09:00",      "07:60-09:00", "25:00-26:00", "24:30-24:59",
	    "7-9", "07:00-09:00x", "07:00-9:3", "007:00-9:00", "07:00/09:00", "x7:00-9:00"};
	for (size_t i = 0; i < SP_COUNT(bad); i++)
		if (sp_speed_window_parse(bad[i], &window) != -EINVAL)
			fail_msg("\"%s\" was taken for a window", bad[i]);
}

static void test_days(void **state)
{
	(void)state;
	unsigned days = 0;
	assert_int_equal(sp_speed_days_parse("mon-sat", &days), 0);
	assert_int_equal(days, 0x3f);
	days = 0;
	assert_int_equal(sp_speed_days_parse("wed", &days), 0);
	assert_int_equal(sp_speed_days_parse("sat - mon", &days), 0);
	assert_int_equal(days, 0x04 | 0x20 | 0x40 | 0x01);
	const char *const bad[] = {"", "Mon", "monday", "mon-", "-tue", "mon-xyz", "mon-tue-wed", "t2"};
	for (size_t i = 0; i < SP_COUNT(bad); i++)
		if (sp_speed_days_parse(bad[i], &days) != -EINVAL)
			fail_msg("\"%s\" was taken for days", bad[i]);
}

static void test_quiet_periods(void **state)
{
	(void)state;
	struct sp_speed_quiet quiet;
	assert_int_equal(sp_speed_quiet_parse("2026-06-10 07:00/2026-06-12 17:00", &quiet), 0);
	assert_int_equal(quiet.from_ms, INT64_C(1781049600000)); // 2026-06-10T00:00:00Z
	assert_int_equal(quiet.to_ms, INT64_C(1781258400000));   // 2026-06-12T10:00:00Z
	assert_int_equal(sp_speed_quiet_parse("2026-09-02", &quiet), 0);
	assert_int_equal(quiet.to_ms - quiet.from_ms, SP_SPEED_DAY_MS);
	assert_int_equal(quiet.from_ms, INT64_C(1788282000000)); // 2026-09-01T17:00:00Z
	assert_int_equal(sp_speed_quiet_parse("2028-02-29 / 2028-02-29", &quiet), 0);
	assert_int_equal(quiet.to_ms - quiet.from_ms, SP_SPEED_DAY_MS);
	assert_int_equal(sp_speed_quiet_parse("2026-06-12 17:00/2026-06-10 07:00", &quiet), -ERANGE);
	const char *const bad[] = {"2026-06-10 07:00",
				   "2026-02-29",
				   "2026-13-01",
				   "2026-00-10",
				   "1999-01-01",
				   "3000-01-01",
				   "2026-6-1",
				   "2026-06-10T07:00/2026-06-11",
				   "2026-06-31",
				   "2026-06-10/",
				   "2026-06-10 07:00/x",
				   "2026-06-10/2026-06-11/2026-06-12",
				   ""};
	for (size_t i = 0; i < SP_COUNT(bad); i++)
		if (sp_speed_quiet_parse(bad[i], &quiet) != -EINVAL)
			fail_msg("\"%s\" was taken for a period", bad[i]);
}

static void test_days_of_the_calendar(void **state)
{
	(void)state;
	struct sp_speed_times times = {.days = 0x3f};
	// 2026-11-22 is a Sunday: from 17:00Z of the day before to 17:00Z.
	const int64_t start_ms = INT64_C(1795280400000);
	int64_t day = sp_speed_day(start_ms);
	assert_int_equal(sp_speed_day(start_ms - 1), day - 1);
	assert_int_equal(sp_speed_day(start_ms + SP_SPEED_DAY_MS - 1), day);
	assert_int_equal(sp_speed_day_start_ms(day), start_ms);
	assert_false(sp_speed_school_day(&times, day));
	assert_true(sp_speed_school_day(&times, day + 1));
	assert_true(sp_speed_school_day(&times, day - 1));
	assert_int_equal(sp_speed_day(-INT64_C(8) * 3600000), -1);
	assert_true(sp_speed_school_day(&times, 0)); // a Thursday
	times.days = 0x04;
	assert_true(sp_speed_school_day(&times, -1));
}

// ---- in a file -------------------------------------------------------------------------------------------

static const struct sp_driver *const drivers[] = {NULL};
static struct sp_settings settings;
static struct sp_config_errors errors, warnings;

static void clear(void)
{
	sp_settings_free(&settings);
	sp_config_errors_free(&errors);
	sp_config_errors_free(&warnings);
}

/// The first error, or else the first warning about something in the text; "" without.
static const char *told(const char *text)
{
	char path[] = "/tmp/sp-times-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	dprintf(fd, "[mqtt]\nhost = b\n%s", text);
	close(fd);
	clear();
	int result = sp_settings_read(&settings, path, drivers, &errors, &warnings);
	unlink(path);
	assert_int_equal(result, errors.count ? -EINVAL : 0);
	size_t skip = strlen(path) + 1;
	if (errors.count)
		return errors.lines[0] + skip;
	for (size_t i = 0; i < warnings.count; i++)
		if (!strstr(warnings.lines[i], "nothing is measured"))
			return warnings.lines[i] + skip;
	return "";
}

static void test_defaults(void **state)
{
	(void)state;
	assert_string_equal(told(""), "");
	const struct sp_speedtests_conf *conf = &settings.speedtests;
	assert_true(conf->enabled);
	assert_int_equal(conf->times.window_count, 3);
	assert_int_equal(conf->times.windows[2].to_s, 16 * 3600 + 1800);
	assert_int_equal(conf->times.days, 0x3f);
	assert_int_equal(conf->times.samples, 1);
	assert_int_equal(conf->times.quiet_count, 0);
	assert_int_equal(conf->busy_bytes_per_second, 25000);
	assert_int_equal(conf->busy_cpu_percent, 30);
	assert_int_equal(conf->retry_ms, 30000);
	assert_int_equal(conf->patience_ms, 20 * 60000);
	assert_string_equal(settings.commands.key_file, "");
	assert_int_equal(settings.commands.allow.count, 1);
}

static void test_windows_stand_in_order(void **state)
{
	(void)state;
	assert_string_equal(told("[speedtests]\nwindows = 13:00-14:00, 07:00-08:00, 09:00-10:00\n"), "");
	const struct sp_speed_times *times = &settings.speedtests.times;
	assert_int_equal(times->windows[0].from_s, 7 * 3600);
	assert_int_equal(times->windows[1].from_s, 9 * 3600);
	assert_int_equal(times->windows[2].from_s, 13 * 3600);
}

static void test_mistakes_have_their_line(void **state)
{
	(void)state;
	assert_string_equal(told("[speedtests]\nwindows = 07:00-09:00, 08:59-10:00\n"),
			    "4: windows: 08:59-10:00 overlaps another");
	assert_string_equal(told("[speedtests]\nsamples = 1\nwindows = 09:00-07:00\n"),
			    "5: windows: 09:00-07:00 ends before it begins");
	assert_string_equal(told("[speedtests]\nwindows = 7h-9h\n"),
			    "4: windows: 7h-9h is not written as in 07:00-09:30");
	assert_string_equal(told("[speedtests]\nwindows = 07:00-07:45\nsamples = 5\n"),
			    "5: samples = 5: the window 07:00-07:45 has room for 4 (10 min each)");
	assert_string_equal(told("[speedtests]\ndays = mon-fry\n"),
			    "4: days: mon-fry is not a day or a range of days, as in mon-sat");
	assert_string_equal(told("[speedtests]\nquiet = 2026-06-12/2026-06-10\n"),
			    "4: quiet: 2026-06-12/2026-06-10 ends before it begins");
	assert_non_null(strstr(told("[speedtests]\nquiet = June\n"), "4: quiet: June is not written"));
	assert_string_equal(told("[speedtests]\nretry = 5min\npatience = 1min\n"),
			    "5: patience is shorter than retry");
	assert_string_equal(told("[commands]\nallow = speedtests\n"),
			    "4: allow: there is no command speedtests; did you mean speedtest?");
}

static void test_warnings(void **state)
{
	(void)state;
	assert_string_equal(told("[speedtests]\nquiet = 2999-06-10, 2020-06-10\n"),
			    "4: quiet: 2020-06-10 is over");
	assert_int_equal(settings.speedtests.times.quiet_count, 2);
	assert_string_equal(told("[speedtests]\nquiet = 2999-06-10\n"), "");
	assert_non_null(
	    strstr(told("[commands]\nkey_file = /proc/self/status\n"), "not a public Ed25519 key"));
	assert_int_equal(errors.count, 1);
	assert_string_equal(told("[commands]\nkey_file = /nowhere/key.pem\n"),
			    "4: key_file = /nowhere/key.pem: No such file or directory");
}

static int tear_down(void **state)
{
	(void)state;
	clear();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_windows),
	    cmocka_unit_test(test_days),
	    cmocka_unit_test(test_quiet_periods),
	    cmocka_unit_test(test_days_of_the_calendar),
	    cmocka_unit_test_teardown(test_defaults, tear_down),
	    cmocka_unit_test_teardown(test_windows_stand_in_order, tear_down),
	    cmocka_unit_test_teardown(test_mistakes_have_their_line, tear_down),
	    cmocka_unit_test_teardown(test_warnings, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
