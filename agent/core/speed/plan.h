// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// When each device tests by itself. Pure: time comes by argument, chance follows from a salt.
//
// Windows: each has `samples` strata of its usable time (draw.h), one test in each. Over a week the
// tests of a stratum fall into as many equal cells as there are days with tests, each cell once, in an order
// of chance: so the samples cover the window evenly and nobody can tell the next. A test whose moment went by
// (the agent was off, the clock unknown), or that could not be begun, is made up in what is left of its
// window, at a moment of chance, at most twice; where there is no room for that and nothing was recorded, it
// is missed. Quiet periods and days without tests are passed over in silence. A pace (sp_pace) of a driver's
// own replaces the windows; quiet periods hold all the same.
//
// What is kept on the card says which tests of the day are done, so that a start at any moment neither
// doubles one nor loses one.
#pragma once

#include "agent/core/speed/times.h"
#include "schoolpulse/driver.h"

struct sp_speed_plan;

enum {
	SP_SPEED_PLAN_LATE_MS = 120 * 1000, ///< later than this its moment has gone by
	SP_SPEED_PLAN_TRIES = 3,            ///< of one test, the first included
	SP_SPEED_BACKOFF_LEAST_S = 60, ///< after "no capacity" of a method with a pace; doubled each time
	SP_SPEED_BACKOFF_MOST_S = 960,
};

/// `times` must outlive it; `salt` is for a board that has none yet, and copied (64 bytes at most).
struct sp_speed_plan *sp_speed_plan_new(const struct sp_speed_times *times, const char *salt);
/// NULL is fine.
void sp_speed_plan_free(struct sp_speed_plan *plan);
/// Before load; `name` must outlive the plan. A pace whose mean is 0: the windows. Its index is the number
/// of those added before.
void sp_speed_plan_add(struct sp_speed_plan *plan, const char *name, const struct sp_pace *pace);
size_t sp_speed_plan_count(const struct sp_speed_plan *plan);
const char *sp_speed_plan_name(const struct sp_speed_plan *plan, size_t device);

/// What sp_speed_plan_text() gave, before the first look; NULL or nonsense: nothing is known.
void sp_speed_plan_load(struct sp_speed_plan *plan, const char *text);
/// free() it.
char *sp_speed_plan_text(const struct sp_speed_plan *plan);
/// What is to be kept, in `text` (free() it), if it differs from what was kept or loaded last.
bool sp_speed_plan_news(struct sp_speed_plan *plan, char **text);

struct sp_speed_due {
	size_t device;
	bool missed; ///< to be recorded as not done; otherwise it begins now, and ended() will be called
	int64_t due_ms;
};
/// What is due at `now_ms` of a synchronised clock; call it until it says false.
bool sp_speed_plan_take(struct sp_speed_plan *plan, int64_t now_ms, struct sp_speed_due *out);

enum sp_speed_fate {
	SP_SPEED_TAKEN,       ///< it was done, or there is no use in trying again
	SP_SPEED_AGAIN,       ///< not done, for a reason that passes
	SP_SPEED_NO_CAPACITY, ///< not done: the server has no room for us now
};
/// The test that was due begins to load the line: from here on it counts as done.
void sp_speed_plan_ran(struct sp_speed_plan *plan, size_t device, int64_t now_ms);
void sp_speed_plan_ended(struct sp_speed_plan *plan, size_t device, int64_t now_ms, enum sp_speed_fate fate);

/// When the device tests next as far as that is planned; 0: not within three weeks.
int64_t sp_speed_plan_next_ms(const struct sp_speed_plan *plan, size_t device, int64_t now_ms);
