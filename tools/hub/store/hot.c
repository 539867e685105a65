// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A batch of ordinary samples by the short way: judged and placed by what is kept of its board alone.
#include "tools/hub/store/hot.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/mem.h"

enum {
	ANCHORS_NEW = 2, ///< a batch may teach so many: by its sender's clock, and by its first record's
	TOPICS_EVERY_MS = 60 * 1000, ///< as seal.c publishes a new last_heard
};

/// A batch while it is judged; nothing of the board is changed before all of it was found to be ordinary.
struct taking {
	struct sp_store *store;
	const struct sp_arrival *arrival;
	const struct sp_feed_message *message;
	struct sp_hot_board *board;
	struct sp_anchor arrived; ///< of the boot, with this message
	struct sp_anchor news[ANCHORS_NEW];
	size_t news_count;
	int64_t from_ms, to_ms;
};

/// Of the message alone: cheap, and most of what comes is decided by it.
static bool looks_ordinary(const struct sp_arrival *arrival, const struct sp_feed_message *message)
{
	const struct sp_feed_envelope *e = &message->envelope;
	if (e->cls != SP_RECORD_BULK || e->redacted != 0 || e->first == 1 || arrival->retained ||
	    !e->clk.synced || strcmp(e->boot, e->clk_boot) != 0 ||
	    !sp_place_credible(e->clk.wall_ms, e->clk.err_ms, arrival->arrived_ms))
		return false;
	for (size_t i = 0; i < message->count; i++) {
		const char *type = message->events[i].type;
		if (strcmp(type, "samples") != 0 && strcmp(type, "minute") != 0)
			return false;
	}
	return true;
}

// ---- the board's clock -------------------------------------------------------------------------

static void nearer(const struct sp_anchor *anchor, int64_t mono_us, struct sp_anchor *before,
		   struct sp_anchor *after)
{
	if (anchor->mono_us <= mono_us) {
		if (!before->known || anchor->mono_us > before->mono_us)
			*before = *anchor;
	} else if (!after->known || anchor->mono_us < after->mono_us) {
		*after = *anchor;
	}
}

/// The nearest anchors, with those that this batch teaches. False: they may be ones that are not kept.
static bool near(const struct taking *t, int64_t mono_us, struct sp_anchor *before, struct sp_anchor *after)
{
	const struct sp_hot_board *board = t->board;
	size_t low = 0, high = board->anchor_count;
	*before = *after = (struct sp_anchor){0};
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (board->anchors[middle].mono_us <= mono_us)
			low = middle + 1;
		else
			high = middle;
	}
	if (low > 0)
		*before = board->anchors[low - 1];
	else if (board->older)
		return false;
	if (low < board->anchor_count)
		*after = board->anchors[low];
	for (size_t i = 0; i < t->news_count; i++)
		nearer(&t->news[i], mono_us, before, after);
	return true;
}

static bool learn(struct taking *t, const struct sp_anchor *anchor)
{
	struct sp_anchor before, after;
	if (!sp_place_credible(anchor->t_ms, anchor->err_ms, t->arrival->arrived_ms) ||
	    !near(t, anchor->mono_us, &before, &after))
		return false;
	switch (sp_anchor_use(&before, &after, anchor)) {
	case SP_ANCHOR_ADDS:
		t->news[t->news_count++] = *anchor;
		return true;
	case SP_ANCHOR_KNOWN:
		return true;
	case SP_ANCHOR_REPLACES:
	case SP_ANCHOR_CONTRADICTS:
		return false;
	}
	return false;
}

/// As sp_time_clk() and sp_time_own() learn. Nothing of the boot is loose, so nothing is to be placed again.
static bool learn_all(struct taking *t)
{
	const struct sp_clock_reading *clk = &t->message->envelope.clk;
	const struct sp_feed_event *first = &t->message->events[0];
	t->arrived = t->board->arrival;
	struct sp_anchor better;
	switch (sp_arrival_use(&t->board->arrival, t->arrival, clk->mono_us, &better)) {
	case SP_ARRIVAL_KNOWN:
		break;
	case SP_ARRIVAL_NARROWS:
		t->arrived = better;
		break;
	case SP_ARRIVAL_NEWS:
		return false;
	}
	return learn(t, &(struct sp_anchor){true, clk->mono_us, clk->wall_ms, clk->err_ms}) &&
	       (!first->placed ||
		learn(t, &(struct sp_anchor){true, first->mono_us, first->t_ms, first->err_ms}));
}

// ---- placing -----------------------------------------------------------------------------------

/// As sp_time_place() does.
static bool place(struct taking *t, struct sp_place_evidence *evidence, const struct sp_feed_event *event,
		  struct sp_placed *out)
{
	const struct sp_anchor own = {event->placed, event->mono_us, event->t_ms, event->err_ms};
	evidence->before = evidence->after = (struct sp_anchor){0};
	*out = sp_place(evidence, &own, event->mono_us);
	if (out->by <= SP_PLACED_ENVELOPE && out->err_ms <= SP_PLACE_SHARP_MS)
		return true;
	if (!near(t, event->mono_us, &evidence->before, &evidence->after))
		return false;
	*out = sp_place(evidence, &own, event->mono_us);
	return !sp_time_is_loose(out) && out->by != SP_PLACED_BOUNDS;
}

static bool place_all(struct taking *t)
{
	const struct sp_clock_reading *clk = &t->message->envelope.clk;
	struct sp_place_evidence evidence = {.arrived_ms = t->arrival->arrived_ms,
					     .envelope = {true, clk->mono_us, clk->wall_ms, clk->err_ms},
					     .arrival = t->arrived,
					     .not_after_ms = t->arrival->arrived_ms};
	struct sp_placed *placed = t->store->hot->placed;
	t->from_ms = t->board->from_ms;
	t->to_ms = t->board->to_ms;
	for (size_t i = 0; i < t->message->count; i++) {
		if (!place(t, &evidence, &t->message->events[i], &placed[i]))
			return false;
		t->from_ms = placed[i].t_ms < t->from_ms ? placed[i].t_ms : t->from_ms;
		t->to_ms = placed[i].t_ms > t->to_ms ? placed[i].t_ms : t->to_ms;
	}
	return true;
}

// ---- storing -----------------------------------------------------------------------------------

static int open_bulk(struct sp_store *store)
{
	struct sp_hot *hot = store->hot;
	int result = 0;
	if (!hot->events)
		result =
		    sp_bulk_open(store->db, "event",
				 "stream, seq, type, instance, mono_us, t_ms, err_ms, placed, arrived_ms,"
				 " data",
				 &hot->events);
	if (result == 0 && !hot->batches)
		result = sp_bulk_open(store->db, "batch",
				      "stream, first, last, digest, boot, arrived_ms, loose, redacted",
				      &hot->batches);
	if (result == 0 && !hot->anchors)
		result =
		    sp_bulk_open(store->db, "anchor", "boot, mono_us, t_ms, err_ms, refuted", &hot->anchors);
	return result;
}

static int add_rows(struct taking *t)
{
	struct sp_hot *hot = t->store->hot;
	const struct sp_feed_envelope *e = &t->message->envelope;
	const struct sp_hot_board *board = t->board;
	int result = open_bulk(t->store);
	if (result == 0)
		result = sp_event_room(t->store, t->arrival->arrived_ms);
	for (size_t i = 0; result == 0 && i < t->message->count; i++) {
		const struct sp_feed_event *event = &t->message->events[i];
		const struct sp_placed *when = &hot->placed[i];
		const struct sp_arg row[] = {I(board->stream), I(event->seq),     T(event->type),
					     T(event->device), I(event->mono_us), I(when->t_ms),
					     I(when->err_ms),  I(when->by),       I(t->arrival->arrived_ms),
					     T(event->data)};
		result = sp_bulk_add(hot->events, row, SP_COUNT(row));
	}
	const struct sp_arg batch[] = {
	    I(board->stream),          I(e->first), I(e->last), T(e->digest), I(board->boot),
	    I(t->arrival->arrived_ms), I(0),        I(0)};
	if (result == 0)
		result = sp_bulk_add(hot->batches, batch, SP_COUNT(batch));
	for (size_t i = 0; result == 0 && i < t->news_count; i++) {
		const struct sp_anchor *a = &t->news[i];
		const struct sp_arg row[] = {I(board->boot), I(a->mono_us), I(a->t_ms), I(a->err_ms), I(0)};
		result = sp_bulk_add(hot->anchors, row, SP_COUNT(row));
	}
	return result;
}

static void keep_anchor(struct sp_hot_board *board, const struct sp_anchor *anchor)
{
	if (board->anchor_count == SP_HOT_ANCHORS) {
		board->older = true;
		memmove(board->anchors, board->anchors + 1, --board->anchor_count * sizeof(*anchor));
	}
	size_t at = board->anchor_count++;
	for (; at > 0 && board->anchors[at - 1].mono_us > anchor->mono_us; at--)
		board->anchors[at] = board->anchors[at - 1];
	board->anchors[at] = *anchor;
}

static void put(struct sp_hot_board ***list, size_t *count, size_t *room, struct sp_hot_board *board)
{
	if (*count == *room) {
		*room = *room ? 2 * *room : 64;
		*list = sp_realloc(*list, *room * sizeof(**list));
	}
	(*list)[(*count)++] = board;
}

static void keep(struct taking *t)
{
	struct sp_hot *hot = t->store->hot;
	struct sp_hot_board *board = t->board;
	const struct sp_feed_envelope *e = &t->message->envelope;
	int64_t alive_ms = sp_silence_alive(t->arrival, &e->clk);
	for (size_t i = 0; i < t->news_count; i++)
		keep_anchor(board, &t->news[i]);
	board->arrival = t->arrived;
	board->heard_ms = alive_ms > board->heard_ms ? alive_ms : board->heard_ms;
	board->issued = e->last;
	// Between what came last and this the board was there.
	int64_t first_ms = hot->placed[0].t_ms;
	sp_rollup_touch(t->store, board->device, first_ms < board->to_ms ? first_ms : board->to_ms, t->to_ms);
	board->from_ms = t->from_ms;
	board->to_ms = t->to_ms;
	board->events += (int64_t)t->message->count;
	if (t->arrival->arrived_ms > board->last_heard_ms)
		board->last_heard_ms = t->arrival->arrived_ms;
	if (!board->pending)
		put(&hot->pending, &hot->pending_count, &hot->pending_room, board);
	if (!board->acknowledged)
		put(&hot->acks, &hot->ack_count, &hot->ack_room, board);
	board->pending = board->acknowledged = true;
	t->store->seen_changes = true;
	hot->taken++;
}

int sp_hot_batch(struct sp_store *store, const struct sp_arrival *arrival,
		 const struct sp_feed_message *message)
{
	struct taking t = {.store = store, .arrival = arrival, .message = message};
	int result = 0;
	if (store->no_hot || !looks_ordinary(arrival, message))
		return 0;
	if (!store->hot)
		store->hot = sp_alloc(sizeof(*store->hot));
	t.board = sp_hot_board(store, arrival, &message->envelope, &result);
	if (result < 0 || !t.board)
		return result;
	if (message->envelope.first != t.board->issued + 1 || !learn_all(&t) || !place_all(&t))
		return 0;
	result = add_rows(&t);
	if (result == 0)
		keep(&t);
	return result < 0 ? result : 1;
}

// ---- what follows ------------------------------------------------------------------------------

/// All that was issued is stored, or known to be gone: that is what makes it ordinary.
static void acknowledge(struct sp_store *store, const struct sp_hot_board *board, struct sp_store_ack *out)
{
	*out = (struct sp_store_ack){.ack = {.number = ++store->ack_number, .upto = board->issued}};
	snprintf(out->shard, sizeof(out->shard), "%s", board->shard);
	snprintf(out->device, sizeof(out->device), "%s", board->name);
	snprintf(out->ack.stream, sizeof(out->ack.stream), "%s", board->stream_name);
	snprintf(out->ack.hub_epoch, sizeof(out->ack.hub_epoch), "%s", store->epoch);
}

/// Samples change nothing that people's topics tell but when the board was heard, and that not each time.
static bool topics_are_due(const struct sp_store *store, const struct sp_hot_board *board)
{
	return board->sealed_ms == 0 || store->now_ms < board->sealed_ms ||
	       store->now_ms - board->sealed_ms >= TOPICS_EVERY_MS ||
	       board->last_heard_ms - board->sealed_heard_ms >= TOPICS_EVERY_MS;
}

void sp_hot_seal(struct sp_store *store, struct sp_store_news *news)
{
	struct sp_hot *hot = store->hot;
	for (size_t i = 0; hot && i < hot->ack_count; i++) {
		struct sp_hot_board *board = hot->acks[i];
		acknowledge(store, board, &news->acks[news->ack_count++]);
		board->acknowledged = false;
		if (!topics_are_due(store, board))
			continue;
		sp_touch(&store->devices, board->device);
		board->sealed_ms = store->now_ms;
		board->sealed_heard_ms = board->last_heard_ms;
	}
	if (hot)
		hot->ack_count = 0;
}
