// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Dates and times at UTC+7.
#include "tools/hub/time/local_time.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static struct tm broken_down(int64_t t_ms)
{
	time_t seconds = (time_t)((t_ms + SP_LOCAL_OFFSET_MS) / 1000);
	struct tm tm = {0};
	gmtime_r(&seconds, &tm);
	return tm;
}

const char *sp_local_time(int64_t t_ms, char out[SP_LOCAL_TIME_SIZE])
{
	struct tm tm = broken_down(t_ms);
	strftime(out, SP_LOCAL_TIME_SIZE, "%Y-%m-%dT%H:%M:%S+07:00", &tm);
	return out;
}

const char *sp_local_date(int64_t t_ms, char out[SP_LOCAL_TIME_SIZE])
{
	struct tm tm = broken_down(t_ms);
	strftime(out, SP_LOCAL_TIME_SIZE, "%Y-%m-%d", &tm);
	return out;
}

int64_t sp_local_day(int64_t t_ms)
{
	int64_t local_ms = t_ms + SP_LOCAL_OFFSET_MS, day = local_ms / SP_DAY_MS;
	return local_ms % SP_DAY_MS < 0 ? day - 1 : day;
}

int64_t sp_local_day_ms(int64_t day)
{
	return day * SP_DAY_MS - SP_LOCAL_OFFSET_MS;
}

bool sp_local_date_parse(const char *text, int64_t *from_ms)
{
	struct tm tm = {0}, check;
	if (strlen(text) != 10 || strspn(text, "0123456789-") != 10 ||
	    sscanf(text, "%4d-%2d-%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday) != 3 || text[4] != '-' ||
	    text[7] != '-' || tm.tm_year < 2000 || tm.tm_year > 2999)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	check = tm;
	time_t seconds = timegm(&check);
	// timegm() makes 3 March of 31 February.
	if (check.tm_mday != tm.tm_mday || check.tm_mon != tm.tm_mon)
		return false;
	*from_ms = (int64_t)seconds * 1000 - SP_LOCAL_OFFSET_MS;
	return true;
}
