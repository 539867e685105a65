// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// See the header. Numbers in comments are the standard's.
#include "tools/fleet/packet.h"

#include <string.h>

#include "agent/base/mqtt_fields.h"

enum {
	PROPERTY_CONTENT_TYPE = 0x03,
	PROPERTY_EXPIRY = 0x11,
	PROPERTY_KEEPALIVE = 0x13,
	PROPERTY_WILL_DELAY = 0x18,
	PROPERTY_RECEIVE_MAXIMUM = 0x21,
	PROPERTY_PACKET_MAXIMUM = 0x27,
	RECEIVE_MAXIMUM = 64,
	PACKET_MAXIMUM = 256 * 1024,
	CONNECT = 1,
	SUBSCRIBE = 8,
	PINGREQ = 12,
};

// ---- writing --------------------------------------------------------------------------------------------

static void byte(struct sp_buf *out, unsigned value)
{
	const unsigned char bytes[1] = {(unsigned char)value};
	sp_buf_add(out, bytes, 1);
}

static void number(struct sp_buf *out, uint32_t value, int count)
{
	while (count-- > 0)
		byte(out, value >> 8 * count & 0xff);
}

static void varint(struct sp_buf *out, size_t value)
{
	do {
		byte(out, (unsigned)(value & 0x7f) | (value > 0x7f ? 0x80u : 0u));
		value >>= 7;
	} while (value > 0);
}

static size_t varint_length(size_t value)
{
	return 1 + (value > 0x7f) + (value > 0x3fff) + (value > 0x1fffff);
}

static void bytes(struct sp_buf *out, const void *data, size_t length)
{
	number(out, (uint32_t)length, 2);
	sp_buf_add(out, data, length);
}

static void text(struct sp_buf *out, const char *value)
{
	bytes(out, value, strlen(value));
}

/// The body behind its header; the body is freed.
static void packet(struct sp_buf *out, unsigned type, unsigned flags, struct sp_buf *body)
{
	byte(out, type << 4 | flags);
	varint(out, body->length);
	sp_buf_add(out, body->data, body->length);
	sp_buf_free(body);
}

void sp_packet_connect(struct sp_buf *out, const struct sp_packet_hello *hello)
{
	struct sp_buf body = SP_BUF(4096);
	unsigned flags = (hello->clean_start ? 0x02u : 0u) | (hello->will_topic ? 0x2cu : 0u) |
			 (hello->username ? 0x80u : 0u) | (hello->password ? 0x40u : 0u);
	text(&body, "MQTT");
	byte(&body, 5);
	byte(&body, flags);
	number(&body, hello->keepalive_seconds, 2);
	varint(&body, 13);
	byte(&body, PROPERTY_EXPIRY);
	number(&body, hello->expiry_seconds, 4);
	byte(&body, PROPERTY_RECEIVE_MAXIMUM);
	number(&body, RECEIVE_MAXIMUM, 2);
	byte(&body, PROPERTY_PACKET_MAXIMUM);
	number(&body, PACKET_MAXIMUM, 4);
	text(&body, hello->client_id);
	if (hello->will_topic) {
		static const char type[] = "application/json";
		varint(&body, 5 + 3 + sizeof(type) - 1);
		byte(&body, PROPERTY_WILL_DELAY);
		number(&body, hello->will_delay_seconds, 4);
		byte(&body, PROPERTY_CONTENT_TYPE);
		text(&body, type);
		text(&body, hello->will_topic);
		bytes(&body, hello->will, hello->will_length);
	}
	if (hello->username)
		text(&body, hello->username);
	if (hello->password)
		text(&body, hello->password);
	packet(out, CONNECT, 0, &body);
}

void sp_packet_subscribe(struct sp_buf *out, uint16_t mid, const char *topic)
{
	struct sp_buf body = SP_BUF(1024);
	number(&body, mid, 2);
	varint(&body, 0);
	text(&body, topic);
	byte(&body, 1);
	packet(out, SUBSCRIBE, 2, &body);
}

void sp_packet_publish(struct sp_buf *out, uint16_t mid, const char *topic, const char *content_type,
		       bool retain, const void *payload, size_t length)
{
	size_t properties = 3 + strlen(content_type);
	byte(out, SP_MQTT_PUBLISH << 4 | 0x02 | retain);
	varint(out, 2 + strlen(topic) + 2 + varint_length(properties) + properties + length);
	text(out, topic);
	number(out, mid, 2);
	varint(out, properties);
	byte(out, PROPERTY_CONTENT_TYPE);
	text(out, content_type);
	sp_buf_add(out, payload, length);
}

void sp_packet_puback(struct sp_buf *out, uint16_t mid)
{
	byte(out, SP_MQTT_PUBACK << 4);
	byte(out, 2);
	number(out, mid, 2);
}

void sp_packet_ping(struct sp_buf *out)
{
	byte(out, PINGREQ << 4);
	byte(out, 0);
}

void sp_packet_disconnect(struct sp_buf *out)
{
	byte(out, SP_MQTT_DISCONNECT << 4);
	byte(out, 7);
	byte(out, 0);
	varint(out, 5);
	byte(out, PROPERTY_EXPIRY);
	number(out, 0, 4);
}

// ---- reading: the check has seen that all of it is there
// ---------------------------------------------------

static void skip_properties(struct sp_mqtt_rest *rest, struct sp_mqtt_rest *properties)
{
	uint32_t length = 0;
	const uint8_t *at;
	int used = sp_mqtt_read_varint(rest->at, rest->left, &length);
	*properties = (struct sp_mqtt_rest){0};
	if (used > 0 && sp_mqtt_take(rest, (size_t)used, &at) && sp_mqtt_take(rest, length, &properties->at))
		properties->left = length;
}

static void read_publish(const struct sp_mqtt_check *check, struct sp_mqtt_rest rest, struct sp_packet *out)
{
	struct sp_mqtt_rest properties;
	const uint8_t *topic;
	uint32_t length = 0, mid = 0;
	out->qos = check->packet[0] >> 1 & 3;
	out->retained = check->packet[0] & 1;
	if (!sp_mqtt_take_number(&rest, 2, &length) || !sp_mqtt_take(&rest, length, &topic) ||
	    (out->qos > 0 && !sp_mqtt_take_number(&rest, 2, &mid)))
		return;
	if (length < sizeof(out->topic))
		memcpy(out->topic, topic, length);
	out->mid = (uint16_t)mid;
	skip_properties(&rest, &properties);
	out->payload = rest.at;
	out->length = rest.left;
}

static void read_connack(struct sp_mqtt_rest rest, struct sp_packet *out)
{
	// By their lengths (2.2.2.2), as far as they may stand in a CONNACK; what is longer than a number
	// ends the search, and mosquitto sends numbers first.
	static const uint8_t lengths[0x30] = {[0x11] = 4, [0x13] = 2, [0x21] = 2, [0x22] = 2, [0x24] = 1,
					      [0x25] = 1, [0x27] = 4, [0x28] = 1, [0x29] = 1, [0x2a] = 1};
	struct sp_mqtt_rest properties;
	const uint8_t *head, *id;
	uint32_t value;
	if (!sp_mqtt_take(&rest, 2, &head))
		return;
	out->reason = head[1];
	skip_properties(&rest, &properties);
	while (sp_mqtt_take(&properties, 1, &id) && *id < sizeof(lengths) && lengths[*id] > 0 &&
	       sp_mqtt_take_number(&properties, lengths[*id], &value))
		if (*id == PROPERTY_KEEPALIVE)
			out->keepalive_seconds = value;
}

void sp_packet_read(const struct sp_mqtt_check *check, struct sp_packet *out)
{
	struct sp_mqtt_rest rest = {check->packet + check->header, check->length - check->header}, ignored;
	uint32_t mid = 0, reason = 0;
	*out = (struct sp_packet){.type = check->packet[0] >> 4};
	if (out->type == SP_MQTT_PUBLISH)
		read_publish(check, rest, out);
	else if (out->type == SP_MQTT_CONNACK)
		read_connack(rest, out);
	else if (out->type == SP_MQTT_PUBACK || out->type == SP_MQTT_SUBACK)
		(void)!sp_mqtt_take_number(&rest, 2, &mid);
	if (out->type == SP_MQTT_SUBACK)
		skip_properties(&rest, &ignored);
	if (out->type == SP_MQTT_PUBACK || out->type == SP_MQTT_SUBACK || out->type == SP_MQTT_DISCONNECT) {
		(void)!sp_mqtt_take_number(&rest, 1, &reason);
		out->mid = (uint16_t)mid;
		out->reason = reason;
	}
}
