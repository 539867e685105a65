// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// SQLite: a file, its transactions, its statements. They are prepared once per call site and errors are
// -errno.
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "tools/hub/db/db_priv.h"
#include "tools/hub/db/db_sqlite_sql.h"

enum {
	SLOTS = 2048,   ///< call sites, a power of two, at most half used
	BUSY_MS = 5000, ///< how long another process may hold the database
};

struct rows {
	struct sp_rows rows;
	const char *sql; ///< the literal's address is the key
	sqlite3_stmt *stmt;
	bool once; ///< beside the slot's own, which is still being read
};

struct database {
	struct sp_db db;
	sqlite3 *handle;
	bool writing;
	struct rows slots[SLOTS];
};

struct bulk {
	struct sp_bulk bulk;
	struct database *db;
	sqlite3_stmt *stmt;
};

static struct database *of(struct sp_db *db)
{
	return (struct database *)db;
}

/// The -errno of SQLite's last error, which goes to db->error.
static int failed(struct database *db)
{
	int code = db->handle ? sqlite3_errcode(db->handle) : SQLITE_NOMEM;
	snprintf(db->db.error, sizeof(db->db.error), "%s",
		 db->handle ? sqlite3_errmsg(db->handle) : "no memory");
	switch (code & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return -EROFS;
	case SQLITE_CANTOPEN:
		return -ENOENT;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	default:
		return -EIO;
	}
}

// ---- statements --------------------------------------------------------------------------------

static int prepare(struct database *db, const char *sql, unsigned flags, sqlite3_stmt **stmt)
{
	return sqlite3_prepare_v3(db->handle, sql, -1, flags, stmt, NULL) == SQLITE_OK ? 0 : failed(db);
}

static struct rows *unkept(struct database *db, const char *sql)
{
	struct rows *rows = sp_alloc(sizeof(*rows));
	rows->rows.is = &sp_db_sqlite;
	rows->once = true;
	if (prepare(db, sql, 0, &rows->stmt) == 0)
		return rows;
	free(rows);
	return NULL;
}

/// The slot of this literal, prepared; identical literals may share an address, and so a statement.
static struct rows *prepared(struct database *db, const char *sql)
{
	size_t slot = ((uintptr_t)sql >> 3) * 0x9E3779B1U % SLOTS;
	while (db->slots[slot].sql && db->slots[slot].sql != sql)
		slot = (slot + 1) % SLOTS;
	struct rows *rows = &db->slots[slot];
	if (!rows->sql) {
		if (prepare(db, sql, SQLITE_PREPARE_PERSISTENT, &rows->stmt) < 0)
			return NULL;
		rows->rows.is = &sp_db_sqlite;
		rows->sql = sql;
	}
	if (!sqlite3_stmt_busy(rows->stmt))
		return rows;
	// Its rows are still being read, further up.
	return unkept(db, sql);
}

static int bind(sqlite3_stmt *stmt, const struct sp_arg *args, size_t count)
{
	int result = SQLITE_OK;
	for (size_t i = 0; result == SQLITE_OK && i < count; i++) {
		int place = (int)i + 1;
		switch (args[i].type) {
		case SP_ARG_INT:
			result = sqlite3_bind_int64(stmt, place, args[i].integer);
			break;
		case SP_ARG_TEXT:
			result = sqlite3_bind_text(stmt, place, args[i].text, -1, SQLITE_STATIC);
			break;
		case SP_ARG_BLOB:
			result =
			    sqlite3_bind_blob(stmt, place, args[i].text, (int)args[i].integer, SQLITE_STATIC);
			break;
		case SP_ARG_REAL:
			result = sqlite3_bind_double(stmt, place, args[i].real);
			break;
		}
	}
	return result;
}

static void leave(struct sp_rows *rows)
{
	struct rows *r = (struct rows *)rows;
	if (!r->once) {
		sqlite3_reset(r->stmt);
		return;
	}
	sqlite3_finalize(r->stmt);
	free(r);
}

static struct sp_rows *once(struct sp_db *db, const char *sql)
{
	struct rows *rows = unkept(of(db), sql);
	return rows ? &rows->rows : NULL;
}

static struct sp_rows *query(struct sp_db *db, const char *sql, const struct sp_arg *args, size_t count)
{
	struct rows *rows = prepared(of(db), sql);
	if (!rows)
		return NULL;
	if (bind(rows->stmt, args, count) == SQLITE_OK)
		return &rows->rows;
	(void)failed(of(db));
	leave(&rows->rows);
	return NULL;
}

static int next(struct sp_db *db, struct sp_rows *rows)
{
	struct rows *r = (struct rows *)rows;
	int result = r ? sqlite3_step(r->stmt) : SQLITE_ERROR;
	if (result == SQLITE_ROW)
		return 1;
	result = result == SQLITE_DONE ? 0 : failed(of(db));
	if (rows)
		leave(rows);
	return result;
}

static int script(struct sp_db *db, const char *sql)
{
	char *text = sp_db_sqlite_script(sql);
	int result = sqlite3_exec(of(db)->handle, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(of(db));
	free(text);
	return result;
}

static int64_t changes(const struct sp_db *db)
{
	return sqlite3_changes64(((const struct database *)db)->handle);
}

static bool is_null(const struct sp_rows *rows, int column)
{
	return sqlite3_column_type(((const struct rows *)rows)->stmt, column) == SQLITE_NULL;
}

static const char *text(const struct sp_rows *rows, int column)
{
	return (const char *)sqlite3_column_text(((const struct rows *)rows)->stmt, column);
}

static int64_t integer(const struct sp_rows *rows, int column)
{
	return sqlite3_column_int64(((const struct rows *)rows)->stmt, column);
}

static double real(const struct sp_rows *rows, int column)
{
	return sqlite3_column_double(((const struct rows *)rows)->stmt, column);
}

static const void *blob(const struct sp_rows *rows, int column, size_t *length)
{
	sqlite3_stmt *stmt = ((const struct rows *)rows)->stmt;
	const void *bytes = sqlite3_column_blob(stmt, column);
	*length = (size_t)sqlite3_column_bytes(stmt, column);
	// Of no bytes SQLite gives no address, either.
	return bytes || is_null(rows, column) ? bytes : "";
}

// ---- the file ----------------------------------------------------------------------------------

static void close_file(struct sp_db *db)
{
	for (size_t i = 0; i < SLOTS; i++)
		sqlite3_finalize(of(db)->slots[i].stmt);
	sqlite3_close(of(db)->handle);
	free(db);
}

static int note_row(void *arg, int columns, char **values, char **names)
{
	(void)columns, (void)values, (void)names;
	*(bool *)arg = true;
	return 0;
}

/// SQLite's words for a path that is not there are of no help.
static void say_why_not(const struct database *db, const char *where, int result, char why[256])
{
	struct stat about;
	if (stat(where, &about) == 0 && S_ISDIR(about.st_mode))
		snprintf(why, 256, "this is a folder: [hub] db names a file");
	else if (!db->writing && access(where, F_OK) < 0 && errno == ENOENT)
		snprintf(why, 256, "there is no such file: import or ingest makes it");
	else
		snprintf(why, 256, "%.200s%s", db->db.error,
			 result == -ENOENT || result == -EACCES
			     ? " (its folder must be there, and be writable)"
			     : "");
}

static int open_file(struct sp_db **out, const char *where, enum sp_db_mode mode, char why[256])
{
	struct database *db = sp_alloc(sizeof(*db));
	db->db.is = &sp_db_sqlite;
	db->writing = mode == SP_DB_WRITE;
	int flags = db->writing ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
	int result = 0;
	struct stat about;
	if (stat(where, &about) == 0 && S_ISDIR(about.st_mode))
		result = -EISDIR;
	else if (sqlite3_open_v2(where, &db->handle, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		result = failed(db);
	if (result == 0 && !sp_db_sqlite_functions(db->handle))
		result = failed(db);
	if (result < 0) {
		say_why_not(db, where, result, why);
		close_file(&db->db);
		return result;
	}
	sqlite3_busy_timeout(db->handle, BUSY_MS);
	// Only a file without a table can become one that gives room back in steps; any other that is so
	// already would be written to, also one of a newer program, which is to be left as it is.
	bool filled = false;
	if (db->writing &&
	    sqlite3_exec(db->handle, "SELECT 1 FROM sqlite_master LIMIT 1", note_row, &filled, NULL) ==
		SQLITE_OK &&
	    !filled)
		(void)!sqlite3_exec(db->handle, "PRAGMA auto_vacuum = INCREMENTAL", NULL, NULL, NULL);
	sqlite3_extended_result_codes(db->handle, 0);
	*out = &db->db;
	return 0;
}

/// WAL survives in the file; FULL makes each commit reach the disk before it is acknowledged.
static int settle(struct sp_db *db)
{
	if (!of(db)->writing)
		return script(db, "PRAGMA query_only = 1; PRAGMA cache_size = -32768");
	return script(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
			  "PRAGMA cache_size = -65536; PRAGMA foreign_keys = 0;"
			  "PRAGMA secure_delete = ON");
}

static int table(struct sp_db *db, const char *name)
{
	int64_t found = 0;
	int result = SQL_GET(
	    db, &found,
	    "SELECT EXISTS(SELECT 1 FROM sqlite_schema WHERE ?1 IS NULL OR (type = 'table' AND name = ?1))",
	    T(name));
	return result < 0 ? result : (int)found;
}

/// Into the database, and the log cut to nothing: rows are zeroed there (secure_delete).
static int scrub(struct sp_db *db)
{
	sqlite3 *handle = of(db)->handle;
	sqlite3_busy_timeout(handle, 0);
	int code = sqlite3_wal_checkpoint_v2(handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	sqlite3_busy_timeout(handle, BUSY_MS);
	if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
		return 1;
	return code == SQLITE_OK ? 0 : failed(of(db));
}

// ---- transactions ------------------------------------------------------------------------------

/// A file that has lost its name still takes writes: they would reach nobody.
static int in_place(struct sp_db *db)
{
	int moved = 0;
	if (sqlite3_file_control(of(db)->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK ||
	    !moved)
		return 0;
	snprintf(db->error, sizeof(db->error), "the database file was moved or replaced");
	return -ESTALE;
}

static int begin(struct sp_db *db)
{
	int result = in_place(db);
	return result < 0 ? result : SQL_DO(db, "BEGIN IMMEDIATE");
}

static int read_begin(struct sp_db *db)
{
	int result = in_place(db);
	return result < 0 ? result : SQL_DO(db, "BEGIN");
}

static int commit(struct sp_db *db)
{
	int result = in_place(db);
	return result < 0 ? result : SQL_DO(db, "COMMIT");
}

static void rollback(struct sp_db *db)
{
	if (!sqlite3_get_autocommit(of(db)->handle))
		(void)!SQL_DO(db, "ROLLBACK");
}

// ---- many rows ---------------------------------------------------------------------------------

static int bulk_open(struct sp_db *db, const char *into, const char *columns, struct sp_bulk **out)
{
	struct bulk *bulk = sp_alloc(sizeof(*bulk));
	char *sql = sp_db_sqlite_insert(into, columns);
	int result = prepare(of(db), sql, SQLITE_PREPARE_PERSISTENT, &bulk->stmt);
	free(sql);
	if (result < 0) {
		free(bulk);
		return result;
	}
	bulk->bulk.is = &sp_db_sqlite;
	bulk->db = of(db);
	*out = &bulk->bulk;
	return 0;
}

static int bulk_add(struct sp_bulk *bulk, const struct sp_arg *args, size_t count)
{
	struct bulk *b = (struct bulk *)bulk;
	if (bind(b->stmt, args, count) != SQLITE_OK)
		return failed(b->db);
	int result = sqlite3_step(b->stmt) == SQLITE_DONE ? 0 : failed(b->db);
	sqlite3_reset(b->stmt);
	return result;
}

static int bulk_flush(struct sp_bulk *bulk)
{
	(void)bulk;
	return 0;
}

static void bulk_clear(struct sp_bulk *bulk)
{
	(void)bulk;
}

static void bulk_close(struct sp_bulk *bulk)
{
	sqlite3_finalize(((struct bulk *)bulk)->stmt);
	free(bulk);
}

const struct sp_db_ops sp_db_sqlite = {
    .kind = SP_DB_SQLITE,
    .open = open_file,
    .close = close_file,
    .settle = settle,
    .table = table,
    .scrub = scrub,
    .begin = begin,
    .read_begin = read_begin,
    .commit = commit,
    .rollback = rollback,
    .query = query,
    .once = once,
    .script = script,
    .changes = changes,
    .next = next,
    .leave = leave,
    .is_null = is_null,
    .text = text,
    .integer = integer,
    .real = real,
    .blob = blob,
    .bulk_open = bulk_open,
    .bulk_add = bulk_add,
    .bulk_flush = bulk_flush,
    .bulk_clear = bulk_clear,
    .bulk_close = bulk_close,
};
