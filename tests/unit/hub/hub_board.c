// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The scripted board.
#include "tests/unit/hub/hub_board.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define BOOT "11111111-1111-4111-8111-111111111111"

static void on_connected(void *arg, int reason, const char *text, bool session_present)
{
	struct board *board = arg;
	(void)session_present;
	if (reason != 0)
		fail_msg("the board does not connect: %s", text);
	board->connected = true;
}

static void on_disconnected(void *arg, int reason, const char *text)
{
	(void)arg;
	fail_msg("the board lost its connection: %s (%d)", text, reason);
}

static void on_acknowledged(void *arg, int mid, int reason)
{
	struct board *board = arg;
	(void)mid;
	assert_true(reason < 0x80);
	board->pubacks++;
}

static void on_subscribed(void *arg, const char *topic, int reason)
{
	struct board *board = arg;
	(void)topic;
	assert_true(reason < 0x80);
	board->subacks++;
}

static void on_message(void *arg, const struct sp_mqtt_message *message)
{
	struct board *board = arg;
	char why[128];
	if (strncmp(message->topic, "sp1/down/", 9) == 0) {
		assert_int_equal(sp_feed_ack_decode(&board->ack, message->payload, message->length, why),
				 SP_FEED_OK);
		board->acks++;
	} else if (strncmp(message->topic, "sp1/hub/", 8) == 0) {
		assert_int_equal(sp_feed_hub_decode(&board->hub, message->payload, message->length, why),
				 SP_FEED_OK);
		board->hubs++;
	} else if (strncmp(message->topic, "sp1/site/", 9) == 0) {
		snprintf(board->site, sizeof(board->site), "%s %.*s", message->topic, (int)message->length,
			 (const char *)message->payload);
		board->sites++;
	}
}

static int64_t real_seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

void board_until(struct board *board, bool (*holds)(const struct board *board, int64_t value), int64_t value,
		 const char *what)
{
	int64_t until = real_seconds() + 60;
	while (!holds(board, value)) {
		if (real_seconds() > until)
			fail_msg("waited in vain for %s (%" PRId64 "); last ack upto %" PRId64
				 ", %d acks, %d pubacks",
				 what, value, board->ack.upto, board->acks, board->pubacks);
		sp_mqtt_turn(board->mqtt, 20 * 1000, -1);
	}
}

bool board_is_settled(const struct board *board, int64_t upto)
{
	return board->acks > 0 && board->ack.upto >= upto;
}

bool board_hears_hub(const struct board *board, int64_t online)
{
	return board->hubs > 0 && board->hub.online == (online != 0);
}

bool board_has_pubacks(const struct board *board, int64_t count)
{
	return board->pubacks >= count;
}

bool board_has_sites(const struct board *board, int64_t count)
{
	return board->sites >= count;
}

static bool is_connected(const struct board *board, int64_t value)
{
	(void)value;
	return board->connected;
}

static bool has_subacks(const struct board *board, int64_t count)
{
	return board->subacks >= count;
}

void board_open(struct board *board, uint16_t port, const char *device)
{
	static const struct sp_mqtt_events events = {on_connected, on_disconnected, on_acknowledged,
						     on_subscribed, on_message};
	char client_id[64], topic[96], why[256];
	*board = (struct board){.mono_us = 10 * 1000000};
	snprintf(board->device, sizeof(board->device), "%s", device);
	snprintf(client_id, sizeof(client_id), "north/%s", device);
	sp_id_new(board->stream);
	sp_id_new(board->session);
	const struct sp_mqtt_config config = {.host = "127.0.0.1",
					      .port = port,
					      .client_id = client_id,
					      .keepalive_seconds = 60,
					      .clean_start = true};
	board->mqtt = sp_mqtt_new(&config, &events, board, why);
	assert_non_null(board->mqtt);
	assert_int_equal(sp_mqtt_connect(board->mqtt, why), 0);
	board_until(board, is_connected, 0, "the broker");
	snprintf(topic, sizeof(topic), "sp1/down/north/%s/ack", device);
	assert_int_equal(sp_mqtt_subscribe(board->mqtt, topic), 0);
	assert_int_equal(sp_mqtt_subscribe(board->mqtt, "sp1/hub/north/state"), 0);
	assert_int_equal(sp_mqtt_subscribe(board->mqtt, "sp1/site/#"), 0);
	board_until(board, has_subacks, 3, "subscriptions");
}

void board_close(struct board *board)
{
	sp_mqtt_free(board->mqtt);
}

void board_publish(struct board *board, const char *topic, const void *payload, size_t length,
		   const char *content_type, bool retain)
{
	int mid, wanted = board->pubacks + 1;
	assert_int_equal(sp_mqtt_publish(board->mqtt, topic, payload, length, retain, content_type, &mid), 0);
	board_until(board, board_has_pubacks, wanted, "PUBACK");
}

static void send_batch(struct board *board, const struct sp_feed_envelope *kind, const char *stream,
		       const struct sp_buf *batch)
{
	struct sp_buf wire = SP_BUF(SP_FEED_PAYLOAD_MAX);
	struct sp_feed_envelope envelope = *kind;
	char topic[96];
	snprintf(envelope.device, sizeof(envelope.device), "%s", board->device);
	snprintf(envelope.stream, sizeof(envelope.stream), "%s", stream);
	sp_digest(batch->data, batch->length, envelope.digest);
	envelope.clk = (struct sp_clock_reading){.mono_us = board->mono_us + 1000000};
	assert_int_equal(sp_feed_envelope_encode(&wire, &envelope, batch->data, false), 0);
	snprintf(topic, sizeof(topic), "sp1/up/north/%s/%s", board->device, sp_record_class_name(kind->cls));
	board_publish(board, topic, wire.data, wire.length, SP_FEED_JSON, false);
	sp_buf_free(&wire);
}

void board_send_sample(struct board *board, int64_t seq)
{
	struct sp_buf batch = SP_BUF(1024);
	const struct sp_feed_envelope bulk = {.cls = SP_RECORD_BULK, .boot = BOOT, .clk_boot = BOOT};
	sp_buf_printf(&batch, "[{\"seq\":%" PRId64 ",\"mono_us\":%" PRId64 ",%s}]", seq, board->mono_us + seq,
		      seq == 1 ? "\"type\":\"opened\",\"class\":\"bulk\",\"prev\":null"
			       : "\"type\":\"samples\",\"device\":\"internet\",\"seconds\":60");
	send_batch(board, &bulk, "samplesaaaaaaaaaaaaaaaaaaa", &batch);
	sp_buf_free(&batch);
}

void board_send(struct board *board, int64_t first, int64_t last)
{
	struct sp_buf batch = SP_BUF(SP_FEED_INFLATED_MAX);
	const struct sp_feed_envelope facts = {.cls = SP_RECORD_FACTS, .boot = BOOT, .clk_boot = BOOT};
	for (int64_t seq = first; seq <= last; seq++)
		sp_buf_printf(&batch, "%s{\"seq\":%" PRId64 ",\"mono_us\":%" PRId64 ",%s}",
			      seq == first ? "[" : ",", seq, board->mono_us + seq * 1000,
			      seq == 1  ? "\"type\":\"opened\",\"class\":\"facts\",\"prev\":null"
			      : seq % 2 ? "\"type\":\"line\",\"device\":\"main\",\"state\":\"up\",\"cause\":"
					  "\"none\",\"whose\":\"nobody\""
					: "\"type\":\"line\",\"device\":\"main\",\"state\":\"down\","
					  "\"cause\":\"isp\",\"whose\":\"provider\"");
	sp_buf_text(&batch, "]");
	send_batch(board, &facts, board->stream, &batch);
	sp_buf_free(&batch);
}

void board_birth(struct board *board, int64_t newest)
{
	struct sp_buf wire = SP_BUF(SP_FEED_PAYLOAD_MAX);
	struct sp_feed_state state = {
	    .presence = SP_FEED_ONLINE, .boot = BOOT, .version = "0.1.0", .held_count = 1};
	char topic[96];
	board->mono_us += 1000000;
	state.clk.mono_us = board->mono_us;
	state.held[0] = (struct sp_feed_held){.cls = SP_RECORD_FACTS, .oldest = 1, .newest = newest};
	snprintf(state.held[0].stream, sizeof(state.held[0].stream), "%s", board->stream);
	snprintf(state.device, sizeof(state.device), "%s", board->device);
	snprintf(state.session, sizeof(state.session), "%s", board->session);
	snprintf(state.hub_epoch, sizeof(state.hub_epoch), "%s", board->hub.hub_epoch);
	assert_int_equal(sp_feed_state_encode(&wire, &state), 0);
	snprintf(topic, sizeof(topic), "sp1/up/north/%s/state", board->device);
	board_publish(board, topic, wire.data, wire.length, SP_FEED_JSON, true);
	sp_buf_free(&wire);
}
