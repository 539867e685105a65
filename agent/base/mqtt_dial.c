// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From a host's name to a connection under way, and libmosquitto made ready for it. It would take the
// first address that does not fail at once, for ever: a line with broken IPv6 would never connect. So
// names are resolved here, and one address is tried after the other.
#include "agent/base/mqtt_session.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <mqtt_protocol.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "agent/base/feed.h"
#include "schoolpulse/clock.h"

enum {
	DIAL_US = 5 * 1000 * 1000, ///< for one address while others remain
	RESOLVE_BYTES = 400,       ///< two questions of DNS and their answers, roughly
	RECEIVE_MAX = 100,         ///< unless the owner says otherwise
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
		struct sp_mqtt_address *out = &mqtt->addresses[count];
		if (a->ai_addrlen <= sizeof(out->to) &&
		    getnameinfo(a->ai_addr, a->ai_addrlen, out->text, sizeof(out->text), NULL, 0,
				NI_NUMERICHOST) == 0) {
			memcpy(&out->to, a->ai_addr, a->ai_addrlen);
			out->size = a->ai_addrlen;
			count++;
		}
		of[turn] = next_of(a->ai_next, turn == 0 ? AF_INET6 : AF_INET);
		turn = !turn;
	}
	return count;
}

static bool is_name(const char *host)
{
	struct in6_addr scrap;
	return inet_pton(AF_INET, host, &scrap) != 1 && inet_pton(AF_INET6, host, &scrap) != 1;
}

int sp_mqtt_resolve(struct sp_mqtt *mqtt, char why[256])
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
	char port[8];
	snprintf(port, sizeof(port), "%u", mqtt->config.port);
	if (is_name(mqtt->config.host))
		mqtt->traffic += RESOLVE_BYTES;
	int error = getaddrinfo(mqtt->config.host, port, &hints, &list);
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

static int new_client(struct sp_mqtt *mqtt)
{
	const struct sp_mqtt_config *c = &mqtt->config;
	mqtt->lib = mosquitto_new(c->client_id, c->clean_start, mqtt);
	if (!mqtt->lib)
		return errno == EINVAL ? MOSQ_ERR_INVAL : MOSQ_ERR_NOMEM;
	sp_mqtt_hook(mqtt);
	int rc = mosquitto_int_option(mqtt->lib, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
	if (rc == MOSQ_ERR_SUCCESS)
		rc = mosquitto_int_option(mqtt->lib, MOSQ_OPT_RECEIVE_MAXIMUM,
					  c->receive_maximum > 0 ? (int)c->receive_maximum : RECEIVE_MAX);
	if (rc == MOSQ_ERR_SUCCESS)
		rc = mosquitto_int_option(mqtt->lib, MOSQ_OPT_SEND_MAXIMUM, SP_MQTT_IN_FLIGHT);
	if (rc == MOSQ_ERR_SUCCESS && (c->username || c->password))
		rc = mosquitto_username_pw_set(mqtt->lib, c->username, c->password);
	if (rc == MOSQ_ERR_SUCCESS && c->will_topic)
		rc = set_will(mqtt);
	if (rc == MOSQ_ERR_SUCCESS)
		rc = set_connect_properties(mqtt);
	return rc;
}

int sp_mqtt_make_client(struct sp_mqtt *mqtt, char why[256])
{
	int rc = new_client(mqtt), result = sp_mqtt_errno(rc);
	if (result < 0) {
		snprintf(why, 256, "MQTT client: %s", mosquitto_strerror(rc));
	} else {
		result = sp_mqtt_relay_join(&mqtt->relay, mqtt->lib, (int)mqtt->config.keepalive_seconds);
		if (result < 0)
			snprintf(why, 256, "MQTT client: %s (loopback)", strerror(-result));
	}
	mqtt->keepalive_seconds = mqtt->config.keepalive_seconds;
	if (result < 0)
		sp_mqtt_drop(mqtt);
	return result;
}

static int dial_one(struct sp_mqtt *mqtt, const struct sp_mqtt_address *address, char why[256])
{
	const int yes = 1;
	int error = 0, fd = socket(address->to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	sp_mqtt_count(mqtt);
	if (mqtt->relay.broker >= 0)
		close(mqtt->relay.broker);
	mqtt->relay.broker = fd;
	mqtt->beyond = -1;
	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) < 0 ||
	    connect(fd, &address->to.any, address->size) < 0)
		error = errno;
	if (error == 0 || error == EINPROGRESS)
		return 0;
	snprintf(why, 256, "%s port %u: %s", address->text, mqtt->config.port, strerror(error));
	return -error;
}

int sp_mqtt_dial(struct sp_mqtt *mqtt, char why[256])
{
	int result = -ENOENT;
	for (; mqtt->address < mqtt->address_count; mqtt->address++) {
		result = dial_one(mqtt, &mqtt->addresses[mqtt->address], why);
		if (result == 0) {
			mqtt->phase = SP_MQTT_DIAL;
			mqtt->dial_until_us = mqtt->address + 1 < mqtt->address_count
						  ? sp_clock_mono_us() + DIAL_US
						  : mqtt->attempt_until_us;
			return 0;
		}
	}
	sp_mqtt_drop(mqtt);
	return result;
}

void sp_mqtt_drop(struct sp_mqtt *mqtt)
{
	sp_mqtt_count(mqtt);
	sp_mqtt_relay_close(&mqtt->relay);
	if (mqtt->lib)
		mosquitto_destroy(mqtt->lib);
	mqtt->lib = NULL;
	mqtt->phase = SP_MQTT_IDLE;
	sp_mqtt_forget(mqtt);
}
