// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Watches what wall time does: `clock` facts at synchronisation, at each step, at its loss and
// hourly, so that the hub can place what was recorded before and between.
#pragma once

#include "agent/core/recorder.h"
#include "schoolpulse/clock.h"

struct sp_clocks {
	struct sp_recorder *recorder;
	bool synced;
	int64_t offset_ms; ///< wall − monotonic at the last look
	int64_t look_us, hour_us;
};

void sp_clocks_init(struct sp_clocks *clocks, struct sp_recorder *recorder);
/// Every few seconds.
void sp_clocks_look(struct sp_clocks *clocks, const struct sp_clock_reading *now);
