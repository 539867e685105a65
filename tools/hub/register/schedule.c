// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Days of a site.
#include "tools/hub/register/schedule.h"

#include <stdlib.h>
#include <string.h>

#include "tools/hub/time/local_time.h"

enum { DAY_MINUTES = 24 * 60 };
#define MINUTE_MS INT64_C(60000)

const char *sp_time_kind_name(enum sp_time_kind kind)
{
	static const char *const names[] = {"lesson", "exam"};
	return names[kind];
}

/// The day as it is being put together.
struct day {
	int64_t from_ms, to_ms;
	struct sp_stretch *items;
	size_t count;
};

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/// Adds what of it lies within the day.
static void add(struct day *day, int64_t from_ms, int64_t to_ms, enum sp_time_kind kind)
{
	from_ms = later(from_ms, day->from_ms);
	to_ms = earlier(to_ms, day->to_ms);
	if (from_ms < to_ms && day->count < SP_STRETCHES_MAX)
		day->items[day->count++] = (struct sp_stretch){from_ms, to_ms, kind};
}

/// Takes a span out of the stretches that are no examinations, or out of all.
static void take_out(struct day *day, int64_t from_ms, int64_t to_ms, bool exams_too)
{
	for (size_t i = day->count; i-- > 0;) {
		struct sp_stretch *s = &day->items[i], was = *s;
		if (s->to_ms <= from_ms || s->from_ms >= to_ms || (!exams_too && s->kind == SP_TIME_EXAM))
			continue;
		bool before = was.from_ms<from_ms, behind = was.to_ms> to_ms;
		if (before)
			s->to_ms = from_ms;
		else if (behind)
			s->from_ms = to_ms;
		else
			*s = day->items[--day->count]; // what moves here was looked at
		if (before && behind)
			add(day, to_ms, was.to_ms, was.kind);
	}
}

static int by_time(const void *left, const void *right)
{
	const struct sp_stretch *a = left, *b = right;
	int order = (a->from_ms > b->from_ms) - (a->from_ms < b->from_ms);
	return order ? order : (a->to_ms > b->to_ms) - (a->to_ms < b->to_ms);
}

/// In order, and each moment once: what begins within another one of its kind is part of it. Examinations and
/// lessons do not meet any more.
static void join(struct day *day)
{
	size_t kept = 0;
	if (day->count > 1)
		qsort(day->items, day->count, sizeof(*day->items), by_time);
	for (size_t i = 0; i < day->count; i++) {
		struct sp_stretch *last = kept > 0 ? &day->items[kept - 1] : NULL;
		if (last && last->to_ms >= day->items[i].from_ms && last->kind == day->items[i].kind)
			last->to_ms = later(last->to_ms, day->items[i].to_ms);
		else
			day->items[kept++] = day->items[i];
	}
	day->count = kept;
}

static void add_week(struct day *day, const struct sp_timetable *week, enum sp_time_kind kind,
		     int64_t from_ms, int64_t to_ms)
{
	// 1970-01-01 was a Thursday.
	int64_t number = sp_local_day(day->from_ms);
	int weekday = (int)(((number + 3) % 7 + 7) % 7);
	for (unsigned i = 0; i < week->count; i++) {
		int minute = week->stretches[i].from - weekday * DAY_MINUTES;
		if (minute < 0 || minute >= DAY_MINUTES)
			continue;
		int64_t begin = day->from_ms + minute * MINUTE_MS;
		int64_t end = begin + (week->stretches[i].to - week->stretches[i].from) * MINUTE_MS;
		add(day, later(begin, from_ms), earlier(end, to_ms), kind);
	}
}

static void add_weeks(const struct sp_schedule *schedule, struct day *day)
{
	int64_t number = sp_local_day(day->from_ms);
	for (size_t u = 0; u < schedule->use_count; u++) {
		const struct sp_schedule_use *use = &schedule->uses[u];
		if (use->from_ms >= day->to_ms || use->to_ms <= day->from_ms)
			continue;
		for (size_t i = 0; i < use->weeks->count; i++) {
			const struct sp_week *week = &use->weeks->items[i];
			if (week->from_day <= number && number < week->to_day)
				add_week(day, &week->week, week->kind, use->from_ms, use->to_ms);
		}
	}
}

/// Each mark of that kind that touches the day.
static void marks(const struct sp_schedule *schedule, struct day *day, enum sp_mark_kind kind)
{
	for (size_t l = 0; l < schedule->layer_count; l++) {
		const struct sp_schedule_layer *layer = &schedule->layers[l];
		for (size_t i = 0; i < layer->marks->count; i++) {
			const struct sp_mark *mark = &layer->marks->items[i];
			int64_t from_ms = later(mark->from_ms, layer->from_ms);
			int64_t to_ms = earlier(mark->to_ms, layer->to_ms);
			if (mark->from_ms >= day->to_ms)
				break;
			if (mark->kind != kind || from_ms >= day->to_ms || to_ms <= day->from_ms ||
			    from_ms >= to_ms)
				continue;
			take_out(day, from_ms, to_ms, true);
			if (kind == SP_MARK_EXAM)
				add(day, from_ms, to_ms, SP_TIME_EXAM);
		}
	}
}

/// They take the place of lessons, as those by their date do.
static void exams_of_the_week(struct day *day)
{
	struct sp_stretch exams[SP_STRETCHES_MAX];
	size_t count = 0;
	for (size_t i = 0; i < day->count; i++) {
		if (day->items[i].kind == SP_TIME_EXAM)
			exams[count++] = day->items[i];
	}
	for (size_t i = 0; i < count; i++)
		take_out(day, exams[i].from_ms, exams[i].to_ms, false);
}

size_t sp_schedule_day(const struct sp_schedule *schedule, int64_t day,
		       struct sp_stretch out[SP_STRETCHES_MAX])
{
	int64_t from_ms = sp_local_day_ms(day);
	struct day d = {from_ms, from_ms + SP_DAY_MS, out, 0};
	add_weeks(schedule, &d);
	if (d.count > 0)
		marks(schedule, &d, SP_MARK_OFF);
	exams_of_the_week(&d);
	marks(schedule, &d, SP_MARK_EXAM);
	if (d.count > 0)
		marks(schedule, &d, SP_MARK_MAINTENANCE);
	join(&d);
	return d.count;
}

bool sp_schedule_known(const struct sp_schedule *schedule, int64_t t_ms)
{
	for (size_t i = 0; i < schedule->use_count; i++) {
		const struct sp_schedule_use *use = &schedule->uses[i];
		if (use->from_ms <= t_ms && t_ms < use->to_ms && use->weeks->count > 0)
			return true;
	}
	return false;
}

int sp_schedule_begin(const struct sp_schedule *schedule, int64_t day)
{
	struct sp_stretch stretches[SP_STRETCHES_MAX];
	if (sp_schedule_day(schedule, day, stretches) == 0)
		return -1;
	return (int)((stretches[0].from_ms - sp_local_day_ms(day)) / MINUTE_MS);
}

bool sp_schedule_next(const struct sp_schedule *schedule, int64_t at_ms, int64_t until_ms,
		      struct sp_stretch *out)
{
	struct sp_stretch stretches[SP_STRETCHES_MAX];
	int64_t first = sp_local_day(at_ms);
	for (int64_t day = first; day < first + SP_SCHEDULE_REACH_DAYS; day++) {
		if (sp_local_day_ms(day) >= until_ms)
			return false;
		size_t count = sp_schedule_day(schedule, day, stretches);
		for (size_t i = 0; i < count; i++) {
			if (stretches[i].to_ms > at_ms) {
				*out = stretches[i];
				return out->from_ms < until_ms;
			}
		}
	}
	return false;
}

bool sp_schedule_touches(const struct sp_schedule *schedule, int64_t from_ms, int64_t to_ms, int64_t grace_ms)
{
	struct sp_stretch next;
	int64_t end_ms = sp_local_day_ms(sp_local_day(from_ms) + SP_SCHEDULE_REACH_DAYS);
	to_ms = earlier(to_ms, end_ms);
	while (sp_schedule_next(schedule, from_ms, to_ms + 1, &next)) {
		int64_t begin = next.from_ms + grace_ms, end = next.to_ms - grace_ms;
		if (begin < end && begin <= to_ms && end > from_ms)
			return true;
		from_ms = next.to_ms;
	}
	return false;
}

void sp_schedule_of_week(struct sp_schedule_week *out, const struct sp_timetable *week)
{
	*out = (struct sp_schedule_week){.week = {INT64_MIN, INT64_MAX, SP_TIME_LESSON, *week},
					 .use = {INT64_MIN, INT64_MAX, &out->weeks}};
	out->weeks = (struct sp_weeks){&out->week, week->count > 0};
	out->schedule = (struct sp_schedule){.uses = &out->use, .use_count = 1};
}
