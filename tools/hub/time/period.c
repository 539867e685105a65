// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Periods out of words.
#include "tools/hub/time/period.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hub/time/local_time.h"

/// Beyond it no date of sp_local_date_parse() lies: the year 3000.
#define LATEST_MS INT64_C(32503680000000)

static bool moment(const char *text, int64_t *out)
{
	if (sp_local_date_parse(text, out))
		return true;
	size_t length = strlen(text);
	if (length == 0 || length > 14 || strspn(text, "0123456789") != length)
		return false;
	*out = strtoll(text, NULL, 10);
	return *out <= LATEST_MS;
}

static int bad(char why[SP_PERIOD_WHY], const char *name)
{
	snprintf(why, SP_PERIOD_WHY, "%s must be a day like 2026-11-01, or Unix milliseconds", name);
	return -EINVAL;
}

int sp_period_parse(struct sp_period *out, const char *from, const char *to, int64_t now_ms,
		    char why[SP_PERIOD_WHY])
{
	int64_t local_ms = now_ms + SP_LOCAL_OFFSET_MS;
	out->to_ms = now_ms - local_ms % SP_DAY_MS + SP_DAY_MS;
	if (to && !moment(to, &out->to_ms))
		return bad(why, "to");
	out->from_ms = out->to_ms - SP_PERIOD_DAYS_DEFAULT * SP_DAY_MS;
	if (from && !moment(from, &out->from_ms))
		return bad(why, "from");
	if (out->from_ms >= out->to_ms) {
		snprintf(why, SP_PERIOD_WHY, "from must be before to");
		return -EINVAL;
	}
	if (out->to_ms - out->from_ms > SP_PERIOD_DAYS_MAX * SP_DAY_MS) {
		snprintf(why, SP_PERIOD_WHY, "a period has at most %d days", SP_PERIOD_DAYS_MAX);
		return -EINVAL;
	}
	return 0;
}
