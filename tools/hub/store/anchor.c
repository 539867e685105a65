// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What is known about time in each boot of a board: what its synchronised clock said (anchors), and when its
// messages arrived. An anchor that contradicts another one shows that wall time jumped while it was called
// synchronised. Then what arrival excludes is refuted, and of the rest what contradicts a later word:
// clocks are set because they were wrong.
#include "tools/hub/store/store_priv.h"

#include <stdlib.h>

#include "agent/base/mem.h"

enum {
	ANCHOR_EVERY_US = 1800 * 1000000, ///< of anchors that near to each other the better one is kept
	GAIN_MS = 50,                     ///< and better means this much, and half the error
	DISPUTES_MAX = 16,                ///< a board may not make the hub place a boot again for ever
	/// A connection that still delivers what was sent this long ago would have died of its keepalive.
	/// A later arrival than this: the hub's own clock was set.
	LATE_MS = 15 * 60 * 1000,
	REPLACE_MS = 1000, ///< what the transit allows for beyond an ordinary one
};

// ---- anchors ----------------------------------------------------------------------------------------

static int one(struct sp_store *store, struct sp_rows *rows, struct sp_anchor *out)
{
	int result = sp_rows_next(store->db, rows);
	*out = (struct sp_anchor){0};
	if (result != 1)
		return result;
	*out =
	    (struct sp_anchor){true, sp_row_int(rows, 0, 0), sp_row_int(rows, 1, 0), sp_row_int(rows, 2, 0)};
	sp_rows_leave(rows);
	return 0;
}

int sp_anchor_near(struct sp_store *store, int64_t boot, int64_t mono_us, struct sp_anchor *before,
		   struct sp_anchor *after)
{
	int result = one(store,
			 SQL_QUERY(store->db,
				   "SELECT mono_us, t_ms, err_ms FROM anchor WHERE boot = ? AND mono_us <= ?"
				   " AND refuted = 0 ORDER BY mono_us DESC LIMIT 1",
				   I(boot), I(mono_us)),
			 before);
	if (result == 0)
		result =
		    one(store,
			SQL_QUERY(store->db,
				  "SELECT mono_us, t_ms, err_ms FROM anchor WHERE boot = ? AND mono_us > ?"
				  " AND refuted = 0 ORDER BY mono_us LIMIT 1",
				  I(boot), I(mono_us)),
			after);
	return result;
}

static int write_anchor(struct sp_store *store, int64_t boot, const struct sp_anchor *anchor, bool refuted)
{
	return SQL_DO(store->db,
		      "INSERT INTO anchor VALUES(?, ?, ?, ?, ?) ON CONFLICT (boot, mono_us) DO UPDATE SET "
		      "t_ms = excluded.t_ms, err_ms = excluded.err_ms, refuted = excluded.refuted",
		      I(boot), I(anchor->mono_us), I(anchor->t_ms), I(anchor->err_ms), I(refuted));
}

static bool is_near(const struct sp_anchor *known, const struct sp_anchor *anchor)
{
	return known->known && llabs(anchor->mono_us - known->mono_us) <= ANCHOR_EVERY_US;
}

static bool is_as_good(const struct sp_anchor *known, const struct sp_anchor *anchor)
{
	return known->err_ms <= 2 * anchor->err_ms + GAIN_MS;
}

enum sp_anchor_use sp_anchor_use(const struct sp_anchor *before, const struct sp_anchor *after,
				 const struct sp_anchor *anchor)
{
	if ((before->known && !sp_place_agree(before, anchor)) ||
	    (after->known && !sp_place_agree(anchor, after)))
		return SP_ANCHOR_CONTRADICTS;
	if (is_near(before, anchor))
		return is_as_good(before, anchor) ? SP_ANCHOR_KNOWN : SP_ANCHOR_REPLACES;
	if (is_near(after, anchor))
		return is_as_good(after, anchor) ? SP_ANCHOR_KNOWN : SP_ANCHOR_REPLACES;
	return SP_ANCHOR_ADDS;
}

/// 1: nothing is gained by `anchor` while `known` is there. A known one that is worse goes.
static int weigh(struct sp_store *store, int64_t boot, const struct sp_anchor *known,
		 const struct sp_anchor *anchor)
{
	if (!is_near(known, anchor))
		return 0;
	if (is_as_good(known, anchor))
		return 1;
	return SQL_DO(store->db, "DELETE FROM anchor WHERE boot = ? AND mono_us = ?", I(boot),
		      I(known->mono_us));
}

struct dispute {
	struct sp_anchor *anchors;
	bool *was, *refuted;
	size_t count, room;
};

/// Latest first.
static int read_anchors(struct sp_store *store, int64_t boot, struct dispute *dispute)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT mono_us, t_ms, err_ms, refuted FROM anchor WHERE boot = ? ORDER BY mono_us DESC",
	    I(boot));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		if (dispute->count == dispute->room) {
			dispute->room = dispute->room ? dispute->room * 2 : 64;
			dispute->anchors =
			    sp_realloc(dispute->anchors, dispute->room * sizeof(*dispute->anchors));
			dispute->was = sp_realloc(dispute->was, dispute->room);
			dispute->refuted = sp_realloc(dispute->refuted, dispute->room);
		}
		dispute->anchors[dispute->count] = (struct sp_anchor){
		    true, sp_row_int(rows, 0, 0), sp_row_int(rows, 1, 0), sp_row_int(rows, 2, 0)};
		dispute->was[dispute->count] = sp_row_int(rows, 3, 0) != 0;
		dispute->refuted[dispute->count++] = false;
	}
	return result;
}

/// From the latest back. What agrees with its neighbour is of the same stretch, right or wrong; at a jump the
/// stretch before it is judged anew. Far from what is right, drift would excuse a small jump: so never by
/// that.
static void decide(struct dispute *dispute, const struct sp_anchor *arrival)
{
	const struct sp_anchor *last = NULL;
	size_t heard = 0;
	for (size_t i = 0; arrival->known && i < dispute->count; i++)
		heard += sp_place_agree(arrival, &dispute->anchors[i]);
	for (size_t i = 0; i < dispute->count; i++) {
		const struct sp_anchor *anchor = &dispute->anchors[i];
		if (i > 0 && sp_place_agree(anchor, anchor - 1))
			dispute->refuted[i] = dispute->refuted[i - 1];
		else
			dispute->refuted[i] = (heard > 0 && !sp_place_agree(arrival, anchor)) ||
					      (last && !sp_place_agree(anchor, last));
		if (!dispute->refuted[i])
			last = anchor;
	}
}

static int settle(struct sp_store *store, int64_t boot, const struct sp_anchor *arrival)
{
	struct dispute dispute = {0};
	int result = read_anchors(store, boot, &dispute);
	if (result == 0)
		decide(&dispute, arrival);
	for (size_t i = 0; result == 0 && i < dispute.count; i++) {
		if (dispute.was[i] != dispute.refuted[i])
			result =
			    SQL_DO(store->db, "UPDATE anchor SET refuted = ? WHERE boot = ? AND mono_us = ?",
				   I(dispute.refuted[i]), I(boot), I(dispute.anchors[i].mono_us));
	}
	free(dispute.anchors);
	free(dispute.was);
	free(dispute.refuted);
	return result;
}

/// 1: it goes on with what was refuted before, which is no news. Kept now and then, to show how far that
/// reached.
static int goes_on_wrong(struct sp_store *store, int64_t boot, const struct sp_anchor *anchor)
{
	struct sp_anchor before;
	int64_t refuted = 0;
	int result = one(store,
			 SQL_QUERY(store->db,
				   "SELECT mono_us, t_ms, err_ms FROM anchor WHERE boot = ? AND mono_us <= ?"
				   " ORDER BY mono_us DESC LIMIT 1",
				   I(boot), I(anchor->mono_us)),
			 &before);
	if (result < 0 || !before.known || !sp_place_agree(&before, anchor))
		return result;
	result = SQL_GET(store->db, &refuted, "SELECT refuted FROM anchor WHERE boot = ? AND mono_us = ?",
			 I(boot), I(before.mono_us));
	if (result >= 0 && refuted && anchor->mono_us - before.mono_us > ANCHOR_EVERY_US)
		result = write_anchor(store, boot, anchor, true);
	return result < 0 ? result : (int)refuted;
}

static int contest(struct sp_store *store, int64_t device, int64_t boot, const struct sp_anchor *anchor,
		   int64_t arrived_ms)
{
	int64_t disputes = 0;
	struct sp_anchor arrival;
	bool disputed;
	int result = goes_on_wrong(store, boot, anchor);
	if (result != 0)
		return result < 0 ? result : 0;
	result = sp_anomaly(store, "clock_stepped", device, 0,
			    "the board's clock jumped while it called itself synchronised");
	if (result == 0)
		result = SQL_GET(store->db, &disputes, "SELECT disputes FROM boot WHERE id = ?", I(boot));
	if (result < 0 || disputes >= DISPUTES_MAX)
		return result < 0 ? result : 0;
	result = sp_arrival_read(store, boot, &arrival, &disputed);
	if (result == 0)
		result = write_anchor(store, boot, anchor, false);
	if (result == 0)
		result = settle(store, boot, &arrival);
	if (result == 0)
		result = SQL_DO(store->db, "UPDATE boot SET disputes = disputes + 1 WHERE id = ?", I(boot));
	// All of it, also what seemed to be placed well.
	if (result == 0)
		result = SQL_DO(store->db,
				"UPDATE batch SET loose = last - first + 1 WHERE boot = ?1 AND stream IN "
				"(SELECT id FROM stream WHERE device = ?2)",
				I(boot), I(device));
	return result < 0 ? result : sp_time_again(store, device, boot, arrived_ms, 0, 0, true);
}

int sp_anchor_add(struct sp_store *store, int64_t device, int64_t boot, const struct sp_anchor *anchor,
		  int64_t arrived_ms)
{
	struct sp_anchor before, after;
	int result = sp_anchor_near(store, boot, anchor->mono_us, &before, &after);
	if (result == 0 && sp_anchor_use(&before, &after, anchor) == SP_ANCHOR_CONTRADICTS)
		return contest(store, device, boot, anchor, arrived_ms);
	if (result == 0)
		result = weigh(store, boot, &before, anchor);
	if (result == 0)
		result = weigh(store, boot, &after, anchor);
	if (result != 0)
		return result < 0 ? result : 0;
	result = write_anchor(store, boot, anchor, false);
	if (result < 0)
		return result;
	return sp_time_again(store, device, boot, arrived_ms, before.known ? before.mono_us : 0,
			     after.known ? after.mono_us : INT64_MAX, false);
}

// ---- arrivals ---------------------------------------------------------------------------------------

int sp_arrival_read(struct sp_store *store, int64_t boot, struct sp_anchor *out, bool *disputed)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db, "SELECT arrival_mono_us, arrival_ms, arrival_err_ms, disputes FROM boot WHERE id = ?",
	    I(boot));
	int result = sp_rows_next(store->db, rows);
	*out = (struct sp_anchor){0};
	*disputed = false;
	if (result != 1)
		return result;
	if (!sp_row_is_null(rows, 0))
		*out = (struct sp_anchor){true, sp_row_int(rows, 0, 0), sp_row_int(rows, 1, 0),
					  sp_row_int(rows, 2, 0)};
	*disputed = sp_row_int(rows, 3, 0) > 0;
	sp_rows_leave(rows);
	return 0;
}

/// No message arrives before it was sent: that is certain, and the quickest of a boot shows best how its
/// monotonic clock lies to the hub's. That it was not under way for longer than it should have been is
/// likely of the quickest alone, since a line that fails holds up what was just sent; so no other one may
/// raise the lower bound beyond that. True: what was placed by the bounds that were known is to be placed
/// again.
static bool narrow(const struct sp_anchor *known, int64_t mono_us, int64_t *latest, int64_t *earliest)
{
	int64_t distance_us = mono_us - known->mono_us;
	int64_t drift_ms = sp_place_drift_ms(distance_us);
	int64_t there_latest = known->t_ms + distance_us / 1000 + drift_ms;
	int64_t there_earliest = there_latest - known->err_ms - 2 * drift_ms;
	if (*earliest > there_latest + LATE_MS)
		return true;
	*latest = there_latest < *latest ? there_latest : *latest;
	*earliest = there_earliest > *earliest ? there_earliest : *earliest;
	if (*earliest > *latest - SP_PLACE_TRANSIT_MS)
		*earliest = *latest - SP_PLACE_TRANSIT_MS;
	return *earliest < there_earliest - REPLACE_MS;
}

enum sp_arrival_use sp_arrival_use(const struct sp_anchor *known, const struct sp_arrival *arrival,
				   int64_t mono_us, struct sp_anchor *out)
{
	int64_t latest = arrival->arrived_ms;
	int64_t earliest = latest - SP_PLACE_TRANSIT_MS - arrival->lag_ms;
	bool news = !known->known || narrow(known, mono_us, &latest, &earliest);
	*out = (struct sp_anchor){true, mono_us, latest, latest - earliest};
	if (news)
		return SP_ARRIVAL_NEWS;
	// Not each message is worth a write.
	if (latest - earliest + GAIN_MS > known->err_ms + 2 * sp_place_drift_ms(mono_us - known->mono_us) &&
	    latest + GAIN_MS > known->t_ms + (mono_us - known->mono_us) / 1000)
		return SP_ARRIVAL_KNOWN;
	return SP_ARRIVAL_NARROWS;
}

int sp_arrival_add(struct sp_store *store, const struct sp_arrival *arrival, int64_t device, int64_t boot,
		   int64_t mono_us)
{
	struct sp_anchor known, better;
	bool disputed;
	int result = sp_arrival_read(store, boot, &known, &disputed);
	if (result < 0)
		return result;
	enum sp_arrival_use use = sp_arrival_use(&known, arrival, mono_us, &better);
	if (use == SP_ARRIVAL_KNOWN)
		return 0;
	const bool news = use == SP_ARRIVAL_NEWS;
	result = SQL_DO(
	    store->db, "UPDATE boot SET arrival_mono_us = ?, arrival_ms = ?, arrival_err_ms = ? WHERE id = ?",
	    I(better.mono_us), I(better.t_ms), I(better.err_ms), I(boot));
	if (result == 0 && news && known.known)
		result = SQL_DO(store->db,
				"UPDATE batch SET loose = last - first + 1 WHERE boot = ?1 AND stream IN "
				"(SELECT id FROM stream WHERE device = ?2)",
				I(boot), I(device));
	return result < 0 || !news ? result
				   : sp_time_again(store, device, boot, arrival->arrived_ms, 0, -1, false);
}
