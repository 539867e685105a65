// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A database as the store uses it: SQLite in one file, or PostgreSQL on a server. There is one schema, one
// text of each statement and one set of rules over it; what differs between both is behind this header. A
// handle belongs to one thread.
//
// The SQL is what both understand:
// - Parameters are ? or ?1, ?2 …; they have the type of the first value that is bound to them.
// - No iif, IFNULL, REPLACE INTO or OR IGNORE: CASE, coalesce, ON CONFLICT (columns) DO UPDATE or DO NOTHING.
//   Within DO UPDATE columns of the table are named with it, since `excluded` has the same ones.
// - least() and greatest() of several values, which pass over NULL; min() and max() are aggregates only.
// - Truth is an INTEGER, 0 or 1: WHERE retold = 0, not NOT retold. A comparison may be selected and is read
// as
//   0 or 1; to store one, CASE WHEN … THEN 1 ELSE 0 END. IS DISTINCT FROM for what may be NULL.
// - New ids come by INSERT … RETURNING id.
// - NULL is the least in SQLite and the greatest in PostgreSQL: ORDER BY what may be NULL says NULLS FIRST
// (or
//   DESC NULLS LAST). A subquery in FROM has a name. No min() or max() with other columns beside it that are
//   not grouped by. A subquery that stands for a value has LIMIT 1, unless it can have one row only.
// - In scripts, which make tables: BIGINT, INTEGER, DOUBLE PRECISION, TEXT, and {ID} for the primary key that
//   the database gives, {NEW ID} for one that is never given twice, {BLOB} for bytes, {KEYED} behind a table
//   that is ordered by its primary key (WITHOUT ROWID).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/err.h"

struct sp_db;
struct sp_rows;

enum sp_db_kind { SP_DB_SQLITE, SP_DB_POSTGRES };
enum sp_db_mode {
	SP_DB_READ,
	SP_DB_WRITE, ///< creates an SQLite file where there is none
};

/// `where`: a path, or a server's database as libpq writes it, "postgresql://…" or "host=… dbname=…". -errno
/// with `why` for people: -ENOENT no such file or database, -ENOTCONN the server cannot be reached, -EACCES
/// it does not let us in.
int sp_db_open(struct sp_db **out, const char *where, enum sp_db_mode mode, char why[256]) SP_MUST_CHECK;
void sp_db_close(struct sp_db *db);
/// Once it is known to be ours: how it is kept (SQLite's log, what a commit waits for). Until then an open
/// file is left as it is.
int sp_db_settle(struct sp_db *db) SP_MUST_CHECK;
enum sp_db_kind sp_db_kind(const struct sp_db *db);
/// Of a `where` alone, before it is opened.
enum sp_db_kind sp_db_kind_of(const char *where);
enum { SP_DB_SHOWN = 256 };
/// A place as it may stand in a log, in `out`: without a password.
const char *sp_db_shown(const char *where, char out[SP_DB_SHOWN]);
/// What the last failed call ran into, for the log.
const char *sp_db_error(const struct sp_db *db);
/// 1: there is a table of that name; NULL: of any. 0, or -errno.
int sp_db_table(struct sp_db *db, const char *name) SP_MUST_CHECK;
/// Outside of a transaction: what was deleted leaves the file and its log, too. 1: a reader is in the way,
/// later again. PostgreSQL cannot do that: 0.
int sp_db_scrub(struct sp_db *db) SP_MUST_CHECK;

// ---- transactions ------------------------------------------------------------------------------

/// -ENOSPC, -EROFS, -EBUSY, -EEXIST (a constraint), -ENOTCONN (the server went; the next begin tries it
/// again), -ESTALE (the file was moved or replaced), -EIO, as of every call.
int sp_db_begin(struct sp_db *db) SP_MUST_CHECK;
/// Several reads of one state.
int sp_db_read_begin(struct sp_db *db) SP_MUST_CHECK;
int sp_db_commit(struct sp_db *db) SP_MUST_CHECK;
void sp_db_rollback(struct sp_db *db);

// ---- statements --------------------------------------------------------------------------------

struct sp_arg {
	enum { SP_ARG_INT, SP_ARG_TEXT, SP_ARG_REAL, SP_ARG_BLOB } type;
	int64_t integer;  ///< of a blob: its length
	const char *text; ///< NULL: SQL's NULL; must live until the statement was stepped
	double real;
};
#define I(x)      ((struct sp_arg){.type = SP_ARG_INT, .integer = (x)})
#define T(x)      ((struct sp_arg){.type = SP_ARG_TEXT, .text = (x)})
#define R(x)      ((struct sp_arg){.type = SP_ARG_REAL, .real = (x)})
#define B(x, len) ((struct sp_arg){.type = SP_ARG_BLOB, .text = (const char *)(x), .integer = (int64_t)(len)})

/// Runs to the end. The SQL must be a literal: it is prepared once per call site.
#define SQL_DO(db, sql, ...)                                          \
	sp_sql_do((db), "" sql, (const struct sp_arg[]){__VA_ARGS__}, \
		  sizeof((const struct sp_arg[]){__VA_ARGS__}) / sizeof(struct sp_arg))
/// The first row's first column: 1; 0 when there is no row, or NULL in it (*out untouched); or -errno.
#define SQL_GET(db, out, sql, ...)                                            \
	sp_sql_get((db), (out), "" sql, (const struct sp_arg[]){__VA_ARGS__}, \
		   sizeof((const struct sp_arg[]){__VA_ARGS__}) / sizeof(struct sp_arg))
/// To be read with sp_rows_next(); NULL gives its error there.
#define SQL_QUERY(db, sql, ...)                                          \
	sp_sql_query((db), "" sql, (const struct sp_arg[]){__VA_ARGS__}, \
		     sizeof((const struct sp_arg[]){__VA_ARGS__}) / sizeof(struct sp_arg))

int sp_sql_do(struct sp_db *db, const char *sql, const struct sp_arg *args, size_t count) SP_MUST_CHECK;
int sp_sql_get(struct sp_db *db, int64_t *out, const char *sql, const struct sp_arg *args,
	       size_t count) SP_MUST_CHECK;
struct sp_rows *sp_sql_query(struct sp_db *db, const char *sql, const struct sp_arg *args, size_t count);
/// One statement without parameters, whatever text it is; not kept. To be read as that of SQL_QUERY.
struct sp_rows *sp_sql_once(struct sp_db *db, const char *sql);
/// Several statements without parameters, not kept.
int sp_sql_script(struct sp_db *db, const char *sql) SP_MUST_CHECK;
/// Rows that the last SQL_DO inserted, changed or deleted.
int64_t sp_sql_changes(const struct sp_db *db);

/// 1: a row. 0: there is no more, or -errno; `rows` is done with then.
int sp_rows_next(struct sp_db *db, struct sp_rows *rows) SP_MUST_CHECK;
/// Leaves a query early.
void sp_rows_leave(struct sp_rows *rows);
bool sp_row_is_null(const struct sp_rows *rows, int column);
/// "" instead of NULL; valid until the next row.
const char *sp_row_text(const struct sp_rows *rows, int column);
/// `none` instead of NULL.
int64_t sp_row_int(const struct sp_rows *rows, int column, int64_t none);
double sp_row_real(const struct sp_rows *rows, int column, double none);
/// Bytes, valid until the next row; NULL for SQL's.
const void *sp_row_blob(const struct sp_rows *rows, int column, size_t *length);

// ---- many rows ---------------------------------------------------------------------------------
// SQLite inserts each at once. PostgreSQL gets them by COPY into an unlogged stage and from there in one
// statement: before sp_bulk_flush() returned, no other statement may rely on them.

struct sp_bulk;
/// Into `table`, whose `columns` are "a, b, c" in the order of sp_bulk_add()'s values; a row that is there
/// already (by any unique key) stays as it is.
int sp_bulk_open(struct sp_db *db, const char *table, const char *columns,
		 struct sp_bulk **out) SP_MUST_CHECK;
int sp_bulk_add(struct sp_bulk *bulk, const struct sp_arg *args, size_t count) SP_MUST_CHECK;
int sp_bulk_flush(struct sp_bulk *bulk) SP_MUST_CHECK;
/// Forgets what was not flushed, as after a rollback.
void sp_bulk_clear(struct sp_bulk *bulk);
void sp_bulk_close(struct sp_bulk *bulk);
