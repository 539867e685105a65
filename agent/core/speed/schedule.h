// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Lets the plan's tests happen: asks the run for them by a synchronised clock, tells the plan what became of
// them, keeps the plan on the card, and takes back what still waits when a quiet period is near.
#pragma once

#include "agent/core/speed/plan.h"
#include "agent/core/speed/run.h"

struct sp_speed_schedule;

struct sp_speed_schedule_config {
	struct sp_loop *loop;
	struct sp_speed_run *run;
	const struct sp_speed_times *times; ///< must outlive it
	/// Durable small state. `get`'s answer is free()d here.
	void (*put)(void *arg, const char *key, const char *value);
	char *(*get)(void *arg, const char *key);
	void *arg;
};

/// Begins with a turn of the loop; `names` and `paces` (of the same order) must outlive it.
struct sp_speed_schedule *sp_speed_schedule_new(const struct sp_speed_schedule_config *config,
						const char *const *names, const struct sp_pace *const *paces,
						size_t count);
/// Before the run is freed. NULL is fine.
void sp_speed_schedule_free(struct sp_speed_schedule *schedule);
/// When that device tests next by itself; 0: not known, or never.
int64_t sp_speed_schedule_next_ms(const struct sp_speed_schedule *schedule, const char *device);
