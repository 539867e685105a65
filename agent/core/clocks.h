// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Watches what wall time does: `clock` facts at synchronisation, at each step, at its loss and
// hourly, so that the hub can place what was recorded before and between. Saves synchronised time, and no
// other, for the next boot.
#pragma once

#include "agent/core/recorder.h"
#include "schoolpulse/clock.h"

/// Under it the latest synchronised time is kept, less its error: the next boot comes after it.
#define SP_CLOCKS_KEY "clock.saved"
/// What stands there, 0 when it is nothing that could have been saved: no number, or a time before the build
/// or decades after it.
int64_t sp_clocks_saved(const char *text);

struct sp_clocks {
	struct sp_recorder *recorder;
	void (*put)(void *arg, const char *key, const char *value); ///< durable state; may be NULL
	void *arg;
	struct sp_clock_reading last; ///< mono_us 0: none yet
	int64_t hour_us;              ///< when it was saved last
	int64_t told_us;              ///< when the last fact was made of a synchronised clock
	int64_t every_us; ///< between two facts of a clock that runs on: an hour, more where bytes are dear
	bool disagreeing; ///< kernel and hub exclude each other, and that was told
};

void sp_clocks_init(struct sp_clocks *clocks, struct sp_recorder *recorder,
		    void (*put)(void *arg, const char *key, const char *value), void *arg);
/// Every few seconds.
void sp_clocks_look(struct sp_clocks *clocks, const struct sp_clock_reading *now);
/// Saves what the last look saw, if it was synchronised: the program ends.
void sp_clocks_leave(struct sp_clocks *clocks);
