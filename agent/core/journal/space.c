// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Forgetting by the byte cap, in the order in which things can be missed: settled batches, then unsettled
// bulk, attendance (what is not published before what is), facts, oldest first. What was not settled is noted
// as a loss. The cap frees a portion at a time, so that `dropped` facts stay few.
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "agent/base/mem.h"
#include "agent/core/journal/sql.h"
#include "agent/core/journal/store.h"
#include "schoolpulse/log.h"

enum {
	PORTIONS = 32, ///< the cap frees 1/32 of itself at a time
	/// On a full disk less: what is freed is overwritten (secure_delete) and so passes through the WAL,
	/// which cannot grow then.
	SQUEEZE_BYTES = 256 * 1024,
	RESERVE_MAX = 64 * 1024 * 1024,
	DELETE_AT_ONCE = 32,
	STREAMS_MAX = SP_FEED_HELD_MAX - SP_RECORD_CLASSES,
};

static const enum sp_record_class giving_up[] = {SP_RECORD_BULK, SP_RECORD_ATTENDANCE, SP_RECORD_FACTS};

static int pages_of(struct sp_journal_store *store, int64_t *pages, int64_t *unused)
{
	int result = sp_sql_int(store->db, pages, "PRAGMA page_count", "");
	if (result == 0)
		result = sp_sql_int(store->db, unused, "PRAGMA freelist_count", "");
	// Both are read from the header as they are.
	return result == 0 && (*unused < 0 || *unused > *pages) ? -EBADMSG : result;
}

int sp_journal_gross_bytes(struct sp_journal_store *store, int64_t *out)
{
	int64_t pages, unused;
	int result = pages_of(store, &pages, &unused);
	if (result == 0)
		*out = (pages - unused) * store->page_bytes;
	return result;
}

int sp_journal_used_bytes(struct sp_journal_store *store, int64_t *out)
{
	int result = sp_journal_gross_bytes(store, out);
	if (result == 0)
		*out -= store->now.seen_bytes;
	return result;
}

int sp_journal_measure(struct sp_journal_store *store)
{
	int64_t unused;
	int result = pages_of(store, &store->now.pages, &unused);
	if (result == 0)
		store->now.bytes = (store->now.pages - unused) * store->page_bytes - store->now.seen_bytes;
	return result;
}

int sp_journal_reserve(struct sp_journal_store *store, int64_t need_bytes)
{
	int64_t want = store->now.bytes + store->now.seen_bytes + need_bytes,
		file = store->now.pages * store->page_bytes;
	struct statvfs fs;
	if (want < file)
		want = file;
	// Beyond anything that the cap allows: a header that lies must not fill the disk.
	if (want <= store->reserved_bytes ||
	    want > 2 * store->cap_bytes + store->now.seen_bytes + RESERVE_MAX)
		return 0;
	sqlite3_int64 hint = want;
	int result = sqlite3_file_control(store->db, "main", SQLITE_FCNTL_SIZE_HINT, &hint);
	if (result == SQLITE_OK)
		store->reserved_bytes = want;
	if (result == SQLITE_OK || result == SQLITE_NOTFOUND)
		return 0;
	// It does not say why.
	return statvfs(store->path, &fs) == 0 && (fs.f_flag & ST_RDONLY) ? -EROFS : -ENOSPC;
}

struct victim {
	int64_t id, row, first, last;
	enum sp_record_class cls;
	bool settled;
	char stream[SP_ID_LENGTH + 1];
};

/// The loss that this one continues, or NULL.
static struct sp_journal_loss *continued(struct sp_journal_store *store, const struct victim *v,
					 const char *reason)
{
	for (size_t i = 0; i < store->loss_count; i++) {
		struct sp_journal_loss *loss = &store->losses[i];
		if (loss->row == v->row && loss->reason == reason && loss->to == v->first - 1)
			return loss;
	}
	return NULL;
}

/// Can the loss of this batch be told in the commit that runs? What cannot be told must not be given up.
static bool can_lose(struct sp_journal_store *store, const struct victim *v, const char *reason)
{
	return v->settled || store->loss_count < SP_JOURNAL_LOSSES_MAX || continued(store, v, reason);
}

/// Only for what can_lose().
static void note_loss(struct sp_journal_store *store, const struct victim *v, const char *reason)
{
	struct sp_journal_loss *loss = continued(store, v, reason);
	store->now.unsettled[v->cls] -= v->last - v->first + 1;
	store->now.dropped += v->last - v->first + 1;
	if (loss) {
		loss->to = v->last;
		return;
	}
	assert(store->loss_count < SP_JOURNAL_LOSSES_MAX);
	loss = &store->losses[store->loss_count++];
	*loss = (struct sp_journal_loss){
	    .cls = v->cls, .row = v->row, .from = v->first, .to = v->last, .reason = reason};
	memcpy(loss->stream, v->stream, sizeof(loss->stream));
}

int sp_journal_keep_last(struct sp_journal_store *store, int64_t row)
{
	return sp_sql_run(
	    store->db,
	    "UPDATE stream SET last = max(last, (SELECT coalesce(max(b.last), 0) FROM batch b WHERE "
	    "b.stream = ?)) WHERE id = ?",
	    "ii", row, row);
}

static int read_victim(sqlite3_stmt *statement, struct victim *v)
{
	int64_t cls = sqlite3_column_int64(statement, 4);
	if (cls < 0 || cls >= SP_RECORD_CLASSES)
		return -EBADMSG;
	*v = (struct victim){.id = sqlite3_column_int64(statement, 0),
			     .row = sqlite3_column_int64(statement, 1),
			     .first = sqlite3_column_int64(statement, 2),
			     .last = sqlite3_column_int64(statement, 3),
			     .cls = (enum sp_record_class)cls,
			     .settled = sqlite3_column_int64(statement, 6) != 0};
	snprintf(v->stream, sizeof(v->stream), "%s", sp_sql_text(statement, 5));
	return 0;
}

#define VICTIM "b.id, b.stream, b.first, b.last, s.class, s.name, b.settled"

int sp_journal_delete_batch(struct sp_journal_store *store, int64_t id)
{
	return sp_sql_run(store->db, "DELETE FROM batch WHERE id = ?", "i", id);
}

/// Deletes up to DELETE_AT_ONCE batches of one stream, and stops when no more than `target` bytes are in
/// use. *more: there were some, and losses can still be noted.
static int give_up_some(struct sp_journal_store *store, int64_t row, bool settled, int64_t target,
			int64_t *used, bool *more)
{
	struct victim victims[DELETE_AT_ONCE];
	size_t count = 0;
	sqlite3_stmt *statement;
	int result =
	    sp_sql_prepare(store->db, &statement,
			   "SELECT " VICTIM " FROM batch b JOIN stream s ON s.id = b.stream WHERE b.stream "
			   "= ? AND b.settled = ? ORDER BY b.first LIMIT ?",
			   "iii", row, (int64_t)settled, (int64_t)DELETE_AT_ONCE);
	if (result < 0)
		return result;
	while (count < DELETE_AT_ONCE && (result = sp_sql_step(statement)) > 0) {
		result = read_victim(statement, &victims[count++]);
		if (result < 0)
			break;
	}
	sqlite3_finalize(statement);
	*more = count > 0;
	if (result >= 0)
		result = sp_journal_keep_last(store, row);
	for (size_t i = 0; i<count && * used> target && result >= 0; i++) {
		*more = can_lose(store, &victims[i], "cap");
		if (!*more)
			break;
		result = sp_journal_delete_batch(store, victims[i].id);
		if (result == 0 && !settled)
			note_loss(store, &victims[i], "cap");
		if (result == 0)
			result = sp_journal_used_bytes(store, used);
	}
	return result < 0 ? result : 0;
}

/// The oldest stream of the class that holds such batches; 0: none.
static int oldest_stream(struct sp_journal_store *store, enum sp_record_class cls, bool settled, int64_t *row)
{
	return sp_sql_int(
	    store->db, row,
	    "SELECT s.id FROM stream s WHERE s.class = ? AND EXISTS(SELECT 1 FROM batch b WHERE "
	    "b.stream = s.id AND b.settled = ?) ORDER BY s.id LIMIT 1",
	    "ii", (int64_t)cls, (int64_t)settled);
}

/// Gives up batches of one kind until no more than `target` bytes are in use.
static int shrink(struct sp_journal_store *store, enum sp_record_class cls, bool settled, int64_t target,
		  int64_t *used)
{
	bool more = true;
	int result = 0;
	while (*used > target && more && result == 0) {
		int64_t row = 0;
		result = oldest_stream(store, cls, settled, &row);
		if (result < 0 || row == 0)
			break;
		result = give_up_some(store, row, settled, target, used, &more);
	}
	return result;
}

int sp_journal_make_room(struct sp_journal_store *store, int64_t need_bytes, bool squeeze)
{
	int64_t used = 0, portion = store->cap_bytes / PORTIONS;
	int result = sp_journal_used_bytes(store, &used);
	if (result < 0 || (!squeeze && used + need_bytes <= store->cap_bytes))
		return result;
	if (squeeze && portion > SQUEEZE_BYTES)
		portion = SQUEEZE_BYTES;
	int64_t target = (squeeze ? used : store->cap_bytes) - need_bytes - portion;
	for (size_t i = 0; i < SP_COUNT(giving_up) && used > target && result == 0; i++)
		result = shrink(store, giving_up[i], true, target, &used);
	for (size_t i = 0; i < SP_COUNT(giving_up) && used > target && result == 0; i++) {
		// A full disk is somebody else's doing: it costs samples, never facts or punches.
		if (squeeze && giving_up[i] != SP_RECORD_BULK)
			break;
		// Nobody waits for what is not published.
		if (giving_up[i] == SP_RECORD_ATTENDANCE)
			result = sp_journal_local_shrink(store, target, &used);
		if (result == 0)
			result = shrink(store, giving_up[i], false, target, &used);
	}
	return result;
}

int sp_journal_lose(struct sp_journal_store *store, int64_t id, const char *reason)
{
	sqlite3_stmt *statement;
	struct victim v = {0};
	int result = sp_sql_prepare(
	    store->db, &statement,
	    "SELECT " VICTIM " FROM batch b JOIN stream s ON s.id = b.stream WHERE b.id = ?", "i", id);
	if (result < 0)
		return result;
	result = sp_sql_step(statement);
	if (result > 0) {
		result = read_victim(statement, &v);
		result = result < 0 ? result : 1;
	}
	sqlite3_finalize(statement);
	if (result <= 0)
		return result;
	if (!can_lose(store, &v, reason))
		return 0;
	result = sp_journal_keep_last(store, v.row);
	if (result == 0)
		result = sp_journal_delete_batch(store, id);
	if (result == 0 && !v.settled)
		note_loss(store, &v, reason);
	return result;
}

int sp_journal_sweep_streams(struct sp_journal_store *store)
{
	return sp_sql_run(
	    store->db,
	    "DELETE FROM stream WHERE NOT EXISTS(SELECT 1 FROM batch b WHERE b.stream = stream.id) "
	    "AND id NOT IN (SELECT max(id) FROM stream GROUP BY class)",
	    "");
}

/// Which whole stream can best be missed: a settled one, or bulk, attendance, facts; the oldest.
static int best_missed(struct sp_journal_store *store, int64_t *row)
{
	return sp_sql_int(
	    store->db, row,
	    "SELECT s.id FROM stream s WHERE EXISTS(SELECT 1 FROM batch b WHERE b.stream = s.id) "
	    "ORDER BY EXISTS(SELECT 1 FROM batch b WHERE b.stream = s.id AND b.settled = 0), "
	    "CASE s.class WHEN 2 THEN 0 WHEN 1 THEN 1 ELSE 2 END, s.id LIMIT 1",
	    "");
}

/// Gives up all of the stream, as far as the losses can be told.
static int give_up_stream(struct sp_journal_store *store, int64_t row)
{
	int64_t used = INT64_MAX;
	bool more = true;
	int result = 0;
	while (result == 0 && more)
		result = give_up_some(store, row, true, -1, &used, &more);
	for (more = true; result == 0 && more;)
		result = give_up_some(store, row, false, -1, &used, &more);
	return result;
}

int sp_journal_limit_streams(struct sp_journal_store *store)
{
	int64_t held = 0, before = INT64_MAX, row = 0;
	int result = sp_sql_int(store->db, &held, "SELECT count(DISTINCT stream) FROM batch", "");
	if (result < 0 || held < STREAMS_MAX)
		return result;
	// More than one when an earlier commit could not tell of more losses.
	while (result == 0 && held >= STREAMS_MAX && held < before) {
		before = held;
		result = best_missed(store, &row);
		if (result == 0 && row)
			result = give_up_stream(store, row);
		if (result == 0)
			result = sp_sql_int(store->db, &held, "SELECT count(DISTINCT stream) FROM batch", "");
	}
	if (result == 0)
		result = sp_journal_sweep_streams(store);
	return result;
}
