// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// See the header for the rules.
#include "agent/core/publisher/window.h"

#include <string.h>

static int64_t resend_after(struct sp_window *w)
{
	return w->resend_min_us + (int64_t)((double)(w->resend_max_us - w->resend_min_us) * w->chance());
}

void sp_window_init(struct sp_window *w, int64_t resend_min_ms, int64_t resend_max_ms,
		    int64_t backlog_per_second, double (*chance)(void), int64_t now_us)
{
	*w = (struct sp_window){.resend_min_us = resend_min_ms * 1000,
				.resend_max_us = resend_max_ms * 1000,
				.per_second = backlog_per_second > 0 ? backlog_per_second : 1,
				.chance = chance,
				.tokens_us = now_us};
	w->tokens = (double)w->per_second;
	sp_window_reset(w, now_us);
}

void sp_window_reset(struct sp_window *w, int64_t now_us)
{
	memset(w->slots, 0, sizeof(w->slots));
	memset(w->lanes, 0, sizeof(w->lanes));
	for (int lane = 0; lane < SP_LANES; lane++)
		w->lanes[lane].sweep_us = now_us + resend_after(w);
}

void sp_window_news(struct sp_window *w)
{
	for (int lane = 0; lane < SP_LANES; lane++)
		w->lanes[lane].exhausted = false;
}

size_t sp_window_in_flight(const struct sp_window *w)
{
	size_t count = 0;
	for (int i = 0; i < SP_WINDOW_SLOTS; i++)
		count += w->slots[i].used;
	return count;
}

static void count_slots(const struct sp_window *w, size_t *all, size_t *backlog, size_t *repeats)
{
	*all = *backlog = *repeats = 0;
	for (int i = 0; i < SP_WINDOW_SLOTS; i++) {
		const struct sp_window_slot *slot = &w->slots[i];
		*all += slot->used;
		*backlog += slot->used && slot->lane == SP_LANE_BACKLOG;
		*repeats += slot->used && slot->repeat;
	}
}

static void refill(struct sp_window *w, int64_t now_us)
{
	double full = (double)w->per_second;
	if (now_us > w->tokens_us)
		w->tokens += (double)(now_us - w->tokens_us) / 1e6 * full;
	if (w->tokens > full)
		w->tokens = full;
	w->tokens_us = now_us;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool backlog_waits(const struct sp_window *w)
{
	return w->hold_backlog || w->hushed;
}

/// How many more batches of the kind may go now.
static size_t room(const struct sp_window *w, enum sp_lane lane, bool repeat)
{
	size_t all, backlog, repeats;
	count_slots(w, &all, &backlog, &repeats);
	size_t most = least(SP_WINDOW_SLOTS - all, SP_WINDOW_FETCH);
	if (repeat)
		most = least(most, SP_WINDOW_REPEATS - least(repeats, SP_WINDOW_REPEATS));
	if (lane == SP_LANE_LIVE)
		return most;
	if (backlog_waits(w))
		return 0;
	most = least(most, SP_WINDOW_BACKLOG - least(backlog, SP_WINDOW_BACKLOG));
	return least(most, w->tokens > 0 ? (size_t)w->tokens : 0);
}

static void begin_sweep(struct sp_window *w, struct sp_window_lane *lane, int64_t now_us)
{
	if (lane->sweeping || lane->high == 0 || (!lane->wanted && now_us < lane->sweep_us))
		return;
	lane->sweeping = true;
	lane->wanted = false;
	lane->sweep = 0;
	lane->sweep_us = now_us + resend_after(w);
}

bool sp_window_want(struct sp_window *w, struct sp_window_want *out, int64_t now_us)
{
	refill(w, now_us);
	for (int i = 0; i < SP_LANES; i++) {
		struct sp_window_lane *lane = &w->lanes[i];
		begin_sweep(w, lane, now_us);
		for (int repeat = 0; repeat < 2; repeat++) {
			if (repeat ? !lane->sweeping : lane->exhausted)
				continue;
			*out = (struct sp_window_want){.lane = (enum sp_lane)i,
						       .repeat = repeat,
						       .after = repeat ? lane->sweep : lane->high,
						       .max = room(w, (enum sp_lane)i, repeat)};
			if (out->max == 0)
				continue;
			// News that comes before the answer must not be lost.
			if (!repeat)
				lane->exhausted = true;
			return true;
		}
	}
	return false;
}

void sp_window_answered(struct sp_window *w, const struct sp_window_want *want, size_t count)
{
	struct sp_window_lane *lane = &w->lanes[want->lane];
	if (want->repeat)
		lane->sweeping = lane->sweeping && count > 0;
	else if (count > 0)
		lane->exhausted = false;
}

bool sp_window_admit(struct sp_window *w, const struct sp_window_want *want, int64_t id)
{
	struct sp_window_lane *lane = &w->lanes[want->lane];
	if (!want->repeat) {
		if (id > lane->high)
			lane->high = id;
	} else if (id > lane->high) {
		lane->sweeping = false; // the rest is fresh
		return false;
	} else {
		lane->sweep = id;
	}
	for (int i = 0; i < SP_WINDOW_SLOTS; i++) {
		if (w->slots[i].used && w->slots[i].id == id)
			return false;
	}
	return sp_window_in_flight(w) < SP_WINDOW_SLOTS;
}

void sp_window_sent(struct sp_window *w, const struct sp_window_want *want,
		    const struct sp_journal_batch *batch, int mid, int64_t now_us)
{
	struct sp_window_slot *slot = NULL;
	for (int i = 0; i < SP_WINDOW_SLOTS && !slot; i++)
		slot = w->slots[i].used ? NULL : &w->slots[i];
	if (!slot)
		return;
	*slot = (struct sp_window_slot){.used = true,
					.repeat = want->repeat,
					.lane = want->lane,
					.id = batch->id,
					.first = batch->envelope.first,
					.last = batch->envelope.last,
					.until_us = now_us + resend_after(w),
					.mid = mid};
	memcpy(slot->stream, batch->envelope.stream, sizeof(slot->stream));
	if (want->lane == SP_LANE_BACKLOG)
		w->tokens -= 1;
}

struct sp_window_slot *sp_window_puback(struct sp_window *w, int mid)
{
	for (int i = 0; i < SP_WINDOW_SLOTS; i++) {
		struct sp_window_slot *slot = &w->slots[i];
		if (slot->used && slot->mid == mid && !slot->taken) {
			slot->taken = true;
			return slot;
		}
	}
	return NULL;
}

void sp_window_release(struct sp_window_slot *slot)
{
	slot->used = false;
}

size_t sp_window_ack(struct sp_window *w, const struct sp_feed_ack *ack)
{
	size_t count = 0;
	for (int i = 0; i < SP_WINDOW_SLOTS; i++) {
		struct sp_window_slot *slot = &w->slots[i];
		if (!slot->used || strcmp(slot->stream, ack->stream) != 0 ||
		    !sp_journal_ack_covers(ack, slot->first, slot->last))
			continue;
		slot->used = false;
		count++;
	}
	return count;
}

void sp_window_expire(struct sp_window *w, int64_t now_us, bool *mute)
{
	*mute = false;
	for (int i = 0; i < SP_WINDOW_SLOTS; i++) {
		struct sp_window_slot *slot = &w->slots[i];
		if (!slot->used || now_us < slot->until_us)
			continue;
		slot->used = false;
		w->lanes[slot->lane].wanted = true;
		*mute = *mute || !slot->taken;
	}
}

bool sp_window_idle(const struct sp_window *w, bool taken)
{
	for (int lane = 0; lane < SP_LANES; lane++) {
		bool held = lane == SP_LANE_BACKLOG && backlog_waits(w);
		if (!w->lanes[lane].exhausted && !held)
			return false;
	}
	for (int i = 0; i < SP_WINDOW_SLOTS; i++) {
		if (w->slots[i].used && !(taken && w->slots[i].taken))
			return false;
	}
	return true;
}

int64_t sp_window_next_us(const struct sp_window *w, int64_t now_us)
{
	int64_t next = INT64_MAX;
	for (int i = 0; i < SP_WINDOW_SLOTS; i++) {
		if (w->slots[i].used && w->slots[i].until_us < next)
			next = w->slots[i].until_us;
	}
	for (int i = 0; i < SP_LANES; i++) {
		const struct sp_window_lane *lane = &w->lanes[i];
		bool stopped = i == SP_LANE_BACKLOG && backlog_waits(w);
		if (!stopped && lane->high > 0 && !lane->sweeping && lane->sweep_us < next)
			next = lane->sweep_us;
		// Waiting for a token.
		if (!stopped && i == SP_LANE_BACKLOG && (!lane->exhausted || lane->sweeping) &&
		    w->tokens < 1) {
			int64_t token =
			    now_us + (int64_t)((1 - w->tokens) * 1e6 / (double)w->per_second) + 1000;
			if (token < next)
				next = token;
		}
	}
	return next;
}
