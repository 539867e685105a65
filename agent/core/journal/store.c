// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One commit of the journal: records become batches, losses become facts, small state goes with them, all
// or nothing.
//
// After a failed COMMIT the handle stays open and the next attempt overwrites the same place in the WAL.
// Closing and opening again could bring a commit back that was reported as failed, and so double
// records. Only if the power goes in between may it come back, and then nothing remembers the failure.
#include "agent/core/journal/store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/feed_inflate.h"
#include "agent/base/mem.h"
#include "agent/core/journal/sql.h"
#include "schoolpulse/clock.h"
#include "schoolpulse/log.h"

enum {
	/// The wire's maxima less room for the envelope's head.
	TEXT_MAX = SP_FEED_PAYLOAD_MAX - 2048,
	DEFLATED_MAX = SP_FEED_PAYLOAD_MAX - 2048,
	/// What bulk may be before deflating: well below the wire's 512 KiB, for the sake of memory.
	BULK_TEXT_MAX = 256 * 1024,
	/// What a commit may need beyond its texts: pages begun, index, streams.
	OVERHEAD_BYTES = 32 * 1024,
};

int sp_journal_write_age(struct sp_journal_store *store)
{
	return sp_sql_run(
	    store->db, "INSERT OR REPLACE INTO small(key, value) VALUES('journal.age_ms', CAST(? AS TEXT))",
	    "i", store->age_ms);
}

int sp_journal_begin(struct sp_journal_store *store, int64_t now_ms)
{
	if (now_ms > store->tick_ms) {
		store->age_ms += now_ms - store->tick_ms;
		store->tick_ms = now_ms;
	}
	int moved = 0;
	if (sqlite3_file_control(store->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved)
		return -ESTALE;
	store->before = store->now;
	store->loss_count = 0;
	store->pending_written = false;
	return sp_sql_run(store->db, "BEGIN IMMEDIATE", "");
}

int sp_journal_end(struct sp_journal_store *store, int result)
{
	if (result == 0)
		result = sp_sql_run(store->db, "COMMIT", "");
	if (result == 0) {
		if (store->pending_written)
			store->pending_count = 0;
		return 0;
	}
	if (!sqlite3_get_autocommit(store->db))
		(void)!sp_sql_run(store->db, "ROLLBACK", "");
	store->now = store->before;
	sp_journal_seen_reset(store);
	return result;
}

// ---- streams ------------------------------------------------------------------------------------

/// The `opened` record of a new stream.
static char *opened_record(struct sp_journal_store *store, enum sp_record_class cls, const char *prev,
			   int64_t last)
{
	struct sp_clock_reading when = sp_clock_now();
	const struct sp_field link[] = {SP_TEXT("stream", prev), SP_INT("last", last)};
	const struct sp_field fields[] = {
	    SP_TEXT("class", sp_record_class_name(cls)),
	    *prev ? SP_OBJECT("prev", link, SP_COUNT(link)) : SP_NULL("prev"),
	    SP_BOOL("set_aside", true),
	};
	struct sp_buf text = SP_BUF(SP_FEED_RECORD_MAX);
	size_t count = store->set_aside ? SP_COUNT(fields) : SP_COUNT(fields) - 1;
	if (sp_feed_record(&text, "opened", NULL, &when, fields, count) < 0) {
		sp_buf_free(&text);
		return NULL;
	}
	return sp_buf_take(&text);
}

/// Its predecessor in the file: name into `prev` ("" without one) and the last seq it issued.
static int predecessor(struct sp_journal_store *store, enum sp_record_class cls, char prev[SP_ID_LENGTH + 1],
		       int64_t *last)
{
	sqlite3_stmt *statement;
	prev[0] = '\0';
	*last = 0;
	int result =
	    sp_sql_prepare(store->db, &statement,
			   "SELECT name, max(last, (SELECT coalesce(max(b.last), 0) FROM batch b WHERE "
			   "b.stream = s.id)) FROM stream s WHERE class = ? ORDER BY id DESC LIMIT 1",
			   "i", (int64_t)cls);
	if (result < 0)
		return result;
	result = sp_sql_step(statement);
	if (result > 0) {
		const char *name = sp_sql_text(statement, 0);
		*last = sqlite3_column_int64(statement, 1);
		result = strlen(name) == SP_ID_LENGTH && *last >= 0 ? 0 : -EBADMSG;
		if (result == 0)
			memcpy(prev, name, SP_ID_LENGTH + 1);
	}
	sqlite3_finalize(statement);
	return result;
}

int sp_journal_stream_begin(struct sp_journal_store *store, enum sp_record_class cls, char **opened)
{
	struct sp_journal_stream *stream = &store->now.stream[cls];
	char prev[SP_ID_LENGTH + 1] = "";
	int64_t last = 0;
	*opened = NULL;
	if (stream->row)
		return 0;
	int result = sp_journal_limit_streams(store);
	if (result == 0)
		result = predecessor(store, cls, prev, &last);
	if (result < 0)
		return result;
	sp_id_new(stream->name);
	result = sp_sql_run(store->db, "INSERT INTO stream(name, class, boot) VALUES(?, ?, ?)", "tit",
			    stream->name, (int64_t)cls, store->boot);
	if (result < 0)
		return result;
	stream->row = sqlite3_last_insert_rowid(store->db);
	stream->last = 0;
	*opened = opened_record(store, cls, prev, last);
	return *opened ? 0 : -EINVAL;
}

// ---- batches --------------------------------------------------------------------------------------

static int insert(struct sp_journal_store *store, enum sp_record_class cls, int64_t count,
		  const struct sp_buf *text, const struct sp_buf *body)
{
	struct sp_journal_stream *stream = &store->now.stream[cls];
	char digest[SP_DIGEST_LENGTH + 1];
	sp_digest(text->data, text->length, digest);
	int result =
	    sp_sql_run(store->db,
		       "INSERT INTO batch(id, stream, first, last, age_ms, digest, deflated, body) "
		       "VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
		       "iiiiitib", store->now.next_id, stream->row, stream->last + 1, stream->last + count,
		       store->age_ms, digest, (int64_t)(body != text), body->data, body->length);
	if (result < 0)
		return result;
	store->now.next_id++;
	stream->last += count;
	store->now.unsettled[cls] += count;
	store->now.committed += count;
	return 0;
}

/// Builds the batch of records[0…*count), or of fewer when they do not all fit; *count tells.
static int build(struct sp_buf *text, int64_t first, const char *const *records, size_t *count, size_t max)
{
	size_t n = 0;
	text->max = SP_FEED_INFLATED_MAX;
	for (; n < *count && n < SP_FEED_BATCH_MAX; n++) {
		// 40: the comma, {"seq":N, and the closing bracket.
		if (n > 0 && text->length + strlen(records[n]) + 40 > max)
			break;
		sp_feed_batch_add(text, first + (int64_t)n, records[n]);
	}
	sp_buf_add(text, "]", 1);
	*count = n;
	return text->overflowed ? -EMSGSIZE : 0;
}

/// Commits a prefix of the records as one batch; *count tells how many.
static int add_batch(struct sp_journal_store *store, enum sp_record_class cls, const char *const *records,
		     size_t *count)
{
	bool bulk = cls == SP_RECORD_BULK;
	int64_t first = store->now.stream[cls].last + 1;
	int result;
	for (;;) {
		struct sp_buf text = {0}, packed = SP_BUF(DEFLATED_MAX);
		result = build(&text, first, records, count, bulk ? BULK_TEXT_MAX : TEXT_MAX);
		if (result == 0 && bulk)
			result = sp_feed_deflate(&packed, text.data, text.length);
		if (result == 0)
			result = insert(store, cls, (int64_t)*count, &text, bulk ? &packed : &text);
		sp_buf_free(&text);
		sp_buf_free(&packed);
		if (result != -EMSGSIZE || *count == 1)
			return result;
		// Noise does not deflate: half as much, then.
		*count /= 2;
	}
}

static int add(struct sp_journal_store *store, enum sp_record_class cls, const char *opened,
	       const char *const *records, size_t count)
{
	int result = 0;
	if (opened) {
		// The first record of the stream opens the first batch.
		const char **all = sp_alloc((count + 1) * sizeof(*all));
		all[0] = opened;
		if (count > 0)
			memcpy(all + 1, records, count * sizeof(*all));
		result = add(store, cls, NULL, all, count + 1);
		free(all);
		return result;
	}
	while (count > 0 && result == 0) {
		size_t taken = count;
		result = add_batch(store, cls, records, &taken);
		records += taken;
		count -= taken;
	}
	return result;
}

// ---- losses -----------------------------------------------------------------------------------------

static char *dropped_record(const struct sp_field *fields, size_t count)
{
	struct sp_clock_reading when = sp_clock_now();
	struct sp_buf text = SP_BUF(SP_FEED_RECORD_MAX);
	if (sp_feed_record(&text, "dropped", NULL, &when, fields, count) < 0) {
		sp_buf_free(&text);
		return NULL;
	}
	return sp_buf_take(&text);
}

static char *loss_record(const struct sp_journal_loss *loss)
{
	const struct sp_field fields[] = {SP_TEXT("class", sp_record_class_name(loss->cls)),
					  SP_TEXT("stream", loss->stream), SP_INT("from", loss->from),
					  SP_INT("to", loss->to), SP_TEXT("reason", loss->reason)};
	return dropped_record(fields, SP_COUNT(fields));
}

static char *memory_record(enum sp_record_class cls, int64_t count)
{
	const struct sp_field fields[] = {SP_TEXT("class", sp_record_class_name(cls)), SP_INT("count", count),
					  SP_TEXT("reason", "memory")};
	return dropped_record(fields, SP_COUNT(fields));
}

/// The `dropped` facts of this commit; at most LOSSES_MAX + CLASSES of them.
static size_t loss_records(struct sp_journal_store *store, const struct sp_journal_commit *what, char **out)
{
	size_t count = 0;
	assert(store->loss_count <= SP_JOURNAL_LOSSES_MAX);
	for (size_t i = 0; i < store->loss_count; i++) {
		char *text = loss_record(&store->losses[i]);
		if (text)
			out[count++] = text;
	}
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++) {
		if (what->lost[cls] <= 0)
			continue;
		char *text = memory_record((enum sp_record_class)cls, what->lost[cls]);
		if (text)
			out[count++] = text;
		store->now.dropped += what->lost[cls];
	}
	return count;
}

// ---- the commit ---------------------------------------------------------------------------------------

static int write_small(struct sp_journal_store *store, const struct sp_journal_commit *what)
{
	int result = 0;
	for (size_t i = 0; i < what->small_count && result == 0; i++) {
		const struct sp_journal_small *small = &what->small[i];
		if (small->value)
			result = sp_sql_run(store->db,
					    "INSERT INTO small(key, value) VALUES(?, ?) ON CONFLICT(key) DO "
					    "UPDATE SET value = excluded.value",
					    "tt", small->key, small->value);
		else
			result = sp_sql_run(store->db, "DELETE FROM small WHERE key = ?", "t", small->key);
	}
	if (result == 0 && store->mark)
		result = sp_sql_run(store->db, "DELETE FROM small WHERE key = ?", "t", SP_JOURNAL_CLEAN);
	if (result == 0 && what->clean)
		result = sp_sql_run(store->db, "INSERT OR REPLACE INTO small(key, value) VALUES(?, ?)", "tt",
				    SP_JOURNAL_CLEAN, store->boot);
	if (result == 0 && (what->clean || what->probe))
		result = sp_journal_write_age(store);
	return result;
}

static int64_t text_bytes(const struct sp_journal_commit *what)
{
	size_t bytes = OVERHEAD_BYTES;
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++) {
		for (size_t i = 0; i < what->count[cls]; i++) {
			bool known = cls == SP_RECORD_ATTENDANCE && what->marks && what->marks[i].known;
			bytes += known ? 0 : strlen(what->records[cls][i]) + 16;
		}
	}
	return (int64_t)bytes;
}

static bool wants_facts(const struct sp_journal_store *store, const struct sp_journal_commit *what)
{
	if (what->count[SP_RECORD_FACTS] > 0 || store->loss_count > 0)
		return true;
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++) {
		if (what->lost[cls] > 0)
			return true;
	}
	return false;
}

static int write_facts(struct sp_journal_store *store, const struct sp_journal_commit *what,
		       const char *opened)
{
	size_t given = what->count[SP_RECORD_FACTS];
	char *losses[SP_JOURNAL_LOSSES_MAX + SP_RECORD_CLASSES];
	size_t lost = loss_records(store, what, losses);
	const char **all = sp_alloc((given + lost + 1) * sizeof(*all));
	if (given > 0)
		memcpy(all, what->records[SP_RECORD_FACTS], given * sizeof(*all));
	for (size_t i = 0; i < lost; i++)
		all[given + i] = losses[i];
	int result = add(store, SP_RECORD_FACTS, opened, all, given + lost);
	free(all);
	for (size_t i = 0; i < lost; i++)
		free(losses[i]);
	return result;
}

/// Attendance that is new, by whether it is published.
struct fresh {
	const char **published, **local;
	size_t published_count, local_count;
};

/// Notes the keys, and so knows what is new.
static int sort_attendance(struct sp_journal_store *store, const struct sp_journal_commit *what,
			   struct fresh *fresh)
{
	size_t count = what->count[SP_RECORD_ATTENDANCE];
	const char *const *records = what->records[SP_RECORD_ATTENDANCE];
	*fresh = (struct fresh){0};
	int result = count > 0 && what->marks ? sp_journal_seen_note(store, what->marks, count) : 0;
	if (result < 0 || count == 0)
		return result;
	fresh->published = sp_alloc(count * sizeof(char *));
	fresh->local = sp_alloc(count * sizeof(char *));
	for (size_t i = 0; i < count; i++) {
		const struct sp_journal_mark *mark = what->marks ? &what->marks[i] : NULL;
		if (mark && mark->kiosk && mark->known)
			continue;
		if (mark && mark->kiosk && mark->local)
			fresh->local[fresh->local_count++] = records[i];
		else
			fresh->published[fresh->published_count++] = records[i];
	}
	return 0;
}

static int write_records(struct sp_journal_store *store, const struct sp_journal_commit *what,
			 const struct fresh *fresh, char *const *opened)
{
	int result = add(store, SP_RECORD_ATTENDANCE, opened[SP_RECORD_ATTENDANCE], fresh->published,
			 fresh->published_count);
	if (result == 0)
		result = sp_journal_local_add(store, fresh->local, fresh->local_count);
	if (result == 0)
		result = add(store, SP_RECORD_BULK, opened[SP_RECORD_BULK], what->records[SP_RECORD_BULK],
			     what->count[SP_RECORD_BULK]);
	if (result == 0 && wants_facts(store, what))
		result = write_facts(store, what, opened[SP_RECORD_FACTS]);
	return result;
}

/// Streams first, then room, then records: both of the former may lose something, which facts must tell.
static int write_all(struct sp_journal_store *store, const struct sp_journal_commit *what, bool squeeze)
{
	char *opened[SP_RECORD_CLASSES] = {NULL};
	struct fresh fresh = {0};
	int result = sp_journal_settle_pending(store);
	if (result == 0 && what->corrupt)
		result = sp_journal_lose(store, what->corrupt, "corrupt");
	if (result == 0 && what->expire)
		result = sp_journal_expire(store);
	if (result == 0)
		result = sort_attendance(store, what, &fresh);
	if (result == 0 && fresh.published_count > 0)
		result = sp_journal_stream_begin(store, SP_RECORD_ATTENDANCE, &opened[SP_RECORD_ATTENDANCE]);
	if (result == 0 && what->count[SP_RECORD_BULK] > 0)
		result = sp_journal_stream_begin(store, SP_RECORD_BULK, &opened[SP_RECORD_BULK]);
	if (result == 0)
		result = sp_journal_make_room(store, text_bytes(what), squeeze);
	if (result == 0 && wants_facts(store, what))
		result = sp_journal_stream_begin(store, SP_RECORD_FACTS, &opened[SP_RECORD_FACTS]);
	if (result == 0)
		result = write_records(store, what, &fresh, opened);
	if (result == 0)
		result = write_small(store, what);
	if (result == 0)
		result = sp_journal_measure(store);
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++)
		free(opened[cls]);
	free(fresh.published);
	free(fresh.local);
	return result;
}

static int attempt(struct sp_journal_store *store, const struct sp_journal_commit *what, bool squeeze,
		   int64_t now_ms)
{
	int result = squeeze ? 0 : sp_journal_reserve(store, text_bytes(what));
	if (result == 0)
		result = sp_journal_begin(store, now_ms);
	if (result == 0)
		result = sp_journal_end(store, write_all(store, what, squeeze));
	return result;
}

int sp_journal_store_commit(struct sp_journal_store *store, const struct sp_journal_commit *what,
			    int64_t now_ms)
{
	int result = attempt(store, what, false, now_ms);
	if (result == -ENOSPC) {
		// The WAL cannot grow; it may have room once begun anew.
		(void)sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
		result = attempt(store, what, false, now_ms);
	}
	if (result == -ENOSPC)
		result = attempt(store, what, true, now_ms);
	if (result < 0)
		return result;
	store->mark = false;
	for (size_t i = 0; i < store->loss_count; i++)
		sp_warning("journal", "gave up %s %" PRId64 "…%" PRId64 " of stream %s (%s)",
			   sp_record_class_name(store->losses[i].cls), store->losses[i].from,
			   store->losses[i].to, store->losses[i].stream, store->losses[i].reason);
	return 0;
}

char *sp_journal_store_get(struct sp_journal_store *store, const char *key)
{
	sqlite3_stmt *statement;
	char *value = NULL;
	if (store->clean && strcmp(key, SP_JOURNAL_CLEAN) == 0)
		return sp_strdup(store->clean);
	if (strcmp(key, SP_JOURNAL_LAST) == 0)
		return sp_journal_store_last(store);
	if (sp_sql_prepare(store->db, &statement, "SELECT value FROM small WHERE key = ?", "t", key) < 0)
		return NULL;
	if (sp_sql_step(statement) > 0)
		value = sp_strndup(sp_sql_text(statement, 0), SP_JOURNAL_SMALL_MAX);
	sqlite3_finalize(statement);
	return value;
}
