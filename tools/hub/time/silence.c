// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Reading silences.
#include "tools/hub/time/silence.h"

#include <stddef.h>

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

struct sp_silence_start sp_silence_start(const struct sp_silence_evidence *e)
{
	struct sp_silence_start start = {-1, -1};
	int64_t err_ms = e->last_err_ms > 0 ? e->last_err_ms : 0;
	if (e->last_ms >= 0)
		start.from_ms = most(e->last_ms - err_ms, 0);
	start.from_ms = most(start.from_ms, e->heard_ms);
	if (start.from_ms < 0)
		return start;
	start.to_ms = e->end_ms >= 0 ? e->end_ms : INT64_MAX;
	if (e->last_ms >= 0 && e->width_ms >= 0)
		start.to_ms = least(start.to_ms, e->last_ms + err_ms + e->width_ms);
	// A session that ended before the board's last sign of life is another story.
	if (e->lost_ms >= start.from_ms && !e->line_was_down)
		start.to_ms = least(start.to_ms, e->lost_ms);
	if (start.to_ms == INT64_MAX)
		return (struct sp_silence_start){-1, -1};
	start.to_ms = most(start.to_ms, start.from_ms);
	return start;
}

bool sp_silence_switched_off(const struct sp_silence_start *start, const struct sp_schedule *schedule)
{
	return start->from_ms >= 0 && sp_schedule_known(schedule, start->to_ms) &&
	       !sp_schedule_touches(schedule, start->from_ms, start->to_ms, SP_SILENCE_GRACE_MS);
}

const char *sp_silence_side(const struct sp_silence_start *lost, const struct sp_schedule *schedule)
{
	if (lost->from_ms < 0 || !sp_schedule_known(schedule, lost->to_ms))
		return NULL;
	return sp_silence_switched_off(lost, schedule) ? "outside" : "inside";
}

bool sp_silence_presumed_off(const struct sp_silence_start *lost, const struct sp_schedule *schedule,
			     int64_t now_ms)
{
	return sp_silence_switched_off(lost, schedule) &&
	       !sp_schedule_touches(schedule, lost->from_ms, now_ms, SP_SILENCE_GRACE_MS);
}
