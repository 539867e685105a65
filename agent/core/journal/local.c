// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Attendance that the school does not publish: rows of its own, of which no stream, birth, batch or
// acknowledgement knows. A row holds what one commit brought, as a JSON list of records without seqs.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/core/journal/sql.h"
#include "agent/core/journal/store.h"
#include "schoolpulse/log.h"

enum {
	ROW_MAX = 60 * 1024,
	DELETE_AT_ONCE = 32,
};

static int insert(struct sp_journal_store *store, const struct sp_buf *text)
{
	char digest[SP_DIGEST_LENGTH + 1];
	sp_digest(text->data, text->length, digest);
	return sp_sql_run(store->db, "INSERT INTO local(age_ms, digest, body) VALUES(?, ?, ?)", "itb",
			  store->age_ms, digest, text->data, text->length);
}

int sp_journal_local_add(struct sp_journal_store *store, const char *const *records, size_t count)
{
	int result = 0;
	for (size_t i = 0; i < count && result == 0;) {
		struct sp_buf text = SP_BUF(ROW_MAX + SP_FEED_RECORD_MAX + 8);
		for (; i < count && (text.length == 0 || text.length + strlen(records[i]) < ROW_MAX); i++) {
			sp_buf_text(&text, text.length == 0 ? "[" : ",");
			sp_buf_text(&text, records[i]);
		}
		sp_buf_text(&text, "]");
		result = text.overflowed ? -EMSGSIZE : insert(store, &text);
		sp_buf_free(&text);
	}
	return result;
}

/// The oldest rows' ids, of those that came no later than `limit_ms`.
static int oldest(struct sp_journal_store *store, int64_t limit_ms, int64_t ids[DELETE_AT_ONCE],
		  size_t *count)
{
	sqlite3_stmt *statement;
	*count = 0;
	int result = sp_sql_prepare(store->db, &statement, "SELECT id, age_ms FROM local ORDER BY id LIMIT ?",
				    "i", (int64_t)DELETE_AT_ONCE);
	if (result < 0)
		return result;
	while (*count < DELETE_AT_ONCE && (result = sp_sql_step(statement)) > 0 &&
	       sqlite3_column_int64(statement, 1) <= limit_ms)
		ids[(*count)++] = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return result < 0 ? result : 0;
}

static int delete_row(struct sp_journal_store *store, int64_t id)
{
	return sp_sql_run(store->db, "DELETE FROM local WHERE id = ?", "i", id);
}

int sp_journal_local_forget(struct sp_journal_store *store, int64_t limit_ms, int64_t max, int64_t *done)
{
	int64_t ids[DELETE_AT_ONCE];
	size_t count;
	int result;
	do {
		result = oldest(store, limit_ms, ids, &count);
		for (size_t i = 0; i < count && result == 0; i++)
			result = delete_row(store, ids[i]);
		*done += (int64_t)count;
	} while (result == 0 && count == DELETE_AT_ONCE && *done < max);
	return result;
}

int sp_journal_local_shrink(struct sp_journal_store *store, int64_t target, int64_t *used)
{
	int64_t ids[DELETE_AT_ONCE], gone = 0;
	size_t count;
	int result = 0;
	do {
		if (result == 0)
			result = oldest(store, INT64_MAX, ids, &count);
		for (size_t i = 0; result == 0 && i<count && * used> target; i++, gone++) {
			result = delete_row(store, ids[i]);
			if (result == 0)
				result = sp_journal_used_bytes(store, used);
		}
	} while (result == 0 && count == DELETE_AT_ONCE && *used > target);
	if (gone > 0)
		sp_warning("journal",
			   "gave up %" PRId64 " groups of attendance that is not published: the cap", gone);
	return result;
}
