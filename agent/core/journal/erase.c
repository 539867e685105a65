// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Walking and erasing what is on the card of persons. The ids to visit are looked up some at a time, so
// memory stays small; a call does a portion, so that punches are committed in between.
//
// secure_delete overwrites what an UPDATE frees, in the page and in pages given back. What the WAL still
// holds goes when it is truncated, at the end.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/feed_json.h"
#include "agent/base/mem.h"
#include "agent/core/journal/aside.h"
#include "agent/core/journal/sql.h"
#include "agent/core/journal/store.h"
#include "schoolpulse/log.h"

enum {
	IDS = 512,
	PORTION_BYTES = 256 * 1024,
};

// CROSS JOIN: streams outside, so that the index answers, and no page of a bulk text is read.
static const char *const lookups[] = {
    "SELECT b.id FROM stream s CROSS JOIN batch b ON b.stream = s.id WHERE s.class = 1 AND b.id > ? "
    "ORDER BY b.id LIMIT ?",
    "SELECT id FROM local WHERE id > ? ORDER BY id LIMIT ?",
};
static const char *const readings[] = {
    "SELECT body, deflated, digest FROM batch WHERE id = ?",
    "SELECT body, 0, digest FROM local WHERE id = ?",
};

static int look_up(struct sp_journal_store *store, const struct sp_journal_walk *walk, int64_t ids[IDS],
		   size_t *count)
{
	sqlite3_stmt *statement;
	*count = 0;
	int result =
	    sp_sql_prepare(store->db, &statement, lookups[walk->local], "ii", walk->after, (int64_t)IDS);
	if (result < 0)
		return result;
	while (*count < IDS && (result = sp_sql_step(statement)) > 0)
		ids[(*count)++] = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return result < 0 ? result : 0;
}

/// 1: *text is it, the caller frees; 0: it is gone; -EILSEQ: it is not what was written.
static int read_text(struct sp_journal_store *store, bool local, int64_t id, char **text)
{
	sqlite3_stmt *statement;
	char digest[SP_DIGEST_LENGTH + 1];
	*text = NULL;
	int result = sp_sql_prepare(store->db, &statement, readings[local], "i", id);
	if (result < 0)
		return result;
	result = sp_sql_step(statement);
	if (result > 0) {
		const void *body = sqlite3_column_blob(statement, 0);
		*text = sp_journal_unpack(body, (size_t)sqlite3_column_bytes(statement, 0),
					  sqlite3_column_int64(statement, 1) != 0);
		if (*text)
			sp_digest(*text, strlen(*text), digest);
		if (!*text || strcmp(digest, sp_sql_text(statement, 2)) != 0)
			result = -EILSEQ;
	}
	sqlite3_finalize(statement);
	if (result <= 0) {
		free(*text);
		*text = NULL;
	}
	return result;
}

/// The next element of a batch's text, which is our own; NULL at the end. *at moves on.
static const char *next_record(const char **at, size_t *length)
{
	const char *begin = *at;
	while (*begin == '[' || *begin == ',')
		begin++;
	if (*begin != '{')
		return NULL;
	*at = sp_json_skip(begin);
	*length = (size_t)(*at - begin);
	return begin;
}

static bool begins(const char *record, size_t length, const char *with)
{
	size_t n = strlen(with);
	return length >= n && memcmp(record, with, n) == 0;
}

// ---- walking ------------------------------------------------------------------------------------------

/// As it was appended: without seq. What the journal itself put there is left out.
static bool tell(const char *record, size_t length, const struct sp_journal_visit *visit)
{
	const char *from = record;
	if (begins(record, length, "{\"seq\":")) {
		const char *comma = memchr(record, ',', length);
		if (!comma)
			return true;
		from = comma;
	}
	size_t rest = length - (size_t)(from - record) - 1;
	if (begins(from + 1, rest, "\"type\":\"opened\"") || begins(from + 1, rest, "\"type\":\"forgotten\""))
		return true;
	char *text = sp_alloc(rest + 2);
	text[0] = '{';
	memcpy(text + 1, from + 1, rest);
	bool more = visit->event(visit->arg, text);
	free(text);
	return more;
}

static int visit_text(const char *text, const struct sp_journal_visit *visit)
{
	size_t length;
	for (const char *at = text, *record; (record = next_record(&at, &length));) {
		if (!tell(record, length, visit))
			return -ECANCELED;
	}
	return 0;
}

/// *moved: there was something after walk->after. 1: the portion is full.
static int walk_some(struct sp_journal_store *store, struct sp_journal_walk *walk,
		     const struct sp_journal_visit *visit, size_t *bytes, bool *moved)
{
	int64_t ids[IDS];
	size_t count;
	int result = look_up(store, walk, ids, &count);
	*moved = count > 0;
	for (size_t i = 0; i < count && result == 0; i++) {
		char *text;
		result = read_text(store, walk->local, ids[i], &text);
		walk->after = ids[i];
		if (result == -EILSEQ)
			sp_err("journal", "attendance %" PRId64 " is not what was journalled: left out",
			       ids[i]);
		*bytes += text ? strlen(text) : 0;
		result = result == 1 ? visit_text(text, visit) : result == -EILSEQ ? 0 : result;
		free(text);
		if (result == 0 && *bytes >= PORTION_BYTES)
			return 1;
	}
	return result;
}

int sp_journal_store_walk(struct sp_journal_store *store, struct sp_journal_walk *walk,
			  const struct sp_journal_visit *visit)
{
	size_t bytes = 0;
	for (;;) {
		bool moved;
		int result = walk_some(store, walk, visit, &bytes, &moved);
		if (result != 0)
			return result;
		if (moved)
			continue;
		if (walk->local)
			return 0;
		walk->local = true;
		walk->after = 0;
	}
}

// ---- erasing --------------------------------------------------------------------------------------------

static bool is_of(const char *record, size_t length, const struct sp_journal_persons *persons)
{
	static const char member[] = "\"person\":\"";
	// Inside a JSON text its quotes would be escaped.
	const char *found = memmem(record, length, member, sizeof(member) - 1);
	if (!found)
		return false;
	found += sizeof(member) - 1;
	size_t rest = length - (size_t)(found - record);
	for (size_t i = 0; i < persons->count; i++) {
		size_t n = strlen(persons->names[i]);
		if (n > 0 && n < rest && memcmp(found, persons->names[i], n) == 0 && found[n] == '"')
			return true;
	}
	return false;
}

/// The text without these persons; *erased of its records are replaced, or left out of a local row.
static void redact(struct sp_buf *out, const char *text, bool local, const struct sp_journal_persons *persons,
		   int64_t *erased)
{
	size_t length;
	*erased = 0;
	for (const char *at = text, *record; (record = next_record(&at, &length));) {
		bool hit = is_of(record, length, persons);
		*erased += hit;
		if (hit && local)
			continue;
		sp_buf_text(out, out->length == 0 ? "[" : ",");
		if (hit) // no time either: when somebody came is theirs, too
			sp_buf_printf(out, "{\"seq\":%lld,\"type\":\"forgotten\",\"mono_us\":0}",
				      strtoll(record + strlen("{\"seq\":"), NULL, 10));
		else
			sp_buf_add(out, record, length);
	}
	if (out->length > 0)
		sp_buf_text(out, "]");
}

static int replace(struct sp_journal_store *store, bool local, int64_t id, const struct sp_buf *text)
{
	char digest[SP_DIGEST_LENGTH + 1];
	if (text->overflowed)
		return -EMSGSIZE;
	if (text->length == 0)
		return sp_sql_run(store->db, "DELETE FROM local WHERE id = ?", "i", id);
	sp_digest(text->data, text->length, digest);
	return sp_sql_run(store->db,
			  local ? "UPDATE local SET body = ?, digest = ? WHERE id = ?"
				: "UPDATE batch SET body = ?, digest = ?, deflated = 0, redacted = redacted "
				  "+ 1 WHERE id = ?",
			  "bti", text->data, text->length, digest, id);
}

/// Who is in a text that cannot be read is not known, so it goes whole.
static int erase_unread(struct sp_journal_store *store, bool local, int64_t id, int64_t now_ms)
{
	if (!local)
		return sp_journal_drop_corrupt(store, id, now_ms);
	sp_err("journal", "attendance %" PRId64 " is not what was journalled: dropped", id);
	struct sp_buf nothing = {0};
	int result = sp_journal_begin(store, now_ms);
	if (result == 0)
		result = replace(store, local, id, &nothing);
	return sp_journal_end(store, result);
}

static int erase_one(struct sp_journal_store *store, bool local, int64_t id,
		     const struct sp_journal_persons *persons, int64_t now_ms, size_t *bytes, int64_t *erased)
{
	char *text;
	int result = read_text(store, local, id, &text);
	if (result == -EILSEQ)
		return erase_unread(store, local, id, now_ms);
	if (result <= 0)
		return result;
	struct sp_buf rest = SP_BUF(SP_FEED_INFLATED_MAX);
	redact(&rest, text, local, persons, erased);
	*bytes += strlen(text);
	result = 0;
	if (*erased > 0) {
		result = sp_journal_begin(store, now_ms);
		if (result == 0)
			result = replace(store, local, id, &rest);
		if (result == 0)
			result = sp_journal_measure(store);
		result = sp_journal_end(store, result);
	}
	sp_buf_free(&rest);
	free(text);
	return result;
}

static int erase_some(struct sp_journal_store *store, struct sp_journal_walk *walk,
		      const struct sp_journal_persons *persons, int64_t now_ms, size_t *bytes, bool *moved)
{
	int64_t ids[IDS];
	size_t count;
	int result = look_up(store, walk, ids, &count);
	*moved = count > 0;
	for (size_t i = 0; i < count && result == 0; i++) {
		int64_t erased = 0;
		result = erase_one(store, walk->local, ids[i], persons, now_ms, bytes, &erased);
		if (result == -ENOSPC) {
			// The WAL cannot grow; it may have room once begun anew.
			(void)sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_RESTART, NULL,
							NULL);
			result = erase_one(store, walk->local, ids[i], persons, now_ms, bytes, &erased);
		}
		if (result < 0)
			break;
		walk->erased += erased;
		walk->after = ids[i];
		if (*bytes >= PORTION_BYTES)
			return 1;
	}
	return result;
}

/// The WAL's frames go into the file and the WAL becomes empty.
static int empty_wal(struct sp_journal_store *store)
{
	int frames = -1;
	int result = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, &frames, NULL);
	if (result != SQLITE_OK)
		return sp_sql_error(store->db, result);
	return frames == 0 ? 0 : -EBUSY;
}

int sp_journal_store_erase(struct sp_journal_store *store, struct sp_journal_walk *walk,
			   const struct sp_journal_persons *persons, int64_t now_ms)
{
	size_t bytes = 0;
	for (;;) {
		bool moved;
		int result = erase_some(store, walk, persons, now_ms, &bytes, &moved);
		if (result != 0)
			return result;
		if (moved)
			continue;
		if (walk->local)
			break;
		walk->local = true;
		walk->after = 0;
	}
	int result = empty_wal(store);
	return result == 0 ? sp_journal_purge_asides(store->path) : result;
}
