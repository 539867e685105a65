// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Statements are prepared when needed and thrown away: a few per minute, against kilobytes each for
// keeping them.
#include "agent/core/journal/sql.h"

#include <stdarg.h>

static int io_error(sqlite3 *db)
{
	switch (sqlite3_system_errno(db)) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG: // the largest file that the file system or a limit allows
		return -ENOSPC;
	case EROFS:
	case EACCES:
	case EPERM:
		return -EROFS;
	}
	return -EIO;
}

int sp_sql_error(sqlite3 *db, int result)
{
	switch (result & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EROFS;
	case SQLITE_CANTOPEN:
	case SQLITE_IOERR:
		return io_error(db);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_INTERRUPT:
		return -EINTR;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
	case SQLITE_ERROR: // a table or column that is not there
	case SQLITE_SCHEMA:
	case SQLITE_CONSTRAINT: // an identity that is there already
	case SQLITE_MISMATCH:
		return -EBADMSG;
	}
	return -EIO;
}

static int bind(sqlite3_stmt *statement, const char *types, va_list args)
{
	int result = SQLITE_OK;
	for (int i = 0; types[i] && result == SQLITE_OK; i++) {
		if (types[i] == 'i') {
			result = sqlite3_bind_int64(statement, i + 1, va_arg(args, int64_t));
		} else if (types[i] == 't') {
			result = sqlite3_bind_text(statement, i + 1, va_arg(args, const char *), -1,
						   SQLITE_STATIC);
		} else {
			const void *data = va_arg(args, const void *);
			result =
			    sqlite3_bind_blob64(statement, i + 1, data, va_arg(args, size_t), SQLITE_STATIC);
		}
	}
	return result;
}

static int prepare(sqlite3 *db, sqlite3_stmt **out, const char *sql, const char *types, va_list args)
{
	*out = NULL;
	int result = sqlite3_prepare_v2(db, sql, -1, out, NULL);
	if (result == SQLITE_OK)
		result = bind(*out, types, args);
	if (result == SQLITE_OK)
		return 0;
	int error = sp_sql_error(db, result);
	sqlite3_finalize(*out);
	*out = NULL;
	return error;
}

int sp_sql_prepare(sqlite3 *db, sqlite3_stmt **out, const char *sql, const char *types, ...)
{
	va_list args;
	va_start(args, types);
	int result = prepare(db, out, sql, types, args);
	va_end(args);
	return result;
}

int sp_sql_step(sqlite3_stmt *statement)
{
	int result = sqlite3_step(statement);
	if (result == SQLITE_ROW)
		return 1;
	return sp_sql_error(sqlite3_db_handle(statement), result);
}

/// Runs to the first row (or the end) and leaves its first column in *out, if wanted.
static int run(sqlite3 *db, int64_t *out, const char *sql, const char *types, va_list args)
{
	sqlite3_stmt *statement;
	int result = prepare(db, &statement, sql, types, args);
	if (result < 0)
		return result;
	result = sp_sql_step(statement);
	if (out)
		*out = result > 0 ? sqlite3_column_int64(statement, 0) : 0;
	sqlite3_finalize(statement);
	return result < 0 ? result : 0;
}

int sp_sql_run(sqlite3 *db, const char *sql, const char *types, ...)
{
	va_list args;
	va_start(args, types);
	int result = run(db, NULL, sql, types, args);
	va_end(args);
	return result;
}

int sp_sql_int(sqlite3 *db, int64_t *out, const char *sql, const char *types, ...)
{
	va_list args;
	va_start(args, types);
	int result = run(db, out, sql, types, args);
	va_end(args);
	return result;
}

const char *sp_sql_text(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);
	return text ? text : "";
}
