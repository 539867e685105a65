// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The SQLite store: opening, transactions, and what ingest says of itself.
#include "tools/hub/store/store_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/mem.h"

enum {
	SILENCE_MS = 15 * 60 * 1000,
	ATTENDANCE_DAYS = 400,
};

const char *sp_store_error(const struct sp_store *store)
{
	return store->error;
}

void sp_store_set_silence(struct sp_store *store, int64_t silence_ms)
{
	store->silence_ms = silence_ms;
}

int sp_store_meta_get(struct sp_store *store, const char *key, int64_t *out)
{
	int result = SQL_GET(store, out, "SELECT value FROM meta WHERE key = ?", T(key));
	return result < 0 ? result : 0;
}

int sp_store_meta_set(struct sp_store *store, const char *key, int64_t value)
{
	return SQL_DO(store, "INSERT INTO meta VALUES(?1, ?2) ON CONFLICT DO UPDATE SET value = ?2", T(key),
		      I(value));
}

/// WAL survives in the file; FULL makes each commit reach the disk before it is acknowledged.
static int settings(struct sp_store *store)
{
	sqlite3_busy_timeout(store->db, SP_BUSY_MS);
	sqlite3_extended_result_codes(store->db, 0);
	if (!store->writing)
		return sp_sql_script(store, "PRAGMA query_only = 1; PRAGMA cache_size = -32768");
	return sp_sql_script(store, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
				    "PRAGMA cache_size = -65536; PRAGMA foreign_keys = 0;"
				    "PRAGMA secure_delete = ON");
}

/// In one transaction, so that two programs that start together make one schema. A newer program's
/// database is looked at before anything, journal mode included, is changed.
static int check(struct sp_store *store, char why[256])
{
	int result = sp_sql_script(store, store->writing ? "BEGIN IMMEDIATE" : "BEGIN");
	if (result < 0) {
		snprintf(why, 256, "%s", store->error);
		return result;
	}
	result = sp_schema_check(store, why);
	if (result == 0 && sp_sql_script(store, "COMMIT") == 0)
		return 0;
	if (result == 0) {
		result = sp_sql_errno(store);
		snprintf(why, 256, "%s", store->error);
	}
	if (!sqlite3_get_autocommit(store->db))
		(void)!sp_sql_script(store, "ROLLBACK");
	return result;
}

int sp_store_open(struct sp_store **out, const char *path, enum sp_store_mode mode, char why[256])
{
	struct sp_store *store = sp_alloc(sizeof(*store));
	store->writing = mode == SP_STORE_WRITE;
	store->silence_ms = SILENCE_MS;
	store->attendance_days = ATTENDANCE_DAYS;
	store->refusals = -1;
	int flags = store->writing ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
	int result = 0;
	if (sqlite3_open_v2(path, &store->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
		result = sp_sql_errno(store);
		snprintf(why, 256, "%s", store->error);
	}
	if (result == 0) {
		sqlite3_busy_timeout(store->db, SP_BUSY_MS);
		result = check(store, why);
	}
	if (result == 0 && (result = settings(store)) < 0)
		snprintf(why, 256, "%s", store->error);
	if (result < 0) {
		sp_store_close(store);
		store = NULL;
	}
	*out = store;
	return result;
}

void sp_store_close(struct sp_store *store)
{
	if (!store)
		return;
	sp_sql_free(store);
	sqlite3_close(store->db);
	free(store->streams.ids);
	free(store->devices.ids);
	free(store);
}

// ---- transactions --------------------------------------------------------------------------------

static void forget_touched(struct sp_store *store)
{
	store->streams.count = store->devices.count = 0;
	store->seen_changes = false;
}

/// A file that has lost its name still takes writes: they would reach nobody.
static int in_place(struct sp_store *store)
{
	int moved = 0;
	if (sqlite3_file_control(store->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK || !moved)
		return 0;
	snprintf(store->error, sizeof(store->error), "the database file was moved or replaced");
	return -ESTALE;
}

int sp_store_begin(struct sp_store *store, int64_t now_ms)
{
	store->now_ms = now_ms;
	store->ack_number_saved = store->ack_number;
	store->register_rev_saved = store->register_rev;
	forget_touched(store);
	int result = in_place(store);
	return result < 0 ? result : SQL_DO(store, "BEGIN IMMEDIATE");
}

int sp_store_commit(struct sp_store *store)
{
	int result = 0;
	if (store->seen_changes || store->streams.count > 0 || store->devices.count > 0)
		result = SQL_DO(store, "UPDATE meta SET value = value + 1 WHERE key = 'rev'");
	if (result == 0)
		result = in_place(store);
	if (result == 0)
		result = SQL_DO(store, "COMMIT");
	if (result == 0)
		forget_touched(store);
	return result;
}

void sp_store_rollback(struct sp_store *store)
{
	store->ack_number = store->ack_number_saved;
	store->register_rev = store->register_rev_saved;
	store->refusals = -1;
	forget_touched(store);
	if (!sqlite3_get_autocommit(store->db))
		(void)!SQL_DO(store, "ROLLBACK");
}

int sp_store_read_begin(struct sp_store *store, int64_t now_ms)
{
	store->now_ms = now_ms;
	int result = in_place(store);
	return result < 0 ? result : SQL_DO(store, "BEGIN");
}

void sp_store_read_end(struct sp_store *store)
{
	if (!sqlite3_get_autocommit(store->db))
		(void)!SQL_DO(store, "ROLLBACK");
}

// ---- ingest of itself ------------------------------------------------------------------------------

int sp_store_epoch(struct sp_store *store, const char *epoch)
{
	snprintf(store->epoch, sizeof(store->epoch), "%s", epoch);
	store->ack_number = 0;
	store->seen_changes = true;
	return SQL_DO(store, "INSERT INTO meta VALUES('epoch', ?1) ON CONFLICT DO UPDATE SET value = ?1",
		      T(epoch));
}

int sp_store_pulse(struct sp_store *store, const char *state)
{
	int64_t same = 0;
	int result = SQL_GET(store, &same, "SELECT value = ? FROM meta WHERE key = 'ingest'", T(state));
	if (result >= 0)
		result = sp_store_meta_set(store, "ingest_ms", store->now_ms);
	if (result < 0 || same)
		return result;
	store->seen_changes = true;
	return SQL_DO(store, "INSERT INTO meta VALUES('ingest', ?1) ON CONFLICT DO UPDATE SET value = ?1",
		      T(state));
}

int sp_store_status(struct sp_store *store, struct sp_store_status *out)
{
	*out = (struct sp_store_status){0};
	sqlite3_stmt *stmt = SQL_QUERY(store, "SELECT key, value FROM meta WHERE ?", I(1));
	int result;
	while ((result = sp_sql_step(store, stmt)) == 1) {
		const char *key = sp_sql_text(stmt, 0);
		if (strcmp(key, "rev") == 0)
			out->rev = sp_sql_int(stmt, 1, 0);
		else if (strcmp(key, "ingest_ms") == 0)
			out->ingest_ms = sp_sql_int(stmt, 1, 0);
		else if (strcmp(key, "ingest") == 0)
			snprintf(out->ingest, sizeof(out->ingest), "%s", sp_sql_text(stmt, 1));
		else if (strcmp(key, "epoch") == 0)
			snprintf(out->epoch, sizeof(out->epoch), "%s", sp_sql_text(stmt, 1));
	}
	if (result < 0)
		return result;
	result = SQL_GET(
	    store, &out->silent,
	    "SELECT count(*) FROM device WHERE presence IN (?, ?) AND coalesce(last_heard_ms, -1) < ?",
	    I(SP_PRESENCE_NEVER), I(SP_PRESENCE_ONLINE), I(store->now_ms - store->silence_ms));
	return result < 0 ? result : 0;
}
