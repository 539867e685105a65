// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a transaction changed, as days of boards that are to be computed again. Marked widely rather than
// closely: a fact may mean something for every day up to now. In memory until the commit, one stretch for
// each board; then rows that nobody changes, so that the ingests of one database never wait for each other
// over them.
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/store/rollup.h"

enum { FIRST_SPANS = 1024, SPANS_MAX = 1 << 20, DAYS_MAX = 1200, READY_AFTER_MS = 4 * 3600 * 1000 };

/// What this handle knows to be stored of a stream.
struct span {
	int64_t stream, from_ms, to_ms; ///< stream 0: free
};
struct mark {
	int64_t device, from_ms, to_ms;
};
struct sp_rollup_marks {
	struct mark *items;
	size_t count, room;
	struct span *spans; ///< by a hash of the stream
	size_t span_count, span_room;
	struct sp_bulk *bulk;
};

static struct sp_rollup_marks *marks_of(struct sp_store *store)
{
	if (!store->marks)
		store->marks = sp_alloc(sizeof(*store->marks));
	return store->marks;
}

void sp_rollup_touch(struct sp_store *store, int64_t device, int64_t from_ms, int64_t to_ms)
{
	struct sp_rollup_marks *marks = marks_of(store);
	struct mark *last = marks->count ? &marks->items[marks->count - 1] : NULL;
	if (to_ms < from_ms)
		to_ms = from_ms;
	if (last && last->device == device) {
		last->from_ms = from_ms < last->from_ms ? from_ms : last->from_ms;
		last->to_ms = to_ms > last->to_ms ? to_ms : last->to_ms;
		return;
	}
	if (marks->count == marks->room) {
		marks->room = marks->room ? 2 * marks->room : 64;
		marks->items = sp_realloc(marks->items, marks->room * sizeof(*marks->items));
	}
	marks->items[marks->count++] = (struct mark){device, from_ms, to_ms};
}

// ---- what is stored of a stream ----------------------------------------------------------------------

static struct span *span_at(struct sp_rollup_marks *marks, int64_t stream)
{
	size_t at = (size_t)((uint64_t)stream * UINT64_C(0x9e3779b97f4a7c15) >> 20);
	for (;; at++) {
		struct span *span = &marks->spans[at & (marks->span_room - 1)];
		if (span->stream == stream || span->stream == 0)
			return span;
	}
}

static void make_room(struct sp_rollup_marks *marks)
{
	struct span *old = marks->spans;
	size_t room = marks->span_room;
	if (marks->span_count >= SPANS_MAX) {
		memset(old, 0, room * sizeof(*old));
		marks->span_count = 0;
	}
	if (2 * (marks->span_count + 1) <= room)
		return;
	marks->span_room = room ? 2 * room : FIRST_SPANS;
	marks->spans = sp_alloc(marks->span_room * sizeof(*marks->spans));
	for (size_t i = 0; i < room; i++) {
		if (old[i].stream)
			*span_at(marks, old[i].stream) = old[i];
	}
	free(old);
}

/// Of a stream of which this handle has seen nothing yet. A new one continues what the board said before.
static int read_span(struct sp_store *store, int64_t device, int64_t stream, int64_t from_ms,
		     struct span *out)
{
	int64_t before_ms = from_ms;
	int result = SQL_GET(store->db, &before_ms,
			     "SELECT max(to_ms) FROM stream WHERE device = ? AND id <> ? AND to_ms <= ?",
			     I(device), I(stream), I(from_ms));
	*out = (struct span){stream, before_ms, before_ms};
	if (result < 0)
		return result;
	struct sp_rows *rows = SQL_QUERY(
	    store->db, "SELECT from_ms, to_ms FROM stream WHERE id = ? AND from_ms IS NOT NULL", I(stream));
	result = sp_rows_next(store->db, rows);
	if (result != 1)
		return result;
	out->from_ms = sp_row_int(rows, 0, from_ms);
	out->to_ms = sp_row_int(rows, 1, from_ms);
	sp_rows_leave(rows);
	return 0;
}

int sp_rollup_records(struct sp_store *store, int64_t device, int64_t stream, bool facts, int64_t from_ms,
		      int64_t to_ms)
{
	struct sp_rollup_marks *marks = marks_of(store);
	make_room(marks);
	struct span *span = span_at(marks, stream);
	if (!span->stream) {
		int result = read_span(store, device, stream, from_ms, span);
		if (result < 0) {
			*span = (struct span){0};
			return result;
		}
		marks->span_count++;
	}
	// Between what was stored and what comes now the board was there.
	int64_t begin_ms = from_ms > span->to_ms ? span->to_ms : from_ms;
	int64_t end_ms = to_ms < span->from_ms ? span->from_ms : to_ms;
	sp_rollup_touch(store, device, begin_ms, facts && end_ms < store->now_ms ? store->now_ms : end_ms);
	span->from_ms = from_ms < span->from_ms ? from_ms : span->from_ms;
	span->to_ms = to_ms > span->to_ms ? to_ms : span->to_ms;
	return 0;
}

int sp_rollup_gap(struct sp_store *store, int64_t stream, int64_t first)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT device, coalesce((SELECT t_ms FROM event WHERE stream = ?1 AND seq < ?2 ORDER BY seq DESC"
	    " LIMIT 1), (SELECT max(o.to_ms) FROM stream o WHERE o.device = s.device AND o.to_ms < "
	    "s.from_ms),"
	    " from_ms) FROM stream s WHERE id = ?1",
	    I(stream), I(first));
	int result = sp_rows_next(store->db, rows);
	if (result != 1)
		return result;
	sp_rollup_touch(store, sp_row_int(rows, 0, 0), sp_row_int(rows, 1, store->now_ms), store->now_ms);
	sp_rows_leave(rows);
	return 0;
}

// ---- into the database -------------------------------------------------------------------------------

static int by_device(const void *left, const void *right)
{
	const struct mark *a = left, *b = right;
	return a->device < b->device ? -1 : a->device > b->device;
}

static void unite(struct sp_rollup_marks *marks)
{
	size_t kept = 0;
	qsort(marks->items, marks->count, sizeof(*marks->items), by_device);
	for (size_t i = 0; i < marks->count; i++) {
		struct mark *last = kept ? &marks->items[kept - 1] : NULL, *mark = &marks->items[i];
		if (!last || last->device != mark->device) {
			marks->items[kept++] = *mark;
			continue;
		}
		last->from_ms = mark->from_ms < last->from_ms ? mark->from_ms : last->from_ms;
		last->to_ms = mark->to_ms > last->to_ms ? mark->to_ms : last->to_ms;
	}
	marks->count = kept;
}

int sp_rollup_flush(struct sp_store *store)
{
	struct sp_rollup_marks *marks = store->marks;
	int result = 0;
	if (!marks || marks->count == 0)
		return 0;
	unite(marks);
	if (!marks->bulk)
		result = sp_bulk_open(store->db, "dirty_device", "device, from_day, to_day, ready_ms",
				      &marks->bulk);
	int64_t today = sp_local_day(store->now_ms);
	for (size_t i = 0; result == 0 && i < marks->count; i++) {
		int64_t from_day = sp_local_day(marks->items[i].from_ms),
			to_day = sp_local_day(marks->items[i].to_ms);
		// Clocks that nobody can believe do not make the past of a century.
		from_day = from_day < today - DAYS_MAX ? today - DAYS_MAX : from_day;
		to_day = to_day > today ? today : to_day;
		// The day that runs is computed a few times, and when it is over.
		const struct sp_arg row[] = {I(marks->items[i].device),
					     I(from_day < to_day ? from_day : to_day), I(to_day),
					     I(store->now_ms + READY_AFTER_MS)};
		result = sp_bulk_add(marks->bulk, row, SP_COUNT(row));
	}
	if (result == 0)
		result = sp_bulk_flush(marks->bulk);
	marks->count = 0;
	return result;
}

void sp_rollup_unsure(struct sp_store *store)
{
	struct sp_rollup_marks *marks = store->marks;
	if (!marks)
		return;
	free(marks->spans);
	marks->spans = NULL;
	marks->span_count = marks->span_room = 0;
}

void sp_rollup_forget(struct sp_store *store)
{
	struct sp_rollup_marks *marks = store->marks;
	if (!marks)
		return;
	sp_rollup_unsure(store);
	marks->count = 0;
	if (marks->bulk)
		sp_bulk_clear(marks->bulk);
}

void sp_rollup_free(struct sp_store *store)
{
	struct sp_rollup_marks *marks = store->marks;
	if (!marks)
		return;
	if (marks->bulk)
		sp_bulk_close(marks->bulk);
	free(marks->items);
	free(marks->spans);
	free(marks);
	store->marks = NULL;
}
