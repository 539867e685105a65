// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Days (day.h), by years that begin in March, so that the leap day is the last.
#include "agent/core/attendance/day.h"

#include <stdio.h>

enum { DAYS_IN_400_YEARS = 146097, DAYS_TO_1970 = 719468 /* from 0000-03-01 */ };

static int64_t floored(int64_t value, int64_t by)
{
	return value / by - (value % by < 0);
}

int32_t sp_local_day(int64_t t_ms)
{
	return (int32_t)floored(t_ms + SP_LOCAL_MS, SP_DAY_MS);
}

struct sp_date sp_day_date(int32_t day)
{
	int64_t since = (int64_t)day + DAYS_TO_1970, era = floored(since, DAYS_IN_400_YEARS);
	int64_t of_era = since - era * DAYS_IN_400_YEARS;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100), shifted = (5 * of_year + 2) / 153;
	unsigned month = (unsigned)(shifted < 10 ? shifted + 3 : shifted - 9);
	return (struct sp_date){.year = (int32_t)(year + era * 400 + (month <= 2)),
				.month = month,
				.day = (unsigned)(of_year - (153 * shifted + 2) / 5 + 1)};
}

void sp_day_text(int32_t day, char *out, size_t size)
{
	struct sp_date date = sp_day_date(day);
	snprintf(out, size, "%04d-%02u-%02u", date.year, date.month, date.day);
}
