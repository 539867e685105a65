// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// See the header.
#include "tests/unit/core/fake_hub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/base/mqtt.h"

#define UP   "sp1/up/" HUB_SHARD "/" HUB_DEVICE "/"
#define DOWN "sp1/down/" HUB_SHARD "/" HUB_DEVICE "/ack"
#define HUB  "sp1/hub/" HUB_SHARD "/state"

static void publish(struct fake_hub *hub, const char *topic, struct sp_buf *text, bool retain)
{
	int mid;
	if (sp_mqtt_publish(hub->mqtt, topic, text->data, text->length, retain, SP_FEED_JSON, &mid) < 0)
		hub->faults++;
	else
		hub->in_flight++;
	sp_buf_free(text);
}

static void say_state(struct fake_hub *hub, bool online)
{
	struct sp_feed_hub state = {.online = online, .reconnect_window_seconds = 1};
	struct sp_buf text = SP_BUF(4096);
	strcpy(state.hub_epoch, hub->epoch);
	if (sp_feed_hub_encode(&text, &state) < 0)
		hub->faults++;
	publish(hub, HUB, &text, true);
}

static void send_ack(struct fake_hub *hub, struct sp_feed_ack *ack)
{
	struct sp_buf text = SP_BUF(65536);
	if (hub->time_ms && hub->clk_boot[0]) {
		ack->timed = true;
		ack->t_ms = hub->time_ms;
		ack->err_ms = 60;
		strcpy(ack->echo_boot, hub->clk_boot);
		ack->echo_mono_us = hub->echo_us ? hub->echo_us : hub->clk_us;
	}
	if (sp_feed_ack_encode(&text, ack) < 0)
		hub->faults++;
	publish(hub, DOWN, &text, false);
}

static void ack_stream(struct fake_hub *hub, struct hub_stream *stream)
{
	struct sp_feed_ack ack = {.number = ++hub->number};
	strcpy(ack.hub_epoch, hub->epoch);
	strcpy(ack.stream, stream->name);
	while (ack.upto < stream->highest && stream->heard[ack.upto + 1])
		ack.upto++;
	for (int64_t seq = ack.upto + 1; seq <= stream->highest && ack.have_count < SP_FEED_HAVE_MAX; seq++) {
		if (!stream->heard[seq])
			continue;
		if (ack.have_count > 0 && ack.have[ack.have_count - 1].to == seq - 1) {
			ack.have[ack.have_count - 1].to = seq;
			continue;
		}
		ack.have[ack.have_count].from = ack.have[ack.have_count].to = seq;
		ack.have_count++;
	}
	send_ack(hub, &ack);
}

static struct hub_stream *stream_of(struct fake_hub *hub, const char *name, enum sp_record_class cls)
{
	for (size_t i = 0; i < hub->stream_count; i++) {
		if (strcmp(hub->streams[i].name, name) == 0)
			return &hub->streams[i];
	}
	if (hub->stream_count == HUB_STREAMS)
		return NULL;
	struct hub_stream *stream = &hub->streams[hub->stream_count++];
	strcpy(stream->name, name);
	stream->cls = cls;
	return stream;
}

static void hear_batch(struct fake_hub *hub, const struct sp_mqtt_message *message)
{
	struct sp_feed_message batch;
	char why[128];
	if (sp_feed_envelope_decode(&batch, message->payload, message->length, message->content_type, why) !=
	    SP_FEED_OK) {
		fprintf(stderr, "fake hub: %s\n", why);
		hub->faults++;
		return;
	}
	struct hub_stream *stream = stream_of(hub, batch.envelope.stream, batch.envelope.cls);
	strcpy(hub->clk_boot, batch.envelope.clk_boot);
	hub->clk_us = batch.envelope.clk.mono_us;
	hub->batches++;
	hub->records += (int)batch.count;
	if (!stream || batch.envelope.last >= HUB_SEQS) {
		hub->faults++;
	} else {
		for (int64_t seq = batch.envelope.first; seq <= batch.envelope.last; seq++)
			stream->heard[seq]++;
		if (batch.envelope.last > stream->highest)
			stream->highest = batch.envelope.last;
		if (hub->acks)
			ack_stream(hub, stream);
	}
	sp_feed_message_free(&batch);
}

static void hear_state(struct fake_hub *hub, const struct sp_mqtt_message *message)
{
	struct sp_feed_state *state = calloc(1, sizeof(*state));
	char why[128];
	if (message->length > 0 &&
	    sp_feed_state_decode(state, message->payload, message->length, why) != SP_FEED_OK) {
		fprintf(stderr, "fake hub: %s\n", why);
		hub->faults++;
	} else if (hub->birth_count < HUB_BIRTHS) {
		struct hub_birth *birth = &hub->births[hub->birth_count++];
		birth->presence = state->presence;
		strcpy(birth->session, state->session);
		strcpy(birth->hub_epoch, state->hub_epoch);
		birth->held = state->held_count;
		birth->retained = message->retained;
		// A birth is answered with an acknowledgement for every stream in it.
		for (size_t i = 0; hub->acks && i < state->held_count; i++) {
			struct hub_stream *stream = stream_of(hub, state->held[i].stream, state->held[i].cls);
			if (stream)
				ack_stream(hub, stream);
		}
	}
	free(state);
}

static void on_message(void *arg, const struct sp_mqtt_message *message)
{
	struct fake_hub *hub = arg;
	pthread_mutex_lock(&hub->mutex);
	if (strcmp(message->topic, UP "state") == 0)
		hear_state(hub, message);
	else
		hear_batch(hub, message);
	pthread_cond_broadcast(&hub->changed);
	pthread_mutex_unlock(&hub->mutex);
}

static void on_connected(void *arg, int reason, const char *text, bool session_present)
{
	struct fake_hub *hub = arg;
	(void)text;
	(void)session_present;
	if (reason == 0)
		hub->connected = true;
	if (reason == 0 && hub->listens && sp_mqtt_subscribe(hub->mqtt, UP "#") < 0)
		hub->faults++;
}

static void on_disconnected(void *arg, int reason, const char *text)
{
	(void)reason;
	(void)text;
	((struct fake_hub *)arg)->connected = false;
	((struct fake_hub *)arg)->in_flight = 0;
}

static void on_subscribed(void *arg, const char *topic, int reason)
{
	(void)topic;
	(void)reason;
	((struct fake_hub *)arg)->subscribed = 1;
}

static void on_acknowledged(void *arg, int mid, int reason)
{
	(void)mid;
	(void)reason;
	((struct fake_hub *)arg)->in_flight--;
}

/// Acknowledgements of what was never issued, of strangers' streams, of another epoch, of an older number,
/// and bytes that are none.
static void send_rubbish(struct fake_hub *hub)
{
	for (size_t i = 0; i < hub->stream_count; i++) {
		struct sp_feed_ack ack = {.number = ++hub->number, .upto = 1000000};
		strcpy(ack.hub_epoch, hub->epoch);
		strcpy(ack.stream, hub->streams[i].name);
		send_ack(hub, &ack);
		ack.number = 0; // older
		ack.upto = hub->streams[i].highest;
		send_ack(hub, &ack);
		ack.number = hub->number + 1000;
		memset(ack.hub_epoch, 'z', SP_ID_LENGTH); // of another epoch
		send_ack(hub, &ack);
		strcpy(ack.hub_epoch, hub->epoch);
		memset(ack.stream, 'y', SP_ID_LENGTH);
		ack.number = ++hub->number;
		send_ack(hub, &ack);
	}
	static const char *const texts[] = {
	    "", "{", "[]", "{\"v\":1}", "{\"v\":9,\"hub_epoch\":\"x\"}", "\xff\xfe"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		int mid;
		if (sp_mqtt_publish(hub->mqtt, DOWN, texts[i], strlen(texts[i]), false, NULL, &mid) < 0 ||
		    sp_mqtt_publish(hub->mqtt, HUB, texts[i], strlen(texts[i]), false, NULL, &mid) < 0)
			hub->faults++;
		else
			hub->in_flight += 2;
	}
}

static void obey(struct fake_hub *hub)
{
	pthread_mutex_lock(&hub->mutex);
	if (hub->renewed != hub->renew) {
		hub->renewed = hub->renew;
		sp_id_new(hub->epoch);
		hub->number = 0;
		say_state(hub, true);
	}
	if (hub->left != hub->leave) {
		hub->left = hub->leave;
		say_state(hub, false);
	}
	if (hub->forgotten != hub->forget) {
		hub->forgotten = hub->forget;
		for (size_t i = 0; i < hub->stream_count; i++) {
			memset(hub->streams[i].heard, 0, sizeof(hub->streams[i].heard));
			hub->streams[i].highest = 0;
			ack_stream(hub, &hub->streams[i]);
		}
	}
	// No more than 20 publishes may wait for the broker.
	if (hub->rubbished != hub->rubbish && hub->in_flight == 0) {
		hub->rubbished = hub->rubbish;
		send_rubbish(hub);
	}
	pthread_cond_broadcast(&hub->changed);
	pthread_mutex_unlock(&hub->mutex);
}

static void *life(void *arg)
{
	struct fake_hub *hub = arg;
	char why[256];
	while (!hub->stop) {
		if (!hub->connected && sp_mqtt_connect(hub->mqtt, why) < 0 && !hub->connected)
			(void)why; // under way already, or not yet possible
		sp_mqtt_turn(hub->mqtt, 20000, -1);
		if (hub->connected && (hub->subscribed || !hub->listens))
			obey(hub);
	}
	sp_mqtt_abort(hub->mqtt);
	return NULL;
}

void fake_hub_start(struct fake_hub *hub, uint16_t port, bool listens, bool acks)
{
	static const struct sp_mqtt_events events = {.connected = on_connected,
						     .disconnected = on_disconnected,
						     .acknowledged = on_acknowledged,
						     .subscribed = on_subscribed,
						     .message = on_message};
	const struct sp_mqtt_config config = {.host = "127.0.0.1",
					      .port = port,
					      .client_id = "hub",
					      .keepalive_seconds = 60,
					      .clean_start = true};
	char why[256];
	memset(hub, 0, sizeof(*hub));
	hub->port = port;
	hub->listens = listens;
	hub->acks = acks;
	hub->renew = 1; // an epoch to begin with
	pthread_mutex_init(&hub->mutex, NULL);
	pthread_cond_init(&hub->changed, NULL);
	hub->mqtt = sp_mqtt_new(&config, &events, hub, why);
	assert_non_null(hub->mqtt);
	assert_int_equal(pthread_create(&hub->thread, NULL, life, hub), 0);
}

void fake_hub_stop(struct fake_hub *hub)
{
	hub->stop = true;
	pthread_join(hub->thread, NULL);
	sp_mqtt_free(hub->mqtt);
	assert_int_equal(hub->faults, 0);
	pthread_mutex_destroy(&hub->mutex);
	pthread_cond_destroy(&hub->changed);
}

void fake_hub_until(struct fake_hub *hub, bool (*good)(struct fake_hub *hub, int arg), int arg,
		    const char *what)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	pthread_mutex_lock(&hub->mutex);
	int result = 0;
	while (!good(hub, arg) && result == 0)
		result = pthread_cond_timedwait(&hub->changed, &hub->mutex, &until);
	bool held = good(hub, arg);
	int births = hub->birth_count, batches = hub->batches;
	pthread_mutex_unlock(&hub->mutex);
	if (!held)
		fail_msg("%s: not within 60 s (%d births, %d batches)", what, births, batches);
}

int fake_hub_heard(struct fake_hub *hub, enum sp_record_class cls)
{
	int count = 0;
	for (size_t i = 0; i < hub->stream_count; i++) {
		for (int64_t seq = 1; hub->streams[i].cls == cls && seq <= hub->streams[i].highest; seq++)
			count += hub->streams[i].heard[seq] > 0;
	}
	return count;
}
