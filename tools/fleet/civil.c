// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// See the header. Days by Howard Hinnant's algorithms (public domain).
#include "tools/fleet/civil.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	year -= month <= 2;
	int64_t era = year / 400, of_era = year - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int *year, int *month, int *day)
{
	days += 719468;
	int64_t era = days / 146097, of_era = days - era * 146097;
	int64_t years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * years + years / 4 - years / 100), month_3 = (5 * of_year + 2) / 153;
	*day = (int)(of_year - (153 * month_3 + 2) / 5 + 1);
	*month = (int)(month_3 < 10 ? month_3 + 3 : month_3 - 9);
	*year = (int)(years + era * 400 + (*month <= 2));
}

/// Exactly so many digits; -1: other characters.
static int digits(const char *text, int count)
{
	int number = 0;
	for (int i = 0; i < count; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		number = number * 10 + text[i] - '0';
	}
	return number;
}

bool sp_civil_date(const char *text, int64_t *day)
{
	if (strlen(text) != 10 || text[4] != '-' || text[7] != '-')
		return false;
	int year = digits(text, 4), month = digits(text + 5, 2), of_month = digits(text + 8, 2);
	if (year < 2000 || year > 2999 || month < 1 || month > 12 || of_month < 1)
		return false;
	*day = days_of(year, month, of_month);
	int y, m, d;
	date_of(*day, &y, &m, &d);
	return m == month && d == of_month; // no 31st of a month that has none
}

bool sp_civil_clock(const char *text, int64_t *ms)
{
	size_t hours_length = strcspn(text, ":"), length = strlen(text);
	if (hours_length < 1 || hours_length > 2 ||
	    (length - hours_length != 3 && length - hours_length != 6))
		return false;
	int hours = digits(text, (int)hours_length), minutes = digits(text + hours_length + 1, 2);
	bool long_form = length - hours_length == 6;
	if (long_form && text[hours_length + 3] != ':')
		return false;
	int seconds = long_form ? digits(text + hours_length + 4, 2) : 0;
	if (hours < 0 || minutes < 0 || minutes > 59 || seconds < 0 || seconds > 59 ||
	    hours * 3600 + minutes * 60 + seconds > 24 * 3600)
		return false;
	*ms = (hours * 3600 + minutes * 60 + seconds) * INT64_C(1000);
	return true;
}

int64_t sp_civil_day(int64_t t_ms)
{
	int64_t local = t_ms + SP_CIVIL_OFFSET_MS;
	return local >= 0 ? local / SP_CIVIL_DAY_MS : -((-local + SP_CIVIL_DAY_MS - 1) / SP_CIVIL_DAY_MS);
}

int64_t sp_civil_day_ms(int64_t day)
{
	return day * SP_CIVIL_DAY_MS - SP_CIVIL_OFFSET_MS;
}

unsigned sp_civil_weekday(int64_t day)
{
	return (unsigned)(((day + 3) % 7 + 7) % 7); // 1970-01-01 was a Thursday
}

void sp_civil_format_date(int64_t day, char out[16])
{
	int y, m, d;
	date_of(day, &y, &m, &d);
	snprintf(out, 16, "%04d-%02d-%02d", y % 10000, m % 100, d % 100);
}

void sp_civil_format(int64_t t_ms, char out[32])
{
	char date[16];
	int64_t day = sp_civil_day(t_ms), seconds = (t_ms - sp_civil_day_ms(day)) / 1000;
	sp_civil_format_date(day, date);
	snprintf(out, 32, "%s %02d:%02d:%02d", date, (int)(seconds / 3600) % 100, (int)(seconds / 60 % 60),
		 (int)(seconds % 60));
}
