// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Reading batches back for the publisher. SQLite's pages carry no checksum, so the digest of each text is
// compared before it leaves; what a card has altered is dropped with a fact instead of being sent.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/feed_inflate.h"
#include "agent/base/mem.h"
#include "agent/core/journal/sql.h"
#include "agent/core/journal/store.h"
#include "schoolpulse/log.h"

/// The smallest ids found so far, ascending.
struct ids {
	int64_t *id;
	size_t count, max;
};

static void keep_smallest(struct ids *ids, int64_t id)
{
	if (ids->count == ids->max && (ids->max == 0 || id >= ids->id[ids->count - 1]))
		return;
	size_t i = ids->count < ids->max ? ids->count++ : ids->count - 1;
	for (; i > 0 && ids->id[i - 1] > id; i--)
		ids->id[i] = ids->id[i - 1];
	ids->id[i] = id;
}

static bool is_pending(const struct sp_journal_store *store, int64_t id)
{
	for (size_t i = 0; i < store->pending_count; i++) {
		if (store->pending[i].id == id)
			return true;
	}
	return false;
}

/// The first seq of the stream's first batch after `after`; 0: no unsettled one is there.
static int place_of(struct sp_journal_store *store, int64_t row, int64_t after, int64_t *first)
{
	int64_t newest = 0;
	int result = sp_sql_int(
	    store->db, &newest,
	    "SELECT id FROM batch WHERE stream = ? AND settled = 0 ORDER BY first DESC LIMIT 1", "i", row);
	*first = newest > after ? 1 : 0;
	if (result < 0 || *first == 0 || after == 0)
		return result;
	// The + keeps SQLite from walking the whole stream: the next row of it is near.
	return sp_sql_int(store->db, first,
			  "SELECT first FROM batch WHERE id > ? AND +stream = ? ORDER BY id LIMIT 1", "ii",
			  after, row);
}

/// The unsettled batches of one stream after `after`. Within a stream ids rise with seqs.
static int collect_stream(struct sp_journal_store *store, int64_t row, int64_t after, struct ids *ids)
{
	sqlite3_stmt *statement;
	size_t taken = 0;
	int64_t first;
	int result = place_of(store, row, after, &first);
	if (result < 0 || first == 0)
		return result;
	result =
	    sp_sql_prepare(store->db, &statement,
			   "SELECT id FROM batch WHERE stream = ? AND settled = 0 AND first >= ? ORDER BY "
			   "first",
			   "ii", row, first);
	if (result < 0)
		return result;
	while (taken < ids->max && (result = sp_sql_step(statement)) > 0) {
		int64_t id = sqlite3_column_int64(statement, 0);
		if (id <= after || is_pending(store, id))
			continue;
		keep_smallest(ids, id);
		taken++;
	}
	sqlite3_finalize(statement);
	return result < 0 ? result : 0;
}

void sp_journal_store_hour(struct sp_journal_store *store)
{
	store->live_id = store->hour_id;
	store->hour_id = store->now.next_id - 1;
}

/// The stream's batches after this id may be sent; INT64_MAX: none of them.
static int allowed_after(struct sp_journal_store *store, int64_t row, int64_t *after)
{
	int64_t cls = 0;
	if (store->bulk_limit == SP_BULK_ALL && !store->withhold_attendance)
		return 0;
	int result = sp_sql_int(store->db, &cls, "SELECT class FROM stream WHERE id = ?", "i", row);
	if (result == 0 && cls == SP_RECORD_ATTENDANCE && store->withhold_attendance)
		*after = INT64_MAX;
	if (result < 0 || cls != SP_RECORD_BULK || store->bulk_limit == SP_BULK_ALL)
		return result;
	if (store->bulk_limit == SP_BULK_NONE)
		*after = INT64_MAX;
	else if (*after < store->live_id)
		*after = store->live_id;
	return 0;
}

static int collect_backlog(struct sp_journal_store *store, int64_t row, int64_t after, struct ids *ids)
{
	int result = allowed_after(store, row, &after);
	return result < 0 || after == INT64_MAX ? result : collect_stream(store, row, after, ids);
}

static int collect(struct sp_journal_store *store, enum sp_lane lane, int64_t after, struct ids *ids)
{
	const struct sp_journal_stream *live = store->now.stream;
	int result = 0;
	int64_t facts = live[SP_RECORD_FACTS].row, attendance = live[SP_RECORD_ATTENDANCE].row;
	if (lane == SP_LANE_LIVE) {
		if (facts)
			result = collect_stream(store, facts, after, ids);
		if (result == 0 && attendance && !store->withhold_attendance)
			result = collect_stream(store, attendance, after, ids);
		return result;
	}
	int64_t row = 0;
	while (result == 0) {
		result = sp_sql_int(store->db, &row, "SELECT id FROM stream WHERE id > ? ORDER BY id LIMIT 1",
				    "i", row);
		if (result < 0 || row == 0)
			break;
		if (row != facts && row != attendance)
			result = collect_backlog(store, row, after, ids);
	}
	return result;
}

char *sp_journal_unpack(const void *body, size_t length, bool deflated)
{
	char why[128], *text = NULL;
	if (!body || length == 0)
		return NULL;
	if (!deflated)
		return length < SP_FEED_PAYLOAD_MAX ? sp_strndup(body, length) : NULL;
	if (sp_feed_inflate(&text, &length, body, SP_FEED_DEFLATED, why) != SP_FEED_OK)
		return NULL;
	return text;
}

static bool copy(char *out, size_t size, const char *text)
{
	return (size_t)snprintf(out, size, "%s", text) < size;
}

/// -EBADMSG: the batch is not what was journalled.
static int read_batch(sqlite3_stmt *statement, struct sp_journal_batch *batch)
{
	struct sp_feed_envelope *e = &batch->envelope;
	char digest[SP_DIGEST_LENGTH + 1];
	int64_t cls = sqlite3_column_int64(statement, 3);
	bool good = copy(e->stream, sizeof(e->stream), sp_sql_text(statement, 4)) &&
		    copy(e->boot, sizeof(e->boot), sp_sql_text(statement, 5)) &&
		    copy(e->digest, sizeof(e->digest), sp_sql_text(statement, 6));
	batch->id = sqlite3_column_int64(statement, 0);
	e->first = sqlite3_column_int64(statement, 1);
	e->last = sqlite3_column_int64(statement, 2);
	e->cls = (enum sp_record_class)cls;
	batch->deflate = sqlite3_column_int64(statement, 7) != 0;
	e->redacted = sqlite3_column_int64(statement, 9);
	const void *body = sqlite3_column_blob(statement, 8);
	batch->text = sp_journal_unpack(body, (size_t)sqlite3_column_bytes(statement, 8), batch->deflate);
	if (!good || !batch->text || cls < 0 || cls >= SP_RECORD_CLASSES || e->first < 1 ||
	    e->last < e->first)
		return -EBADMSG;
	sp_digest(batch->text, strlen(batch->text), digest);
	return strcmp(digest, e->digest) == 0 ? 0 : -EBADMSG;
}

/// 1: read; 0: it is gone; -EBADMSG: the batch (or the file) is bad; -errno.
static int load(struct sp_journal_store *store, int64_t id, struct sp_journal_batch **out)
{
	sqlite3_stmt *statement;
	*out = NULL;
	int result =
	    sp_sql_prepare(store->db, &statement,
			   "SELECT b.id, b.first, b.last, s.class, s.name, s.boot, b.digest, b.deflated, "
			   "b.body, b.redacted FROM batch b JOIN stream s ON s.id = b.stream WHERE b.id = ?",
			   "i", id);
	if (result < 0)
		return result;
	result = sp_sql_step(statement);
	if (result > 0) {
		struct sp_journal_batch *batch = sp_alloc(sizeof(*batch));
		result = read_batch(statement, batch);
		if (result == 0) {
			*out = batch;
			result = 1;
		} else {
			sp_journal_batch_free(batch);
			result = -EILSEQ;
		}
	}
	sqlite3_finalize(statement);
	return result;
}

int sp_journal_drop_corrupt(struct sp_journal_store *store, int64_t id, int64_t now_ms)
{
	sp_err("journal", "batch %" PRId64 " is not what was journalled: dropped", id);
	struct sp_journal_commit what = {.corrupt = id};
	return sp_journal_store_commit(store, &what, now_ms);
}

int sp_journal_store_fetch(struct sp_journal_store *store, enum sp_lane lane, int64_t after, size_t max,
			   struct sp_journal_batch **out, size_t *count, int64_t now_ms)
{
	struct ids ids = {.id = sp_alloc((max + 1) * sizeof(int64_t)), .max = max};
	*count = 0;
	int result = collect(store, lane, after, &ids);
	for (size_t i = 0; i < ids.count && result == 0; i++) {
		int loaded = load(store, ids.id[i], &out[*count]);
		if (loaded == 1)
			(*count)++;
		else if (loaded == -EILSEQ)
			result = sp_journal_drop_corrupt(store, ids.id[i], now_ms);
		else if (loaded == -EIO)
			sp_err("journal", "batch %" PRId64 " cannot be read now: left for later", ids.id[i]);
		else
			result = loaded;
	}
	free(ids.id);
	return result;
}

void sp_journal_batch_free(struct sp_journal_batch *batch)
{
	if (!batch)
		return;
	free(batch->text);
	free(batch);
}

int sp_journal_store_held(struct sp_journal_store *store, struct sp_feed_held *held, size_t *count)
{
	sqlite3_stmt *statement;
	*count = 0;
	int result =
	    sp_sql_prepare(store->db, &statement,
			   "SELECT s.name, s.class, min(b.first), max(b.last) FROM stream s JOIN batch b ON "
			   "b.stream = s.id GROUP BY s.id ORDER BY s.id LIMIT ?",
			   "i", (int64_t)SP_FEED_HELD_MAX);
	if (result < 0)
		return result;
	while ((result = sp_sql_step(statement)) > 0 && *count < SP_FEED_HELD_MAX) {
		int64_t cls = sqlite3_column_int64(statement, 1);
		if (cls < 0 || cls >= SP_RECORD_CLASSES ||
		    !copy(held[*count].stream, sizeof(held[*count].stream), sp_sql_text(statement, 0)))
			continue;
		held[*count].cls = (enum sp_record_class)cls;
		held[*count].oldest = sqlite3_column_int64(statement, 2);
		held[*count].newest = sqlite3_column_int64(statement, 3);
		(*count)++;
	}
	sqlite3_finalize(statement);
	return result < 0 ? result : 0;
}
