// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Batches from the journal to the broker, and the broker's PUBACKs. One question to the journal is open
// at a time, so at most SP_WINDOW_FETCH texts are in memory; what was sent is not kept but fetched again.
#include "agent/core/publisher/thread.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "schoolpulse/clock.h"
#include "schoolpulse/log.h"

void sp_publisher_answer_free(struct sp_publisher_answer *answer)
{
	for (size_t i = 0; answer->batches && i < answer->count; i++)
		sp_journal_batch_free(answer->batches[i]);
	free(answer->batches);
	free(answer->streams);
	free(answer);
}

/// On the journal's thread.
static void fetched(void *arg, enum sp_lane lane, struct sp_journal_batch **batches, size_t count)
{
	struct sp_publisher *p = arg;
	struct sp_publisher_answer *answer = sp_alloc(sizeof(*answer));
	(void)lane;
	answer->generation = atomic_load(&p->asked);
	answer->batches = batches;
	answer->count = count;
	sp_queue_push_always(p->answers, &answer->node);
}

/// On the journal's thread.
static void held(void *arg, const struct sp_feed_held *streams, size_t count)
{
	struct sp_publisher *p = arg;
	struct sp_publisher_answer *answer = sp_alloc(sizeof(*answer));
	answer->held = true;
	if (streams) {
		answer->streams = sp_alloc((count + 1) * sizeof(*streams));
		memcpy(answer->streams, streams, count * sizeof(*streams));
	}
	answer->count = count;
	sp_queue_push_always(p->answers, &answer->node);
}

void sp_publisher_ask(struct sp_publisher *p, int64_t now_us)
{
	if (p->asking || p->phase != SP_PUBLISHER_UP || p->birth_us || p->asking_held)
		return;
	if (!sp_window_want(&p->window, &p->want, now_us))
		return;
	p->asking = true;
	atomic_store(&p->asked, p->generation);
	sp_journal_fetch(p->journal, p->want.lane, p->want.after, p->want.max, fetched, p);
}

void sp_publisher_ask_held(struct sp_publisher *p)
{
	if (p->asking_held)
		return;
	p->asking_held = true;
	sp_journal_held(p->journal, held, p);
}

static int publish(struct sp_publisher *p, const struct sp_journal_batch *batch, int *mid)
{
	struct sp_feed_envelope envelope = batch->envelope;
	struct sp_buf wire = SP_BUF(SP_FEED_INFLATED_MAX);
	snprintf(envelope.device, sizeof(envelope.device), "%s", p->config.device);
	snprintf(envelope.clk_boot, sizeof(envelope.clk_boot), "%s", p->config.boot);
	envelope.clk = sp_clock_now();
	int result = sp_feed_envelope_encode(&wire, &envelope, batch->text, batch->deflate);
	if (result == 0)
		result = sp_mqtt_publish(p->mqtt, p->class_topic[envelope.cls], wire.data, wire.length, false,
					 batch->deflate ? SP_FEED_DEFLATED : SP_FEED_JSON, mid);
	sp_buf_free(&wire);
	return result;
}

static void send_one(struct sp_publisher *p, const struct sp_journal_batch *batch, int64_t now_us)
{
	int mid = -1;
	if (!sp_window_admit(&p->window, &p->want, batch->id))
		return;
	int result = publish(p, batch, &mid);
	if (result == -EMSGSIZE) {
		// The journal makes none of these; one that comes all the same must not stop the others.
		sp_err("publisher", "batch %" PRId64 " does not fit into a message", batch->id);
		return;
	}
	if (result < 0) {
		sp_publisher_reason(p, "sending: %s", strerror(-result));
		p->over = true;
		return;
	}
	sp_window_sent(&p->window, &p->want, batch, mid, now_us);
	p->sent++;
	p->resent += p->want.repeat;
}

void sp_publisher_send(struct sp_publisher *p, const struct sp_publisher_answer *answer, int64_t now_us)
{
	p->asking = false;
	if (answer->generation != p->generation || p->phase != SP_PUBLISHER_UP || p->over)
		return;
	sp_window_answered(&p->window, &p->want, answer->count);
	for (size_t i = 0; i < answer->count && !p->over; i++)
		send_one(p, answer->batches[i], now_us);
}

/// ≥ 0x80: the batch keeps its slot until its time is over. So a broker that refuses everything is asked a
/// few times in some minutes, whatever its reason.
static void note_refusal(struct sp_publisher *p, int reason)
{
	p->refused++;
	p->refusing = true;
	sp_publisher_reason(p, "the broker refuses our messages: 0x%02x%s", (unsigned)reason,
			    reason == 0x87 ? " (not authorised)" : "");
}

void sp_publisher_puback(struct sp_publisher *p, int mid, int reason)
{
	if (p->stopping && mid == p->stopped_mid)
		p->stopped_taken = true;
	struct sp_window_slot *slot = sp_window_puback(&p->window, mid);
	if (reason >= 0x80) {
		note_refusal(p, reason);
		return;
	}
	if (p->refusing && !p->stopping)
		p->reason[0] = '\0';
	p->refusing = false;
	if (!slot || p->config.ack_mode != SP_ACK_BROKER || reason != 0)
		return; // 0x10: taken by nobody, so not settled
	if (!sp_publisher_may_settle(p))
		return; // it keeps its slot, and is sent again
	sp_journal_settle(p->journal, slot->id);
	sp_window_release(slot);
	p->acknowledged++;
}
