// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Civil times (civil_time.h). Days are counted in years that begin in March, so that the leap day is the
// last.
#include "civil_time.h"

#include <stdio.h>

enum {
	SECONDS_PER_DAY = 24 * 3600,
	ZONE_MOST_S = 14 * 3600,
	YEAR_MOST = 9999,
	DAYS_IN_400_YEARS = 146097,
	DAYS_TO_1970 = 719468, ///< from 0000-03-01
};

/// What is left of a text.
struct rest {
	const char *at;
	size_t length;
};

static bool digits(struct rest *rest, size_t count, int *out)
{
	int value = 0;
	if (rest->length < count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (rest->at[i] < '0' || rest->at[i] > '9')
			return false;
		value = value * 10 + (rest->at[i] - '0');
	}
	rest->at += count;
	rest->length -= count;
	*out = value;
	return true;
}

static bool mark(struct rest *rest, char c)
{
	if (rest->length == 0 || *rest->at != c)
		return false;
	rest->at++;
	rest->length--;
	return true;
}

static bool leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int month_days(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	return days[month - 1] + (month == 2 && leap(year));
}

static bool possible(const struct sp_civil *civil)
{
	return civil->year >= 1 && civil->month >= 1 && civil->month <= 12 && civil->day >= 1 &&
	       civil->day <= month_days(civil->year, civil->month) && civil->hour < 24 &&
	       civil->minute < 60 && civil->second < 60;
}

static bool date_and_time(struct rest *rest, bool iso, struct sp_civil *out)
{
	*out = (struct sp_civil){0};
	return digits(rest, 4, &out->year) && mark(rest, '-') && digits(rest, 2, &out->month) &&
	       mark(rest, '-') && digits(rest, 2, &out->day) &&
	       ((iso && mark(rest, 'T')) || mark(rest, ' ')) && digits(rest, 2, &out->hour) &&
	       mark(rest, ':') && digits(rest, 2, &out->minute) && mark(rest, ':') &&
	       digits(rest, 2, &out->second) && possible(out);
}

int sp_civil_parse(const char *text, size_t length, struct sp_civil *out)
{
	struct rest rest = {text, length};
	return date_and_time(&rest, false, out) && rest.length == 0 ? 0 : -EINVAL;
}

static bool fraction(struct rest *rest, int *ms)
{
	int digit, weight = 100, count = 0;
	if (!mark(rest, '.') && !mark(rest, ','))
		return true;
	for (*ms = 0; digits(rest, 1, &digit); weight /= 10, count++)
		*ms += digit * weight;
	return count > 0;
}

int sp_zone_parse(const char *text, size_t length, int32_t *zone_s)
{
	struct rest rest = {text, length};
	int hours, minutes = 0;
	*zone_s = 0;
	if (mark(&rest, 'Z'))
		return rest.length == 0 ? 0 : -EINVAL;
	bool west = mark(&rest, '-');
	if ((!west && !mark(&rest, '+')) || !digits(&rest, 2, &hours))
		return -EINVAL;
	if (rest.length > 0) {
		mark(&rest, ':');
		if (!digits(&rest, 2, &minutes) || rest.length > 0)
			return -EINVAL;
	}
	int32_t seconds = hours * 3600 + minutes * 60;
	if (minutes > 59 || seconds > ZONE_MOST_S)
		return -EINVAL;
	*zone_s = west ? -seconds : seconds;
	return 0;
}

int sp_civil_parse_iso(const char *text, size_t length, struct sp_civil *out)
{
	struct rest rest = {text, length};
	if (!date_and_time(&rest, true, out) || !fraction(&rest, &out->ms))
		return -EINVAL;
	if (rest.length == 0)
		return 0;
	out->zoned = true;
	return sp_zone_parse(rest.at, rest.length, &out->zone_s);
}

int32_t sp_civil_day(const struct sp_civil *civil)
{
	int32_t year = civil->year - (civil->month <= 2);
	int32_t month = (civil->month + 9) % 12;
	int32_t era = year / 400, of_era = year % 400;
	int32_t day_of_year = (153 * month + 2) / 5 + civil->day - 1;
	return era * DAYS_IN_400_YEARS + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year -
	       DAYS_TO_1970;
}

int64_t sp_civil_ms(const struct sp_civil *civil, int32_t zone_s)
{
	int64_t seconds = (int64_t)sp_civil_day(civil) * SECONDS_PER_DAY + civil->hour * 3600 +
			  civil->minute * 60 + civil->second;
	return (seconds - (civil->zoned ? civil->zone_s : zone_s)) * 1000 + civil->ms;
}

static int64_t floored(int64_t value, int64_t by)
{
	return value / by - (value % by < 0);
}

static int64_t within(int64_t value, int64_t least, int64_t most)
{
	return value < least ? least : value > most ? most : value;
}

/// The date of a day that lies in the years 1 to 9999.
static void date_of(int64_t day, struct sp_civil *out)
{
	int64_t shifted = day + DAYS_TO_1970;
	int era = (int)(shifted / DAYS_IN_400_YEARS), of_era = (int)(shifted % DAYS_IN_400_YEARS);
	int year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int of_year = of_era - (365 * year + year / 4 - year / 100);
	int month = (5 * of_year + 2) / 153;
	out->day = of_year - (153 * month + 2) / 5 + 1;
	out->month = month < 10 ? month + 3 : month - 9;
	out->year = era * 400 + year + (out->month <= 2);
}

struct sp_civil sp_civil_of(int64_t t_ms, int32_t zone_s)
{
	static const struct sp_civil first = {1, 1, 1, 0, 0, 0, 0, false, 0};
	static const struct sp_civil last = {YEAR_MOST, 12, 31, 23, 59, 59, 999, false, 0};
	struct sp_civil civil = {.zoned = true, .zone_s = zone_s};
	int64_t most = sp_civil_ms(&last, 0), least = sp_civil_ms(&first, 0);
	int64_t local = within(within(t_ms, least, most) + (int64_t)zone_s * 1000, least, most);
	int64_t day = floored(local, SECONDS_PER_DAY * INT64_C(1000));
	int64_t ms = local - day * SECONDS_PER_DAY * 1000;
	date_of(day, &civil);
	civil.ms = (int)(ms % 1000);
	civil.second = (int)(ms / 1000 % 60);
	civil.minute = (int)(ms / 60000 % 60);
	civil.hour = (int)(ms / 3600000);
	return civil;
}

const char *sp_civil_print(const struct sp_civil *civil, char out[SP_CIVIL_TEXT])
{
	// Modulo what each field holds anyway, so that a compiler sees that it fits.
	snprintf(out, SP_CIVIL_TEXT, "%04u-%02u-%02u %02u:%02u:%02u", (unsigned)civil->year % 10000,
		 (unsigned)civil->month % 100, (unsigned)civil->day % 100, (unsigned)civil->hour % 100,
		 (unsigned)civil->minute % 100, (unsigned)civil->second % 100);
	return out;
}
