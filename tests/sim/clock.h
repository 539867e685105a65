// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What time the board thinks it is: monotonic time that drifts, wall time that is a claim until NTP answers,
// and the true time that only the simulation knows.
#pragma once

#include "agent/base/clock_trust.h"
#include "agent/core/loop.h"
#include "schoolpulse/clock.h"
#include "tests/sim/world.h"

struct sim_clock {
	struct sim_world *world;
	struct sim_rng rng;
	struct sp_loop *loop; ///< of this boot
	int64_t begin_us;     ///< monotonic
	int64_t begin_true_us;
	bool synced, ever;  ///< now; in this boot
	int64_t claim_ms;   ///< wall − true time when NTP was heard last, or when it was never heard
	int64_t heard_us;   ///< true time of the last poll with an answer
	int64_t polled_us;  ///< true time of the last poll
	int64_t stepped_ms; ///< of somebody's hand, in force
	struct sp_clock_trust trust;
	struct sp_clock_source source;
};

enum { SIM_BOOT_US = 8 * 1000 * 1000 }; ///< from power to the agent's start

void sim_clock_init(struct sim_clock *clock, struct sim_world *world, uint64_t seed);
/// A new boot begins: the clock becomes the process's, and nobody knows the time.
void sim_clock_boot(struct sim_clock *clock, struct sp_loop *loop, int64_t true_ms);
/// True time now, and of a monotonic moment of this boot.
int64_t sim_clock_true_us(const struct sim_clock *clock);
int64_t sim_clock_true_ms(const struct sim_clock *clock);
int64_t sim_clock_true_of(const struct sim_clock *clock, int64_t mono_us);
/// Monotonic milliseconds from now until that true time, never less than 0.
int64_t sim_clock_until_ms(const struct sim_clock *clock, int64_t true_ms);
