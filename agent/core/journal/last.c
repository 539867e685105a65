// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// When was the agent last alive? Its last commit says so: the newest record in the last batches. So a sign of
// life costs the card nothing beyond the commits that are made anyway.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "agent/base/mem.h"
#include "agent/core/journal/sql.h"
#include "agent/core/journal/store.h"

enum { BATCHES = SP_RECORD_CLASSES }; ///< of one commit, one of each class; ids rise with commits

struct last {
	char boot[37];
	int64_t mono_us, t_ms;
};

/// The last record of a batch's text. Records begin so, and inside a JSON text the quotes would be escaped.
static const char *last_record(const char *text)
{
	static const char begin[] = "{\"seq\":";
	const char *found = NULL;
	for (const char *at = text; (at = strstr(at, begin)); at++)
		found = at;
	return found;
}

static int64_t number(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
	return cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble <= 9007199254740991.0
		   ? (int64_t)item->valuedouble
		   : -1;
}

static void take(struct last *last, const char *boot, const char *text)
{
	const char *record = last_record(text);
	cJSON *json = record ? cJSON_ParseWithOpts(record, NULL, false) : NULL;
	int64_t mono_us = number(json, "mono_us");
	// The newest batch names the boot; one of an earlier boot adds nothing.
	if (mono_us >= 0 && strlen(boot) == 36 && (!last->boot[0] || strcmp(last->boot, boot) == 0) &&
	    mono_us > last->mono_us) {
		memcpy(last->boot, boot, sizeof(last->boot));
		last->mono_us = mono_us;
		last->t_ms = number(json, "t_ms");
	}
	cJSON_Delete(json);
}

char *sp_journal_store_last(struct sp_journal_store *store)
{
	struct last last = {.mono_us = -1, .t_ms = -1};
	sqlite3_stmt *statement;
	if (store->now.committed > 0 ||
	    sp_sql_prepare(store->db, &statement,
			   "SELECT s.boot, b.deflated, b.body FROM batch b JOIN stream s ON s.id = b.stream"
			   " ORDER BY b.id DESC LIMIT ?",
			   "i", (int64_t)BATCHES) < 0)
		return NULL;
	while (sp_sql_step(statement) > 0) {
		const void *body = sqlite3_column_blob(statement, 2);
		char *text = sp_journal_unpack(body, (size_t)sqlite3_column_bytes(statement, 2),
					       sqlite3_column_int64(statement, 1) != 0);
		if (text)
			take(&last, sp_sql_text(statement, 0), text);
		free(text);
	}
	sqlite3_finalize(statement);
	if (!last.boot[0])
		return NULL;
	return sp_asprintf("%s %" PRId64 " %" PRId64, last.boot, last.mono_us, last.t_ms);
}
