// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From texts to windows, days and quiet periods, and the few questions about them.
#include "agent/core/speed/times.h"

#include <errno.h>
#include <string.h>

#define OFFSET_MS (7 * INT64_C(3600000))

enum { YEAR_MIN = 2000, YEAR_MAX = 2999, WEEK = 7 };

/// Between `least` and `most` digits; moves `text` behind them. -1 when there are fewer.
static int number(const char **text, size_t least, size_t most)
{
	int value = 0;
	size_t count = 0;
	for (; count < most && **text >= '0' && **text <= '9'; count++)
		value = value * 10 + *(*text)++ - '0';
	return count >= least ? value : -1;
}

static bool take(const char **text, char wanted)
{
	if (**text != wanted)
		return false;
	(*text)++;
	return true;
}

static void skip_blanks(const char **text)
{
	while (**text == ' ' || **text == '\t')
		(*text)++;
}

/// "7:00", "07:00", "24:00" → seconds of the day; -1 when it is none.
static int time_of_day(const char **text)
{
	int hour = number(text, 1, 2);
	if (hour < 0 || hour > 24 || !take(text, ':'))
		return -1;
	int minute = number(text, 2, 2);
	if (minute < 0 || minute > 59 || (hour == 24 && minute > 0))
		return -1;
	return hour * 3600 + minute * 60;
}

int sp_speed_window_parse(const char *text, struct sp_speed_window *out)
{
	struct sp_speed_window window;
	window.from_s = time_of_day(&text);
	skip_blanks(&text);
	if (window.from_s < 0 || !take(&text, '-'))
		return -EINVAL;
	skip_blanks(&text);
	window.to_s = time_of_day(&text);
	if (window.to_s < 0 || *text)
		return -EINVAL;
	if (window.to_s <= window.from_s)
		return -ERANGE;
	*out = window;
	return 0;
}

static int weekday(const char **text)
{
	static const char names[WEEK][4] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
	for (int i = 0; i < WEEK; i++) {
		if (strncmp(*text, names[i], 3) == 0) {
			*text += 3;
			return i;
		}
	}
	return -1;
}

int sp_speed_days_parse(const char *text, unsigned *days)
{
	int first = weekday(&text), last = first;
	skip_blanks(&text);
	if (first >= 0 && take(&text, '-')) {
		skip_blanks(&text);
		last = weekday(&text);
	}
	if (first < 0 || last < 0 || *text)
		return -EINVAL;
	for (int day = first;; day = (day + 1) % WEEK) {
		*days |= 1U << day;
		if (day == last)
			return 0;
	}
}

static bool leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_of_month(int year, int month)
{
	static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	return days[month - 1] + (month == 2 && leap(year));
}

/// "2026-06-10" → days since 1970; -1 when it is no date of our millennium.
static int64_t date(const char **text)
{
	int year = number(text, 4, 4);
	if (year < YEAR_MIN || year > YEAR_MAX || !take(text, '-'))
		return -1;
	int month = number(text, 2, 2);
	if (month < 1 || month > 12 || !take(text, '-'))
		return -1;
	int day = number(text, 2, 2);
	if (day < 1 || day > days_of_month(year, month))
		return -1;
	int64_t count = 0;
	for (int y = 1970; y < year; y++)
		count += 365 + leap(y);
	for (int m = 1; m < month; m++)
		count += days_of_month(year, m);
	return count + day - 1;
}

/// A moment; `whole` when it is a day without a time.
static int moment(const char **text, int64_t *ms, bool *whole)
{
	int64_t day = date(text);
	if (day < 0)
		return -EINVAL;
	skip_blanks(text);
	*whole = **text == '\0' || **text == '/';
	int seconds = *whole ? 0 : time_of_day(text);
	if (seconds < 0)
		return -EINVAL;
	skip_blanks(text);
	*ms = sp_speed_day_start_ms(day) + seconds * INT64_C(1000);
	return 0;
}

int sp_speed_quiet_parse(const char *text, struct sp_speed_quiet *out)
{
	struct sp_speed_quiet quiet;
	bool whole;
	if (moment(&text, &quiet.from_ms, &whole))
		return -EINVAL;
	quiet.to_ms = quiet.from_ms;
	if (take(&text, '/')) {
		skip_blanks(&text);
		if (moment(&text, &quiet.to_ms, &whole))
			return -EINVAL;
	} else if (!whole) {
		return -EINVAL;
	}
	if (*text)
		return -EINVAL;
	if (whole)
		quiet.to_ms += SP_SPEED_DAY_MS;
	if (quiet.to_ms <= quiet.from_ms)
		return -ERANGE;
	*out = quiet;
	return 0;
}

int64_t sp_speed_day(int64_t t_ms)
{
	int64_t local = t_ms + OFFSET_MS;
	return local >= 0 ? local / SP_SPEED_DAY_MS : -((-local + SP_SPEED_DAY_MS - 1) / SP_SPEED_DAY_MS);
}

int64_t sp_speed_day_start_ms(int64_t day)
{
	return day * SP_SPEED_DAY_MS - OFFSET_MS;
}

bool sp_speed_school_day(const struct sp_speed_times *times, int64_t day)
{
	// 1970-01-01 was a Thursday.
	int64_t weekday_of = ((day + 3) % WEEK + WEEK) % WEEK;
	return times->days & (1U << weekday_of);
}

bool sp_speed_is_quiet(const struct sp_speed_times *times, int64_t t_ms)
{
	for (size_t i = 0; i < times->quiet_count; i++)
		if (t_ms >= times->quiets[i].from_ms && t_ms < times->quiets[i].to_ms)
			return true;
	return false;
}

unsigned sp_speed_window_room(const struct sp_speed_window *window)
{
	return (unsigned)((window->to_s - window->from_s) / SP_SPEED_ROOM_S);
}
