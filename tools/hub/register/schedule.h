// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// When a site is in use, day by day: its timetable without holidays and summer, examinations added,
// maintenance taken out. What KPIs, silences and kiosks are measured against. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/hub/time/timetable.h"

enum sp_time_kind { SP_TIME_LESSON, SP_TIME_EXAM };
const char *sp_time_kind_name(enum sp_time_kind kind); ///< "lesson", "exam"

/// A stretch of school time; never empty, in order, no two of them at the same moment.
struct sp_stretch {
	int64_t from_ms, to_ms;
	enum sp_time_kind kind;
};
enum { SP_STRETCHES_MAX = 64 }; ///< of a day; more are not kept

/// A week of a timetable on days from_day ≤ d < to_day.
struct sp_week {
	int64_t from_day, to_day;
	enum sp_time_kind kind;
	struct sp_timetable week;
};
struct sp_weeks {
	struct sp_week *items;
	size_t count;
};

enum sp_mark_kind {
	SP_MARK_OFF,         ///< holiday or summer: no week counts
	SP_MARK_EXAM,        ///< examinations, also in summer
	SP_MARK_MAINTENANCE, ///< nothing counts
};
struct sp_mark {
	int64_t from_ms, to_ms;
	enum sp_mark_kind kind;
};
/// In order of from_ms.
struct sp_marks {
	struct sp_mark *items;
	size_t count;
};

/// Of one site. What it points at is shared by many and belongs to others.
struct sp_schedule {
	struct sp_schedule_use {
		int64_t from_ms, to_ms; ///< the site used these weeks then
		const struct sp_weeks *weeks;
	} * uses;
	size_t use_count;
	struct sp_schedule_layer {
		int64_t from_ms, to_ms; ///< these were its marks then: an area's, while the school lay in it
		const struct sp_marks *marks;
	} * layers;
	size_t layer_count;
};

/// Does anybody know when the site is in use around that moment?
bool sp_schedule_known(const struct sp_schedule *schedule, int64_t t_ms);
/// The stretches of a day (since 1970-01-01, at UTC+7); how many.
size_t sp_schedule_day(const struct sp_schedule *schedule, int64_t day,
		       struct sp_stretch out[SP_STRETCHES_MAX]);

// What sp_timetable_…() say of a week, of the schedule. They look SP_SCHEDULE_REACH_DAYS ahead.
enum { SP_SCHEDULE_REACH_DAYS = 800 };
/// When the day begins, in minutes from midnight; -1: it is none.
int sp_schedule_begin(const struct sp_schedule *schedule, int64_t day);
/// The first stretch that ends after `at_ms` and begins before `until_ms`; false without any.
bool sp_schedule_next(const struct sp_schedule *schedule, int64_t at_ms, int64_t until_ms,
		      struct sp_stretch *out);
/// Is any moment of from_ms…to_ms (both included) within it, `grace_ms` at either end of each stretch aside?
bool sp_schedule_touches(const struct sp_schedule *schedule, int64_t from_ms, int64_t to_ms,
			 int64_t grace_ms);

/// A schedule of this week alone, always: for what has no register behind it.
struct sp_schedule_week {
	struct sp_schedule schedule;
	struct sp_schedule_use use;
	struct sp_weeks weeks;
	struct sp_week week;
};
/// Fills it; nothing is allocated.
void sp_schedule_of_week(struct sp_schedule_week *out, const struct sp_timetable *week);
