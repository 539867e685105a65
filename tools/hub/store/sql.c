// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Statements: prepared once per call site, bound by type, errors as -errno.
#include "tools/hub/store/store_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"

int sp_sql_errno(struct sp_store *store)
{
	int code = store->db ? sqlite3_errcode(store->db) : SQLITE_NOMEM;
	snprintf(store->error, sizeof(store->error), "%s",
		 store->db ? sqlite3_errmsg(store->db) : "no memory");
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

/// The slot of this literal, prepared; identical literals may share an address, and so a statement.
static sqlite3_stmt *prepared(struct sp_store *store, const char *sql)
{
	size_t slot = ((uintptr_t)sql >> 3) * 0x9E3779B1U % SP_SQL_SLOTS;
	while (store->slots[slot].sql && store->slots[slot].sql != sql)
		slot = (slot + 1) % SP_SQL_SLOTS;
	if (!store->slots[slot].sql) {
		sqlite3_stmt *stmt;
		if (sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) !=
		    SQLITE_OK)
			return NULL;
		store->slots[slot].sql = sql;
		store->slots[slot].stmt = stmt;
	}
	return store->slots[slot].stmt;
}

sqlite3_stmt *sp_sql_query(struct sp_store *store, const char *sql, const struct sp_arg *args, size_t count)
{
	sqlite3_stmt *stmt = prepared(store, sql);
	if (!stmt)
		return NULL;
	sqlite3_reset(stmt);
	for (size_t i = 0; i < count; i++) {
		int place = (int)i + 1, result = SQLITE_OK;
		switch (args[i].type) {
		case SP_ARG_INT:
			result = sqlite3_bind_int64(stmt, place, args[i].integer);
			break;
		case SP_ARG_TEXT:
			result = sqlite3_bind_text(stmt, place, args[i].text, -1, SQLITE_STATIC);
			break;
		case SP_ARG_BLOB:
			result = sqlite3_bind_blob(stmt, place, args[i].text, SP_CODE_BYTES, SQLITE_STATIC);
			break;
		case SP_ARG_REAL:
			result = sqlite3_bind_double(stmt, place, args[i].real);
			break;
		}
		if (result != SQLITE_OK)
			return NULL;
	}
	return stmt;
}

int sp_sql_step(struct sp_store *store, sqlite3_stmt *stmt)
{
	int result = stmt ? sqlite3_step(stmt) : SQLITE_ERROR;
	if (result == SQLITE_ROW)
		return 1;
	result = result == SQLITE_DONE ? 0 : sp_sql_errno(store);
	sp_sql_leave(stmt);
	return result;
}

void sp_sql_leave(sqlite3_stmt *stmt)
{
	sqlite3_reset(stmt);
}

int sp_sql_do(struct sp_store *store, const char *sql, const struct sp_arg *args, size_t count)
{
	sqlite3_stmt *stmt = sp_sql_query(store, sql, args, count);
	int result;
	do {
		result = sp_sql_step(store, stmt);
	} while (result == 1);
	return result;
}

int sp_sql_get(struct sp_store *store, int64_t *out, const char *sql, const struct sp_arg *args, size_t count)
{
	sqlite3_stmt *stmt = sp_sql_query(store, sql, args, count);
	int result = sp_sql_step(store, stmt);
	if (result != 1)
		return result;
	// An aggregate of nothing is a row of NULL: no answer, either.
	bool known = sqlite3_column_type(stmt, 0) != SQLITE_NULL;
	if (known)
		*out = sqlite3_column_int64(stmt, 0);
	sp_sql_leave(stmt);
	return known ? 1 : 0;
}

int sp_sql_script(struct sp_store *store, const char *sql)
{
	return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : sp_sql_errno(store);
}

const char *sp_sql_text(sqlite3_stmt *stmt, int column)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);
	return text ? text : "";
}

int64_t sp_sql_int(sqlite3_stmt *stmt, int column, int64_t none)
{
	return sqlite3_column_type(stmt, column) == SQLITE_NULL ? none : sqlite3_column_int64(stmt, column);
}

double sp_sql_real(sqlite3_stmt *stmt, int column, double none)
{
	return sqlite3_column_type(stmt, column) == SQLITE_NULL ? none : sqlite3_column_double(stmt, column);
}

void sp_sql_free(struct sp_store *store)
{
	for (size_t i = 0; i < SP_SQL_SLOTS; i++)
		sqlite3_finalize(store->slots[i].stmt);
	memset(store->slots, 0, sizeof(store->slots));
}

void sp_touch(struct sp_touched *touched, int64_t id)
{
	if (touched->count > 0 && touched->ids[touched->count - 1] == id)
		return;
	if (touched->count == touched->room) {
		touched->room = touched->room ? touched->room * 2 : 64;
		touched->ids = sp_realloc(touched->ids, touched->room * sizeof(*touched->ids));
	}
	touched->ids[touched->count++] = id;
}

static int ascending(const void *left, const void *right)
{
	const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
	return a < b ? -1 : a > b;
}

void sp_touched_sort(struct sp_touched *touched)
{
	size_t unique = 0;
	if (touched->count > 1)
		qsort(touched->ids, touched->count, sizeof(*touched->ids), ascending);
	for (size_t i = 0; i < touched->count; i++) {
		if (unique == 0 || touched->ids[unique - 1] != touched->ids[i])
			touched->ids[unique++] = touched->ids[i];
	}
	touched->count = unique;
}
