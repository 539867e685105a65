// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Placing a board's records with what is known about time in its boots (anchors, arrivals, the chain).
#include "tools/hub/store/store_priv.h"

enum { CHAIN_STEPS_MAX = 16 }; ///< how far to look for a neighbour that is placed

// ---- learning -------------------------------------------------------------------------------------

int sp_time_clk(struct sp_store *store, const struct sp_arrival *arrival, int64_t device, int64_t boot,
		const struct sp_clock_reading *clk)
{
	struct sp_anchor anchor = {true, clk->mono_us, clk->wall_ms, clk->err_ms};
	int result = sp_silence_heard(store, arrival, boot, clk);
	// Also of a board that knows the time: it decides, should its clock contradict itself.
	if (result == 0 && !arrival->retained)
		result = sp_arrival_add(store, arrival, device, boot, clk->mono_us);
	if (result < 0 || !clk->synced)
		return result;
	return sp_time_own(store, device, boot, &anchor, arrival->arrived_ms);
}

int sp_time_own(struct sp_store *store, int64_t device, int64_t boot, const struct sp_anchor *own,
		int64_t arrived_ms)
{
	if (!sp_place_credible(own->t_ms, own->err_ms, arrived_ms))
		return sp_anomaly(store, "clock_implausible", device, 0,
				  "the board's clock calls itself synchronised, but its time cannot be true");
	return sp_anchor_add(store, device, boot, own, arrived_ms);
}

// ---- placing ----------------------------------------------------------------------------------------

/// A stream lives in one boot, so the chain orders boots: the nearest earlier stream that is placed
/// ends before this boot, the nearest later one begins after it.
static int chain_bounds(struct sp_store *store, struct sp_time_frame *frame)
{
	int64_t after = frame->not_after_ms;
	int result = SQL_GET(
	    store->db, &frame->not_before_ms,
	    "WITH RECURSIVE b(id, n) AS (SELECT prev, 1 FROM stream WHERE id = ?1 UNION ALL"
	    " SELECT s.prev, n + 1 FROM stream s JOIN b ON s.id = b.id WHERE n < ?2)"
	    " SELECT (SELECT t_ms - coalesce(err_ms, 0) FROM event WHERE stream = s.id AND placed < ?4"
	    " ORDER BY seq DESC LIMIT 1) FROM b JOIN stream s ON s.id = b.id WHERE s.to_ms IS NOT NULL"
	    " AND s.boot != ?3 ORDER BY n LIMIT 1",
	    I(frame->stream), I(CHAIN_STEPS_MAX), I(frame->boot), I(SP_PLACED_BOUNDS));
	if (result >= 0)
		result = SQL_GET(
		    store->db, &after,
		    "WITH RECURSIVE b(id, n) AS (SELECT id, 1 FROM stream WHERE prev = ?1 UNION ALL"
		    " SELECT s.id, n + 1 FROM stream s JOIN b ON s.prev = b.id WHERE n < ?2)"
		    " SELECT (SELECT t_ms + coalesce(err_ms, 0) FROM event WHERE stream = s.id AND placed < "
		    "?4"
		    " ORDER BY seq LIMIT 1) FROM b JOIN stream s ON s.id = b.id WHERE s.from_ms IS NOT NULL"
		    " AND s.boot != ?3 ORDER BY n LIMIT 1",
		    I(frame->stream), I(CHAIN_STEPS_MAX), I(frame->boot), I(SP_PLACED_BOUNDS));
	if (after < frame->not_after_ms)
		frame->not_after_ms = after;
	return result < 0 ? result : 0;
}

int sp_time_frame(struct sp_store *store, const struct sp_arrival *arrival, int64_t device, int64_t boot,
		  int64_t stream, int64_t clk_boot, const struct sp_clock_reading *clk,
		  struct sp_time_frame *frame)
{
	*frame = (struct sp_time_frame){.device = device,
					.boot = boot,
					.stream = stream,
					.arrived_ms = arrival->arrived_ms,
					.not_after_ms = arrival->arrived_ms};
	// What another boot sent was made before that boot began.
	if (clk_boot != boot)
		frame->not_after_ms -= clk->mono_us / 1000 - sp_place_drift_ms(clk->mono_us);
	else if (clk->synced && sp_place_credible(clk->wall_ms, clk->err_ms, arrival->arrived_ms))
		frame->envelope = (struct sp_anchor){true, clk->mono_us, clk->wall_ms, clk->err_ms};
	int result = sp_arrival_read(store, boot, &frame->arrival, &frame->disputed);
	if (result < 0 || frame->envelope.known || frame->arrival.known)
		return result;
	return chain_bounds(store, frame);
}

/// With what the boot's other clocks say, too.
static int place_by_anchors(struct sp_store *store, int64_t boot, struct sp_place_evidence *evidence,
			    const struct sp_anchor *own, int64_t mono_us, struct sp_placed *out)
{
	int result = sp_anchor_near(store, boot, mono_us, &evidence->before, &evidence->after);
	*out = sp_place(evidence, own, mono_us);
	return result;
}

int sp_time_place(struct sp_store *store, const struct sp_time_frame *frame, const struct sp_anchor *own,
		  int64_t mono_us, struct sp_placed *out)
{
	struct sp_place_evidence evidence = {.arrived_ms = frame->arrived_ms,
					     .envelope = frame->envelope,
					     .arrival = frame->arrival,
					     .not_before_ms = frame->not_before_ms,
					     .not_after_ms = frame->not_after_ms};
	const struct sp_anchor none = {0};
	// Of a clock that contradicted itself only what was found to be right counts.
	if (frame->disputed) {
		evidence.envelope = none;
		return place_by_anchors(store, frame->boot, &evidence, &none, mono_us, out);
	}
	*out = sp_place(&evidence, own, mono_us);
	// Anchors cost two look-ups a record, and are hardly better than a clock that was near.
	if (out->by <= SP_PLACED_ENVELOPE && out->err_ms <= SP_PLACE_SHARP_MS)
		return 0;
	return place_by_anchors(store, frame->boot, &evidence, own, mono_us, out);
}

/// Where boots of the same device lie around one of them, by any of its streams.
static int other_boots_bounds(struct sp_store *store, int64_t device, int64_t boot,
			      struct sp_place_evidence *evidence)
{
	struct sp_time_frame frame = {.boot = boot, .not_after_ms = evidence->not_after_ms};
	int result = SQL_GET(store->db, &frame.stream,
			     "SELECT id FROM stream WHERE device = ? AND boot = ? ORDER BY class LIMIT 1",
			     I(device), I(boot));
	if (result == 1)
		result = chain_bounds(store, &frame);
	evidence->not_before_ms = frame.not_before_ms;
	evidence->not_after_ms = frame.not_after_ms;
	return result;
}

int sp_time_place_in(struct sp_store *store, const struct sp_time_frame *frame, const char *boot,
		     int64_t mono_us, int64_t not_after_ms, bool *here, struct sp_placed *out)
{
	struct sp_place_evidence evidence = {.arrived_ms = frame->arrived_ms,
					     .not_after_ms = frame->arrived_ms};
	const struct sp_anchor none = {0};
	int64_t id;
	bool disputed;
	int result = SQL_GET(store->db, &id, "SELECT id FROM boot WHERE device = ? AND name = ?",
			     I(frame->device), T(boot));
	*here = result == 1 && id == frame->boot;
	if (*here)
		return sp_time_place(store, frame, &none, mono_us, out);
	if (not_after_ms < evidence.not_after_ms)
		evidence.not_after_ms = not_after_ms;
	*out = sp_place(&evidence, &none, mono_us);
	if (result != 1)
		return result;
	result = sp_arrival_read(store, id, &evidence.arrival, &disputed);
	if (result == 0)
		result = other_boots_bounds(store, frame->device, id, &evidence);
	return result < 0 ? result : place_by_anchors(store, id, &evidence, &none, mono_us, out);
}
