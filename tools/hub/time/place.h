// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// When did it happen? A record has a boot and a monotonic time, which are the truth, and perhaps a
// wall time, which is a claim. This chooses the best evidence there is and says which, and how wrong
// it may be. Pure: no store, no clock.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum sp_placed_by {
	SP_PLACED_OWN,      ///< the board's clock was synchronised when it made the record
	SP_PLACED_ENVELOPE, ///< … when it sent the record, in the same boot
	SP_PLACED_ANCHOR,   ///< … at another moment of that boot
	SP_PLACED_ARRIVAL,  ///< never in that boot: by the hub's clock when a message of that boot arrived
	SP_PLACED_BOUNDS,   ///< only "not after, not before"
};
#define SP_PLACED_WAYS 5
const char *sp_placed_by_name(enum sp_placed_by by); ///< "own", "envelope", …

enum {
	SP_PLACE_DRIFT_PPM = 100,      ///< of CLOCK_MONOTONIC_RAW: a crystal
	SP_PLACE_WANDER_PPM = 20,      ///< how far it strays from its own mean, by temperature
	SP_PLACE_SHARP_MS = 1000,      ///< an error for which no better evidence is looked for
	SP_PLACE_TRANSIT_MS = 6000,    ///< from sending to arrival at most, of the quickest of a boot
	SP_PLACE_TOLERANCE_MS = 60000, ///< nothing happens after it arrived, but the hub's clock may err, too
};
#define SP_PLACE_EARLIEST_MS INT64_C(1577836800000) ///< 2020: before it, a clock was never set

/// True time is within t_ms ± err_ms; for SP_PLACED_BOUNDS within [t_ms - err_ms, t_ms].
struct sp_placed {
	int64_t t_ms;
	int64_t err_ms; ///< -1: no lower bound is known
	enum sp_placed_by by;
};

/// "At this monotonic time it was that wall time."
struct sp_anchor {
	bool known;
	int64_t mono_us, t_ms, err_ms;
};

struct sp_place_evidence {
	int64_t arrived_ms;             ///< the hub's clock when the record came
	struct sp_anchor envelope;      ///< the sender's clock, if synchronised, in the record's boot
	struct sp_anchor before, after; ///< nearest other anchors of the record's boot
	struct sp_anchor arrival;       ///< of the message of that boot that came soonest
	int64_t not_before_ms;          ///< the record's boot began after it; 0: not known
	int64_t not_after_ms;           ///< ≤ arrived_ms
};

/// May a claim be true that came at `arrived_ms`? A time in the future, or before 2020, may not.
bool sp_place_credible(int64_t t_ms, int64_t err_ms, int64_t arrived_ms);
/// Can both be true, of one boot?
bool sp_place_agree(const struct sp_anchor *a, const struct sp_anchor *b);
/// How far the monotonic clock may have strayed in that time.
int64_t sp_place_drift_ms(int64_t span_us);
/// `own`: the record's own t_ms and err_ms (mono_us is not read). What contradicts
/// `before` or `after` is not used: those were found to agree with each other.
struct sp_placed sp_place(const struct sp_place_evidence *evidence, const struct sp_anchor *own,
			  int64_t mono_us);
