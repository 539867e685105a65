// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// How the hub reads a silence: since when, by everything it has heard, and whether somebody turned the main
// switch after school. Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tools/hub/register/schedule.h"

enum {
	/// At either edge of a timetable: who loses power then has been switched off.
	SP_SILENCE_GRACE_MS = 10 * 60 * 1000,
};

/// What is known of one silence; -1: not known.
struct sp_silence_evidence {
	int64_t last_ms, last_err_ms; ///< the last record on the board's card
	int64_t width_ms;             ///< how long after it the board may still have lived
	int64_t heard_ms;             ///< the hub's last sign of that boot: the board lived then
	int64_t lost_ms;              ///< when the broker gave that boot's session up
	/// The line was down when the session ended: then that tells nothing of the board.
	bool line_was_down;
	int64_t end_ms; ///< the agent was back
};

struct sp_silence_start {
	int64_t from_ms, to_ms; ///< it began between these; both -1: not known
};
struct sp_silence_start sp_silence_start(const struct sp_silence_evidence *evidence);

/// Power that was lost at a time at which nobody needs it.
bool sp_silence_switched_off(const struct sp_silence_start *start, const struct sp_schedule *schedule);

/// A board that is away now: the time at which contact was lost lay "inside" or "outside" of school time;
/// NULL without one.
const char *sp_silence_side(const struct sp_silence_start *lost, const struct sp_schedule *schedule);
/// It was lost outside, and no school time has called for it since.
bool sp_silence_presumed_off(const struct sp_silence_start *lost, const struct sp_schedule *schedule,
			     int64_t now_ms);
