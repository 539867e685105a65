// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// How long samples are kept as what: rows, minutes, hours, days. In small steps, by one process of all that
// share the database, and never a fact. The ledger of what came is kept, so that nothing comes twice.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/store/summary.h"
#include "tools/hub/time/local_time.h"

enum {
	STEP_ROWS = 1000,
	IDLE_MS = 60000,    ///< between looks for what is too old
	STREAMS = 200,      ///< looked at in one step
	SHRINK_PAGES = 250, ///< given back in one step: 1 MB
	SPARE_PAGES = 250,  ///< free ones that are left for what comes
};

// ---- rows -----------------------------------------------------------------------------------------

struct row {
	int64_t seq, t_ms;
};

/// The oldest rows of a stream, up to the first that is not too old or not yet seen by the summaries: into
/// minutes, and away. *rows: how many went.
static int drop_rows(struct sp_store *store, int64_t stream, int64_t device, int64_t before_ms, int64_t upto,
		     int64_t *rows)
{
	struct sp_sums minutes = {0};
	int64_t last = -1, newest = 0;
	// The newest row of all stays: its number must not be given to another one.
	int result = SQL_GET(store->db, &newest, "SELECT max(id) FROM event WHERE id > ?", I(-1));
	if (result < 0)
		return result;
	struct sp_rows *query = SQL_QUERY(store->db,
					  "SELECT seq, t_ms, id, type, instance, data FROM event WHERE "
					  "stream = ? AND seq > 1 ORDER BY seq LIMIT ?",
					  I(stream), I(STEP_ROWS));
	while ((result = sp_rows_next(store->db, query)) == 1) {
		int64_t t_ms = sp_row_int(query, 1, 0);
		int64_t id = sp_row_int(query, 2, 0);
		if (t_ms >= before_ms || id > upto || id >= newest) {
			sp_rows_leave(query);
			result = 0;
			break;
		}
		if (sp_is_sample(sp_row_text(query, 3)))
			sp_sums_add(&minutes, sp_level_start(SP_LEVEL_MINUTE, t_ms), sp_row_text(query, 4),
				    sp_row_text(query, 5));
		last = sp_row_int(query, 0, 0);
	}
	if (result == 0 && last >= 0)
		result = sp_sums_write(store, SP_LEVEL_MINUTE, device, &minutes, true);
	sp_sums_free(&minutes);
	if (result == 0 && last >= 0) {
		result = SQL_DO(store->db, "DELETE FROM event WHERE stream = ? AND seq > 1 AND seq <= ?",
				I(stream), I(last));
		*rows += result == 0 ? sp_sql_changes(store->db) : 0;
	}
	return result;
}

/// One stream after the other, and again from the first one an hour later. 1: there is more.
static int drop(struct sp_store *store, const struct sp_retention *keep, int64_t now_ms)
{
	int64_t cursor = -1, upto = 0, raw_ms = 0, stream = 0, device = 0, rows = 0;
	int64_t before_ms = sp_level_start(SP_LEVEL_HOUR, now_ms - keep->raw_days * SP_DAY_MS);
	int result = sp_store_meta_get(store, "retain_stream", &cursor);
	if (result == 0)
		result = sp_store_meta_get(store, "summary_event", &upto);
	if (result == 0)
		result = sp_store_meta_get(store, "summary_raw_ms", &raw_ms);
	if (result == 0 && cursor < 0) {
		if (raw_ms >= before_ms)
			return 0; // this hour's round is over
		// From now on what comes for these hours is added to what stands there.
		result = sp_store_meta_set(store, "summary_raw_ms", before_ms);
		raw_ms = before_ms;
		cursor = 0;
	}
	for (int i = 0; result == 0 && rows == 0 && i < STREAMS; i++) {
		struct sp_rows *next = SQL_QUERY(store->db,
						 "SELECT id, device FROM stream WHERE id > ? AND class = ? "
						 "AND from_ms < ? ORDER BY id LIMIT 1",
						 I(cursor), I(SP_RECORD_BULK), I(raw_ms));
		result = sp_rows_next(store->db, next);
		if (result != 1) {
			cursor = -1;
			break;
		}
		stream = sp_row_int(next, 0, 0);
		device = sp_row_int(next, 1, 0);
		sp_rows_leave(next);
		result = drop_rows(store, stream, device, raw_ms, upto, &rows);
		if (rows < STEP_ROWS)
			cursor = stream;
	}
	if (result == 0)
		result = sp_store_meta_set(store, "retain_stream", cursor);
	return result < 0 ? result : cursor >= 0 || rows > 0;
}

// ---- summaries -------------------------------------------------------------------------------------

static int expire(struct sp_store *store, int level, int64_t days, int64_t now_ms, int64_t *rows)
{
	if (days == 0)
		return 0;
	int result =
	    SQL_DO(store->db,
		   "DELETE FROM summary WHERE level = ?1 AND (level, device, t_ms, instance) IN (SELECT "
		   "level, device,"
		   " t_ms, instance FROM summary WHERE level = ?1 AND t_ms < ?2 ORDER BY t_ms LIMIT ?3)",
		   I(level), I(sp_local_day_ms(sp_local_day(now_ms) - days)), I(STEP_ROWS));
	*rows += result == 0 ? sp_sql_changes(store->db) : 0;
	return result;
}

static int expire_all(struct sp_store *store, const struct sp_retention *keep, int64_t now_ms)
{
	int64_t rows = 0;
	int result = expire(store, SP_LEVEL_MINUTE, keep->minute_days, now_ms, &rows);
	if (result == 0)
		result = expire(store, SP_LEVEL_HOUR, keep->hour_days, now_ms, &rows);
	if (result == 0)
		result = expire(store, SP_LEVEL_DAY, keep->day_days, now_ms, &rows);
	return result < 0 ? result : rows > 0;
}

// ---- the file -----------------------------------------------------------------------------------------

/// Pages that nobody needs go back to the file system, some at a time, so that nobody waits for it.
/// PostgreSQL's autovacuum does its own. 1: there is more.
static int shrink(struct sp_store *store)
{
	int64_t spare = 0;
	if (sp_db_kind(store->db) != SP_DB_SQLITE)
		return 0;
	int result =
	    SQL_GET(store->db, &spare, "SELECT freelist_count FROM pragma_freelist_count WHERE ?", I(1));
	if (result < 0 || spare <= SPARE_PAGES)
		return result < 0 ? result : 0;
	char pragma[64];
	snprintf(pragma, sizeof(pragma), "PRAGMA incremental_vacuum(%d)", SHRINK_PAGES);
	result = sp_sql_script(store->db, pragma);
	int64_t left = spare;
	if (result == 0)
		result = SQL_GET(store->db, &left, "SELECT freelist_count FROM pragma_freelist_count WHERE ?",
				 I(1));
	// A database that was made without it does not shrink.
	return result < 0 ? result : left < spare && left > SPARE_PAGES;
}

static int step(struct sp_store *store, const struct sp_retention *keep, int64_t now_ms)
{
	int result = sp_task_lease(store, "retention", now_ms);
	if (result != 1)
		return result;
	result = sp_summary_scan(store, now_ms);
	if (result == 0)
		result = sp_summary_make(store, keep, now_ms);
	if (result == 0)
		result = drop(store, keep, now_ms);
	if (result == 0)
		result = expire_all(store, keep, now_ms);
	return result;
}

int sp_retain_step(struct sp_store *store, const struct sp_retention *keep, int64_t now_ms)
{
	int64_t since_ms = now_ms - store->retained_ms;
	if (since_ms >= 0 && since_ms < IDLE_MS)
		return 0;
	int result = sp_store_begin(store, now_ms);
	if (result < 0)
		return result;
	int more = step(store, keep, now_ms);
	result = more < 0 ? more : sp_store_commit(store);
	if (result < 0) {
		sp_store_rollback(store);
		return result;
	}
	if (more == 0)
		more = shrink(store);
	if (more == 0)
		store->retained_ms = now_ms;
	return more;
}
