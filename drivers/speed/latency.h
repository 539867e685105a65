// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Round trips and what is said of them: least, median, 95th percentile, jitter. Pure functions; all speed
// drivers share them.
#pragma once

#include "schoolpulse/speed.h"

enum { SP_LATENCY_MOST = 1024 };

struct sp_latency {
	unsigned count, pairs;
	bool gap;
	double jitter_sum; ///< of the differences of consecutive ones
	double values[SP_LATENCY_MOST];
};

/// A round trip, in seconds. Beyond SP_LATENCY_MOST and for what is no time: nothing.
void sp_latency_add(struct sp_latency *latency, double seconds);
/// One went missing: the next has no predecessor for the jitter.
void sp_latency_gap(struct sp_latency *latency);
/// All zero when nothing was measured; the 95th percentile by nearest rank.
void sp_latency_result(const struct sp_latency *latency, struct sp_speed_latency *out);
