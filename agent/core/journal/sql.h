// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// SQLite as the journal speaks to it: one-line statements and errors as -errno.
#pragma once

#include <sqlite3.h>
#include <stdint.h>

#include "schoolpulse/err.h"

/// Results of SQLite in our words:
///   -ENOSPC            no room
///   -EROFS             not writable (read-only file system, permissions)
///   -EBADMSG           the file is not what we wrote: corrupt, foreign, impossible content
///   -EBUSY             another process has it
///   -EIO, -ENOMEM, …   the rest
int sp_sql_error(sqlite3 *db, int result);

/// Prepares and binds: `types` has one letter per `?`: i int64_t, t text (NULL allowed), b blob (pointer and
/// size_t length). What is bound must live until the statement is finalized.
int sp_sql_prepare(sqlite3 *db, sqlite3_stmt **out, const char *sql, const char *types, ...) SP_MUST_CHECK;
/// 1: a row; 0: no more; -errno.
int sp_sql_step(sqlite3_stmt *statement) SP_MUST_CHECK;
/// Runs a statement without rows.
int sp_sql_run(sqlite3 *db, const char *sql, const char *types, ...) SP_MUST_CHECK;
/// The first column of the first row; 0 in *out when there is no row.
int sp_sql_int(sqlite3 *db, int64_t *out, const char *sql, const char *types, ...) SP_MUST_CHECK;
/// The text in a column, "" for anything else; lives until the next step.
const char *sp_sql_text(sqlite3_stmt *statement, int column);
