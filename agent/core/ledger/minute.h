// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What one line was in each minute: one compact `minute` record in bulk, whose states part its time without
// gap or overlap. Pure but for the recorder: time only by argument.
//
// The ledger names the beginning of trouble some seconds after it, so a window that is over waits for
// SP_MINUTE_LAG_US before it is written down; what is learnt later of that time is left to the outage.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/core/ledger/judge.h"
#include "agent/core/recorder.h"

struct sp_minutes;

#define SP_MINUTE_LAG_US (10 * INT64_C(1000000))

/// Places that a minute tells of, in the feed's words.
enum sp_minute_scope {
	SP_MINUTE_DOMESTIC,
	SP_MINUTE_INTERNATIONAL,
	SP_MINUTE_DNS,
	SP_MINUTE_GATEWAY,
	SP_MINUTE_SERVICE,
};
#define SP_MINUTE_SCOPES 5

/// The scope that a link driver's target stands for: "domestic" and so on, or for `driver` "gateway" a
/// family. False for everything finer: an anchor, one of two families.
bool sp_minute_scope(const char *driver, const char *target, enum sp_minute_scope *out);

/// `line` is copied; counting begins at `now_us`, in the state unknown.
struct sp_minutes *sp_minutes_new(struct sp_recorder *recorder, const char *line, int64_t now_us);
void sp_minutes_free(struct sp_minutes *minutes); ///< NULL is fine

/// The line is in this state since `since_us`, whatever was said of that time before.
void sp_minutes_state(struct sp_minutes *minutes, enum sp_line_state state, enum sp_cause cause,
		      int64_t since_us, const struct sp_clock_reading *now);
/// Our own test fills the line from now on, or does so no longer.
void sp_minutes_loaded(struct sp_minutes *minutes, bool loaded);

/// Values of the window that runs. A loss is 0 or 1 per probe.
struct sp_minute_values {
	int64_t count;
	double min, mean, max;
};
void sp_minutes_rtt(struct sp_minutes *minutes, enum sp_minute_scope scope,
		    const struct sp_minute_values *seconds);
void sp_minutes_loss(struct sp_minutes *minutes, enum sp_minute_scope scope,
		     const struct sp_minute_values *ratio);

/// The window is over; the next begins. Whatever waited before is recorded.
void sp_minutes_close(struct sp_minutes *minutes, const struct sp_clock_reading *now);
/// Records what has waited long enough. Call it every few seconds.
void sp_minutes_look(struct sp_minutes *minutes, const struct sp_clock_reading *now);
/// Records everything up to now: the agent stops.
void sp_minutes_end(struct sp_minutes *minutes, const struct sp_clock_reading *now);
