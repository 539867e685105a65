// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the fleet did, in numbers: counts, rates, and how long acknowledgements took.
#pragma once

#include <stdint.h>
#include <stdio.h>

enum { SP_LATENCY_BUCKETS = 640 };

/// Microseconds in buckets that are 1/16 of a power of two wide.
struct sp_latency {
	int64_t count, most_us, total_us;
	int64_t buckets[SP_LATENCY_BUCKETS];
};

void sp_latency_add(struct sp_latency *latency, int64_t us);
/// The upper edge of the bucket in which that share of them is over; 0 without any.
int64_t sp_latency_at(const struct sp_latency *latency, double share);

struct sp_figures {
	int64_t connected, connected_most, sessions, refused_sessions, lost_sessions;
	int64_t births, messages, events, resent, refused, replayed;
	int64_t acknowledged; ///< batches
	int64_t sent_bytes, received_bytes;
	struct sp_latency facts, bulk, backlog; ///< of what was made live, and of what was old
	struct sp_latency steady;               ///< of what was sent between the warm-up and the lives' end
};

struct sp_figures_more {
	int64_t boards, made, made_events, made_facts, waiting;
	uint64_t digest;
	double seconds;
};

/// One line: rates since the last one.
void sp_figures_progress(const struct sp_figures *now, const struct sp_figures *before,
			 const struct sp_figures_more *more, double seconds, FILE *out);
void sp_figures_json(const struct sp_figures *figures, const struct sp_figures_more *more, FILE *out);
