// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Values in a form that people read.
#include <stdio.h>
#include <time.h>

#include "agent/base/language.h"
#include "agent/cli/page.h"

const char *sp_text_rtt(double seconds, char out[32])
{
	double ms = seconds * 1000.0;
	if (ms < 10)
		snprintf(out, 32, "%.2f ms", ms);
	else if (ms < 1000)
		snprintf(out, 32, "%.1f ms", ms);
	else
		snprintf(out, 32, "%.2f s", seconds);
	return out;
}

const char *sp_text_span(double seconds, char out[48])
{
	// Neither NAN nor what no clock shows may reach the conversion.
	long long s = seconds > 0 && seconds < 1e15 ? (long long)seconds : 0;
	if (s < 60)
		snprintf(out, 48, _("%lld s"), s);
	else if (s < 3600)
		snprintf(out, 48, _("%lld min %lld s"), s / 60, s % 60);
	else if (s < 86400)
		snprintf(out, 48, _("%lld h %lld min"), s / 3600, s / 60 % 60);
	else
		snprintf(out, 48, _("%lld d %lld h"), s / 86400, s / 3600 % 24);
	return out;
}

const char *sp_text_bytes(double bytes, char out[32])
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
	size_t unit = 0;
	while (bytes >= 999.5 && unit + 1 < SP_COUNT(units)) {
		bytes /= 1000.0;
		unit++;
	}
	snprintf(out, 32, unit == 0 || bytes >= 100 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
	return out;
}

const char *sp_text_when(int64_t t_ms, int64_t now_ms, char out[32])
{
	time_t then = (time_t)(t_ms / 1000), now = (time_t)(now_ms / 1000);
	struct tm then_tm, now_tm;
	localtime_r(&then, &then_tm);
	localtime_r(&now, &now_tm);
	bool today = then_tm.tm_year == now_tm.tm_year && then_tm.tm_yday == now_tm.tm_yday;
	if (strftime(out, 32, today ? "%H:%M:%S" : _("%d %b %H:%M"), &then_tm) == 0)
		out[0] = '\0';
	return out;
}
