// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The life of an MQTT session: made, connecting, left or dropped. Its poll loop is in mqtt_turn.c,
// the way to a connection in mqtt_dial.c, what is sent and heard in mqtt_events.c.
#include "agent/base/mqtt.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <mqtt_protocol.h>
#include <sys/socket.h>

#include "agent/base/mem.h"
#include "agent/base/beyond.h"
#include "agent/base/mqtt_session.h"
#include "agent/base/wire.h"
#include "schoolpulse/clock.h"

enum {
	GOODBYE_MS = 500,
	KEEPALIVE_MIN = 5, ///< libmosquitto refuses less
	KEEPALIVE_MAX = 65535,
};

static char *copied(const char *text)
{
	return text ? sp_strdup(text) : NULL;
}

static void copy_config(struct sp_mqtt_config *out, const struct sp_mqtt_config *in)
{
	*out = *in;
	out->host = sp_strdup(in->host);
	out->client_id = sp_strdup(in->client_id);
	out->username = copied(in->username);
	out->password = copied(in->password);
	out->ca_file = out->cert_file = out->key_file = NULL; // read once, into the TLS context
	out->will_topic = copied(in->will_topic);
	char *payload = sp_alloc(in->will_length + 1);
	if (in->will_length)
		memcpy(payload, in->will_payload, in->will_length);
	out->will_payload = payload;
	if (out->keepalive_seconds < KEEPALIVE_MIN)
		out->keepalive_seconds = KEEPALIVE_MIN;
	if (out->keepalive_seconds > KEEPALIVE_MAX)
		out->keepalive_seconds = KEEPALIVE_MAX;
}

static void release(const char *text)
{
	free((char *)(uintptr_t)text);
}

struct sp_mqtt *sp_mqtt_new(const struct sp_mqtt_config *config, const struct sp_mqtt_events *events,
			    void *arg, char why[256])
{
	struct sp_mqtt *mqtt = sp_alloc(sizeof(*mqtt));
	copy_config(&mqtt->config, config);
	mqtt->events = *events;
	mqtt->arg = arg;
	sp_mqtt_relay_init(&mqtt->relay, SP_MQTT_PACKET_MAX);
	why[0] = '\0';
	if (config->ca_file) {
		mqtt->tls =
		    sp_tls_new(config->ca_file, config->cert_file, config->key_file, config->host, why);
		if (!mqtt->tls) {
			int error = errno;
			sp_mqtt_free(mqtt);
			errno = error;
			return NULL;
		}
		if (config->trust)
			sp_tls_undated(mqtt->tls, config->trust);
	}
	return mqtt;
}

void sp_mqtt_free(struct sp_mqtt *mqtt)
{
	if (!mqtt)
		return;
	sp_mqtt_drop(mqtt);
	sp_tls_free(mqtt->tls);
	release(mqtt->config.host);
	release(mqtt->config.client_id);
	release(mqtt->config.username);
	release(mqtt->config.password);
	release(mqtt->config.will_topic);
	release(mqtt->config.will_payload);
	free(mqtt);
}

int64_t sp_mqtt_received_us(struct sp_mqtt *mqtt)
{
	if (mqtt->relay.received_us == 0 || mqtt->relay.broker < 0)
		return 0;
	// Once per connection: the subnets that we stand in do not change under it.
	if (mqtt->beyond < 0)
		mqtt->beyond = sp_beyond_peer(mqtt->relay.broker);
	return mqtt->beyond ? mqtt->relay.received_us : 0;
}

bool sp_mqtt_connected(const struct sp_mqtt *mqtt)
{
	return mqtt->phase == SP_MQTT_ONLINE && !mqtt->ended && mqtt->wish == SP_MQTT_STAY;
}

bool sp_mqtt_provisional(const struct sp_mqtt *mqtt)
{
	return sp_mqtt_connected(mqtt) && sp_tls_provisional(mqtt->relay.tls);
}

int sp_mqtt_verify(struct sp_mqtt *mqtt, int64_t t_ms)
{
	int result = sp_mqtt_provisional(mqtt) ? sp_tls_verify(mqtt->relay.tls, t_ms) : 0;
	if (result < 0)
		sp_mqtt_over_connection(mqtt, result);
	return result;
}

void sp_mqtt_count(struct sp_mqtt *mqtt)
{
	if (mqtt->relay.broker >= 0)
		mqtt->traffic += sp_wire_bytes(mqtt->relay.broker);
}

int64_t sp_mqtt_traffic(const struct sp_mqtt *mqtt)
{
	return mqtt->traffic + (mqtt->relay.broker >= 0 ? sp_wire_bytes(mqtt->relay.broker) : 0);
}

void sp_mqtt_interface(const struct sp_mqtt *mqtt, char out[16])
{
	out[0] = '\0';
	if (mqtt->relay.broker >= 0)
		sp_wire_interface(mqtt->relay.broker, out);
}

int sp_mqtt_connect(struct sp_mqtt *mqtt, char why[256])
{
	why[0] = '\0';
	if (mqtt->phase != SP_MQTT_IDLE || mqtt->depth)
		return -EALREADY;
	mqtt->ended = mqtt->leaving = false;
	mqtt->wish = SP_MQTT_STAY;
	int result = sp_mqtt_resolve(mqtt, why);
	mqtt->attempt_until_us = sp_clock_mono_us() + SP_MQTT_ATTEMPT_US; // name resolution has its own end
	if (result == 0)
		result = sp_mqtt_make_client(mqtt, why);
	return result < 0 ? result : sp_mqtt_dial(mqtt, why);
}

// ---- leaving ------------------------------------------------------------------------------------

/// Closing with unread bytes makes the kernel send RST, and the broker may then throw away the
/// DISCONNECT that it has not read yet and publish the will. So: half-close, wait for its end.
static void linger(int fd)
{
	char scrap[4096];
	int64_t until = sp_clock_mono_us() + GOODBYE_MS * 1000;
	shutdown(fd, SHUT_WR);
	for (int i = 0; i < 1000; i++) {
		int64_t left = until - sp_clock_mono_us();
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (left <= 0 || poll(&p, 1, (int)(left / 1000) + 1) <= 0 ||
		    recv(fd, scrap, sizeof(scrap), MSG_DONTWAIT) <= 0)
			break;
	}
	close(fd);
}

/// DISCONNECT, and before it what is still on its way, as far as the time goes.
static void say_goodbye(struct sp_mqtt *mqtt, bool with_will)
{
	int64_t until = sp_clock_mono_us() + GOODBYE_MS * 1000;
	mosquitto_disconnect_v5(mqtt->lib, with_will ? MQTT_RC_DISCONNECT_WITH_WILL_MSG : 0, NULL);
	for (int i = 0; i < 1000; i++) {
		int result = sp_mqtt_pump(mqtt);
		int64_t left = until - sp_clock_mono_us();
		struct pollfd p = {.fd = mqtt->relay.broker, .events = mqtt->relay.write_wants};
		if (result != -EAGAIN || left <= 0 || poll(&p, 1, (int)(left / 1000) + 1) <= 0)
			break;
	}
	if (mqtt->relay.tls)
		sp_tls_farewell(mqtt->relay.tls);
}

static void leave(struct sp_mqtt *mqtt, bool with_will)
{
	int kept = -1;
	mqtt->leaving = true;
	if (mqtt->phase == SP_MQTT_ONLINE) {
		say_goodbye(mqtt, with_will);
		sp_mqtt_count(mqtt);
		kept = mqtt->relay.broker;
		mqtt->relay.broker = -1;
	}
	sp_mqtt_drop(mqtt);
	if (kept >= 0)
		linger(kept);
	mqtt->leaving = false;
}

void sp_mqtt_disconnect(struct sp_mqtt *mqtt, bool with_will)
{
	if (mqtt->depth)
		mqtt->wish = with_will ? SP_MQTT_LEAVE_WITH_WILL : SP_MQTT_LEAVE;
	else if (mqtt->phase != SP_MQTT_IDLE)
		leave(mqtt, with_will);
}

void sp_mqtt_abort(struct sp_mqtt *mqtt)
{
	if (mqtt->depth) {
		mqtt->wish = SP_MQTT_DROP;
		return;
	}
	if (mqtt->relay.broker >= 0) {
		// Disconnecting the socket (connect(2), AF_UNSPEC) throws away what is unsent.
		sp_mqtt_count(mqtt);
		struct sockaddr none = {.sa_family = AF_UNSPEC};
		int ignored = connect(mqtt->relay.broker, &none, sizeof(none));
		(void)ignored;
		close(mqtt->relay.broker);
		mqtt->relay.broker = -1;
	}
	sp_mqtt_drop(mqtt);
}

void sp_mqtt_library_init(void)
{
	mosquitto_lib_init();
}

void sp_mqtt_library_cleanup(void)
{
	mosquitto_lib_cleanup();
}
