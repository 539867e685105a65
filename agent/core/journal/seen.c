// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// See seen.h. How many keys a kiosk has is kept in steps of RESERVED, so that a commit need not write it.
#include "agent/core/journal/seen.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/core/journal/sql.h"
#include "agent/core/journal/store.h"
#include "schoolpulse/log.h"

enum {
	RESERVED = 256,
	PRUNE_AT_ONCE = 2000, ///< keys per transaction: freed pages are overwritten, by way of the WAL
};

static void drop_kiosk(struct sp_journal_store *store, size_t i)
{
	free(store->kiosks[i].name);
	store->kiosks[i] = store->kiosks[--store->kiosk_count];
}

void sp_journal_seen_free(struct sp_journal_store *store)
{
	while (store->kiosk_count > 0)
		drop_kiosk(store, store->kiosk_count - 1);
	free(store->kiosks);
	store->kiosks = NULL;
	store->kiosks_known = false;
}

void sp_journal_seen_reset(struct sp_journal_store *store)
{
	store->kiosks_known = false;
}

static struct sp_journal_kiosk *find(struct sp_journal_store *store, const char *name)
{
	for (size_t i = 0; i < store->kiosk_count; i++) {
		if (strcmp(store->kiosks[i].name, name) == 0)
			return &store->kiosks[i];
	}
	return NULL;
}

/// As the file has it. What only memory knows of it stays.
static struct sp_journal_kiosk *remember(struct sp_journal_store *store, const char *name, int64_t id,
					 int64_t count)
{
	struct sp_journal_kiosk *kiosk = find(store, name);
	if (!kiosk) {
		size_t bytes = (store->kiosk_count + 1) * sizeof(*store->kiosks);
		store->kiosks = sp_realloc(store->kiosks, bytes);
		kiosk = &store->kiosks[store->kiosk_count++];
		*kiosk = (struct sp_journal_kiosk){.name = sp_strndup(name, SP_JOURNAL_KIOSK_MAX)};
	}
	kiosk->id = id;
	kiosk->count = kiosk->written = count;
	return kiosk;
}

/// Those that the file does not have (any more) go.
static void drop_strangers(struct sp_journal_store *store)
{
	for (size_t i = store->kiosk_count; i > 0; i--) {
		if (store->kiosks[i - 1].id == 0)
			drop_kiosk(store, i - 1);
	}
}

static int recall(struct sp_journal_store *store)
{
	sqlite3_stmt *statement;
	if (store->kiosks_known)
		return 0;
	for (size_t i = 0; i < store->kiosk_count; i++)
		store->kiosks[i].id = 0;
	int result = sp_sql_prepare(store->db, &statement, "SELECT id, name, count FROM kiosk LIMIT ?", "i",
				    (int64_t)SP_JOURNAL_KIOSKS_MAX);
	if (result < 0)
		return result;
	while ((result = sp_sql_step(statement)) > 0) {
		int64_t count = sqlite3_column_int64(statement, 2);
		remember(store, sp_sql_text(statement, 1), sqlite3_column_int64(statement, 0),
			 count > 0 ? count : 0);
	}
	sqlite3_finalize(statement);
	drop_strangers(store);
	store->kiosks_known = result == 0;
	return result;
}

/// A place for one more: sections that were renamed leave keys behind that nobody asks for.
static int evict(struct sp_journal_store *store)
{
	size_t oldest = 0;
	for (size_t i = 1; i < store->kiosk_count; i++) {
		const struct sp_journal_kiosk *a = &store->kiosks[i], *b = &store->kiosks[oldest];
		if (a->used == b->used ? a->id < b->id : !a->used)
			oldest = i;
	}
	int64_t id = store->kiosks[oldest].id;
	int result = sp_sql_run(store->db, "DELETE FROM seen WHERE kiosk = ?", "i", id);
	if (result == 0)
		result = sp_sql_run(store->db, "DELETE FROM kiosk WHERE id = ?", "i", id);
	if (result == 0)
		drop_kiosk(store, oldest);
	return result;
}

static int get_kiosk(struct sp_journal_store *store, const char *name, struct sp_journal_kiosk **out)
{
	int result = recall(store);
	if (result)
		return result;
	*out = find(store, name);
	if (*out)
		return 0;
	if (store->kiosk_count >= SP_JOURNAL_KIOSKS_MAX)
		result = evict(store);
	if (result == 0)
		result = sp_sql_run(store->db, "INSERT INTO kiosk(name, count) VALUES(?, 0)", "t", name);
	if (result == 0)
		*out = remember(store, name, sqlite3_last_insert_rowid(store->db), 0);
	return result;
}

static int write_count(struct sp_journal_store *store, struct sp_journal_kiosk *kiosk, int64_t count)
{
	kiosk->written = count;
	return sp_sql_run(store->db, "UPDATE kiosk SET count = ? WHERE id = ?", "ii", count, kiosk->id);
}

/// mark->known: whether its other key is there.
static int look_for_other(struct sp_journal_store *store, int64_t kiosk, struct sp_journal_mark *mark)
{
	int64_t count = 0;
	if (!mark->other)
		return 0;
	int result =
	    sp_sql_int(store->db, &count, "SELECT count(*) FROM seen WHERE kiosk = ? AND day = ? AND key = ?",
		       "iib", kiosk, (int64_t)mark->day, mark->other, (size_t)16);
	mark->known = result == 0 && count > 0;
	return result;
}

static int note(struct sp_journal_store *store, sqlite3_stmt *insert, struct sp_journal_mark *mark)
{
	struct sp_journal_kiosk *kiosk;
	int result = get_kiosk(store, mark->kiosk, &kiosk);
	if (result)
		return result;
	kiosk->used = true;
	if (mark->capacity > kiosk->capacity)
		kiosk->capacity =
		    mark->capacity < SP_JOURNAL_CAPACITY_MAX ? mark->capacity : SP_JOURNAL_CAPACITY_MAX;
	result = look_for_other(store, kiosk->id, mark);
	if (result < 0 || mark->known)
		return result;
	sqlite3_bind_int64(insert, 1, kiosk->id);
	sqlite3_bind_int64(insert, 2, mark->day);
	sqlite3_bind_blob(insert, 3, mark->key, 16, SQLITE_STATIC);
	result = sp_sql_step(insert);
	sqlite3_reset(insert);
	if (result < 0)
		return result;
	mark->known = sqlite3_changes(store->db) == 0;
	kiosk->count += !mark->known;
	return kiosk->count > kiosk->written ? write_count(store, kiosk, kiosk->count + RESERVED - 1) : 0;
}

int sp_journal_seen_account(struct sp_journal_store *store, int64_t before_bytes)
{
	int64_t after, old = store->now.seen_bytes;
	int result = sp_journal_gross_bytes(store, &after);
	if (result < 0 || after == before_bytes)
		return result;
	store->now.seen_bytes += after - before_bytes;
	if (store->now.seen_bytes < 0)
		store->now.seen_bytes = 0;
	if (store->now.seen_bytes == old)
		return 0;
	return sp_sql_run(store->db,
			  "INSERT OR REPLACE INTO small(key, value) VALUES('" SP_JOURNAL_SEEN_BYTES
			  "', CAST(? AS TEXT))",
			  "i", store->now.seen_bytes);
}

int sp_journal_seen_note(struct sp_journal_store *store, struct sp_journal_mark *marks, size_t count)
{
	sqlite3_stmt *insert = NULL;
	int64_t before = 0;
	int result = sp_journal_gross_bytes(store, &before);
	if (result == 0)
		result = sp_sql_prepare(store->db, &insert,
					"INSERT OR IGNORE INTO seen(kiosk, day, key) VALUES(?, ?, ?)", "");
	if (result < 0)
		return result;
	for (size_t i = 0; i < count && result == 0; i++) {
		marks[i].known = false;
		if (marks[i].kiosk && marks[i].key)
			result = note(store, insert, &marks[i]);
	}
	sqlite3_finalize(insert);
	return result == 0 ? sp_journal_seen_account(store, before) : result;
}

int sp_journal_seen_count(struct sp_journal_store *store, const char *kiosk, int32_t day, int64_t *out)
{
	return sp_sql_int(store->db, out,
			  "SELECT count(*) FROM seen WHERE kiosk = (SELECT id FROM kiosk WHERE name = ?) AND "
			  "day = ?",
			  "ti", kiosk, (int64_t)day);
}

// ---- too many -----------------------------------------------------------------------------------------

static int64_t limit_of(const struct sp_journal_kiosk *kiosk)
{
	return 2 * kiosk->capacity > SP_JOURNAL_SEEN_MIN ? 2 * kiosk->capacity : SP_JOURNAL_SEEN_MIN;
}

bool sp_journal_seen_crowded(const struct sp_journal_store *store)
{
	for (size_t i = 0; i < store->kiosk_count; i++) {
		if (store->kiosks[i].count > limit_of(&store->kiosks[i]))
			return true;
	}
	return false;
}

/// Deletes the kiosk's `some` oldest keys.
static int prune_some(struct sp_journal_store *store, struct sp_journal_kiosk *kiosk, int64_t some,
		      int64_t now_ms)
{
	int64_t id = kiosk->id, count = kiosk->count - some, before = 0;
	int result = sp_journal_begin(store, now_ms);
	if (result == 0)
		result = sp_journal_gross_bytes(store, &before);
	if (result == 0)
		result =
		    sp_sql_run(store->db,
			       "DELETE FROM seen WHERE (kiosk, day, key) IN (SELECT kiosk, day, key FROM "
			       "seen WHERE kiosk = ? ORDER BY day, key LIMIT ?)",
			       "ii", id, some);
	if (result == 0)
		result = write_count(store, kiosk, count);
	if (result == 0)
		result = sp_journal_seen_account(store, before);
	if (result == 0)
		result = sp_journal_measure(store);
	result = sp_journal_end(store, result);
	if (result == 0)
		kiosk->count = count;
	return result;
}

/// The estimate is above the limit: counts, and prunes to nine tenths, so that it is not done all the time.
static int prune(struct sp_journal_store *store, struct sp_journal_kiosk *kiosk, int64_t now_ms)
{
	int64_t limit = limit_of(kiosk), target = limit / 10 * 9, before;
	int result =
	    sp_sql_int(store->db, &kiosk->count, "SELECT count(*) FROM seen WHERE kiosk = ?", "i", kiosk->id);
	if (result < 0)
		return result;
	before = kiosk->count;
	if (before <= limit)
		return 0;
	while (result == 0 && kiosk->count > target) {
		int64_t some = kiosk->count - target;
		result = prune_some(store, kiosk, some < PRUNE_AT_ONCE ? some : PRUNE_AT_ONCE, now_ms);
	}
	if (result == 0)
		sp_notice("journal", "forgot the %" PRId64 " oldest of %" PRId64 " keys of a kiosk",
			  before - kiosk->count, before);
	return result;
}

int sp_journal_store_prune(struct sp_journal_store *store, int64_t now_ms)
{
	int result = 0;
	for (size_t i = 0; i < store->kiosk_count && result == 0; i++) {
		if (store->kiosks[i].count > limit_of(&store->kiosks[i]))
			result = prune(store, &store->kiosks[i], now_ms);
	}
	return result;
}
