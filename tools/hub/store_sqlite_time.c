// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What is known about time in each boot of a board (anchors, arrivals, the chain), and placing its
// records with it, again when something better becomes known.
#include "tools/hub/store_sqlite.h"

#include <stdlib.h>

enum {
	ANCHOR_EVERY_US = 1800 * 1000000, ///< anchors nearer to a known one are not kept
	CHAIN_STEPS_MAX = 16,             ///< how far to look for a neighbour that is placed
};

// ---- learning -------------------------------------------------------------------------------------

static int add_anchor(struct sp_store *store, int64_t device, int64_t boot, const struct sp_anchor *anchor,
		      int64_t arrived_ms)
{
	int64_t near = 0;
	int result =
	    SQL_GET(store, &near, "SELECT 1 FROM anchor WHERE boot = ? AND mono_us BETWEEN ? AND ?", I(boot),
		    I(anchor->mono_us - ANCHOR_EVERY_US), I(anchor->mono_us + ANCHOR_EVERY_US));
	if (result != 0)
		return result < 0 ? result : 0;
	result = SQL_DO(store, "INSERT INTO anchor VALUES(?, ?, ?, ?)", I(boot), I(anchor->mono_us),
			I(anchor->t_ms), I(anchor->err_ms));
	return result < 0 ? result : sp_time_again(store, device, boot, arrived_ms);
}

static int read_arrival(struct sp_store *store, int64_t boot, struct sp_anchor *out)
{
	sqlite3_stmt *stmt = SQL_QUERY(
	    store, "SELECT arrival_mono_us, arrival_ms, arrival_err_ms FROM boot WHERE id = ?", I(boot));
	int result = sp_sql_step(store, stmt);
	*out = (struct sp_anchor){0};
	if (result != 1)
		return result;
	if (sqlite3_column_type(stmt, 0) != SQLITE_NULL)
		*out = (struct sp_anchor){true, sp_sql_int(stmt, 0, 0), sp_sql_int(stmt, 1, 0),
					  sp_sql_int(stmt, 2, 0)};
	sp_sql_leave(stmt);
	return 0;
}

/// A message arrives 0…err after it was sent. So each one bounds the distance between the board's
/// monotonic clock and the hub's from both sides, and the bounds of many narrow each other.
static int add_arrival(struct sp_store *store, const struct sp_arrival *arrival, int64_t device, int64_t boot,
		       int64_t mono_us)
{
	struct sp_anchor known;
	int64_t err_ms = SP_PLACE_TRANSIT_MS + arrival->lag_ms;
	int64_t latest = arrival->arrived_ms, earliest = latest - err_ms;
	int result = read_arrival(store, boot, &known);
	if (result < 0)
		return result;
	if (known.known) {
		int64_t distance_us = mono_us - known.mono_us;
		int64_t drift_ms = llabs(distance_us) / 1000 * SP_PLACE_DRIFT_PPM / 1000000;
		int64_t there_latest = known.t_ms + distance_us / 1000 + drift_ms;
		int64_t there_earliest = there_latest - known.err_ms - 2 * drift_ms;
		// Bounds that exclude each other: the hub's own clock was set. The new ones count.
		if (there_earliest <= latest && earliest <= there_latest) {
			latest = there_latest < latest ? there_latest : latest;
			earliest = there_earliest > earliest ? there_earliest : earliest;
		}
	}
	result = SQL_DO(
	    store, "UPDATE boot SET arrival_mono_us = ?, arrival_ms = ?, arrival_err_ms = ? WHERE id = ?",
	    I(mono_us), I(latest), I(latest - earliest), I(boot));
	return result < 0 || known.known ? result : sp_time_again(store, device, boot, arrival->arrived_ms);
}

int sp_time_clk(struct sp_store *store, const struct sp_arrival *arrival, int64_t device, int64_t boot,
		const struct sp_clock_reading *clk)
{
	struct sp_anchor anchor = {true, clk->mono_us, clk->wall_ms, clk->err_ms};
	int result = sp_silence_heard(store, arrival, boot, clk);
	if (result < 0)
		return result;
	if (!clk->synced)
		return add_arrival(store, arrival, device, boot, clk->mono_us);
	return sp_time_own(store, device, boot, &anchor, arrival->arrived_ms);
}

int sp_time_own(struct sp_store *store, int64_t device, int64_t boot, const struct sp_anchor *own,
		int64_t arrived_ms)
{
	if (!sp_place_credible(own->t_ms, own->err_ms, arrived_ms))
		return sp_anomaly(store, "clock_implausible", device, 0,
				  "the board's clock calls itself synchronised, but its time cannot be true");
	return add_anchor(store, device, boot, own, arrived_ms);
}

// ---- placing ----------------------------------------------------------------------------------------

/// A stream lives in one boot, so the chain orders boots: the nearest earlier stream that is placed
/// ends before this boot, the nearest later one begins after it.
static int chain_bounds(struct sp_store *store, struct sp_time_frame *frame)
{
	int64_t after = frame->not_after_ms;
	int result =
	    SQL_GET(store, &frame->not_before_ms,
		    "WITH RECURSIVE b(id, n) AS (SELECT prev, 1 FROM stream WHERE id = ?1 UNION ALL"
		    " SELECT s.prev, n + 1 FROM stream s JOIN b ON s.id = b.id WHERE n < ?2)"
		    " SELECT s.to_ms FROM b JOIN stream s ON s.id = b.id WHERE s.to_ms IS NOT NULL AND"
		    " s.boot != ?3 ORDER BY n LIMIT 1",
		    I(frame->stream), I(CHAIN_STEPS_MAX), I(frame->boot));
	if (result >= 0)
		result = SQL_GET(
		    store, &after,
		    "WITH RECURSIVE b(id, n) AS (SELECT id, 1 FROM stream WHERE prev = ?1 UNION ALL"
		    " SELECT s.id, n + 1 FROM stream s JOIN b ON s.prev = b.id WHERE n < ?2)"
		    " SELECT s.from_ms FROM b JOIN stream s ON s.id = b.id WHERE s.from_ms IS NOT NULL"
		    " AND s.boot != ?3 ORDER BY n LIMIT 1",
		    I(frame->stream), I(CHAIN_STEPS_MAX), I(frame->boot));
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
		frame->not_after_ms -= clk->mono_us / 1000;
	else if (clk->synced && sp_place_credible(clk->wall_ms, clk->err_ms, arrival->arrived_ms))
		frame->envelope = (struct sp_anchor){true, clk->mono_us, clk->wall_ms, clk->err_ms};
	int result = read_arrival(store, boot, &frame->arrival);
	if (result < 0 || frame->envelope.known || frame->arrival.known)
		return result;
	return chain_bounds(store, frame);
}

static int nearest(struct sp_store *store, sqlite3_stmt *stmt, struct sp_anchor *out)
{
	int result = sp_sql_step(store, stmt);
	if (result != 1)
		return result;
	*out =
	    (struct sp_anchor){true, sp_sql_int(stmt, 0, 0), sp_sql_int(stmt, 1, 0), sp_sql_int(stmt, 2, 0)};
	sp_sql_leave(stmt);
	return 0;
}

static int place_by_anchors(struct sp_store *store, int64_t boot, struct sp_place_evidence *evidence,
			    int64_t mono_us, struct sp_placed *out)
{
	const struct sp_anchor none = {0};
	int result =
	    nearest(store,
		    SQL_QUERY(store,
			      "SELECT mono_us, t_ms, err_ms FROM anchor WHERE boot = ? AND mono_us <= ?"
			      " ORDER BY mono_us DESC LIMIT 1",
			      I(boot), I(mono_us)),
		    &evidence->before);
	if (result == 0)
		result = nearest(store,
				 SQL_QUERY(store,
					   "SELECT mono_us, t_ms, err_ms FROM anchor WHERE boot = ? AND"
					   " mono_us > ? ORDER BY mono_us LIMIT 1",
					   I(boot), I(mono_us)),
				 &evidence->after);
	*out = sp_place(evidence, &none, mono_us);
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
	*out = sp_place(&evidence, own, mono_us);
	// Anchors cost two look-ups a record, and are hardly better than the sender's clock.
	if (out->by <= SP_PLACED_ENVELOPE)
		return 0;
	return place_by_anchors(store, frame->boot, &evidence, mono_us, out);
}

int sp_time_place_in(struct sp_store *store, const struct sp_time_frame *frame, const char *boot,
		     int64_t mono_us, struct sp_placed *out)
{
	struct sp_place_evidence evidence = {.arrived_ms = frame->arrived_ms,
					     .not_after_ms = frame->arrived_ms};
	const struct sp_anchor none = {0};
	int64_t id;
	int result = SQL_GET(store, &id, "SELECT id FROM boot WHERE device = ? AND name = ?",
			     I(frame->device), T(boot));
	*out = sp_place(&evidence, &none, mono_us);
	if (result != 1)
		return result;
	if (id == frame->boot)
		return sp_time_place(store, frame, &none, mono_us, out);
	result = read_arrival(store, id, &evidence.arrival);
	return result < 0 ? result : place_by_anchors(store, id, &evidence, mono_us, out);
}
