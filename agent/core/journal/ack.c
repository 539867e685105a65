// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The hub's word, applied to the file. What it settles is first only noted in memory and written down
// with the next commit (a card should not be written for each acknowledgement; if the power goes, the
// batch is sent again and acknowledged again). What it takes back is written at once.
#include <inttypes.h>
#include <string.h>

#include "agent/core/journal/sql.h"
#include "agent/core/journal/store.h"
#include "schoolpulse/log.h"

bool sp_journal_ack_covers(const struct sp_feed_ack *ack, int64_t first, int64_t last)
{
	if (last <= ack->upto)
		return true;
	// Ranges do not touch upto, or they would be part of it; a batch may still reach over both.
	int64_t from = first <= ack->upto ? ack->upto + 1 : first;
	for (size_t i = 0; i < ack->have_count; i++) {
		if (ack->have[i].from <= from && from <= ack->have[i].to)
			from = ack->have[i].to + 1;
	}
	return from > last;
}

static int64_t highest(const struct sp_feed_ack *ack)
{
	int64_t high = ack->upto;
	for (size_t i = 0; i < ack->have_count; i++) {
		if (ack->have[i].to > high)
			high = ack->have[i].to;
	}
	return high;
}

static struct sp_journal_pending *find_pending(struct sp_journal_store *store, int64_t id)
{
	for (size_t i = 0; i < store->pending_count; i++) {
		if (store->pending[i].id == id)
			return &store->pending[i];
	}
	return NULL;
}

int sp_journal_settle_pending(struct sp_journal_store *store)
{
	int result = 0;
	for (size_t i = 0; i < store->pending_count && result == 0; i++)
		result = sp_sql_run(store->db,
				    "UPDATE batch SET settled = 1, age_ms = ? WHERE id = ? AND settled = 0",
				    "ii", store->age_ms, store->pending[i].id);
	store->pending_written = true;
	return result;
}

static int write_pending(struct sp_journal_store *store, int64_t now_ms)
{
	int result = sp_journal_begin(store, now_ms);
	if (result == 0)
		result = sp_journal_settle_pending(store);
	return sp_journal_end(store, result);
}

static void note(struct sp_journal_store *store, const struct sp_journal_pending *batch)
{
	store->pending[store->pending_count++] = *batch;
	store->now.unsettled[batch->cls] -= batch->last - batch->first + 1;
}

/// Notes unsettled batches of the stream that are covered, until pending is full. *full: there may be more.
static int note_covered(struct sp_journal_store *store, const struct sp_feed_ack *ack, int64_t row,
			enum sp_record_class cls, bool *full)
{
	sqlite3_stmt *statement;
	*full = false;
	int result =
	    sp_sql_prepare(store->db, &statement,
			   "SELECT id, first, last FROM batch WHERE stream = ? AND settled = 0 AND first <= "
			   "? ORDER BY first",
			   "ii", row, highest(ack));
	if (result < 0)
		return result;
	while (!*full && (result = sp_sql_step(statement)) > 0) {
		struct sp_journal_pending batch = {.id = sqlite3_column_int64(statement, 0),
						   .row = row,
						   .first = sqlite3_column_int64(statement, 1),
						   .last = sqlite3_column_int64(statement, 2),
						   .cls = cls};
		if (!sp_journal_ack_covers(ack, batch.first, batch.last) || find_pending(store, batch.id))
			continue;
		if (store->pending_count == SP_JOURNAL_PENDING_MAX)
			*full = true;
		else
			note(store, &batch);
	}
	sqlite3_finalize(statement);
	return result < 0 ? result : 0;
}

static int settle_covered(struct sp_journal_store *store, const struct sp_feed_ack *ack, int64_t row,
			  enum sp_record_class cls, int64_t now_ms)
{
	bool full;
	int result = note_covered(store, ack, row, cls, &full);
	while (result == 0 && full) {
		result = write_pending(store, now_ms);
		if (result == 0)
			result = note_covered(store, ack, row, cls, &full);
	}
	return result;
}

/// What was only noted and is not covered any more is forgotten again.
static void unnote(struct sp_journal_store *store, const struct sp_feed_ack *ack, int64_t row,
		   bool *unsettled)
{
	size_t kept = 0;
	for (size_t i = 0; i < store->pending_count; i++) {
		struct sp_journal_pending *batch = &store->pending[i];
		if (batch->row != row || sp_journal_ack_covers(ack, batch->first, batch->last)) {
			store->pending[kept++] = *batch;
			continue;
		}
		store->now.unsettled[batch->cls] += batch->last - batch->first + 1;
		*unsettled = true;
	}
	store->pending_count = kept;
}

enum { TAKE_BACK_AT_ONCE = 64 };

/// Settled batches beyond `after` that are not covered, at most TAKE_BACK_AT_ONCE; *after moves on.
static int find_uncovered(struct sp_journal_store *store, const struct sp_feed_ack *ack, int64_t row,
			  int64_t *after, struct sp_journal_pending *found, size_t *count)
{
	sqlite3_stmt *statement;
	*count = 0;
	int result =
	    sp_sql_prepare(store->db, &statement,
			   "SELECT id, first, last FROM batch WHERE stream = ? AND settled = 1 AND first > ? "
			   "ORDER BY first",
			   "ii", row, *after);
	if (result < 0)
		return result;
	while (*count < TAKE_BACK_AT_ONCE && (result = sp_sql_step(statement)) > 0) {
		int64_t first = sqlite3_column_int64(statement, 1), last = sqlite3_column_int64(statement, 2);
		*after = first;
		if (!sp_journal_ack_covers(ack, first, last))
			found[(*count)++] = (struct sp_journal_pending){
			    .id = sqlite3_column_int64(statement, 0), .first = first, .last = last};
	}
	sqlite3_finalize(statement);
	return result < 0 ? result : 0;
}

static int take_back_some(struct sp_journal_store *store, const struct sp_journal_pending *found,
			  size_t count, enum sp_record_class cls, int64_t now_ms)
{
	int result = sp_journal_begin(store, now_ms);
	for (size_t i = 0; i < count && result == 0; i++) {
		result = sp_sql_run(store->db, "UPDATE batch SET settled = 0, age_ms = ? WHERE id = ?", "ii",
				    store->age_ms, found[i].id);
		store->now.unsettled[cls] += found[i].last - found[i].first + 1;
	}
	return sp_journal_end(store, result);
}

static int take_back(struct sp_journal_store *store, const struct sp_feed_ack *ack, int64_t row,
		     enum sp_record_class cls, bool *unsettled, int64_t now_ms)
{
	struct sp_journal_pending found[TAKE_BACK_AT_ONCE];
	size_t count;
	// A batch that reaches over upto begins at most one batch's length below it.
	int64_t after = ack->upto - SP_FEED_BATCH_MAX;
	int result;
	do {
		result = find_uncovered(store, ack, row, &after, found, &count);
		if (result == 0 && count > 0)
			result = take_back_some(store, found, count, cls, now_ms);
		if (result == 0 && count > 0)
			*unsettled = true;
	} while (result == 0 && count == TAKE_BACK_AT_ONCE);
	return result;
}

static int find_stream(struct sp_journal_store *store, const char *name, int64_t *row,
		       enum sp_record_class *cls, int64_t *last)
{
	sqlite3_stmt *statement;
	*row = 0;
	int result =
	    sp_sql_prepare(store->db, &statement,
			   "SELECT id, class, max(last, (SELECT coalesce(max(b.last), 0) FROM batch b WHERE "
			   "b.stream = s.id)) FROM stream s WHERE name = ?",
			   "t", name);
	if (result < 0)
		return result;
	result = sp_sql_step(statement);
	if (result > 0) {
		int64_t number = sqlite3_column_int64(statement, 1);
		*row = sqlite3_column_int64(statement, 0);
		*last = sqlite3_column_int64(statement, 2);
		*cls = (enum sp_record_class)number;
		result = number >= 0 && number < SP_RECORD_CLASSES ? 0 : -EBADMSG;
	}
	sqlite3_finalize(statement);
	return result;
}

int sp_journal_store_ack(struct sp_journal_store *store, const struct sp_feed_ack *ack, bool *unsettled,
			 int64_t now_ms)
{
	int64_t row, last = 0;
	enum sp_record_class cls = SP_RECORD_FACTS;
	*unsettled = false;
	int result = find_stream(store, ack->stream, &row, &cls, &last);
	if (result < 0 || row == 0)
		return result;
	bool ours = row == store->now.stream[cls].row;
	if (highest(ack) > last) {
		// Of this opening nobody else can have issued more. An older stream's later records may be
		// gone with a card that was rolled back; what is left of it is settled all the same.
		sp_warning("journal",
			   "the hub acknowledges %s %" PRId64 " of stream %s, which ends at %" PRId64,
			   sp_record_class_name(cls), highest(ack), ack->stream, last);
		if (ours)
			return -EINVAL;
	}
	unnote(store, ack, row, unsettled);
	result = take_back(store, ack, row, cls, unsettled, now_ms);
	if (result == 0)
		result = settle_covered(store, ack, row, cls, now_ms);
	if (result == 0 && ours && cls == SP_RECORD_FACTS)
		store->settled_seq = ack->upto;
	return result;
}

int sp_journal_store_settle(struct sp_journal_store *store, int64_t id, int64_t now_ms)
{
	sqlite3_stmt *statement = NULL;
	struct sp_journal_pending batch = {.id = id};
	if (find_pending(store, id))
		return 0;
	int result = store->pending_count == SP_JOURNAL_PENDING_MAX ? write_pending(store, now_ms) : 0;
	if (result == 0)
		result = sp_sql_prepare(
		    store->db, &statement,
		    "SELECT b.stream, b.first, b.last, s.class FROM batch b JOIN stream s ON s.id "
		    "= b.stream WHERE b.id = ? AND b.settled = 0",
		    "i", id);
	if (result < 0)
		return result;
	result = sp_sql_step(statement);
	if (result > 0) {
		int64_t cls = sqlite3_column_int64(statement, 3);
		batch.row = sqlite3_column_int64(statement, 0);
		batch.first = sqlite3_column_int64(statement, 1);
		batch.last = sqlite3_column_int64(statement, 2);
		batch.cls = (enum sp_record_class)cls;
		result = cls >= 0 && cls < SP_RECORD_CLASSES ? 1 : -EBADMSG;
	}
	sqlite3_finalize(statement);
	if (result <= 0)
		return result;
	note(store, &batch);
	if (batch.row == store->now.stream[SP_RECORD_FACTS].row && batch.last > store->settled_seq)
		store->settled_seq = batch.last;
	return 0;
}
