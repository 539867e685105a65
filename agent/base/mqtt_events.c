// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What goes out of an MQTT session and what libmosquitto calls back. In a callback nothing is
// destroyed: an end is noted, and sp_mqtt_turn() acts on it.
#include "agent/base/mqtt_session.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <mqtt_protocol.h>

#include "agent/base/mem.h"

/// Message ids are 16 bits and libmosquitto reuses them unseen; a publish that was never answered
/// in this many is a broker that has lost it.
enum { STALE_IDS = 60000 };

void sp_mqtt_over(struct sp_mqtt *mqtt, int reason, const char *format, ...)
{
	if (mqtt->ended || mqtt->leaving)
		return;
	va_list args;
	va_start(args, format);
	vsnprintf(mqtt->text, sizeof(mqtt->text), format, args);
	va_end(args);
	mqtt->ended = true;
	mqtt->reason = reason;
}

int sp_mqtt_errno(int rc)
{
	switch (rc) {
	case MOSQ_ERR_SUCCESS:
		return 0;
	case MOSQ_ERR_ERRNO:
		return errno ? -errno : -EIO;
	case MOSQ_ERR_NOMEM:
		return -ENOMEM;
	case MOSQ_ERR_INVAL:
	case MOSQ_ERR_MALFORMED_UTF8:
		return -EINVAL;
	case MOSQ_ERR_PAYLOAD_SIZE:
	case MOSQ_ERR_OVERSIZE_PACKET:
		return -EMSGSIZE;
	case MOSQ_ERR_NO_CONN:
		return -ENOTCONN;
	case MOSQ_ERR_CONN_LOST:
		return -ECONNRESET;
	case MOSQ_ERR_KEEPALIVE:
		return -ETIMEDOUT;
	case MOSQ_ERR_QOS_NOT_SUPPORTED:
		return -EOPNOTSUPP;
	default:
		return -EPROTO;
	}
}

void sp_mqtt_over_lib(struct sp_mqtt *mqtt, int rc)
{
	int result = sp_mqtt_errno(rc);
	bool greeting = mqtt->phase != SP_MQTT_ONLINE;
	if (rc == MOSQ_ERR_KEEPALIVE)
		sp_mqtt_over(mqtt, result, "%s",
			     greeting ? "no answer to CONNECT" : "the broker fell silent (keepalive)");
	else
		sp_mqtt_over(mqtt, result, "the MQTT client failed: %s",
			     rc == MOSQ_ERR_ERRNO ? strerror(-result) : mosquitto_strerror(rc));
}

void sp_mqtt_over_connection(struct sp_mqtt *mqtt, int error)
{
	const struct sp_mqtt_check *check = &mqtt->relay.check;
	const char *problem = mqtt->tls ? sp_tls_problem(mqtt->tls) : "";
	bool gone = error == -EPIPE || error == -ECONNRESET;
	if (check->error)
		sp_mqtt_over(mqtt, check->error, "%s", check->fault);
	else if (*problem)
		sp_mqtt_over(mqtt, -EPROTO, "TLS: %s", problem);
	else if (gone && mqtt->phase == SP_MQTT_HANDSHAKE)
		sp_mqtt_over(mqtt, -ECONNRESET, "the peer closed the connection in the TLS handshake");
	else if (gone && mqtt->phase == SP_MQTT_GREET && mqtt->tls)
		sp_mqtt_over(mqtt, -ECONNRESET, "TLS: the peer broke off; does it accept our certificate?");
	else if (gone && mqtt->phase == SP_MQTT_GREET)
		sp_mqtt_over(mqtt, -ECONNRESET, "the peer closed the connection without answering CONNECT");
	else if (gone)
		sp_mqtt_over(mqtt, -ECONNRESET, "the broker closed the connection");
	else
		sp_mqtt_over(mqtt, error, "%s", strerror(-error));
}

// ---- what libmosquitto calls ------------------------------------------------------------------

/// libmosquitto takes errno after a callback for the socket's.
#define KEEP_ERRNO(call)          \
	do {                      \
		int kept = errno; \
		call;             \
		errno = kept;     \
	} while (0)

/// Without these the feed cannot be carried; better said at once than found by silence.
static const char *missing(const mosquitto_property *properties)
{
	uint8_t retain = 1, qos = 2;
	mosquitto_property_read_byte(properties, MQTT_PROP_RETAIN_AVAILABLE, &retain, false);
	mosquitto_property_read_byte(properties, MQTT_PROP_MAXIMUM_QOS, &qos, false);
	if (!retain)
		return "the broker keeps no retained messages";
	return qos == 0 ? "the broker offers no QoS 1" : NULL;
}

static void on_connect(struct mosquitto *lib, void *obj, int reason, int flags,
		       const mosquitto_property *properties)
{
	struct sp_mqtt *mqtt = obj;
	const char *lack = missing(properties);
	uint16_t keepalive = 0;
	(void)lib;
	mosquitto_property_read_int16(properties, MQTT_PROP_SERVER_KEEP_ALIVE, &keepalive, false);
	if (keepalive > 0)
		mqtt->keepalive_seconds = keepalive;
	if (reason != 0) {
		sp_mqtt_over(mqtt, reason, "the broker refuses: %s", mosquitto_reason_string(reason));
	} else if (lack) {
		sp_mqtt_over(mqtt, -EOPNOTSUPP, "%s", lack);
	} else {
		mqtt->phase = SP_MQTT_ONLINE;
		KEEP_ERRNO(mqtt->events.connected(mqtt->arg, 0, "", (flags & 1) != 0));
	}
}

/// libmosquitto's own reasons; a broker's DISCONNECT does not come so far.
static void on_disconnect(struct mosquitto *lib, void *obj, int rc, const mosquitto_property *properties)
{
	(void)lib, (void)properties;
	sp_mqtt_over_lib(obj, rc);
}

static void on_publish(struct mosquitto *lib, void *obj, int mid, int reason,
		       const mosquitto_property *properties)
{
	struct sp_mqtt *mqtt = obj;
	(void)lib, (void)properties;
	for (size_t i = 0; i < mqtt->in_flight_count; i++) {
		if (mqtt->in_flight[i] == mid) {
			mqtt->in_flight[i] = mqtt->in_flight[--mqtt->in_flight_count];
			KEEP_ERRNO(mqtt->events.acknowledged(mqtt->arg, mid, reason));
			return;
		}
	}
}

static void on_subscribe(struct mosquitto *lib, void *obj, int mid, int count, const int *granted,
			 const mosquitto_property *properties)
{
	struct sp_mqtt *mqtt = obj;
	(void)lib, (void)properties;
	for (size_t i = 0; i < mqtt->subscription_count; i++) {
		if (mqtt->subscriptions[i].mid == mid) {
			char *topic = mqtt->subscriptions[i].topic;
			mqtt->subscriptions[i] = mqtt->subscriptions[--mqtt->subscription_count];
			int reason = count >= 1 ? granted[0] : MQTT_RC_UNSPECIFIED;
			KEEP_ERRNO(mqtt->events.subscribed(mqtt->arg, topic, reason));
			free(topic);
			return;
		}
	}
}

/// The PUBACK has gone before this is called: it means "arrived", never "stored".
static void on_message(struct mosquitto *lib, void *obj, const struct mosquitto_message *message,
		       const mosquitto_property *properties)
{
	struct sp_mqtt *mqtt = obj;
	char *type = NULL;
	(void)lib;
	if (mqtt->phase != SP_MQTT_ONLINE || mqtt->ended || mqtt->wish != SP_MQTT_STAY)
		return;
	mosquitto_property_read_string(properties, MQTT_PROP_CONTENT_TYPE, &type, false);
	struct sp_mqtt_message out = {
	    .topic = message->topic,
	    .payload = message->payload ? message->payload : "",
	    .length = (size_t)message->payloadlen,
	    .content_type = type ? type : "",
	    .retained = message->retain,
	};
	KEEP_ERRNO(mqtt->events.message(mqtt->arg, &out));
	free(type);
}

void sp_mqtt_hook(struct sp_mqtt *mqtt)
{
	mosquitto_connect_v5_callback_set(mqtt->lib, on_connect);
	mosquitto_disconnect_v5_callback_set(mqtt->lib, on_disconnect);
	mosquitto_publish_v5_callback_set(mqtt->lib, on_publish);
	mosquitto_subscribe_v5_callback_set(mqtt->lib, on_subscribe);
	mosquitto_message_v5_callback_set(mqtt->lib, on_message);
}

void sp_mqtt_forget(struct sp_mqtt *mqtt)
{
	for (size_t i = 0; i < mqtt->subscription_count; i++)
		free(mqtt->subscriptions[i].topic);
	mqtt->subscription_count = mqtt->in_flight_count = 0;
	mqtt->last_mid = 0;
}

// ---- what goes out ----------------------------------------------------------------------------

static bool usable(const struct sp_mqtt *mqtt)
{
	return mqtt->phase == SP_MQTT_ONLINE && !mqtt->ended && mqtt->wish == SP_MQTT_STAY;
}

/// Sends at once what can be sent; what goes wrong with the connection, the next turn finds.
static int after_send(struct sp_mqtt *mqtt, int rc)
{
	int result = sp_mqtt_errno(rc);
	if (rc == MOSQ_ERR_NO_CONN || rc == MOSQ_ERR_CONN_LOST || rc == MOSQ_ERR_ERRNO) {
		sp_mqtt_over_lib(mqtt, rc);
		return -ENOTCONN;
	}
	if (!mqtt->depth)
		(void)!sp_mqtt_pump(mqtt);
	return result;
}

/// `expiry_seconds` 0: none.
static int publish(struct sp_mqtt *mqtt, const char *topic, const void *payload, size_t length, bool retain,
		   const char *content_type, uint32_t expiry_seconds, int *mid)
{
	mosquitto_property *properties = NULL;
	if (!usable(mqtt))
		return -ENOTCONN;
	if (mqtt->in_flight_count == SP_MQTT_IN_FLIGHT)
		return -ENOBUFS;
	if (length > SP_MQTT_PACKET_MAX)
		return -EMSGSIZE;
	for (size_t i = 0; i < mqtt->in_flight_count; i++) {
		if ((uint16_t)(mqtt->last_mid - mqtt->in_flight[i]) > STALE_IDS) {
			sp_mqtt_over(mqtt, -ETIMEDOUT, "the broker never acknowledged a message");
			return -ENOTCONN;
		}
	}
	int rc = MOSQ_ERR_SUCCESS;
	if (content_type && *content_type) // an empty text in a property crashes libmosquitto 2.0.11
		rc = mosquitto_property_add_string(&properties, MQTT_PROP_CONTENT_TYPE, content_type);
	if (rc == MOSQ_ERR_SUCCESS && expiry_seconds > 0)
		rc = mosquitto_property_add_int32(&properties, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL,
						  expiry_seconds);
	errno = 0;
	if (rc == MOSQ_ERR_SUCCESS)
		rc = mosquitto_publish_v5(mqtt->lib, mid, topic, (int)length, payload, 1, retain, properties);
	int result = after_send(mqtt, rc);
	mosquitto_property_free_all(&properties);
	if (result == 0) {
		mqtt->in_flight[mqtt->in_flight_count++] = *mid;
		mqtt->last_mid = *mid;
	}
	return result;
}

int sp_mqtt_publish(struct sp_mqtt *mqtt, const char *topic, const void *payload, size_t length, bool retain,
		    const char *content_type, int *mid)
{
	return publish(mqtt, topic, payload, length, retain, content_type, 0, mid);
}

int sp_mqtt_publish_for(struct sp_mqtt *mqtt, const char *topic, const void *payload, size_t length,
			const char *content_type, int64_t expiry_seconds, int *mid)
{
	uint32_t seconds = expiry_seconds < 1            ? 1
			   : expiry_seconds > UINT32_MAX ? UINT32_MAX
							 : (uint32_t)expiry_seconds;
	return publish(mqtt, topic, payload, length, false, content_type, seconds, mid);
}

int sp_mqtt_subscribe(struct sp_mqtt *mqtt, const char *topic)
{
	int mid = 0;
	if (!usable(mqtt))
		return -ENOTCONN;
	if (mqtt->subscription_count == SP_MQTT_IN_FLIGHT)
		return -ENOBUFS;
	errno = 0;
	int rc = mosquitto_subscribe_v5(mqtt->lib, &mid, topic, 1, 0, NULL);
	if (rc == MOSQ_ERR_SUCCESS) {
		mqtt->subscriptions[mqtt->subscription_count].mid = mid;
		mqtt->subscriptions[mqtt->subscription_count++].topic = sp_strdup(topic);
	}
	return after_send(mqtt, rc);
}
