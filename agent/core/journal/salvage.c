// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a damaged file still tells of attendance: a kiosk was told that we have it, so it will not come again
// by itself. Streams keep their names and batches their seqs, so that the hub knows what it has already.
//
// Keys are taken over only if every waiting event was: else some key would stand for an event that is lost,
// and keep it out when the kiosk sends its memory again. What comes twice then, the hub tells apart by its
// id.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/core/journal/sql.h"
#include "agent/core/journal/store.h"
#include "schoolpulse/log.h"

enum { ROWS_AT_ONCE = 4096 };

struct copying {
	struct sp_journal_store *store;
	sqlite3 *from;
	bool whole;     ///< everything that was there could be read
	int64_t copied; ///< rows
};

/// How a table is copied: `read` has one %s for the direction; `write` takes its columns as they come.
struct table {
	const char *read, *write;
	int digest, body; ///< columns to be compared; -1: it has none
};

static bool is_true(sqlite3_stmt *row, const struct table *table)
{
	char digest[SP_DIGEST_LENGTH + 1];
	if (table->body < 0)
		return true;
	const void *body = sqlite3_column_blob(row, table->body);
	size_t length = (size_t)sqlite3_column_bytes(row, table->body);
	if (!body || length == 0)
		return false;
	sp_digest(body, length, digest);
	return strcmp(digest, sp_sql_text(row, table->digest)) == 0;
}

/// A row as it is. What its digest does not fit is taken, too: it is dropped with a fact when it is to be
/// sent.
static int copy_row(struct copying *c, sqlite3_stmt *row, sqlite3_stmt *write, const struct table *table)
{
	int columns = sqlite3_column_count(row);
	for (int i = 0; i < columns; i++)
		sqlite3_bind_value(write, i + 1, sqlite3_column_value(row, i));
	int result = sp_sql_step(write);
	sqlite3_reset(write);
	sqlite3_clear_bindings(write);
	c->whole = c->whole && is_true(row, table);
	c->copied += sqlite3_changes(c->store->db);
	return result < 0 ? result : 0;
}

/// 1: there is more; 0: the end; -EBADMSG and others: it cannot be read further.
static int copy_some(struct copying *c, sqlite3_stmt *read, sqlite3_stmt *write, const struct table *table,
		     int *writing)
{
	int result = 1;
	*writing = sp_sql_run(c->store->db, "BEGIN IMMEDIATE", "");
	for (int i = 0; i < ROWS_AT_ONCE && *writing == 0; i++) {
		result = sp_sql_step(read);
		if (result <= 0)
			break;
		*writing = copy_row(c, read, write, table);
	}
	if (*writing == 0)
		*writing = sp_sql_run(c->store->db, "COMMIT", "");
	if (*writing < 0 && !sqlite3_get_autocommit(c->store->db))
		(void)!sp_sql_run(c->store->db, "ROLLBACK", "");
	return result;
}

/// From one end. True: it came to the other one.
static bool copy_from(struct copying *c, const struct table *table, const char *direction)
{
	sqlite3_stmt *read = NULL, *write = NULL;
	char *sql = sp_asprintf("%s %s", table->read, direction);
	int result = sp_sql_prepare(c->from, &read, sql, ""), writing = 0;
	free(sql);
	if (result == 0)
		writing = sp_sql_prepare(c->store->db, &write, table->write, "");
	while (read && write && result >= 0 && writing == 0) {
		result = copy_some(c, read, write, table, &writing);
		if (result == 0)
			break;
	}
	sqlite3_finalize(read);
	sqlite3_finalize(write);
	return result == 0 && writing == 0 && read && write;
}

/// From both ends towards what is damaged.
static void copy(struct copying *c, const struct table *table)
{
	if (copy_from(c, table, "ASC"))
		return;
	c->whole = false;
	(void)copy_from(c, table, "DESC");
}

static const struct table streams = {
    "SELECT id, name, class, boot, last FROM stream WHERE class = 1 ORDER BY id",
    "INSERT OR IGNORE INTO stream(id, name, class, boot, last) "
    "VALUES(?, ?, ?, ?, ?)",
    -1, -1};
static const struct table batches = {
    "SELECT b.id, b.stream, b.first, b.last, b.age_ms, b.digest, b.deflated, b.body, b.redacted FROM stream "
    "s "
    "CROSS JOIN batch b ON b.stream = s.id AND b.settled = 0 WHERE s.class = 1 ORDER BY b.id",
    "INSERT OR IGNORE INTO batch(id, stream, first, last, age_ms, digest, deflated, body, redacted) "
    "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
    5, 7};
static const struct table locals = {
    "SELECT id, age_ms, digest, body FROM local ORDER BY id",
    "INSERT OR IGNORE INTO local(id, age_ms, digest, body) VALUES(?, ?, ?, ?)", 2, 3};
static const struct table kiosks = {"SELECT id, name, count FROM kiosk ORDER BY id",
				    "INSERT OR IGNORE INTO kiosk(id, name, count) VALUES(?, ?, ?)", -1, -1};
static const struct table keys = {"SELECT kiosk, day, key FROM seen ORDER BY kiosk",
				  "INSERT OR IGNORE INTO seen(kiosk, day, key) VALUES(?, ?, ?)", -1, -1};

/// Ages go on from there.
static void copy_age(struct copying *c)
{
	int64_t age = 0;
	if (sp_sql_int(c->from, &age, "SELECT CAST(value AS INTEGER) FROM small WHERE key = 'journal.age_ms'",
		       "") < 0 ||
	    age <= 0 || age > INT64_MAX / 2)
		return;
	c->store->age_ms = age;
	if (sp_journal_write_age(c->store) < 0)
		c->whole = false;
}

static sqlite3 *open_aside(struct sp_journal_store *store, const char *aside)
{
	sqlite3 *db = NULL;
	// Reading a WAL needs a handle that may write. It does not: the file stays as evidence.
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	int result = sp_sql_error(db, sqlite3_open_v2(aside, &db, flags, store->vfs));
	if (result == 0) {
		sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		result = sp_sql_run(db, "PRAGMA locking_mode=EXCLUSIVE", "");
	}
	if (result == 0)
		result = sp_sql_run(db, "PRAGMA cache_size=-64", "");
	if (result == 0)
		result = sp_sql_run(db, "PRAGMA query_only=ON", "");
	if (result == 0)
		return db;
	sqlite3_close(db);
	return NULL;
}

void sp_journal_salvage(struct sp_journal_store *store, const char *aside)
{
	struct copying c = {.store = store, .from = open_aside(store, aside), .whole = true};
	int64_t before = 0;
	if (!c.from) {
		sp_warning("journal", "nothing could be read from %s", aside);
		return;
	}
	copy_age(&c);
	copy(&c, &streams);
	copy(&c, &batches);
	copy(&c, &locals);
	bool whole = c.whole;
	int64_t events = c.copied;
	if (whole && sp_journal_gross_bytes(store, &before) == 0) {
		copy(&c, &kiosks);
		copy(&c, &keys);
		if (sp_journal_seen_account(store, before) < 0)
			c.whole = false;
	}
	sqlite3_close(c.from);
	sp_notice("journal", "took over %" PRId64 " rows of attendance and %" PRId64 " of keys from %s%s",
		  events, c.copied - events, aside,
		  whole ? "" : "; not all could be read, so what kiosks send again is taken again");
}
