// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Periods of KPIs out of words.
#include "tools/hub/kpi/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hub/time/local_time.h"

static bool day_of(const char *text, int64_t *day)
{
	int64_t ms;
	if (!text)
		return true;
	if (!sp_local_date_parse(text, &ms))
		return false;
	*day = sp_local_day(ms);
	return true;
}

static int refuse(char why[SP_KPI_WHY], const char *text)
{
	snprintf(why, SP_KPI_WHY, "%s", text);
	return -EINVAL;
}

int sp_kpi_ask_parse(struct sp_kpi_ask *out, const char *from, const char *to, const char *as_of,
		     int64_t now_ms, char why[SP_KPI_WHY])
{
	int64_t date = sp_local_day(now_ms) - 1;
	*out = (struct sp_kpi_ask){0};
	if (!day_of(as_of, &date))
		return refuse(why, "as-of must be a day like 2026-11-01");
	out->to_day = date + 1;
	if (!day_of(to, &out->to_day))
		return refuse(why, "to must be a day like 2026-11-01");
	out->from_day = out->to_day - SP_KPI_DAYS;
	if (!day_of(from, &out->from_day))
		return refuse(why, "from must be a day like 2026-11-01");
	if (out->from_day >= out->to_day)
		return refuse(why, "from must be before to");
	if (out->to_day - out->from_day > SP_KPI_DAYS_MAX)
		return refuse(why, "a period has at most 400 days");
	out->as_of_ms = sp_local_day_ms(as_of ? date + 1 : out->to_day) - 1;
	if (out->as_of_ms > now_ms)
		out->as_of_ms = now_ms;
	return 0;
}

int sp_kpi_ask_month(struct sp_kpi_ask *out, const char *month, const char *as_of, int64_t now_ms,
		     char why[SP_KPI_WHY])
{
	char first[16], next[64], *end;
	long year = strtol(month, &end, 10),
	     number = end == month + 4 && *end == '-' ? strtol(end + 1, NULL, 10) : 0;
	if (strlen(month) != 7 || strspn(month, "0123456789-") != 7 || year < 1970 || number < 1 ||
	    number > 12)
		return refuse(why, "month must be like 2026-10");
	snprintf(first, sizeof(first), "%.7s-01", month);
	snprintf(next, sizeof(next), "%04ld-%02ld-01", number == 12 ? year + 1 : year, number % 12 + 1);
	return sp_kpi_ask_parse(out, first, next, as_of, now_ms, why);
}
