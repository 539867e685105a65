// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From a byte counter that is looked at now and then to a rate: the counter as a function of time, straight
// between two looks, so that the edges of what is averaged (the end of the warm-up, the end of the load) are
// exact whenever the looks came. Pure functions; all speed drivers share them.
#pragma once

#include <stdint.h>

#include "schoolpulse/speed.h"

enum {
	SP_METER_POINTS = 3072,
	/// Looks closer together than this are one: a minute fits, whatever the caller's pace.
	SP_METER_GRAIN_US = 20 * 1000,
};

struct sp_meter {
	unsigned count;
	struct sp_meter_point {
		int64_t at_us, bytes;
	} points[SP_METER_POINTS];
};

/// The load begins now, nothing counted yet. Forgets what was before.
void sp_meter_start(struct sp_meter *meter, int64_t now_us);
/// All bytes since the start. Neither time nor bytes run backwards: what would is raised to the last look's.
void sp_meter_look(struct sp_meter *meter, int64_t now_us, int64_t bytes);
/// Bytes until then, since the start; beyond the last look that look's.
int64_t sp_meter_at(const struct sp_meter *meter, int64_t at_us);
/// Bytes from then until then.
int64_t sp_meter_between(const struct sp_meter *meter, int64_t from_us, int64_t to_us);
/// Bit/s over the last `over_us` before the last look, for who watches; 0 before there is something.
double sp_meter_now(const struct sp_meter *meter, int64_t over_us);
/// When the counter last rose: the time of that look; the start when it never did.
int64_t sp_meter_moved_us(const struct sp_meter *meter);
/// Fills the result's bytes, duration, warm-up and curve with what lay between start + warm-up and `end_us`.
/// The curve has whole seconds only, those of the warm-up included. False, and no bytes, when less than
/// `least_us` lay between.
bool sp_meter_result(const struct sp_meter *meter, int64_t warmup_us, int64_t end_us, int64_t least_us,
		     struct sp_speed_result *out);
