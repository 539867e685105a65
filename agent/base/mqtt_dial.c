// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From a host's name to a connection under way. libmosquitto would take the first address that
// does not fail at once, for ever: a line with broken IPv6 would never connect. So names are
// resolved here, and it is given one address literal after the other.
#include "agent/base/mqtt_session.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <mqtt_protocol.h>

#include "agent/base/feed.h"
#include "schoolpulse/clock.h"

enum {
	DIAL_US = 5 * 1000 * 1000, ///< for one address while others remain
	RECEIVE_MAX = 100,         ///< unacknowledged messages that the broker may have under way to us
};

static const struct addrinfo *next_of(const struct addrinfo *from, int family)
{
	while (from && (from->ai_family == family || (family != AF_INET && family != AF_INET6)))
		from = from->ai_next;
	return from;
}

/// The resolver's order, but the families alternate as long as both have addresses (RFC 8305 §4).
static size_t put_in_order(struct sp_mqtt *mqtt, const struct addrinfo *list)
{
	const struct addrinfo *of[2] = {next_of(list, AF_INET6), next_of(list, AF_INET)};
	size_t count = 0, turn = list && list->ai_family == AF_INET6;
	while (count < SP_MQTT_ADDRESSES && (of[0] || of[1])) {
		if (!of[turn])
			turn = !turn;
		const struct addrinfo *a = of[turn];
		if (getnameinfo(a->ai_addr, a->ai_addrlen, mqtt->addresses[count],
				sizeof(mqtt->addresses[count]), NULL, 0, NI_NUMERICHOST) == 0)
			count++;
		of[turn] = next_of(a->ai_next, turn == 0 ? AF_INET6 : AF_INET);
		turn = !turn;
	}
	return count;
}

int sp_mqtt_resolve(struct sp_mqtt *mqtt, char why[256])
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
	int error = getaddrinfo(mqtt->config.host, NULL, &hints, &list);
	if (error != 0) {
		snprintf(why, 256, "%.200s: %s", mqtt->config.host, gai_strerror(error));
		return error == EAI_SYSTEM ? -errno : error == EAI_AGAIN ? -EAGAIN : -ENOENT;
	}
	mqtt->address_count = put_in_order(mqtt, list);
	mqtt->address = 0;
	freeaddrinfo(list);
	if (mqtt->address_count > 0)
		return 0;
	snprintf(why, 256, "%.200s: no address", mqtt->config.host);
	return -ENOENT;
}

static int set_will(struct sp_mqtt *mqtt)
{
	const struct sp_mqtt_config *c = &mqtt->config;
	mosquitto_property *properties = NULL;
	int rc = mosquitto_property_add_int32(&properties, MQTT_PROP_WILL_DELAY_INTERVAL,
					      (uint32_t)c->will_delay_seconds);
	if (rc == MOSQ_ERR_SUCCESS)
		rc = mosquitto_property_add_string(&properties, MQTT_PROP_CONTENT_TYPE, SP_FEED_JSON);
	if (rc == MOSQ_ERR_SUCCESS)
		rc = mosquitto_will_set_v5(mqtt->lib, c->will_topic, (int)c->will_length, c->will_payload, 1,
					   true, properties);
	if (rc != MOSQ_ERR_SUCCESS)
		mosquitto_property_free_all(&properties); // on success they are the library's
	return rc;
}

/// The properties of CONNECT can only be given to the call that connects blockingly. It keeps them
/// before it looks at the port; the call that does not block uses what was kept.
static int set_connect_properties(struct sp_mqtt *mqtt)
{
	mosquitto_property *properties = NULL;
	int rc = mosquitto_property_add_int32(&properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL,
					      (uint32_t)mqtt->config.session_expiry_seconds);
	if (rc == MOSQ_ERR_SUCCESS)
		rc = mosquitto_property_add_int32(&properties, MQTT_PROP_MAXIMUM_PACKET_SIZE,
						  SP_MQTT_PACKET_MAX);
	if (rc == MOSQ_ERR_SUCCESS) {
		const int no_port = -1;
		rc = mosquitto_connect_bind_v5(mqtt->lib, mqtt->config.host, no_port,
					       (int)mqtt->config.keepalive_seconds, NULL, properties);
		rc = rc == MOSQ_ERR_INVAL ? MOSQ_ERR_SUCCESS : MOSQ_ERR_UNKNOWN;
	}
	mosquitto_property_free_all(&properties);
	return rc;
}

static int set_tls(struct sp_mqtt *mqtt)
{
	// Our own context instead of mosquitto_tls_set(): checked before the first connection, and a
	// handshake that fails says why.
	int rc = mosquitto_int_option(mqtt->lib, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
	if (rc == MOSQ_ERR_SUCCESS)
		rc = mosquitto_opts_set(mqtt->lib, MOSQ_OPT_SSL_CTX, sp_tls_context(mqtt->tls));
	sp_tls_forget_problem(mqtt->tls);
	return rc;
}

static int make_client(struct sp_mqtt *mqtt)
{
	const struct sp_mqtt_config *c = &mqtt->config;
	mqtt->lib = mosquitto_new(c->client_id, c->clean_start, mqtt);
	if (!mqtt->lib)
		return errno == EINVAL ? MOSQ_ERR_INVAL : MOSQ_ERR_NOMEM;
	sp_mqtt_hook(mqtt);
	mqtt->log[0] = '\0';
	mqtt->received = -1;
	int rc = mosquitto_int_option(mqtt->lib, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
	if (rc == MOSQ_ERR_SUCCESS)
		rc = mosquitto_int_option(mqtt->lib, MOSQ_OPT_TCP_NODELAY, 1);
	if (rc == MOSQ_ERR_SUCCESS)
		rc = mosquitto_int_option(mqtt->lib, MOSQ_OPT_RECEIVE_MAXIMUM, RECEIVE_MAX);
	if (rc == MOSQ_ERR_SUCCESS)
		rc = mosquitto_int_option(mqtt->lib, MOSQ_OPT_SEND_MAXIMUM, SP_MQTT_IN_FLIGHT);
	if (rc == MOSQ_ERR_SUCCESS && (c->username || c->password))
		rc = mosquitto_username_pw_set(mqtt->lib, c->username, c->password);
	if (rc == MOSQ_ERR_SUCCESS && c->will_topic)
		rc = set_will(mqtt);
	if (rc == MOSQ_ERR_SUCCESS && mqtt->tls)
		rc = set_tls(mqtt);
	if (rc == MOSQ_ERR_SUCCESS)
		rc = set_connect_properties(mqtt);
	return rc;
}

static int dial_one(struct sp_mqtt *mqtt, const char *address, char why[256])
{
	sp_mqtt_drop(mqtt);
	int rc = make_client(mqtt);
	if (rc != MOSQ_ERR_SUCCESS) {
		snprintf(why, 256, "MQTT client: %s", mosquitto_strerror(rc));
		return sp_mqtt_errno(rc);
	}
	errno = 0;
	rc = mosquitto_connect_async(mqtt->lib, address, mqtt->config.port,
				     (int)mqtt->config.keepalive_seconds);
	if (rc == MOSQ_ERR_SUCCESS)
		return 0;
	// On a quick network even TLS may have got far enough to fail.
	char text[160];
	int result = sp_mqtt_describe(mqtt, rc, text, sizeof(text));
	snprintf(why, 256, "%s port %u: %s", address, mqtt->config.port, text);
	return result;
}

int sp_mqtt_dial(struct sp_mqtt *mqtt, char why[256])
{
	int result = -ENOENT;
	for (; mqtt->address < mqtt->address_count; mqtt->address++) {
		result = dial_one(mqtt, mqtt->addresses[mqtt->address], why);
		if (result == 0) {
			mqtt->phase = SP_MQTT_DIAL;
			mqtt->dial_until_us = mqtt->address + 1 < mqtt->address_count
						  ? sp_clock_mono_us() + DIAL_US
						  : mqtt->attempt_until_us;
			return 0;
		}
	}
	sp_mqtt_drop(mqtt);
	mqtt->phase = SP_MQTT_IDLE;
	return result;
}

void sp_mqtt_drop(struct sp_mqtt *mqtt)
{
	if (mqtt->lib)
		mosquitto_destroy(mqtt->lib);
	mqtt->lib = NULL;
	mqtt->phase = SP_MQTT_IDLE;
	mqtt->mute_output = false;
	sp_mqtt_forget(mqtt);
}
