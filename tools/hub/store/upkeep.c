// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What must go: events of kiosks that are too old, extracts that nobody fetched, and what an erased row
// leaves in the write-ahead log. Each call is one small transaction, so that ingest never waits for it.
#include "tools/hub/facts/fact_attendance.h"
#include "tools/hub/time/local_time.h"
#include "tools/hub/store/store_priv.h"

enum {
	STEP_ROWS = 1000,
	EVERY_MS = 3600000,
};

void sp_store_set_attendance_days(struct sp_store *store, int64_t days)
{
	store->attendance_days = days;
}

// ---- the log ------------------------------------------------------------------------------------------

/// What is to be scrubbed stands in the database, so that no crash makes it forgotten.
static int scrub(struct sp_store *store, int64_t now_ms)
{
	int64_t wanted = 0;
	int result = sp_store_meta_get(store, "scrub", &wanted);
	if (result < 0 || (!wanted && !store->scrub))
		return result;
	result = sp_db_scrub(store->db);
	if (result != 0)
		return result;
	store->scrub = false;
	if (!wanted)
		return 0;
	result = sp_store_begin(store, now_ms);
	if (result == 0)
		result = sp_store_meta_set(store, "scrub", 0);
	if (result == 0)
		result = sp_store_commit(store);
	if (result < 0)
		sp_store_rollback(store);
	return result;
}

// ---- what is too old ----------------------------------------------------------------------------------

static int deleted(struct sp_store *store, int result, int64_t *rows)
{
	if (result == 0)
		*rows += sp_sql_changes(store->db);
	return result;
}

static int old_punches(struct sp_store *store, int64_t before_day, int64_t *rows)
{
	int64_t device = 0;
	// Boards that have a kiosk; of each the oldest day is found by one look into the index.
	int result =
	    SQL_GET(store->db, &device,
		    "SELECT d.device FROM (SELECT DISTINCT device FROM kiosk) d WHERE (SELECT min(day) FROM"
		    " punch p WHERE p.device = d.device) < ? LIMIT 1",
		    I(before_day));
	if (result != 1)
		return result;
	result =
	    SQL_DO(store->db, "DELETE FROM arrival WHERE device = ?1 AND day < ?2", I(device), I(before_day));
	if (result == 0)
		result = deleted(store,
				 SQL_DO(store->db,
					"DELETE FROM punch WHERE id IN (SELECT id FROM punch WHERE"
					" device = ? AND day < ? LIMIT ?)",
					I(device), I(before_day), I(STEP_ROWS)),
				 rows);
	return result;
}

/// The rows of the feed that told of them. A stream's records rise in time: the first ones are the oldest.
static int old_events(struct sp_store *store, int64_t before_ms, int64_t *rows)
{
	int64_t stream = 0;
	int result = SQL_GET(store->db, &stream,
			     "SELECT s.id FROM stream s WHERE s.class = ? AND (SELECT e.t_ms FROM event e "
			     "WHERE e.stream = s.id AND"
			     " e.seq > 1 ORDER BY e.seq LIMIT 1) < ? LIMIT 1",
			     I(SP_RECORD_ATTENDANCE), I(before_ms));
	if (result != 1)
		return result;
	// A punch of a later day that came so long ago is from the future: it goes, too.
	result = SQL_DO(
	    store->db,
	    "DELETE FROM punch WHERE id IN (SELECT id FROM (SELECT id, t_ms FROM event WHERE stream = ?"
	    " AND seq > 1 ORDER BY seq LIMIT ?) e WHERE t_ms < ?)",
	    I(stream), I(STEP_ROWS), I(before_ms));
	if (result < 0)
		return result;
	return deleted(
	    store,
	    SQL_DO(store->db,
		   "DELETE FROM event WHERE id IN (SELECT id FROM (SELECT id, t_ms FROM event WHERE stream"
		   " = ? AND seq > 1 ORDER BY seq LIMIT ?) e WHERE t_ms < ?)",
		   I(stream), I(STEP_ROWS), I(before_ms)),
	    rows);
}

static int old_persons(struct sp_store *store, int64_t before_day, int64_t *rows)
{
	return deleted(
	    store,
	    SQL_DO(store->db,
		   "DELETE FROM person WHERE id IN (SELECT id FROM person WHERE seen_day < ? LIMIT ?)",
		   I(before_day - SP_PERSON_SEEN_DAYS), I(STEP_ROWS)),
	    rows);
}

static int old_extracts(struct sp_store *store, int64_t before_ms, int64_t *rows)
{
	return deleted(store,
		       SQL_DO(store->db,
			      "UPDATE subject SET extract = NULL WHERE extract IS NOT NULL AND at_ms < ?",
			      I(before_ms)),
		       rows);
}

static int old_references(struct sp_store *store)
{
	return SQL_DO(
	    store->db,
	    "DELETE FROM subject_person WHERE (device, request) IN (SELECT device, request FROM subject"
	    " WHERE extract IS NULL)");
}

static int expire(struct sp_store *store, const struct sp_upkeep_rules *rules, int64_t now_ms)
{
	int64_t before_day = sp_local_day(now_ms) - rules->attendance_days, rows = 0;
	int result = sp_store_begin(store, now_ms);
	if (result == 0)
		result = sp_event_ahead(store, now_ms);
	if (result == 0)
		result = old_punches(store, before_day, &rows);
	if (result >= 0 && rows == 0)
		result = old_events(store, sp_local_day_ms(before_day), &rows);
	if (result >= 0 && rows == 0)
		result = old_extracts(store, now_ms - rules->extract_days * SP_DAY_MS, &rows);
	if (result >= 0 && rows == 0)
		result = old_references(store);
	if (result >= 0 && rows == 0)
		result = old_persons(store, before_day, &rows);
	if (result >= 0 && rows > 0)
		result = sp_store_meta_set(store, "scrub", 1);
	if (result >= 0 && (result = sp_store_commit(store)) == 0)
		return rows > 0;
	sp_store_rollback(store);
	return result;
}

int sp_store_upkeep(struct sp_store *store, const struct sp_upkeep_rules *rules, int64_t now_ms)
{
	int64_t since_ms = now_ms - store->upkeep_ms;
	int result = rules->incidents ? sp_incident_step(store, rules->incidents, now_ms) : 0;
	if (result == 0 && rules->retention)
		result = sp_retain_step(store, rules->retention, now_ms);
	if (result != 0)
		return result;
	result = scrub(store, now_ms); // 1: a reader is in the way; that holds nothing else up
	if (result < 0)
		return result;
	if (since_ms < 0 || since_ms >= EVERY_MS) {
		result = expire(store, rules, now_ms);
		if (result != 0)
			return result;
		store->upkeep_ms = now_ms;
	}
	return sp_store_rollup(store, false, now_ms);
}
