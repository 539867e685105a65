// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Births and batches: what a board says, and in which order.
#include "tools/fleet/talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"

enum { BEHIND_MS = 30000, TODAY_US = 60 * 1000 * 1000, PLAIN_MAX = 48 * 1024, CLOCK_ERROR_MS = 20 };

bool sp_talk_behind(const struct sp_talk *talk, int64_t wall_ms)
{
	const struct sp_life *life = &talk->life;
	return talk->config->past || (!life->over && life->next_ms < wall_ms - BEHIND_MS);
}

struct sp_clock_reading sp_talk_clock(const struct sp_talk *talk, const struct sp_talk_now *now,
				      char boot[SP_FEED_BOOT_LENGTH + 1])
{
	if (!sp_talk_behind(talk, now->wall_ms)) {
		memcpy(boot, talk->life.boot, SP_FEED_BOOT_LENGTH + 1);
		return sp_life_clock(&talk->life, now->wall_ms);
	}
	memcpy(boot, talk->today, SP_FEED_BOOT_LENGTH + 1);
	return (struct sp_clock_reading){.mono_us = now->mono_us - talk->today_us + TODAY_US,
					 .synced = true,
					 .wall_ms = now->wall_ms,
					 .err_ms = CLOCK_ERROR_MS};
}

uint16_t sp_talk_mid(struct sp_talk *talk)
{
	talk->last_mid = talk->last_mid == UINT16_MAX ? 1 : (uint16_t)(talk->last_mid + 1);
	return talk->last_mid;
}

static void publish(struct sp_talk *talk, const struct sp_talk_now *now, const char *leaf, bool retain,
		    const char *type, const struct sp_buf *wire, uint16_t mid)
{
	char topic[96];
	const struct sp_roster_board *board = talk->life.board;
	snprintf(topic, sizeof(topic), "sp1/up/%s/%s/%s", board->shard, board->device, leaf);
	sp_packet_publish(&talk->out, mid, topic, type, retain, wire->data, wire->length);
	talk->sent_us = now->mono_us;
}

void sp_talk_state(struct sp_talk *talk, const struct sp_talk_now *now, enum sp_feed_presence presence)
{
	struct sp_feed_state *state = sp_alloc(sizeof(*state));
	struct sp_buf wire = SP_BUF(SP_FEED_PAYLOAD_MAX);
	snprintf(state->device, sizeof(state->device), "%s", talk->life.board->device);
	memcpy(state->session, talk->session, sizeof(state->session));
	snprintf(state->version, sizeof(state->version), "%s", SP_VERSION);
	memcpy(state->hub_epoch, talk->hub_epoch, sizeof(state->hub_epoch));
	state->presence = presence;
	state->clk = sp_talk_clock(talk, now, state->boot);
	memcpy(talk->born_boot, state->boot, sizeof(talk->born_boot));
	if (presence == SP_FEED_ONLINE)
		state->held_count = sp_keep_held(&talk->life.keep, state->held);
	if (sp_feed_state_encode(&wire, state) < 0)
		abort(); // at most 256 streams: it fits
	publish(talk, now, "state", true, SP_FEED_JSON, &wire, sp_talk_mid(talk));
	talk->figures->births += presence == SP_FEED_ONLINE;
	sp_buf_free(&wire);
	free(state);
}

// ---- batches --------------------------------------------------------------------------------------------

static int64_t resend_after_us(struct sp_talk *talk)
{
	const struct sp_talk_config *c = talk->config;
	return (c->resend_min_ms + sp_rng_below(&talk->rng, c->resend_max_ms - c->resend_min_ms + 1)) * 1000;
}

static bool encode(struct sp_talk *talk, const struct sp_talk_now *now, const struct sp_batch *batch,
		   bool deflate, struct sp_buf *wire)
{
	struct sp_feed_envelope e = {.cls = batch->cls, .first = batch->first, .last = batch->last};
	snprintf(e.device, sizeof(e.device), "%s", talk->life.board->device);
	memcpy(e.stream, batch->stream, sizeof(e.stream));
	memcpy(e.boot, batch->boot, sizeof(e.boot));
	memcpy(e.digest, batch->digest, sizeof(e.digest));
	e.clk = sp_talk_clock(talk, now, e.clk_boot);
	return sp_feed_envelope_encode(wire, &e, batch->text, deflate) == 0;
}

static void send_batch(struct sp_talk *talk, const struct sp_talk_now *now, struct sp_batch *batch)
{
	struct sp_buf wire = SP_BUF(SP_FEED_INFLATED_MAX);
	struct sp_figures *f = talk->figures;
	bool deflate = batch->cls == SP_RECORD_BULK || batch->length > PLAIN_MAX;
	if (!encode(talk, now, batch, deflate, &wire)) {
		batch->spoilt = true;
		f->refused++;
		sp_buf_free(&wire);
		return;
	}
	batch->mid = sp_talk_mid(talk);
	publish(talk, now, sp_record_class_name(batch->cls), false, deflate ? SP_FEED_DEFLATED : SP_FEED_JSON,
		&wire, batch->mid);
	sp_buf_free(&wire);
	f->messages++;
	f->events += batch->last - batch->first + 1;
	f->resent += batch->first_sent_us != 0;
	f->replayed += batch->again && !batch->first_sent_us;
	if (!batch->first_sent_us) {
		batch->first_sent_us = now->mono_us;
		batch->steady = !talk->life.over && now->mono_us >= talk->config->warm_us;
	}
	batch->due_us = now->mono_us + resend_after_us(talk);
	batch->taken = false;
	if (batch->cls == SP_RECORD_BULK)
		talk->tokens -= 1;
}

void sp_talk_unsend(struct sp_talk *talk)
{
	for (struct sp_batch *batch = talk->life.keep.oldest; batch; batch = batch->next)
		batch->due_us = 0;
}

struct window {
	size_t under_way, bulk;
	int64_t next_us; ///< when one of those under way is due again
};

/// What has waited long enough is not under way any more.
static struct window look(struct sp_talk *talk, int64_t mono_us)
{
	struct window w = {0, 0, INT64_MAX};
	for (struct sp_batch *batch = talk->life.keep.oldest; batch; batch = batch->next) {
		if (batch->due_us && batch->due_us <= mono_us)
			batch->due_us = 0;
		if (!batch->due_us)
			continue;
		w.under_way++;
		w.bulk += batch->cls == SP_RECORD_BULK;
		w.next_us = batch->due_us < w.next_us ? batch->due_us : w.next_us;
	}
	return w;
}

static void refill(struct sp_talk *talk, int64_t mono_us)
{
	double full = (double)talk->config->backlog_rate;
	talk->tokens += (double)(mono_us - talk->tokens_us) / 1e6 * full;
	talk->tokens = talk->tokens > full ? full : talk->tokens;
	talk->tokens_us = mono_us;
}

/// Of what may go now: the oldest, or the newest when the script reorders. Facts first.
static struct sp_batch *choose(struct sp_talk *talk, enum sp_record_class cls, int64_t life_ms, bool newest)
{
	struct sp_batch *batch = newest ? talk->life.keep.newest : talk->life.keep.oldest;
	while (batch && (batch->cls != cls || batch->due_us || batch->spoilt || batch->ready_ms > life_ms))
		batch = newest ? batch->before : batch->next;
	return batch;
}

int64_t sp_talk_send(struct sp_talk *talk, const struct sp_talk_now *now)
{
	struct window w = look(talk, now->mono_us);
	bool newest = sp_life_latest(&talk->life, "reorder") != NULL;
	bool behind = sp_talk_behind(talk, now->wall_ms), limited = behind && talk->config->backlog_rate > 0;
	int64_t life_ms = behind ? talk->life.at_ms : now->wall_ms, next_us = w.next_us;
	struct sp_batch *batch = NULL;
	if (talk->life.over)
		life_ms = INT64_MAX; // nothing is held back any more
	if (limited)
		refill(talk, now->mono_us);
	while (w.under_way < SP_TALK_WINDOW) {
		batch = choose(talk, SP_RECORD_FACTS, life_ms, newest);
		// Without a hub the broker would queue backlog up to its limit, and drop the rest.
		if (!batch && talk->hub_online && w.bulk < SP_TALK_BULK && (!limited || talk->tokens >= 1))
			batch = choose(talk, SP_RECORD_BULK, life_ms, newest);
		if (!batch)
			break;
		send_batch(talk, now, batch);
		w.under_way++;
		w.bulk += batch->cls == SP_RECORD_BULK;
		if (batch->due_us && batch->due_us < next_us)
			next_us = batch->due_us;
	}
	if (limited && talk->tokens < 1)
		next_us = now->mono_us + 1000000 / talk->config->backlog_rate + 1000;
	// What is held back (facts late) is looked for each second.
	if (talk->life.keep.waiting > w.under_way && next_us > now->mono_us + 1000000)
		next_us = now->mono_us + 1000000;
	return next_us;
}
