// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The store: opening, transactions, and what ingest says of itself.
#include "tools/hub/store/hot.h"
#include "tools/hub/register/calendar.h"
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
	return sp_db_error(store->db);
}

void sp_store_set_short_way(struct sp_store *store, bool on)
{
	store->no_hot = !on;
}

void sp_store_set_silence(struct sp_store *store, int64_t silence_ms)
{
	store->silence_ms = silence_ms;
}

int sp_store_meta_get(struct sp_store *store, const char *key, int64_t *out)
{
	int result = SQL_GET(store->db, out, "SELECT value FROM meta WHERE key = ?", T(key));
	return result < 0 ? result : 0;
}

int sp_store_meta_set(struct sp_store *store, const char *key, int64_t value)
{
	return SQL_DO(
	    store->db,
	    "INSERT INTO meta VALUES(?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value", T(key),
	    I(value));
}

static int set_text(struct sp_store *store, const char *key, const char *value)
{
	return SQL_DO(
	    store->db,
	    "INSERT INTO meta VALUES(?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value", T(key),
	    T(value));
}

/// In one transaction, so that two programs that start together make one schema. A newer program's
/// database is looked at before anything is changed.
static int check(struct sp_store *store, char why[256])
{
	int result = store->writing ? sp_db_begin(store->db) : sp_db_read_begin(store->db);
	why[0] = '\0';
	if (result == 0)
		result = sp_schema_check(store, why);
	if (result == 0)
		result = sp_db_commit(store->db);
	if (result == 0)
		return 0;
	if (!why[0])
		snprintf(why, 256, "%.255s", sp_store_error(store));
	sp_db_rollback(store->db);
	return result;
}

int sp_store_open(struct sp_store **out, const char *path, enum sp_store_mode mode, char why[256])
{
	struct sp_store *store = sp_alloc(sizeof(*store));
	store->writing = mode == SP_STORE_WRITE;
	store->silence_ms = SILENCE_MS;
	store->attendance_days = ATTENDANCE_DAYS;
	store->limits = SP_STORE_LIMITS;
	store->refusals = -1;
	int result = sp_db_open(&store->db, path, store->writing ? SP_DB_WRITE : SP_DB_READ, why);
	if (result == 0)
		result = check(store, why);
	if (result == 0 && (result = sp_db_settle(store->db)) < 0)
		snprintf(why, 256, "%.255s", sp_store_error(store));
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
	sp_hot_free(store);
	sp_rollup_free(store);
	sp_db_close(store->db);
	sp_calendar_free(store->calendar);
	sp_inc_lines_free(store->lines);
	free(store->streams.ids);
	free(store->devices.ids);
	free(store);
}

// ---- transactions --------------------------------------------------------------------------------

static void forget_touched(struct sp_store *store)
{
	store->streams.count = store->devices.count = 0;
	store->marked_from_ms = store->marked_to_ms = 0;
	store->seen_changes = false;
}

int sp_store_begin(struct sp_store *store, int64_t now_ms)
{
	store->now_ms = now_ms;
	store->ack_number_saved = store->ack_number;
	store->register_rev_saved = store->register_rev;
	store->calendar_checked = false;
	forget_touched(store);
	sp_hot_begin(store);
	return sp_db_begin(store->db);
}

/// The revision is the sum of all such rows: with one of their own, several ingests of one database need not
/// commit one after the other.
static int next_revision(struct sp_store *store)
{
	if (sp_db_kind(store->db) == SP_DB_SQLITE)
		return SQL_DO(
		    store->db,
		    "UPDATE meta SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT) WHERE key = 'rev'");
	return SQL_DO(
	    store->db,
	    "INSERT INTO meta VALUES('rev.' || pg_backend_pid() % 64, '1') ON CONFLICT (key) DO UPDATE SET"
	    " value = CAST(CAST(meta.value AS BIGINT) + 1 AS TEXT)");
}

int sp_store_commit(struct sp_store *store)
{
	int result = sp_rollup_flush(store);
	// Last, so that who waits for this row waits for nothing else.
	if (result == 0 && (store->seen_changes || store->streams.count > 0 || store->devices.count > 0))
		result = next_revision(store);
	if (result == 0)
		result = sp_db_commit(store->db);
	if (result == 0) {
		forget_touched(store);
		sp_event_forget(store, false);
	}
	return result;
}

void sp_store_rollback(struct sp_store *store)
{
	store->ack_number = store->ack_number_saved;
	store->register_rev = store->register_rev_saved;
	store->refusals = -1;
	forget_touched(store);
	sp_rollup_forget(store);
	sp_db_rollback(store->db);
	sp_event_forget(store, true);
	sp_hot_forget(store);
}

void sp_store_forget(struct sp_store *store)
{
	store->refusals = -1;
	store->register_rev = 0;
	sp_hot_forget(store);
}

int sp_store_read_begin(struct sp_store *store, int64_t now_ms)
{
	store->now_ms = now_ms;
	store->calendar_checked = false;
	int result = sp_event_horizon(store);
	// A server that was away: a transaction finds it again.
	if (result == -ENOTCONN && (result = sp_db_read_begin(store->db)) == 0) {
		sp_db_rollback(store->db);
		result = sp_event_horizon(store);
	}
	if (result == 0)
		result = sp_db_read_begin(store->db);
	store->reading = result == 0;
	return result;
}

void sp_store_read_end(struct sp_store *store)
{
	store->reading = false;
	sp_db_rollback(store->db);
}

// ---- ingest of itself ------------------------------------------------------------------------------

int sp_store_epoch(struct sp_store *store, const char *epoch)
{
	snprintf(store->epoch, sizeof(store->epoch), "%s", epoch);
	store->ack_number = 0;
	store->seen_changes = true;
	return set_text(store, "epoch", epoch);
}

int sp_store_pulse(struct sp_store *store, const char *state)
{
	int64_t same = 0;
	int result = SQL_GET(store->db, &same, "SELECT value = ? FROM meta WHERE key = 'ingest'", T(state));
	if (result >= 0)
		result = sp_store_meta_set(store, "ingest_ms", store->now_ms);
	if (result < 0 || same)
		return result;
	store->seen_changes = true;
	return set_text(store, "ingest", state);
}

int sp_store_status(struct sp_store *store, struct sp_store_status *out)
{
	*out = (struct sp_store_status){0};
	struct sp_rows *rows = SQL_QUERY(store->db, "SELECT key, value FROM meta");
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		const char *key = sp_row_text(rows, 0);
		if (strcmp(key, "rev") == 0 || strncmp(key, "rev.", 4) == 0)
			out->rev += sp_row_int(rows, 1, 0);
		else if (strcmp(key, "ingest_ms") == 0)
			out->ingest_ms = sp_row_int(rows, 1, 0);
		else if (strcmp(key, "ingest") == 0)
			snprintf(out->ingest, sizeof(out->ingest), "%s", sp_row_text(rows, 1));
		else if (strcmp(key, "epoch") == 0)
			snprintf(out->epoch, sizeof(out->epoch), "%s", sp_row_text(rows, 1));
	}
	if (result == 0)
		result = sp_lease_status(store, out);
	if (result < 0)
		return result;
	result = SQL_GET(
	    store->db, &out->silent,
	    "SELECT count(*) FROM device WHERE presence IN (?, ?) AND coalesce(last_heard_ms, -1) < ?",
	    I(SP_PRESENCE_NEVER), I(SP_PRESENCE_ONLINE), I(store->now_ms - store->silence_ms));
	return result < 0 ? result : 0;
}
