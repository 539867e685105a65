// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Whose word on the time of day counts, and how much: the kernel's if it can be true, else the hub's.
// The system's clock is never set. Pure but for the last section, which feeds sp_clock_now().
#pragma once

#include "schoolpulse/clock.h"
#include "schoolpulse/err.h"

enum {
	/// Of CLOCK_MONOTONIC_RAW, which nobody disciplines, against true time. Crystals of boards are within
	/// 100 ppm; 500 is what the kernel itself adds to maxerror, and allows a clock to be slewed by.
	SP_CLOCK_DRIFT_PPM = 500,
};
/// No clock of this program shows an earlier time: a build's own date (SOURCE_DATE_EPOCH, as packages are
/// built), else the year in which this was written. Not the building machine's clock, which may be wrong.
#ifndef SP_CLOCK_BUILT_SECONDS
#define SP_CLOCK_BUILT_SECONDS 1767225600 // 2026-01-01
#endif
#define SP_CLOCK_BUILT_MS (INT64_C(1000) * SP_CLOCK_BUILT_SECONDS)
/// Nor one that is later than this after its build, or after what an earlier boot saved.
#define SP_CLOCK_REACH_MS (INT64_C(3653) * 24 * 3600 * 1000)

#define SP_CLOCK_INSISTS_US (INT64_C(6) * 3600 * 1000000)

struct sp_clock_trust {
	int64_t saved_ms; ///< an earlier boot's last synchronised time; 0: none
	/// At mono_us it was t_ms ± err_ms, says the hub.
	struct sp_clock_sample {
		bool known;
		int64_t mono_us, t_ms, err_ms;
	} hub;
	/// Since when the kernel has stood for one and the same time against the saved one.
	struct sp_clock_insistence {
		bool on;
		int64_t mono_us, wall_ms, err_ms;
	} kernel;
};

/// The hub read its clock, t_ms ± err_ms, after `sent_us` and before `heard_us`. The sample with the smallest
/// error is kept, and one that excludes it replaces it: the hub's clock was set. 0; -ERANGE: it cannot be
/// true, and nothing is learnt; -EINVAL: heard before it was sent.
int sp_clock_trust_learn(struct sp_clock_trust *trust, int64_t sent_us, int64_t heard_us, int64_t t_ms,
			 int64_t err_ms) SP_MUST_CHECK;
/// Not before the build and the saved time, nor too far behind them.
bool sp_clock_trust_possible(const struct sp_clock_trust *trust, int64_t t_ms, int64_t err_ms);
/// What the hub's word comes to at `mono_us`, with the error that grew since.
bool sp_clock_trust_hub(const struct sp_clock_trust *trust, int64_t mono_us, int64_t *t_ms, int64_t *err_ms);
/// From what the kernel says to what is believed. The kernel always comes first; what it says is doubted if
/// it lies before the build or the saved time, or too far behind them. When the hub says the same as a kernel
/// that contradicts the saved time, the saved one was wrong, and is forgotten: two witnesses against a
/// memory. So it is when the kernel alone, where no hub speaks or none against it, stays synchronised for
/// SP_CLOCK_INSISTS_US without a step: else one wrong word of a time server, saved, would be for ever.
void sp_clock_trust_judge(struct sp_clock_trust *trust, struct sp_clock_reading *reading);

// ---- what sp_clock_now() believes; any thread ----------------------------------------------------

/// An earlier boot's last synchronised time; 0: none. Forgets what the hub said.
void sp_clock_saved(int64_t saved_ms);
/// sp_clock_trust_learn().
int sp_clock_hub_says(int64_t sent_us, int64_t heard_us, int64_t t_ms, int64_t err_ms) SP_MUST_CHECK;
/// sp_clock_trust_possible().
bool sp_clock_possible(int64_t t_ms, int64_t err_ms);
/// sp_clock_trust_hub().
bool sp_clock_hub(int64_t mono_us, int64_t *t_ms, int64_t *err_ms);
