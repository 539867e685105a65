// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the files of the PostgreSQL side share. Private to the db/ room.
#pragma once

#include <libpq-fe.h>

#include "tools/hub/db/db_priv.h"

enum {
	SP_PG_SLOTS = 2048, ///< call sites, a power of two, at most half used
	SP_PG_PARAMS_MAX = 64,
};

/// Type numbers of pg_type.dat, which never change.
enum {
	SP_PG_BOOL = 16,
	SP_PG_BYTEA = 17,
	SP_PG_INT8 = 20,
	SP_PG_INT4 = 23,
	SP_PG_TEXT = 25,
	SP_PG_FLOAT8 = 701
};

/// One call site's statement.
struct sp_pg_statement {
	const char *sql;   ///< the literal's address is the key,
	uint64_t types[2]; ///< together with what was bound: two bits each
	char name[16];
	unsigned session; ///< in which it was prepared
};

struct sp_pg {
	struct sp_db db;
	PGconn *conn;
	char *where;
	bool writing;
	bool lost;        ///< the server went within a transaction: nothing goes until the next one
	unsigned session; ///< rises with each connection
	unsigned stages;  ///< of bulks, for their names
	int64_t changes;
	int last; ///< what the last failed statement came to
	struct sp_pg_statement statements[SP_PG_SLOTS];
};

static inline struct sp_pg *sp_pg_of(struct sp_db *db)
{
	return (struct sp_pg *)db;
}

// ---- connection and errors (db_postgres.c) -----------------------------------------------------

/// The -errno of what the server answered; the text goes to db.error.
int sp_pg_failed(struct sp_pg *db, const PGresult *answer);
/// One command, or a script, without rows that anybody wants.
int sp_pg_command(struct sp_pg *db, const char *sql) SP_MUST_CHECK;

// ---- statements and rows (db_postgres_query.c) -------------------------------------------------

struct sp_rows *sp_pg_query(struct sp_db *db, const char *sql, const struct sp_arg *args, size_t count);
/// Not kept, without parameters.
struct sp_rows *sp_pg_once(struct sp_db *db, const char *sql);
int sp_pg_next(struct sp_db *db, struct sp_rows *rows);
void sp_pg_leave(struct sp_rows *rows);
bool sp_pg_is_null(const struct sp_rows *rows, int column);
const char *sp_pg_text(const struct sp_rows *rows, int column);
int64_t sp_pg_integer(const struct sp_rows *rows, int column);
double sp_pg_real(const struct sp_rows *rows, int column);
const void *sp_pg_blob(const struct sp_rows *rows, int column, size_t *length);

// ---- its way of saying things (db_postgres_sql.c) ----------------------------------------------

/// ? and ?1 as $1, outside of quotes; the caller frees it.
char *sp_pg_statement_text(const char *sql);
/// A script in PostgreSQL's words; the caller frees it.
char *sp_pg_script(const char *sql);
/// Of five characters; NULL: the connection itself broke.
int sp_pg_errno(const char *sqlstate);

// ---- many rows (db_postgres_bulk.c) ------------------------------------------------------------

int sp_pg_bulk_open(struct sp_db *db, const char *table, const char *columns, struct sp_bulk **out);
int sp_pg_bulk_add(struct sp_bulk *bulk, const struct sp_arg *args, size_t count);
int sp_pg_bulk_flush(struct sp_bulk *bulk);
void sp_pg_bulk_clear(struct sp_bulk *bulk);
void sp_pg_bulk_close(struct sp_bulk *bulk);
