// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Sessions and batches.
#include "tests/sim/wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/buf.h"
#include "agent/base/feed.h"
#include "agent/base/ids.h"
#include "agent/base/mem.h"

enum {
	TRANSIT_MS = 40,
	FIRST_MS = 3000, ///< of attempts after the network came up, at most
	BACKOFF_MAX_MS = 120 * 1000,
	NOTICE_MIN_MS = 5000, ///< until a broken path ends the session
	NOTICE_MAX_MS = 95 * 1000,
	WILL_DELAY_MS = 30 * 1000,
	KEEPALIVE_MS = 90 * 1000, ///< and a half: until the broker gives up
	BATCHES = 16,
};

static void give_up(const char *what)
{
	fprintf(stderr, "sim: the hub's program: %s\n", what);
	abort();
}

// ---- the hub's program ----------------------------------------------------------------------------------

bool sim_wire_init(struct sim_wire *wire, const char *hub_program, uint64_t seed)
{
	int in[2], out[2];
	char path[192];
	wire->rng = sim_rng_fork(seed, 'w');
	wire->will_ms = INT64_MAX;
	snprintf(path, sizeof(path), "%s/hub.db", wire->card->dir);
	if (pipe(in) || pipe(out)) {
		perror("pipe");
		return false;
	}
	wire->pid = fork();
	if (wire->pid < 0) {
		perror("fork");
		return false;
	}
	if (wire->pid == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		close(in[0]), close(in[1]), close(out[0]), close(out[1]);
		execl(hub_program, hub_program, path, (char *)NULL);
		perror(hub_program);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	wire->to = in[1];
	wire->from = out[0];
	return true;
}

void sim_wire_free(struct sim_wire *wire)
{
	close(wire->to);
	close(wire->from);
	waitpid(wire->pid, NULL, 0);
}

static void *exchange(struct sim_wire *wire, const struct sim_frame *frame, const void *payload,
		      size_t *count)
{
	struct sim_reply reply;
	if (!sim_frame_write(wire->to, frame, sizeof(*frame)) ||
	    !sim_frame_write(wire->to, payload, frame->length) ||
	    !sim_frame_read(wire->from, &reply, sizeof(reply)))
		give_up("gone");
	char *items = sp_alloc((size_t)reply.count * reply.size + 1);
	if (!sim_frame_read(wire->from, items, (size_t)reply.count * reply.size))
		give_up("gone");
	*count = reply.count;
	return items;
}

void *sim_wire_ask(struct sim_wire *wire, enum sim_frame_kind kind, int64_t now_ms, int64_t from_ms,
		   int64_t to_ms, size_t *count)
{
	struct sim_frame frame = {.kind = kind, .now_ms = now_ms, .from_ms = from_ms, .to_ms = to_ms};
	return exchange(wire, &frame, NULL, count);
}

/// No time passes here between a message and its answer: what the way takes is in the error.
static void learn_time(struct sim_wire *wire, int64_t true_ms)
{
	int64_t now_us = sp_loop_now_us(wire->loop);
	if (sp_clock_trust_learn(&wire->clock->trust, now_us, now_us, true_ms + TRANSIT_MS, 2 * TRANSIT_MS))
		give_up("the hub's time is not believed");
}

/// Sends one message, and applies what comes back to the card, if it is there.
static void send(struct sim_wire *wire, enum sim_frame_kind kind, const struct sp_buf *wire_text,
		 bool deflated, int64_t true_ms)
{
	struct sim_frame frame = {.kind = kind,
				  .length = (uint32_t)wire_text->length,
				  .now_ms = true_ms + TRANSIT_MS,
				  .deflated = deflated};
	size_t count;
	struct sp_feed_ack *acks = exchange(wire, &frame, wire_text->data, &count);
	for (size_t i = 0; wire->card->store && i < count; i++) {
		bool unsettled;
		int result = sp_journal_store_ack(wire->card->store, &acks[i], &unsettled,
						  sp_loop_now_us(wire->loop) / 1000);
		if (result && result != -EINVAL)
			give_up("an acknowledgement cannot be written down");
	}
	wire->bytes += (int64_t)wire_text->length;
	if (wire->loop && count > 0 && wire->world->school.hub_time)
		learn_time(wire, true_ms);
	free(acks);
}

// ---- messages -----------------------------------------------------------------------------------------

static void send_state(struct sim_wire *wire, enum sp_feed_presence presence, const char *session,
		       int64_t true_ms)
{
	struct sp_feed_state *state = sp_alloc(sizeof(*state));
	struct sp_buf text = SP_BUF(SP_FEED_PAYLOAD_MAX);
	snprintf(state->device, sizeof(state->device), "board");
	snprintf(state->session, sizeof(state->session), "%s", session);
	state->presence = presence;
	if (presence != SP_FEED_LOST) {
		snprintf(state->boot, sizeof(state->boot), "%s", wire->boot);
		snprintf(state->version, sizeof(state->version), "%s", SP_VERSION);
		state->clk = sp_clock_now();
	}
	if (presence == SP_FEED_ONLINE &&
	    sp_journal_store_held(wire->card->store, state->held, &state->held_count))
		give_up("the card cannot say what it holds");
	if (sp_feed_state_encode(&text, state))
		give_up("a state that cannot be encoded");
	send(wire, SIM_FRAME_STATE, &text, false, true_ms);
	sp_buf_free(&text);
	free(state);
}

static void send_batch(struct sim_wire *wire, const struct sp_journal_batch *batch)
{
	struct sp_feed_envelope envelope = batch->envelope;
	struct sp_buf text = SP_BUF(SP_FEED_INFLATED_MAX);
	snprintf(envelope.device, sizeof(envelope.device), "board");
	snprintf(envelope.clk_boot, sizeof(envelope.clk_boot), "%s", wire->boot);
	envelope.clk = sp_clock_now();
	if (sp_feed_envelope_encode(&text, &envelope, batch->text, batch->deflate))
		give_up("a batch that cannot be encoded");
	send(wire, SIM_FRAME_BATCH, &text, batch->deflate, sim_clock_true_ms(wire->clock));
	wire->batches++;
	sp_buf_free(&text);
}

static void flush_lane(struct sim_wire *wire, enum sp_lane lane)
{
	struct sp_journal_batch *batches[BATCHES + 1];
	size_t count = 1;
	for (int64_t after = 0; count > 0;) {
		if (sp_journal_store_fetch(wire->card->store, lane, after, BATCHES, batches, &count,
					   sp_loop_now_us(wire->loop) / 1000))
			give_up("the card cannot be read");
		for (size_t i = 0; i < count; i++) {
			after = batches[i]->id;
			send_batch(wire, batches[i]);
			sp_journal_batch_free(batches[i]);
		}
	}
}

static bool path(const struct sim_wire *wire)
{
	const struct sim_state *state = sim_world_at(wire->world, sim_clock_true_ms(wire->clock));
	return sim_path(state, SIM_AT_HUB, 4) || sim_path(state, SIM_AT_HUB, 6);
}

void sim_wire_flush(struct sim_wire *wire)
{
	if (!wire->connected || !path(wire))
		return;
	flush_lane(wire, SP_LANE_LIVE);
	flush_lane(wire, SP_LANE_BACKLOG);
}

// ---- sessions -----------------------------------------------------------------------------------------

static void tell(struct sim_wire *wire)
{
	if (wire->changed)
		wire->changed(wire->arg);
}

static void connected(struct sim_wire *wire)
{
	wire->connected = true;
	wire->failures = 0;
	wire->will_ms = INT64_MAX;
	wire->connected_us = sp_loop_now_us(wire->loop);
	wire->births++;
	sp_id_new(wire->session);
	send_state(wire, SP_FEED_ONLINE, wire->session, sim_clock_true_ms(wire->clock));
	tell(wire);
	sim_wire_flush(wire);
}

static void on_attempt(void *arg)
{
	struct sim_wire *wire = arg;
	if (wire->connected)
		return;
	if (path(wire)) {
		connected(wire);
		return;
	}
	int64_t most_ms = (int64_t)FIRST_MS << (wire->failures < 6 ? wire->failures : 6);
	wire->failures++;
	sp_loop_timer_start(
	    wire->loop, wire->attempt,
	    sim_rng_between(&wire->rng, 500, most_ms < BACKOFF_MAX_MS ? most_ms : BACKOFF_MAX_MS));
}

static void leave_will(struct sim_wire *wire, int64_t delay_ms)
{
	if (!wire->connected)
		return;
	wire->connected = false;
	memcpy(wire->will, wire->session, sizeof(wire->will));
	wire->will_ms = sim_clock_true_ms(wire->clock) + delay_ms;
}

static void on_broken(void *arg)
{
	struct sim_wire *wire = arg;
	wire->breaking = false;
	if (!wire->connected || path(wire))
		return;
	leave_will(wire, KEEPALIVE_MS + WILL_DELAY_MS);
	sp_loop_timer_start(wire->loop, wire->attempt, sim_rng_between(&wire->rng, 100, FIRST_MS));
	tell(wire);
}

void sim_wire_world(struct sim_wire *wire)
{
	if (!wire->loop || !wire->connected)
		return;
	if (path(wire)) {
		sim_wire_flush(wire);
		return;
	}
	if (!wire->breaking)
		sp_loop_timer_start(wire->loop, wire->broken,
				    sim_rng_between(&wire->rng, NOTICE_MIN_MS, NOTICE_MAX_MS));
	wire->breaking = true;
}

void sim_wire_doubt(struct sim_wire *wire)
{
	if (wire->loop && wire->connected && !path(wire))
		sp_loop_timer_start(wire->loop, wire->broken, NOTICE_MIN_MS);
}

void sim_wire_hurry(struct sim_wire *wire)
{
	wire->failures = 0;
	if (wire->loop && !wire->connected)
		sp_loop_timer_start(wire->loop, wire->attempt, sim_rng_between(&wire->rng, 0, FIRST_MS));
}

void sim_wire_start(struct sim_wire *wire, struct sp_loop *loop, const char *boot)
{
	snprintf(wire->boot, sizeof(wire->boot), "%s", boot);
	wire->loop = loop;
	wire->failures = 0;
	wire->breaking = false;
	wire->attempt = sp_loop_timer_new(loop, on_attempt, wire);
	wire->broken = sp_loop_timer_new(loop, on_broken, wire);
	sp_loop_timer_start(loop, wire->attempt, sim_rng_between(&wire->rng, 0, FIRST_MS));
}

static void end(struct sim_wire *wire)
{
	sp_loop_timer_free(wire->loop, wire->attempt);
	sp_loop_timer_free(wire->loop, wire->broken);
	wire->attempt = wire->broken = NULL;
	wire->loop = NULL;
	wire->connected = false;
}

void sim_wire_stop(struct sim_wire *wire)
{
	if (wire->connected && path(wire)) {
		sim_wire_flush(wire);
		send_state(wire, SP_FEED_STOPPED, wire->session, sim_clock_true_ms(wire->clock));
	} else {
		leave_will(wire, KEEPALIVE_MS + WILL_DELAY_MS);
	}
	end(wire);
}

void sim_wire_kill(struct sim_wire *wire, bool power)
{
	leave_will(wire, (power ? KEEPALIVE_MS : 0) + WILL_DELAY_MS);
	end(wire);
}

void sim_wire_will(struct sim_wire *wire, int64_t true_ms)
{
	const struct sim_state *state = sim_world_at(wire->world, true_ms);
	if (!state->hub) { // its broker says so when it is back
		wire->will_ms = sim_world_next(wire->world, true_ms) + 1;
		return;
	}
	send_state(wire, SP_FEED_LOST, wire->will, true_ms);
	wire->will_ms = INT64_MAX;
}
