// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// How much of a site's school time a kiosk was up, and whether attendance at a school was automatic: the KPI
// attendance_automation_ratio. Pure.
#pragma once

#include <stddef.h>

#include "tools/hub/store/store.h"
#include "tools/hub/register/schedule.h"

#define SP_KIOSK_HEALTHY_SHARE  0.8 ///< of a day's school time: a healthy kiosk was up for so much
#define SP_AUTOMATED_DAYS_SHARE 0.9 ///< of the school days: on so many there was one

/// Degraded is up: it takes events.
struct sp_uptime {
	int64_t scheduled_ms, up_ms, down_ms, unknown_ms;
};
/// Of the school time in from_ms…to_ms; all zero where there is none.
struct sp_uptime sp_uptime_of(const struct sp_segment *segments, size_t count,
			      const struct sp_schedule *schedule, int64_t from_ms, int64_t to_ms);

/// The best kiosk of a school on each day of a period.
struct sp_automation {
	int64_t from_day, days;
	struct sp_automation_day {
		bool school_day;
		double up, possible; ///< shares of the school time: surely up; at most up
	} * list;
};
struct sp_automation *sp_automation_new(int64_t from_day, int64_t days);
void sp_automation_free(struct sp_automation *automation);
/// School days are those with a stretch of school time that has begun before `now_ms`.
void sp_automation_schedule(struct sp_automation *automation, const struct sp_schedule *schedule,
			    int64_t now_ms);
void sp_automation_kiosk(struct sp_automation *automation, const struct sp_segment *segments, size_t count,
			 const struct sp_schedule *schedule, int64_t now_ms);
/// Fills days, yes, no, unknown, and by `kiosks` unit and reason.
void sp_automation_judge(const struct sp_automation *automation, struct sp_automation_view *out);
