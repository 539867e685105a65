// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Placing records in time: of all evidence the one with the smallest error.
#include "tools/hub/time/place.h"

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

int64_t sp_place_drift_ms(int64_t span_us)
{
	return (llabs(span_us) / 1000 * SP_PLACE_DRIFT_PPM + 999999) / 1000000;
}

bool sp_place_agree(const struct sp_anchor *a, const struct sp_anchor *b)
{
	int64_t span_us = b->mono_us - a->mono_us;
	int64_t apart = b->t_ms - a->t_ms - span_us / 1000;
	// Both times were cut to a millisecond.
	return llabs(apart) <= a->err_ms + b->err_ms + sp_place_drift_ms(span_us) + 2;
}

static bool fits(const struct sp_place_evidence *evidence, const struct sp_anchor *claim)
{
	return (!evidence->before.known || sp_place_agree(&evidence->before, claim)) &&
	       (!evidence->after.known || sp_place_agree(claim, &evidence->after));
}

static bool better(const struct sp_placed *best, int64_t err_ms)
{
	return best->by == SP_PLACED_BOUNDS || err_ms < best->err_ms;
}

/// Keeps the better of `best` and what `anchor` says of `mono_us`.
static void by_anchor(struct sp_placed *best, const struct sp_anchor *anchor, enum sp_placed_by by,
		      int64_t mono_us)
{
	if (!anchor->known)
		return;
	int64_t distance_us = mono_us - anchor->mono_us;
	int64_t err_ms = anchor->err_ms + sp_place_drift_ms(distance_us);
	if (better(best, err_ms))
		*best = (struct sp_placed){anchor->t_ms + distance_us / 1000, err_ms, by};
}

/// Between two anchors the mean drift is known: a straight line, with the errors of its ends, and what the
/// crystal may stray from it, which is most in the middle.
static void between(struct sp_placed *best, const struct sp_anchor *a, const struct sp_anchor *b,
		    int64_t mono_us)
{
	if (!a->known || !b->known || b->mono_us <= a->mono_us || !sp_place_agree(a, b))
		return;
	double span_ms = (double)(b->mono_us - a->mono_us) / 1000;
	double part = (double)(mono_us - a->mono_us) / (double)(b->mono_us - a->mono_us);
	double stray_ms = 2 * span_ms * part * (1 - part) * SP_PLACE_WANDER_PPM / 1000000;
	int64_t err_ms = (int64_t)((1 - part) * (double)a->err_ms + part * (double)b->err_ms + stray_ms) + 1;
	double t_ms = (double)a->t_ms + part * (double)(b->t_ms - a->t_ms);
	if (better(best, err_ms))
		*best = (struct sp_placed){(int64_t)t_ms, err_ms, SP_PLACED_ANCHOR};
}

/// Between the boot's beginning, and that much later, and the last moment that is possible.
static struct sp_placed by_bounds(const struct sp_place_evidence *evidence, int64_t mono_us)
{
	int64_t lower = evidence->not_before_ms, upper = evidence->not_after_ms;
	if (lower > 0)
		lower += mono_us / 1000 - sp_place_drift_ms(mono_us);
	return (struct sp_placed){upper, lower > 0 && lower <= upper ? upper - lower : -1, SP_PLACED_BOUNDS};
}

struct sp_placed sp_place(const struct sp_place_evidence *evidence, const struct sp_anchor *own,
			  int64_t mono_us)
{
	struct sp_anchor claim = {own->known, mono_us, own->t_ms, own->err_ms};
	claim.known = claim.known && sp_place_credible(own->t_ms, own->err_ms, evidence->arrived_ms) &&
		      fits(evidence, &claim);
	if (claim.known && claim.err_ms <= SP_PLACE_SHARP_MS)
		return (struct sp_placed){own->t_ms, own->err_ms, SP_PLACED_OWN};
	struct sp_placed best = by_bounds(evidence, mono_us);
	by_anchor(&best, &claim, SP_PLACED_OWN, mono_us);
	// A record is not made after it was sent: such an envelope's monotonic times mean nothing.
	const struct sp_anchor *envelope = &evidence->envelope;
	if (envelope->known && mono_us <= envelope->mono_us && fits(evidence, envelope))
		by_anchor(&best, envelope, SP_PLACED_ENVELOPE, mono_us);
	by_anchor(&best, &evidence->before, SP_PLACED_ANCHOR, mono_us);
	by_anchor(&best, &evidence->after, SP_PLACED_ANCHOR, mono_us);
	between(&best, &evidence->before, &evidence->after, mono_us);
	by_anchor(&best, &evidence->arrival, SP_PLACED_ARRIVAL, mono_us);
	return best;
}
