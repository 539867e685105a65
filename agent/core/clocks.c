// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Clock facts from successive readings.
#include "agent/core/clocks.h"

#include "schoolpulse/log.h"

enum {
	STEP_MS = 500,
	/// The raw clock drifts against disciplined time; more than a bad crystal's 500 ppm is a step.
	DRIFT_PER_MILLION = 500,
};
static const int64_t HOUR_US = 3600LL * 1000 * 1000;

void sp_clocks_init(struct sp_clocks *clocks, struct sp_recorder *recorder)
{
	*clocks = (struct sp_clocks){.recorder = recorder};
}

static void tell(struct sp_clocks *clocks, const char *event, int64_t step_ms)
{
	struct sp_field fields[] = {
	    SP_TEXT("event", event),
	    SP_REAL("step_seconds", (double)step_ms / 1000.0),
	};
	sp_record_fact(clocks->recorder, "clock", NULL, fields, step_ms ? 2 : 1);
	sp_notice("clock", "%s%s", event, step_ms ? " (wall time jumped)" : "");
}

void sp_clocks_look(struct sp_clocks *clocks, const struct sp_clock_reading *now)
{
	int64_t offset = now->wall_ms - now->mono_us / 1000;
	bool first = clocks->look_us == 0;
	int64_t jump = first ? 0 : offset - clocks->offset_ms;
	int64_t drift = (now->mono_us - clocks->look_us) / 1000 * DRIFT_PER_MILLION / 1000000;
	int64_t size = jump < 0 ? -jump : jump;
	bool step = size > STEP_MS + drift;
	if (now->synced && !clocks->synced) {
		tell(clocks, "synced", step ? jump : 0);
		clocks->hour_us = now->mono_us;
	} else if (!now->synced && clocks->synced) {
		tell(clocks, "lost", 0);
	}
	if (step && now->synced == clocks->synced)
		tell(clocks, "step", jump);
	if (now->synced && now->mono_us - clocks->hour_us >= HOUR_US) {
		tell(clocks, "hourly", 0);
		clocks->hour_us = now->mono_us;
	}
	clocks->synced = now->synced;
	clocks->offset_ms = offset;
	clocks->look_us = now->mono_us;
}
