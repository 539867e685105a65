// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Sessions, and what the broker and the hub say.
#include "tools/fleet/talk.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/mqtt_fields.h"
#include "agent/base/ids.h"

enum {
	HUB_WAIT_US = 1000 * 1000,   ///< for the hub's retained state before the first birth
	HELLO_US = 60 * 1000 * 1000, ///< for CONNACK, of a broker at which thousands knock
	EARLY_US = 10 * 1000 * 1000,
	REBIRTH_SPREAD_MS = 30000,
	REBIRTH_LEAST_US = 5 * 1000 * 1000,
	BACKOFF_STEP_MS = 6000,
	BACKOFF_MAX_MS = 300000,
	STOOD_US = 60 * 1000 * 1000,
	LOOK_US = 1000 * 1000, ///< at what only the script can change
	LIVE_STEPS = 200,
};

void sp_talk_init(struct sp_talk *talk, const struct sp_talk_config *config,
		  const struct sp_life_config *life, const struct sp_roster_board *board, size_t index,
		  struct sp_figures *figures, const struct sp_talk_now *now, int64_t first_us)
{
	*talk = (struct sp_talk){.config = config, .figures = figures, .out = SP_BUF(8 * 1024 * 1024)};
	talk->rng = (struct sp_rng){sp_rng_mix(sp_rng_mix(life->seed, "talk"), board->device)};
	sp_life_init(&talk->life, life, board, index);
	bool old = sp_talk_behind(talk, now->wall_ms);
	for (struct sp_batch *batch = talk->life.keep.oldest; batch; batch = batch->next)
		batch->old = old;
	talk->next_us = first_us;
	talk->today_us = talk->tokens_us = now->mono_us;
	// Another one each time: this boot is of now.
	struct sp_rng today = {sp_rng_mix_number(talk->rng.state, (uint64_t)now->wall_ms)};
	sp_rng_boot(&today, talk->today);
}

void sp_talk_free(struct sp_talk *talk)
{
	sp_life_free(&talk->life);
	sp_buf_free(&talk->out);
}

bool sp_talk_done(const struct sp_talk *talk)
{
	return talk->life.over && talk->life.keep.waiting == 0;
}

// ---- sessions -------------------------------------------------------------------------------------------

static int64_t backoff_ms(struct sp_talk *talk)
{
	int64_t most = talk->hub_window_ms >= 3000 ? talk->hub_window_ms : BACKOFF_MAX_MS;
	int64_t window = (int64_t)BACKOFF_STEP_MS << (talk->failures < 10 ? talk->failures : 10);
	talk->failures++;
	int64_t delay = sp_rng_below(&talk->rng, window < most ? window : most);
	return delay < 250 ? 250 : delay;
}

static void forget_session(struct sp_talk *talk)
{
	bool connected = talk->phase >= SP_TALK_GREETING;
	talk->figures->connected -= connected;
	talk->phase = SP_TALK_DOWN;
	talk->birth_us = talk->born_us = 0;
	talk->hub_heard = talk->hub_online = false;
	sp_buf_free(&talk->out);
	sp_talk_unsend(talk);
}

void sp_talk_lost(struct sp_talk *talk, const struct sp_talk_now *now, const char *why)
{
	bool was_up = talk->phase == SP_TALK_UP || talk->phase == SP_TALK_GREETING;
	if (talk->phase == SP_TALK_DOWN)
		return;
	if (was_up && now->mono_us - talk->since_us > STOOD_US)
		talk->failures = 0;
	talk->figures->lost_sessions += was_up;
	snprintf(talk->text, sizeof(talk->text), "%s", why);
	forget_session(talk);
	talk->next_us = now->mono_us + backoff_ms(talk) * 1000;
	talk->wish = SP_TALK_STAY;
}

/// The session ends by what befalls the board: it comes back a few seconds after it can.
static void cut(struct sp_talk *talk, const struct sp_talk_now *now)
{
	forget_session(talk);
	talk->failures = 0;
	talk->next_us = now->mono_us + sp_rng_below(&talk->rng, 3000) * 1000;
	talk->wish = SP_TALK_CLOSE;
}

void sp_talk_connected(struct sp_talk *talk, const struct sp_talk_now *now)
{
	const struct sp_roster_board *board = talk->life.board;
	const struct sp_talk_config *c = talk->config;
	char client[80], topic[96];
	struct sp_feed_state will = {.presence = SP_FEED_LOST};
	struct sp_buf wire = SP_BUF(1024);
	sp_rng_use(&talk->rng);
	sp_id_new(talk->session);
	snprintf(client, sizeof(client), "%s/%s", board->shard, board->device);
	snprintf(topic, sizeof(topic), "sp1/up/%s/state", client);
	snprintf(will.device, sizeof(will.device), "%s", board->device);
	memcpy(will.session, talk->session, sizeof(will.session));
	(void)!sp_feed_state_encode(&wire, &will);
	const struct sp_packet_hello hello = {.client_id = client,
					      .username = c->username,
					      .password = c->password,
					      .keepalive_seconds = (unsigned)(c->keepalive_ms / 1000),
					      .expiry_seconds = (uint32_t)(c->session_expiry_ms / 1000),
					      .will_delay_seconds = (uint32_t)(c->will_delay_ms / 1000),
					      .will_topic = topic,
					      .will = wire.data,
					      .will_length = wire.length};
	sp_packet_connect(&talk->out, &hello);
	sp_buf_free(&wire);
	talk->phase = SP_TALK_HELLO;
	talk->wish = SP_TALK_STAY;
	talk->since_us = talk->sent_us = talk->heard_us = now->mono_us;
	talk->keepalive_us = c->keepalive_ms * 1000;
}

static void greeted(struct sp_talk *talk, const struct sp_talk_now *now, const struct sp_packet *packet)
{
	char topic[96];
	const struct sp_roster_board *board = talk->life.board;
	if (packet->reason != 0) {
		talk->figures->refused_sessions++;
		snprintf(talk->text, sizeof(talk->text), "the broker refuses the session: 0x%02x",
			 packet->reason);
		talk->wish = SP_TALK_CLOSE;
		return;
	}
	if (packet->keepalive_seconds)
		talk->keepalive_us = packet->keepalive_seconds * INT64_C(1000000);
	snprintf(topic, sizeof(topic), "sp1/down/%s/%s/ack", board->shard, board->device);
	sp_packet_subscribe(&talk->out, sp_talk_mid(talk), topic);
	snprintf(topic, sizeof(topic), "sp1/hub/%s/state", board->shard);
	sp_packet_subscribe(&talk->out, sp_talk_mid(talk), topic);
	talk->phase = SP_TALK_GREETING;
	talk->since_us = now->mono_us;
	talk->birth_us = now->mono_us + HUB_WAIT_US;
	struct sp_figures *f = talk->figures;
	f->sessions++;
	if (++f->connected > f->connected_most)
		f->connected_most = f->connected;
}

// ---- the hub --------------------------------------------------------------------------------------------

static void new_epoch(struct sp_talk *talk, const struct sp_talk_now *now)
{
	int64_t spread_ms = talk->hub_window_ms < REBIRTH_SPREAD_MS ? talk->hub_window_ms : REBIRTH_SPREAD_MS;
	int64_t at_us = now->mono_us + sp_rng_below(&talk->rng, spread_ms) * 1000;
	if (!talk->hub_heard && now->mono_us - talk->since_us < EARLY_US)
		at_us = now->mono_us;
	else if (at_us < talk->born_us + REBIRTH_LEAST_US)
		at_us = talk->born_us + REBIRTH_LEAST_US;
	if (talk->phase == SP_TALK_UP && !talk->birth_us)
		talk->birth_us = at_us;
}

static void hub_says(struct sp_talk *talk, const struct sp_talk_now *now, const struct sp_packet *packet)
{
	struct sp_feed_hub hub;
	char why[128];
	if (sp_feed_hub_decode(&hub, packet->payload, packet->length, why) != SP_FEED_OK)
		return;
	if (hub.online) {
		int64_t seconds = hub.reconnect_window_seconds;
		talk->hub_window_ms = (seconds < 0 || seconds > 3600 ? 3600 : seconds) * 1000;
		if (strcmp(talk->hub_epoch, hub.hub_epoch) != 0) {
			memcpy(talk->hub_epoch, hub.hub_epoch, sizeof(talk->hub_epoch));
			new_epoch(talk, now);
		}
	}
	if (talk->phase == SP_TALK_GREETING)
		talk->birth_us = now->mono_us; // that is what it waited for
	talk->hub_heard = true;
	talk->hub_online = hub.online;
}

static void settled(void *arg, const struct sp_batch *batch)
{
	struct sp_talk *talk = arg;
	struct sp_figures *f = talk->figures;
	f->acknowledged += !batch->again;
	if (!batch->first_sent_us || batch->again)
		return;
	bool backlog = batch->old;
	struct sp_latency *latency = backlog                         ? &f->backlog
				     : batch->cls == SP_RECORD_FACTS ? &f->facts
								     : &f->bulk;
	sp_latency_add(latency, talk->ack_us - batch->first_sent_us);
	if (batch->steady)
		sp_latency_add(&f->steady, talk->ack_us - batch->first_sent_us);
}

static void ack_says(struct sp_talk *talk, const struct sp_talk_now *now, const struct sp_packet *packet)
{
	struct sp_feed_ack ack;
	char why[128];
	if (sp_feed_ack_decode(&ack, packet->payload, packet->length, why) != SP_FEED_OK)
		return;
	bool other = talk->hub_heard && talk->hub_epoch[0] && strcmp(ack.hub_epoch, talk->hub_epoch) != 0;
	bool older = strcmp(ack.hub_epoch, talk->ack_epoch) == 0 && ack.number < talk->ack_number;
	if (other || older)
		return;
	memcpy(talk->ack_epoch, ack.hub_epoch, sizeof(talk->ack_epoch));
	talk->ack_number = ack.number;
	talk->ack_us = now->mono_us;
	sp_keep_ack(&talk->life.keep, &ack, settled, talk);
}

static void taken(struct sp_talk *talk, const struct sp_packet *packet)
{
	if (packet->reason >= 0x80)
		talk->figures->refused++;
	for (struct sp_batch *batch = talk->life.keep.oldest; batch; batch = batch->next) {
		if (!batch->due_us || batch->mid != packet->mid || batch->taken)
			continue;
		batch->taken = true;
		return;
	}
}

void sp_talk_packet(struct sp_talk *talk, const struct sp_talk_now *now, const struct sp_packet *packet)
{
	talk->heard_us = now->mono_us;
	switch (packet->type) {
	case SP_MQTT_CONNACK:
		greeted(talk, now, packet);
		break;
	case SP_MQTT_PUBACK:
		taken(talk, packet);
		break;
	case SP_MQTT_SUBACK:
		talk->figures->refused += packet->reason >= 0x80;
		break;
	case SP_MQTT_PUBLISH:
		if (packet->qos > 0)
			sp_packet_puback(&talk->out, packet->mid);
		if (strncmp(packet->topic, "sp1/hub/", 8) == 0)
			hub_says(talk, now, packet);
		else if (strncmp(packet->topic, "sp1/down/", 9) == 0)
			ack_says(talk, now, packet);
		break;
	case SP_MQTT_DISCONNECT:
		snprintf(talk->text, sizeof(talk->text), "the broker says goodbye: 0x%02x", packet->reason);
		talk->wish = SP_TALK_CLOSE;
		break;
	default:
		break;
	}
}

// ---- turns ----------------------------------------------------------------------------------------------

/// Lets the board live, as far as it may.
static void live(struct sp_talk *talk, const struct sp_talk_now *now, int64_t frontier_ms)
{
	struct sp_life *life = &talk->life;
	int64_t until = frontier_ms < now->wall_ms ? frontier_ms : now->wall_ms;
	for (int steps = 0; steps < LIVE_STEPS && !life->over && life->next_ms <= until; steps++) {
		if (sp_talk_behind(talk, now->wall_ms) && life->keep.waiting >= SP_TALK_AHEAD)
			return;
		size_t before = life->keep.waiting;
		struct sp_batch *last = life->keep.newest;
		bool old = sp_talk_behind(talk, now->wall_ms);
		sp_life_step(life);
		if (!old || life->keep.waiting == before)
			continue;
		for (struct sp_batch *batch = life->keep.newest; batch && batch != last;
		     batch = batch->before)
			batch->old = true;
	}
}

static void leave(struct sp_talk *talk, const struct sp_talk_now *now)
{
	if (talk->phase == SP_TALK_UP)
		sp_talk_state(talk, now, SP_FEED_STOPPED);
	if (talk->phase >= SP_TALK_GREETING)
		sp_packet_disconnect(&talk->out);
	talk->figures->connected -= talk->phase >= SP_TALK_GREETING;
	talk->phase = SP_TALK_DOWN;
	talk->failures = 0;
	talk->next_us = now->mono_us + sp_rng_below(&talk->rng, 3000) * 1000;
	talk->wish = SP_TALK_CLOSE;
	sp_talk_unsend(talk);
}

void sp_talk_stop(struct sp_talk *talk, const struct sp_talk_now *now)
{
	leave(talk, now);
	talk->next_us = INT64_MAX;
}

/// What the script does to the session. True: there is none now.
static bool kept_away(struct sp_talk *talk, const struct sp_talk_now *now)
{
	const struct sp_life *life = &talk->life;
	if (talk->config->past || life->over || sp_talk_behind(talk, now->wall_ms) || sp_life_reaches(life))
		return false;
	if (talk->phase == SP_TALK_DOWN)
		return true;
	bool goodbye = !life->running && life->clean && talk->phase == SP_TALK_UP;
	if (goodbye) {
		(void)sp_talk_send(talk, now);
		leave(talk, now);
	} else {
		cut(talk, now);
	}
	return true;
}

/// When the board itself has something to do next.
static int64_t life_due_us(const struct sp_talk *talk, const struct sp_talk_now *now, int64_t frontier_ms)
{
	const struct sp_life *life = &talk->life;
	bool full = sp_talk_behind(talk, now->wall_ms) && life->keep.waiting >= SP_TALK_AHEAD;
	if (life->over || full)
		return INT64_MAX;
	if (life->next_ms > frontier_ms)
		return now->mono_us + LOOK_US / 4;
	int64_t wait_ms = life->next_ms - now->wall_ms;
	return wait_ms <= 0 ? now->mono_us : now->mono_us + wait_ms * 1000;
}

static void keep_alive(struct sp_talk *talk, const struct sp_talk_now *now)
{
	if (talk->keepalive_us == 0 || now->mono_us - talk->sent_us < talk->keepalive_us * 3 / 4)
		return;
	if (now->mono_us - talk->heard_us > talk->keepalive_us * 3) {
		sp_talk_lost(talk, now, "the broker does not answer");
		talk->wish = SP_TALK_CLOSE;
		return;
	}
	sp_packet_ping(&talk->out);
	talk->sent_us = now->mono_us;
}

static void give_birth(struct sp_talk *talk, const struct sp_talk_now *now)
{
	char boot[SP_FEED_BOOT_LENGTH + 1];
	sp_talk_clock(talk, now, boot);
	// A board that has caught up with the present speaks from another boot.
	if (talk->phase == SP_TALK_UP && !talk->birth_us && strcmp(boot, talk->born_boot) != 0)
		talk->birth_us = now->mono_us;
	if (!talk->birth_us || now->mono_us < talk->birth_us)
		return;
	sp_talk_state(talk, now, SP_FEED_ONLINE);
	talk->phase = SP_TALK_UP;
	talk->birth_us = 0;
	talk->born_us = now->mono_us;
	sp_talk_unsend(talk);
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t sp_talk_turn(struct sp_talk *talk, const struct sp_talk_now *now, int64_t frontier_ms)
{
	live(talk, now, frontier_ms);
	int64_t due = life_due_us(talk, now, frontier_ms);
	if (kept_away(talk, now))
		return due; // only the script can bring it back
	switch (talk->phase) {
	case SP_TALK_DOWN:
		if (now->mono_us < talk->next_us)
			return least(due, talk->next_us);
		talk->phase = SP_TALK_DIALING;
		talk->since_us = now->mono_us;
		talk->wish = SP_TALK_DIAL;
		break;
	case SP_TALK_DIALING:
	case SP_TALK_HELLO:
		if (now->mono_us > talk->since_us + HELLO_US) {
			sp_talk_lost(talk, now, "no answer within a minute");
			talk->wish = SP_TALK_CLOSE;
		}
		due = least(due, talk->since_us + HELLO_US + 1);
		break;
	case SP_TALK_GREETING:
	case SP_TALK_UP:
		keep_alive(talk, now);
		if (talk->phase != SP_TALK_GREETING && talk->phase != SP_TALK_UP)
			break;
		give_birth(talk, now);
		if (talk->phase == SP_TALK_UP)
			due = least(due, sp_talk_send(talk, now));
		if (talk->birth_us)
			due = least(due, talk->birth_us);
		due = least(due, talk->sent_us + talk->keepalive_us * 3 / 4 + 1000);
		break;
	}
	return due;
}
