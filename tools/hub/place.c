// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Placing records in time: of all evidence the one with the smallest error.
#include "tools/hub/place.h"

#include <stdlib.h>

const char *sp_placed_by_name(enum sp_placed_by by)
{
	static const char *const names[SP_PLACED_WAYS] = {"own", "envelope", "anchor", "arrival", "bounds"};
	return names[by];
}

bool sp_place_credible(int64_t t_ms, int64_t err_ms, int64_t arrived_ms)
{
	return err_ms >= 0 && t_ms >= SP_PLACE_EARLIEST_MS &&
	       t_ms - err_ms <= arrived_ms + SP_PLACE_TOLERANCE_MS;
}

/// Keeps the better of `best` and what `anchor` says of `mono_us`.
static void by_anchor(struct sp_placed *best, const struct sp_anchor *anchor, enum sp_placed_by by,
		      int64_t mono_us)
{
	if (!anchor->known)
		return;
	int64_t distance_us = mono_us - anchor->mono_us;
	int64_t err_ms = anchor->err_ms + llabs(distance_us) / 1000 * SP_PLACE_DRIFT_PPM / 1000000;
	if (best->by == SP_PLACED_BOUNDS || err_ms < best->err_ms)
		*best = (struct sp_placed){anchor->t_ms + distance_us / 1000, err_ms, by};
}

/// Between two anchors the drift is known: a straight line, with the worse end's error.
static void between(struct sp_placed *best, const struct sp_anchor *a, const struct sp_anchor *b,
		    int64_t mono_us)
{
	if (!a->known || !b->known || b->mono_us <= a->mono_us)
		return;
	int64_t err_ms = a->err_ms > b->err_ms ? a->err_ms : b->err_ms;
	double part = (double)(mono_us - a->mono_us) / (double)(b->mono_us - a->mono_us);
	double t_ms = (double)a->t_ms + part * (double)(b->t_ms - a->t_ms);
	if (best->by == SP_PLACED_BOUNDS || err_ms < best->err_ms)
		*best = (struct sp_placed){(int64_t)t_ms, err_ms, SP_PLACED_ANCHOR};
}

struct sp_placed sp_place(const struct sp_place_evidence *evidence, const struct sp_anchor *own,
			  int64_t mono_us)
{
	int64_t lower = evidence->not_before_ms, upper = evidence->not_after_ms;
	if (own->known && sp_place_credible(own->t_ms, own->err_ms, evidence->arrived_ms))
		return (struct sp_placed){own->t_ms, own->err_ms, SP_PLACED_OWN};
	struct sp_placed best = {upper, lower > 0 && lower <= upper ? upper - lower : -1, SP_PLACED_BOUNDS};
	// A record is not made after it was sent: such an envelope's monotonic times mean nothing.
	if (!evidence->envelope.known || mono_us <= evidence->envelope.mono_us)
		by_anchor(&best, &evidence->envelope, SP_PLACED_ENVELOPE, mono_us);
	by_anchor(&best, &evidence->before, SP_PLACED_ANCHOR, mono_us);
	by_anchor(&best, &evidence->after, SP_PLACED_ANCHOR, mono_us);
	between(&best, &evidence->before, &evidence->after, mono_us);
	by_anchor(&best, &evidence->arrival, SP_PLACED_ARRIVAL, mono_us);
	return best;
}
