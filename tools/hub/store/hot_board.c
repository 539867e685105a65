// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The boards whose samples take the short way: found, looked up, forgotten.
#include "tools/hub/store/hot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"

enum { WAIT_MAX = 256 };

static struct sp_hot_board **bucket_of(struct sp_hot *hot, const char *name)
{
	uint32_t hash = 2166136261U; // FNV-1a
	for (const char *at = name; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619U;
	return &hot->buckets[hash & (SP_HOT_BUCKETS - 1)];
}

static struct sp_hot_board **find(struct sp_hot *hot, const char *name)
{
	struct sp_hot_board **at = bucket_of(hot, name);
	while (*at && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	return at;
}

static void free_board(struct sp_hot_board *board)
{
	free(board->anchors);
	free(board);
}

static void drop(struct sp_hot *hot, struct sp_hot_board **at)
{
	struct sp_hot_board *board = *at;
	*at = board->next;
	hot->count--;
	free_board(board);
}

static void forget_boards(struct sp_hot *hot)
{
	for (size_t i = 0; i < SP_HOT_BUCKETS; i++) {
		while (hot->buckets[i])
			drop(hot, &hot->buckets[i]);
	}
	hot->pending_count = hot->ack_count = 0;
}

// ---- looking up --------------------------------------------------------------------------------

/// In columns that read_board() reads. Ordinary is: of samples, the stream's and the board's own boot, with
/// nothing missing, no successor, a clock that never contradicted itself, and all of it placed well.
static struct sp_rows *ask(struct sp_store *store, const struct sp_arrival *arrival,
			   const struct sp_feed_envelope *envelope)
{
	return SQL_QUERY(
	    store->db,
	    "SELECT d.id, s.id, b.id, s.issued, s.from_ms, s.to_ms, d.last_heard_ms, d.events, b.heard_ms,"
	    " b.arrival_mono_us, b.arrival_ms, b.arrival_err_ms FROM device d JOIN stream s ON s.device = "
	    "d.id"
	    " AND s.name = ?2 JOIN boot b ON b.id = s.boot AND b.name = ?3 WHERE d.name = ?1 AND d.shard = ?4"
	    " AND s.class = ?5 AND s.final IS NULL AND s.opened = 1 AND s.from_ms IS NOT NULL AND s.to_ms IS "
	    "NOT"
	    " NULL AND b.disputes = 0 AND b.heard_ms IS NOT NULL AND b.arrival_mono_us IS NOT NULL AND"
	    " d.last_heard_ms IS NOT NULL AND NOT EXISTS(SELECT 1 FROM gap g WHERE g.stream = s.id AND "
	    "g.kind ="
	    " 0) AND NOT EXISTS(SELECT 1 FROM batch l WHERE l.boot = b.id AND l.loose > 0) AND NOT EXISTS("
	    "SELECT 1 FROM anchor a WHERE a.boot = b.id AND a.refuted <> 0)",
	    T(arrival->device), T(envelope->stream), T(envelope->boot), T(arrival->shard), I(SP_RECORD_BULK));
}

static int read_board(struct sp_store *store, struct sp_rows *rows, struct sp_hot_board *out)
{
	int result = sp_rows_next(store->db, rows);
	if (result != 1)
		return result;
	out->device = sp_row_int(rows, 0, 0);
	out->stream = sp_row_int(rows, 1, 0);
	out->boot = sp_row_int(rows, 2, 0);
	out->issued = sp_row_int(rows, 3, 0);
	out->from_ms = sp_row_int(rows, 4, 0);
	out->to_ms = sp_row_int(rows, 5, 0);
	out->last_heard_ms = sp_row_int(rows, 6, 0);
	out->events = sp_row_int(rows, 7, 0);
	out->heard_ms = sp_row_int(rows, 8, 0);
	out->arrival = (struct sp_anchor){true, sp_row_int(rows, 9, 0), sp_row_int(rows, 10, 0),
					  sp_row_int(rows, 11, 0)};
	sp_rows_leave(rows);
	return 1;
}

/// The latest ones, put in order.
static int read_anchors(struct sp_store *store, struct sp_hot_board *board)
{
	struct sp_rows *rows = SQL_QUERY(store->db,
					 "SELECT mono_us, t_ms, err_ms FROM anchor WHERE boot = ? ORDER BY"
					 " mono_us DESC LIMIT ?",
					 I(board->boot), I(SP_HOT_ANCHORS / 2 + 1));
	board->anchors = sp_alloc((SP_HOT_ANCHORS + 1) * sizeof(*board->anchors));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1)
		board->anchors[board->anchor_count++] = (struct sp_anchor){
		    true, sp_row_int(rows, 0, 0), sp_row_int(rows, 1, 0), sp_row_int(rows, 2, 0)};
	for (size_t i = 0; i < board->anchor_count / 2; i++) {
		struct sp_anchor other = board->anchors[i];
		board->anchors[i] = board->anchors[board->anchor_count - 1 - i];
		board->anchors[board->anchor_count - 1 - i] = other;
	}
	board->older = board->anchor_count > SP_HOT_ANCHORS / 2;
	return result;
}

static struct sp_hot_board *look_up(struct sp_store *store, const struct sp_arrival *arrival,
				    const struct sp_feed_envelope *envelope, unsigned wait, int *result)
{
	struct sp_hot *hot = store->hot;
	if (hot->count == SP_HOT_BOARDS_MAX)
		return NULL;
	struct sp_hot_board *board = sp_alloc(sizeof(*board)), **at = find(hot, arrival->device);
	snprintf(board->name, sizeof(board->name), "%s", arrival->device);
	snprintf(board->shard, sizeof(board->shard), "%s", arrival->shard);
	snprintf(board->stream_name, sizeof(board->stream_name), "%s", envelope->stream);
	snprintf(board->boot_name, sizeof(board->boot_name), "%s", envelope->boot);
	*result = sp_device_at_home(store, arrival->device, arrival->shard);
	if (*result == 1)
		*result = read_board(store, ask(store, arrival, envelope), board);
	board->ordinary = *result == 1;
	board->wait = wait;
	if (*result == 1)
		*result = read_anchors(store, board);
	if (*result < 0) {
		free_board(board);
		return NULL;
	}
	*result = 0;
	board->next = *at;
	*at = board;
	hot->count++;
	return board;
}

static void take_out(struct sp_hot_board **list, size_t *count, const struct sp_hot_board *board)
{
	size_t kept = 0;
	for (size_t i = 0; i < *count; i++) {
		if (list[i] != board)
			list[kept++] = list[i];
	}
	*count = kept;
}

/// What is pending of it is written, and what it is owed goes the long way.
static int remove_board(struct sp_store *store, struct sp_hot_board **at)
{
	struct sp_hot_board *board = *at;
	int result = board->pending ? sp_hot_flush(store) : 0;
	if (result < 0)
		return result;
	if (board->acknowledged) {
		sp_touch(&store->streams, board->stream);
		sp_touch(&store->devices, board->device);
		take_out(store->hot->acks, &store->hot->ack_count, board);
	}
	drop(store->hot, at);
	return 0;
}

/// An import may move a board to another shard.
static int see_register(struct sp_store *store)
{
	struct sp_hot *hot = store->hot;
	int64_t rev = 0;
	if (hot->rev_seen)
		return 0;
	int result = sp_store_meta_get(store, "register_rev", &rev);
	if (result < 0)
		return result;
	if (rev != hot->register_rev)
		forget_boards(hot); // nothing is pending at a transaction's beginning
	hot->register_rev = rev;
	hot->rev_seen = true;
	return 0;
}

struct sp_hot_board *sp_hot_board(struct sp_store *store, const struct sp_arrival *arrival,
				  const struct sp_feed_envelope *envelope, int *result)
{
	*result = see_register(store);
	if (*result < 0)
		return NULL;
	struct sp_hot_board *board = *find(store->hot, arrival->device);
	bool same = board && strcmp(board->stream_name, envelope->stream) == 0 &&
		    strcmp(board->boot_name, envelope->boot) == 0 &&
		    strcmp(board->shard, arrival->shard) == 0;
	if (same && (board->ordinary || board->waited++ < board->wait))
		return board->ordinary ? board : NULL;
	unsigned wait = !same ? 0 : board->wait < WAIT_MAX ? 2 * board->wait + 1 : WAIT_MAX;
	if (board && (*result = remove_board(store, find(store->hot, arrival->device))) < 0)
		return NULL;
	board = look_up(store, arrival, envelope, wait, result);
	return board && board->ordinary ? board : NULL;
}

// ---- forgetting --------------------------------------------------------------------------------

int sp_hot_leave(struct sp_store *store, const char *device)
{
	struct sp_hot_board **at = store->hot ? find(store->hot, device) : NULL;
	return at && *at && (*at)->ordinary ? remove_board(store, at) : 0;
}

void sp_hot_begin(struct sp_store *store)
{
	if (store->hot)
		store->hot->rev_seen = false;
}

void sp_hot_forget(struct sp_store *store)
{
	struct sp_hot *hot = store->hot;
	if (!hot)
		return;
	forget_boards(hot);
	hot->rev_seen = false;
	sp_bulk_close(hot->events);
	sp_bulk_close(hot->batches);
	sp_bulk_close(hot->anchors);
	hot->events = hot->batches = hot->anchors = NULL;
}

void sp_hot_free(struct sp_store *store)
{
	sp_hot_forget(store);
	if (!store->hot)
		return;
	free(store->hot->pending);
	free(store->hot->acks);
	free(store->hot);
	store->hot = NULL;
}
