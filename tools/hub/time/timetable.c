// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Weekly timetables.
#include "tools/hub/time/timetable.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum {
	DAYS = 7,
	DAY_MINUTES = 24 * 60,
	TEXT_MAX = 256,
};

static void skip_space(const char **at)
{
	while (**at == ' ' || **at == '\t')
		++*at;
}

static bool take(const char **at, char c)
{
	skip_space(at);
	if (**at != c)
		return false;
	++*at;
	skip_space(at);
	return true;
}

/// A day's number from Monday, or -1.
static int take_day(const char **at)
{
	static const char *const names[2][DAYS] = {{"mon", "tue", "wed", "thu", "fri", "sat", "sun"},
						   {"t2", "t3", "t4", "t5", "t6", "t7", "cn"}};
	for (int language = 0; language < 2; language++) {
		for (int day = 0; day < DAYS; day++) {
			size_t length = strlen(names[language][day]);
			if (strncasecmp(*at, names[language][day], length) == 0 &&
			    !isalnum((unsigned char)(*at)[length])) {
				*at += length;
				return day;
			}
		}
	}
	return -1;
}

/// "mon-wed,fri" as bits; 0 when it is none.
static unsigned take_days(const char **at)
{
	unsigned days = 0;
	do {
		int first = take_day(at), last = first;
		if (first >= 0 && take(at, '-'))
			last = take_day(at);
		if (first < 0 || last < first)
			return 0;
		for (int day = first; day <= last; day++)
			days |= 1u << day;
	} while (take(at, ','));
	return days;
}

/// "7:00", "07:00" or "24:00" in minutes; -1.
static int take_time(const char **at)
{
	int hours = 0, minutes = 0, digits = 0;
	for (; isdigit((unsigned char)**at) && digits < 2; ++*at, digits++)
		hours = hours * 10 + (**at - '0');
	if (digits == 0 || (**at != ':' && **at != 'h'))
		return -1;
	++*at;
	for (digits = 0; isdigit((unsigned char)**at) && digits < 2; ++*at, digits++)
		minutes = minutes * 10 + (**at - '0');
	int time = hours * 60 + minutes;
	return digits == 2 && minutes < 60 && time <= DAY_MINUTES ? time : -1;
}

static bool take_stretch(struct sp_timetable *out, const char **at, unsigned days)
{
	int from = take_time(at);
	if (from < 0 || !take(at, '-'))
		return false;
	int to = take_time(at);
	if (to <= from)
		return false;
	for (int day = 0; day < DAYS; day++) {
		if (!(days & 1u << day))
			continue;
		if (out->count == SP_TIMETABLE_MAX)
			return false;
		out->stretches[out->count].from = (uint16_t)(day * DAY_MINUTES + from);
		out->stretches[out->count++].to = (uint16_t)(day * DAY_MINUTES + to);
	}
	return true;
}

static bool parse(struct sp_timetable *out, const char *at)
{
	skip_space(&at);
	while (*at) {
		unsigned days = take_days(&at);
		if (!days)
			return false;
		skip_space(&at);
		do {
			if (!take_stretch(out, &at, days))
				return false;
		} while (take(&at, ','));
		if (*at && !take(&at, ';'))
			return false;
	}
	return true;
}

int sp_timetable_parse(struct sp_timetable *out, const char *text)
{
	*out = (struct sp_timetable){.count = 0};
	if (strnlen(text, TEXT_MAX + 1) <= TEXT_MAX && parse(out, text))
		return 0;
	out->count = 0;
	return -EINVAL;
}
