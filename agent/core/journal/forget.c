// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Forgetting by age: what was settled long enough ago; attendance that is not published, counted from its
// coming; and attendance that nobody took for too long, which is a loss that a fact tells.
#include <inttypes.h>

#include "agent/core/journal/sql.h"
#include "agent/core/journal/store.h"
#include "schoolpulse/log.h"

enum {
	DELETE_AT_ONCE = 32,
	FORGET_AT_ONCE = 512, ///< batches per transaction: a card may be slow
};

/// Deletes the stream's batches that were settled long enough ago, at most FORGET_AT_ONCE less *done.
static int forget_stream(struct sp_journal_store *store, int64_t row, enum sp_record_class cls, int64_t *done)
{
	int64_t limit_ms =
	    store->age_ms - (cls == SP_RECORD_ATTENDANCE ? store->keep_attendance_ms : store->keep_acked_ms);
	sqlite3_stmt *statement = NULL;
	int64_t ids[DELETE_AT_ONCE];
	size_t count;
	int result = sp_journal_keep_last(store, row);
	do {
		count = 0;
		if (result == 0)
			result =
			    sp_sql_prepare(store->db, &statement,
					   "SELECT id, age_ms FROM batch WHERE stream = ? AND settled = 1 "
					   "ORDER BY first LIMIT ?",
					   "ii", row, (int64_t)DELETE_AT_ONCE);
		if (result < 0)
			return result;
		while ((result = sp_sql_step(statement)) > 0 &&
		       sqlite3_column_int64(statement, 1) <= limit_ms)
			ids[count++] = sqlite3_column_int64(statement, 0);
		sqlite3_finalize(statement);
		result = result < 0 ? result : 0;
		for (size_t i = 0; i < count && result == 0; i++)
			result = sp_journal_delete_batch(store, ids[i]);
		*done += (int64_t)count;
	} while (result == 0 && count == DELETE_AT_ONCE && *done < FORGET_AT_ONCE);
	return result;
}

/// One transaction's worth; *done: batches deleted.
static int forget_some(struct sp_journal_store *store, int64_t now_ms, int64_t *done)
{
	int64_t row = 0, cls = 0;
	int result = sp_journal_begin(store, now_ms);
	if (result == 0)
		result = sp_journal_settle_pending(store);
	while (result == 0 && *done < FORGET_AT_ONCE) {
		result = sp_sql_int(store->db, &row, "SELECT id FROM stream WHERE id > ? ORDER BY id LIMIT 1",
				    "i", row);
		if (result < 0 || row == 0)
			break;
		result = sp_sql_int(store->db, &cls, "SELECT class FROM stream WHERE id = ?", "i", row);
		if (result == 0)
			result = forget_stream(store, row, (enum sp_record_class)cls, done);
	}
	if (result == 0)
		result = sp_journal_local_forget(store, store->age_ms - store->keep_attendance_ms,
						 FORGET_AT_ONCE, done);
	if (result == 0)
		result = sp_journal_sweep_streams(store);
	if (result == 0)
		result = sp_journal_write_age(store);
	if (result == 0)
		result = sp_journal_measure(store);
	return sp_journal_end(store, result);
}

// ---- never sent -----------------------------------------------------------------------------------------

/// Unsettled attendance that came too long ago: the oldest of each stream, at most DELETE_AT_ONCE.
static int find_expired(struct sp_journal_store *store, int64_t row, int64_t ids[DELETE_AT_ONCE],
			size_t *count)
{
	sqlite3_stmt *statement;
	int64_t limit_ms = store->age_ms - store->unsent_attendance_ms;
	*count = 0;
	int result =
	    sp_sql_prepare(store->db, &statement,
			   "SELECT id, age_ms FROM batch WHERE stream = ? AND settled = 0 ORDER BY first "
			   "LIMIT ?",
			   "ii", row, (int64_t)DELETE_AT_ONCE);
	if (result < 0)
		return result;
	while (*count < DELETE_AT_ONCE && (result = sp_sql_step(statement)) > 0 &&
	       sqlite3_column_int64(statement, 1) <= limit_ms)
		ids[(*count)++] = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return result < 0 ? result : 0;
}

static int next_attendance(struct sp_journal_store *store, int64_t *row)
{
	return sp_sql_int(store->db, row,
			  "SELECT id FROM stream WHERE id > ? AND class = 1 ORDER BY id LIMIT 1", "i", *row);
}

/// *found: how many there are, or have been given up.
static int expire(struct sp_journal_store *store, bool look_only, size_t *found)
{
	int64_t row = 0, ids[DELETE_AT_ONCE];
	size_t count;
	*found = 0;
	int result = next_attendance(store, &row);
	while (result == 0 && row && *found < FORGET_AT_ONCE) {
		result = find_expired(store, row, ids, &count);
		for (size_t i = 0; i < count && result == 0 && !look_only; i++)
			result = sp_journal_lose(store, ids[i], "age");
		*found += count;
		if (result == 0 && (count < DELETE_AT_ONCE || look_only))
			result = next_attendance(store, &row);
	}
	return result;
}

int sp_journal_expire(struct sp_journal_store *store)
{
	size_t found;
	return expire(store, false, &found);
}

static int drop_expired(struct sp_journal_store *store, int64_t now_ms)
{
	const struct sp_journal_commit what = {.expire = true};
	int64_t dropped = -1;
	size_t found = 1;
	int result = 0;
	// A commit can tell of so many losses only.
	while (result == 0 && found > 0 && store->now.dropped != dropped) {
		dropped = store->now.dropped;
		result = expire(store, true, &found);
		if (result == 0 && found > 0)
			result = sp_journal_store_commit(store, &what, now_ms);
	}
	return result;
}

int sp_journal_store_forget(struct sp_journal_store *store, int64_t now_ms)
{
	int64_t done = 0, total = 0;
	int result;
	do {
		done = 0;
		result = forget_some(store, now_ms, &done);
		total += done;
	} while (result == 0 && done >= FORGET_AT_ONCE && total < 100 * FORGET_AT_ONCE);
	if (result == 0 && store->unsent_attendance_ms > 0) {
		int64_t before = store->now.dropped;
		result = drop_expired(store, now_ms);
		total += store->now.dropped - before;
	}
	// What was forgotten must not live on in the WAL.
	if (result == 0 && total > 0)
		(void)sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	if (total > 0)
		sp_debug("journal", "forgot %" PRId64 " settled batches and old events", total);
	return result;
}
