// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The database contract: which kind a place names, and what is the same for every kind.
#include "tools/hub/db/db.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "tools/hub/db/db_priv.h"

enum sp_db_kind sp_db_kind_of(const char *where)
{
	static const char *const schemes[] = {"postgresql://", "postgres://", "host=", "dbname=", "service="};
	for (size_t i = 0; i < SP_COUNT(schemes); i++) {
		if (strncmp(where, schemes[i], strlen(schemes[i])) == 0)
			return SP_DB_POSTGRES;
	}
	return SP_DB_SQLITE;
}

const char *sp_db_shown(const char *where, char out[SP_DB_SHOWN])
{
	bool server = sp_db_kind_of(where) == SP_DB_POSTGRES;
	const char *scheme = server ? strstr(where, "://") : NULL;
	if (!scheme) {
		// "host=… password=…": where a quoted password ends is not worth a parser; it ends what is
		// shown.
		const char *secret = server ? strstr(where, "password") : NULL;
		snprintf(out, SP_DB_SHOWN, "%.*s", secret ? (int)(secret - where) : INT_MAX, where);
		return out;
	}
	const char *begin = scheme + strlen("://"), *query = strchr(begin, '?');
	size_t length = query ? (size_t)(query - begin) : strlen(begin);
	// A password may hold an @ that nobody encoded: the last one parts it from the host.
	const char *at = memrchr(begin, '@', length);
	size_t user = at ? (size_t)(at - begin) : 0, name = user;
	const char *colon = memchr(begin, ':', user);
	if (colon)
		name = (size_t)(colon - begin);
	bool told = query && !strstr(query, "password");
	snprintf(out, SP_DB_SHOWN, "%.*s%.*s%.*s%s", (int)(begin - where), where, (int)name, begin,
		 (int)(length - user), begin + user, told ? query : "");
	return out;
}

int sp_db_open(struct sp_db **out, const char *where, enum sp_db_mode mode, char why[256])
{
	*out = NULL;
	const struct sp_db_ops *is = sp_db_kind_of(where) == SP_DB_POSTGRES ? &sp_db_postgres : &sp_db_sqlite;
	return is->open(out, where, mode, why);
}

void sp_db_close(struct sp_db *db)
{
	if (db)
		db->is->close(db);
}

int sp_db_settle(struct sp_db *db)
{
	return db->is->settle(db);
}

enum sp_db_kind sp_db_kind(const struct sp_db *db)
{
	return db->is->kind;
}

const char *sp_db_error(const struct sp_db *db)
{
	return db->error;
}

int sp_db_table(struct sp_db *db, const char *name)
{
	return db->is->table(db, name);
}

int sp_db_scrub(struct sp_db *db)
{
	return db->is->scrub(db);
}

// ---- transactions ------------------------------------------------------------------------------

int sp_db_begin(struct sp_db *db)
{
	return db->is->begin(db);
}

int sp_db_read_begin(struct sp_db *db)
{
	return db->is->read_begin(db);
}

int sp_db_commit(struct sp_db *db)
{
	return db->is->commit(db);
}

void sp_db_rollback(struct sp_db *db)
{
	db->is->rollback(db);
}

// ---- statements --------------------------------------------------------------------------------

struct sp_rows *sp_sql_query(struct sp_db *db, const char *sql, const struct sp_arg *args, size_t count)
{
	return db->is->query(db, sql, args, count);
}

struct sp_rows *sp_sql_once(struct sp_db *db, const char *sql)
{
	return db->is->once(db, sql);
}

int sp_rows_next(struct sp_db *db, struct sp_rows *rows)
{
	return db->is->next(db, rows);
}

void sp_rows_leave(struct sp_rows *rows)
{
	if (rows)
		rows->is->leave(rows);
}

int sp_sql_do(struct sp_db *db, const char *sql, const struct sp_arg *args, size_t count)
{
	struct sp_rows *rows = sp_sql_query(db, sql, args, count);
	int result;
	do {
		result = sp_rows_next(db, rows);
	} while (result == 1);
	return result;
}

int sp_sql_get(struct sp_db *db, int64_t *out, const char *sql, const struct sp_arg *args, size_t count)
{
	struct sp_rows *rows = sp_sql_query(db, sql, args, count);
	int result = sp_rows_next(db, rows);
	if (result != 1)
		return result;
	// An aggregate of nothing is a row of NULL: no answer, either.
	bool known = !sp_row_is_null(rows, 0);
	if (known)
		*out = sp_row_int(rows, 0, 0);
	sp_rows_leave(rows);
	return known ? 1 : 0;
}

int sp_sql_script(struct sp_db *db, const char *sql)
{
	return db->is->script(db, sql);
}

int64_t sp_sql_changes(const struct sp_db *db)
{
	return db->is->changes(db);
}

bool sp_row_is_null(const struct sp_rows *rows, int column)
{
	return rows->is->is_null(rows, column);
}

const char *sp_row_text(const struct sp_rows *rows, int column)
{
	const char *text = rows->is->text(rows, column);
	return text ? text : "";
}

int64_t sp_row_int(const struct sp_rows *rows, int column, int64_t none)
{
	return sp_row_is_null(rows, column) ? none : rows->is->integer(rows, column);
}

double sp_row_real(const struct sp_rows *rows, int column, double none)
{
	return sp_row_is_null(rows, column) ? none : rows->is->real(rows, column);
}

const void *sp_row_blob(const struct sp_rows *rows, int column, size_t *length)
{
	return rows->is->blob(rows, column, length);
}

// ---- many rows ---------------------------------------------------------------------------------

int sp_bulk_open(struct sp_db *db, const char *table, const char *columns, struct sp_bulk **out)
{
	*out = NULL;
	return db->is->bulk_open(db, table, columns, out);
}

int sp_bulk_add(struct sp_bulk *bulk, const struct sp_arg *args, size_t count)
{
	return bulk->is->bulk_add(bulk, args, count);
}

int sp_bulk_flush(struct sp_bulk *bulk)
{
	return bulk->is->bulk_flush(bulk);
}

void sp_bulk_clear(struct sp_bulk *bulk)
{
	if (bulk)
		bulk->is->bulk_clear(bulk);
}

void sp_bulk_close(struct sp_bulk *bulk)
{
	if (bulk)
		bulk->is->bulk_close(bulk);
}
