// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Kiosks against school time.
#include "tools/hub/figures/automation.h"

#include <stdlib.h>

#include "agent/base/mem.h"
#include "tools/hub/time/local_time.h"

const char *sp_unit_name(enum sp_unit unit)
{
	static const char *const names[] = {"unknown", "yes", "no"};
	return names[unit];
}

static int64_t overlap(int64_t a_from, int64_t a_to, int64_t b_from, int64_t b_to)
{
	int64_t from = a_from > b_from ? a_from : b_from, to = a_to < b_to ? a_to : b_to;
	return to > from ? to - from : 0;
}

static void add(struct sp_uptime *out, enum sp_line_state state, int64_t ms)
{
	switch (state) {
	case SP_LINE_UP:
	case SP_LINE_DEGRADED:
		out->up_ms += ms;
		break;
	case SP_LINE_DOWN:
		out->down_ms += ms;
		break;
	case SP_LINE_UNKNOWN:
		out->unknown_ms += ms;
		break;
	}
}

struct sp_uptime sp_uptime_of(const struct sp_segment *segments, size_t count,
			      const struct sp_schedule *schedule, int64_t from_ms, int64_t to_ms)
{
	struct sp_uptime out = {0};
	struct sp_stretch next;
	int64_t at = from_ms;
	while (at < to_ms && sp_schedule_next(schedule, at, to_ms, &next)) {
		int64_t from = next.from_ms > at ? next.from_ms : at;
		int64_t to = next.to_ms < to_ms ? next.to_ms : to_ms;
		out.scheduled_ms += to - from;
		for (size_t i = 0; i < count && segments[i].from_ms < to; i++)
			add(&out, segments[i].state,
			    overlap(segments[i].from_ms, segments[i].to_ms, from, to));
		at = to;
	}
	// What the segments do not reach is not known.
	out.unknown_ms = out.scheduled_ms - out.up_ms - out.down_ms;
	return out;
}

struct sp_automation *sp_automation_new(int64_t from_day, int64_t days)
{
	struct sp_automation *automation = sp_alloc(sizeof(*automation));
	automation->from_day = from_day;
	automation->days = days;
	automation->list = sp_alloc((size_t)(days + 1) * sizeof(*automation->list));
	return automation;
}

void sp_automation_free(struct sp_automation *automation)
{
	if (!automation)
		return;
	free(automation->list);
	free(automation);
}

void sp_automation_schedule(struct sp_automation *automation, const struct sp_schedule *schedule,
			    int64_t now_ms)
{
	for (int64_t i = 0; i < automation->days; i++) {
		int64_t day = automation->from_day + i;
		int begin = sp_schedule_begin(schedule, day);
		if (begin >= 0 && sp_local_day_ms(day) + begin * INT64_C(60000) < now_ms)
			automation->list[i].school_day = true;
	}
}

void sp_automation_kiosk(struct sp_automation *automation, const struct sp_segment *segments, size_t count,
			 const struct sp_schedule *schedule, int64_t now_ms)
{
	size_t first = 0;
	for (int64_t i = 0; i < automation->days; i++) {
		int64_t from_ms = sp_local_day_ms(automation->from_day + i), to_ms = from_ms + SP_DAY_MS;
		while (first < count && segments[first].to_ms <= from_ms)
			first++;
		struct sp_uptime up = sp_uptime_of(segments + first, count - first, schedule, from_ms,
						   to_ms < now_ms ? to_ms : now_ms);
		if (up.scheduled_ms <= 0)
			continue;
		double share = (double)up.up_ms / (double)up.scheduled_ms;
		double possible = (double)(up.up_ms + up.unknown_ms) / (double)up.scheduled_ms;
		struct sp_automation_day *day = &automation->list[i];
		day->up = share > day->up ? share : day->up;
		day->possible = possible > day->possible ? possible : day->possible;
	}
}

static void judge_days(const struct sp_automation *automation, struct sp_automation_view *out)
{
	out->days = out->yes = out->no = out->unknown = 0;
	for (int64_t i = 0; i < automation->days; i++) {
		const struct sp_automation_day *day = &automation->list[i];
		if (!day->school_day)
			continue;
		out->days++;
		if (day->up >= SP_KIOSK_HEALTHY_SHARE)
			out->yes++;
		else if (out->kiosks > 0 && day->possible < SP_KIOSK_HEALTHY_SHARE)
			out->no++;
		else
			out->unknown++;
	}
}

void sp_automation_judge(const struct sp_automation *automation, struct sp_automation_view *out)
{
	judge_days(automation, out);
	double asked = SP_AUTOMATED_DAYS_SHARE * (double)out->days;
	out->unit = SP_UNIT_UNKNOWN;
	out->reason = "not_measured";
	if (out->days == 0)
		out->reason = "no_timetable";
	else if (out->kiosks == 0)
		out->reason = "no_kiosk";
	else if ((double)out->yes >= asked)
		out->unit = SP_UNIT_YES;
	else if ((double)(out->yes + out->unknown) < asked)
		out->unit = SP_UNIT_NO;
	if (out->unit != SP_UNIT_UNKNOWN)
		out->reason = "";
}
