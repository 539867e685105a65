// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Chance that can be repeated, and the parts of a window in which a test may begin: away from the hour and
// the half hour, when every machine of a province does something, and not in quiet periods. Pure.
#pragma once

#include "agent/core/speed/times.h"

enum {
	SP_SPEED_MARK_S = 1800,      ///< full and half hours
	SP_SPEED_MARK_AWAY_S = 90,   ///< a test begins no nearer to one
	SP_SPEED_QUIET_AWAY_S = 180, ///< a test that begins no nearer before a quiet period is over by then
	SP_SPEED_SPANS = 128,
};

/// Moments (ms of Unix time) at which a test may begin, in order.
struct sp_speed_spans {
	struct sp_speed_span {
		int64_t from_ms, to_ms;
	} spans[SP_SPEED_SPANS];
	size_t count;
	int64_t total_ms;
};

/// Those of one window of one day, not before `after_ms`.
void sp_speed_spans(const struct sp_speed_times *times, size_t window, int64_t day, int64_t after_ms,
		    struct sp_speed_spans *out);
/// The moment that lies at `share`, 0 ≤ share < 1, of all of them; `total_ms` must be > 0.
int64_t sp_speed_spans_at(const struct sp_speed_spans *spans, double share);

/// A stream of numbers that follows from what it was begun with.
struct sp_speed_chance {
	uint64_t state;
};
struct sp_speed_chance sp_speed_chance(const char *salt, const char *name, int64_t a, int64_t b, int64_t c);
/// Uniform in [0, 1).
double sp_speed_chance_unit(struct sp_speed_chance *chance);
