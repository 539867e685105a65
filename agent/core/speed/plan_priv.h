// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The inside of the plan, shared with what keeps it.
#pragma once

#include "agent/core/speed/draw.h"
#include "agent/core/speed/plan.h"

enum { SP_SPEED_SALT_MAX = 64, SP_SPEED_NO_DAY = -1 };

/// One test of one day.
struct sp_speed_slot {
	bool done;      ///< or not to be done any more
	unsigned tries; ///< that failed to begin
	int64_t due_ms; ///< not kept: 0 until it is drawn
};

struct sp_speed_plan_device {
	const char *name;
	struct sp_pace pace;
	// Windows.
	int64_t day; ///< whose slots these are; SP_SPEED_NO_DAY: none yet
	struct sp_speed_slot slots[SP_SPEED_WINDOWS][SP_SPEED_SAMPLES_MAX];
	// Pace.
	int64_t next_ms; ///< 0: not drawn yet
	int64_t backoff_s;

	/// A test that was due is not over.
	bool asked;
	int64_t asked_day;
	size_t window, sample; ///< whose
};

struct sp_speed_plan {
	const struct sp_speed_times *times;
	char salt[SP_SPEED_SALT_MAX + 1];
	struct sp_speed_plan_device *devices;
	size_t count;
	char *kept; ///< the text as it was given or loaded last
};

/// A number that another set of windows hardly has.
int64_t sp_speed_plan_shape(const struct sp_speed_plan *plan);
