// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What SQLite lacks of the common SQL, and how it says the words of scripts.
#include "tools/hub/db/db_sqlite_sql.h"

#include "agent/base/buf.h"
#include "tools/hub/db/db_words.h"

/// Of numbers; NULL only of nothing else than NULL.
static void extreme(sqlite3_context *context, int count, sqlite3_value **values, bool greatest)
{
	sqlite3_value *best = NULL;
	for (int i = 0; i < count; i++) {
		if (sqlite3_value_type(values[i]) == SQLITE_NULL)
			continue;
		bool whole = best && sqlite3_value_type(best) == SQLITE_INTEGER &&
			     sqlite3_value_type(values[i]) == SQLITE_INTEGER;
		bool more = best && (whole ? sqlite3_value_int64(values[i]) > sqlite3_value_int64(best)
					   : sqlite3_value_double(values[i]) > sqlite3_value_double(best));
		if (!best || more == greatest)
			best = values[i];
	}
	if (best)
		sqlite3_result_value(context, best);
}

static void least(sqlite3_context *context, int count, sqlite3_value **values)
{
	extreme(context, count, values, false);
}

static void greatest(sqlite3_context *context, int count, sqlite3_value **values)
{
	extreme(context, count, values, true);
}

bool sp_db_sqlite_functions(sqlite3 *handle)
{
	const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
	return sqlite3_create_function(handle, "least", -1, flags, NULL, least, NULL, NULL) == SQLITE_OK &&
	       sqlite3_create_function(handle, "greatest", -1, flags, NULL, greatest, NULL, NULL) ==
		   SQLITE_OK;
}

char *sp_db_sqlite_script(const char *sql)
{
	static const struct sp_db_word words[] = {
	    {"{ID}", "INTEGER PRIMARY KEY"},
	    {"{NEW ID}", "INTEGER PRIMARY KEY AUTOINCREMENT"},
	    {"{BLOB}", "BLOB"},
	    {"{KEYED}", "WITHOUT ROWID"},
	};
	return sp_db_words(sql, words, sizeof(words) / sizeof(words[0]));
}

char *sp_db_sqlite_insert(const char *table, const char *columns)
{
	struct sp_buf out = SP_BUF(64 * 1024);
	sp_buf_printf(&out, "INSERT INTO %s(%s) VALUES(?", table, columns);
	for (const char *at = columns; *at; at++) {
		if (*at == ',')
			sp_buf_text(&out, ", ?");
	}
	sp_buf_text(&out, ") ON CONFLICT DO NOTHING");
	return sp_buf_take(&out);
}
