// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What ingest notes for incidents as it goes: stretches of time in which something about a loss became known,
// how long boards were away, and the hops of their lines.
#include <string.h>

#include "tools/hub/facts/fact.h"
#include "tools/hub/store/store_priv.h"

enum {
	GRAIN_MS = 60000,
	/// A broker gives a session up one and a half keepalives after the last sign, and tells of it after
	/// the will's delay: 60 s and 30 s on our boards, and something for the way.
	WILL_MS = 150000,
};

/// The same stretch is noted once in a transaction: a batch tells of one loss in many records.
static int mark(struct sp_store *store, int64_t from_ms, int64_t to_ms)
{
	from_ms -= from_ms % GRAIN_MS;
	to_ms += GRAIN_MS - to_ms % GRAIN_MS;
	if (from_ms >= store->marked_from_ms && to_ms <= store->marked_to_ms)
		return 0;
	store->marked_from_ms = from_ms;
	store->marked_to_ms = to_ms;
	return SQL_DO(store->db, "INSERT INTO incident_dirty(from_ms, to_ms) VALUES(?, ?)", I(from_ms),
		      I(to_ms));
}

int sp_incident_mark(struct sp_store *store, int64_t from_ms, int64_t to_ms)
{
	if (from_ms < 0 && to_ms < 0)
		return 0;
	if (from_ms < 0 || from_ms > to_ms)
		from_ms = to_ms;
	// A very long one matters where it begins and where it ends: between both it is one board of many.
	if (to_ms - from_ms <= SP_INCIDENT_WHOLE_MS)
		return mark(store, from_ms, to_ms);
	int result = mark(store, from_ms, from_ms);
	return result < 0 ? result : mark(store, to_ms, to_ms);
}

int sp_incident_mark_outage(struct sp_store *store, int64_t device, const char *name)
{
	struct sp_rows *rows =
	    SQL_QUERY(store->db,
		      "SELECT coalesce(start_ms - coalesce(start_err_ms, 0), end_ms, t_ms),"
		      " coalesce(end_ms, start_ms, t_ms) FROM outage WHERE device = ? AND"
		      " name = ? AND state <> ?",
		      I(device), T(name), I(SP_LINE_DEGRADED));
	int result = sp_rows_next(store->db, rows);
	if (result != 1)
		return result;
	int64_t from_ms = sp_row_int(rows, 0, -1), to_ms = sp_row_int(rows, 1, -1);
	sp_rows_leave(rows);
	return sp_incident_mark(store, from_ms, to_ms);
}

int sp_incident_mark_silence(struct sp_store *store, int64_t device, int64_t stream, int64_t seq)
{
	struct sp_rows *rows = SQL_QUERY(store->db,
					 "SELECT last_ms, end_ms FROM silence WHERE device = ? AND stream = ?"
					 " AND seq = ?",
					 I(device), I(stream), I(seq));
	int result = sp_rows_next(store->db, rows);
	if (result != 1)
		return result;
	int64_t from_ms = sp_row_int(rows, 0, -1), to_ms = sp_row_int(rows, 1, -1);
	sp_rows_leave(rows);
	return sp_incident_mark(store, from_ms, to_ms);
}

// ---- absences --------------------------------------------------------------------------------------

int sp_absence_begins(struct sp_store *store, const struct sp_arrival *arrival, int64_t device)
{
	int64_t heard_ms = -1, from_ms = store->now_ms - arrival->lag_ms - WILL_MS;
	int result =
	    SQL_GET(store->db, &heard_ms, "SELECT last_heard_ms FROM device WHERE id = ?", I(device));
	if (result < 0)
		return result;
	// What a broker kept for a hub that was away may have been said at any time since its last word.
	if (heard_ms > from_ms || (arrival->retained && heard_ms >= 0))
		from_ms = heard_ms;
	if (from_ms > store->now_ms)
		from_ms = store->now_ms;
	result = SQL_DO(store->db,
			"INSERT INTO absence(device, lost_ms, heard_ms) VALUES(?, ?, ?)"
			" ON CONFLICT (device, lost_ms) DO NOTHING",
			I(device), I(store->now_ms), I(from_ms));
	return result < 0 ? result : sp_incident_mark(store, from_ms, store->now_ms);
}

int sp_absence_ends(struct sp_store *store, int64_t device)
{
	int64_t lost_ms = -1;
	int result = SQL_GET(
	    store->db, &lost_ms,
	    "SELECT lost_ms FROM absence WHERE device = ? AND back_ms IS NULL ORDER BY lost_ms", I(device));
	if (result != 1)
		return result;
	result = SQL_DO(store->db, "UPDATE absence SET back_ms = ? WHERE device = ? AND back_ms IS NULL",
			I(store->now_ms), I(device));
	return result < 0 ? result : sp_incident_mark(store, lost_ms, store->now_ms);
}

// ---- hops --------------------------------------------------------------------------------------------

/// Of a hop that was said again and again the first and the last time are kept: between both it was the same.
static int forget_between(struct sp_store *store, const struct sp_record *record, const char *hop)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT t_ms, stream, seq, hop FROM line_hop WHERE device = ? AND line = ? AND t_ms < ? ORDER BY"
	    " t_ms DESC, stream DESC, seq DESC LIMIT 2",
	    I(record->device), T(record->instance), I(record->when.t_ms));
	int64_t row[3] = {0};
	int alike = 0, result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		for (int i = 0; i < 3 && alike == 0; i++)
			row[i] = sp_row_int(rows, i, 0);
		alike += strcmp(sp_row_text(rows, 3), hop) == 0;
	}
	if (result < 0 || alike < 2)
		return result;
	return SQL_DO(store->db,
		      "DELETE FROM line_hop WHERE device = ? AND line = ? AND t_ms = ? AND stream = ? AND"
		      " seq = ?",
		      I(record->device), T(record->instance), I(row[0]), I(row[1]), I(row[2]));
}

int sp_hop_project(struct sp_store *store, const struct sp_record *record)
{
	struct sp_fact_egress fact;
	if (!sp_fact_egress(&fact, record->data))
		return 1;
	// Another's door says nothing of this line.
	if (!fact.own || !fact.hop[0])
		return 0;
	int result = 0;
	if (record->was_ms >= 0)
		result = SQL_DO(store->db,
				"DELETE FROM line_hop WHERE device = ? AND line = ? AND t_ms = ? AND stream "
				"= ? AND seq = ?",
				I(record->device), T(record->instance), I(record->was_ms), I(record->stream),
				I(record->seq));
	if (result == 0)
		result =
		    SQL_DO(store->db,
			   "INSERT INTO line_hop VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT (device, line, t_ms,"
			   " stream, seq) DO NOTHING",
			   I(record->device), T(record->instance), I(record->when.t_ms), I(record->stream),
			   I(record->seq), T(fact.hop));
	if (result == 0)
		result = forget_between(store, record, fact.hop);
	return result < 0 ? result : sp_incident_mark(store, record->when.t_ms, record->when.t_ms);
}
