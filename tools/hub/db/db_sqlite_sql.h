// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What SQLite lacks of the common SQL, and how it says the words of scripts.
#pragma once

#include <sqlite3.h>
#include <stdbool.h>

/// least() and greatest(); false: sqlite3_errmsg() says why.
bool sp_db_sqlite_functions(sqlite3 *handle);
/// A script in SQLite's words; the caller frees it.
char *sp_db_sqlite_script(const char *sql);
/// INSERT of one row, which leaves what is there; the caller frees it.
char *sp_db_sqlite_insert(const char *table, const char *columns);
