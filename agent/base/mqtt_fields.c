// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Pieces of MQTT packets: numbers, texts, topics, properties. Numbers in comments are the standard's.
#include "agent/base/mqtt_fields.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/utf8.h"

const char *const sp_mqtt_names[16] = {
    "packet 0",  "CONNECT", "CONNACK",     "PUBLISH",  "PUBACK",  "PUBREC",   "PUBREL",     "PUBCOMP",
    "SUBSCRIBE", "SUBACK",  "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH",
};

int sp_mqtt_broken(struct sp_mqtt_check *check, int error, const char *format, ...)
{
	int used = snprintf(check->fault, sizeof(check->fault), "the broker broke the protocol: ");
	va_list args;
	va_start(args, format);
	vsnprintf(check->fault + used, sizeof(check->fault) - (size_t)used, format, args);
	va_end(args);
	check->error = error;
	return error;
}

const char *sp_mqtt_name_of(const struct sp_mqtt_check *check)
{
	return sp_mqtt_names[check->packet[0] >> 4];
}

int sp_mqtt_cut_short(struct sp_mqtt_check *check)
{
	return sp_mqtt_broken(check, -EPROTO, "a %s is cut short", sp_mqtt_name_of(check));
}

// ---- pieces of a packet ---------------------------------------------------------------------------

bool sp_mqtt_take(struct sp_mqtt_rest *rest, size_t count, const uint8_t **out)
{
	if (rest->left < count)
		return false;
	*out = rest->at;
	rest->at += count;
	rest->left -= count;
	return true;
}

bool sp_mqtt_take_number(struct sp_mqtt_rest *rest, size_t bytes, uint32_t *out)
{
	const uint8_t *at;
	if (!sp_mqtt_take(rest, bytes, &at))
		return false;
	*out = 0;
	for (size_t i = 0; i < bytes; i++)
		*out = *out << 8 | at[i];
	return true;
}

int sp_mqtt_read_varint(const uint8_t *at, size_t left, uint32_t *out)
{
	*out = 0;
	for (int i = 0; i < 4; i++) {
		if ((size_t)i == left)
			return 0;
		*out |= (uint32_t)(at[i] & 0x7f) << 7 * i;
		if (!(at[i] & 0x80))
			return i > 0 && at[i] == 0 ? -1 : i + 1;
	}
	return -1;
}

static bool take_varint(struct sp_mqtt_rest *rest, uint32_t *out)
{
	const uint8_t *at;
	int used = sp_mqtt_read_varint(rest->at, rest->left, out);
	return used > 0 && sp_mqtt_take(rest, (size_t)used, &at);
}

static bool take_binary(struct sp_mqtt_rest *rest, struct sp_mqtt_rest *out)
{
	uint32_t length;
	if (!sp_mqtt_take_number(rest, 2, &length) || !sp_mqtt_take(rest, length, &out->at))
		return false;
	out->left = length;
	return true;
}

/// A UTF-8 string (1.5.4) without the characters that a receiver may refuse, as libmosquitto does.
static bool is_text(const struct sp_mqtt_rest *text)
{
	const char *at = (const char *)text->at;
	for (size_t left = text->left; left > 0;) {
		uint32_t c = 0;
		size_t used = sp_utf8_next(at, left, &c);
		bool control = c <= 0x1f || (c >= 0x7f && c <= 0x9f);
		if (used == 0 || control || (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef))
			return false;
		at += used;
		left -= used;
	}
	return true;
}

static int take_text(struct sp_mqtt_check *check, struct sp_mqtt_rest *rest, const char *what,
		     struct sp_mqtt_rest *out)
{
	if (!take_binary(rest, out))
		return sp_mqtt_broken(check, -EPROTO, "%s in %s is cut short", what, sp_mqtt_name_of(check));
	if (!is_text(out))
		return sp_mqtt_broken(check, -EPROTO, "%s in %s is no text", what, sp_mqtt_name_of(check));
	return 0;
}

int sp_mqtt_take_topic(struct sp_mqtt_check *check, struct sp_mqtt_rest *rest, const char *what)
{
	struct sp_mqtt_rest topic;
	int result = take_text(check, rest, what, &topic);
	if (result < 0)
		return result;
	if (topic.left == 0)
		return sp_mqtt_broken(check, -EPROTO, "%s in %s is empty", what, sp_mqtt_name_of(check));
	if (memchr(topic.at, '+', topic.left) || memchr(topic.at, '#', topic.left))
		return sp_mqtt_broken(check, -EPROTO, "%s in %s has a wildcard", what,
				      sp_mqtt_name_of(check));
	return 0;
}

// ---- properties (2.2.2) ---------------------------------------------------------------------------

enum kind { FLAG, BYTES2, BYTES4, VARINT, TEXT, TOPIC, BINARY, PAIR };

enum {
	IN_CONNACK = 1 << SP_MQTT_CONNACK,
	IN_PUBLISH = 1 << SP_MQTT_PUBLISH,
	IN_PUBACK = 1 << SP_MQTT_PUBACK,
	IN_SUBACK = 1 << SP_MQTT_SUBACK,
	IN_DISCONNECT = 1 << SP_MQTT_DISCONNECT,
	NOWHERE = 0, ///< not from a broker, or not to this client
	EVERYWHERE = IN_CONNACK | IN_PUBLISH | IN_PUBACK | IN_SUBACK | IN_DISCONNECT,
};

struct property {
	enum kind kind;
	uint16_t where;
	bool not_zero;
	const char *name; ///< NULL: no such property
};

static const struct property properties[] = {
    [0x01] = {FLAG, IN_PUBLISH, false, "payload format"},
    [0x02] = {BYTES4, IN_PUBLISH, false, "message expiry"},
    [0x03] = {TEXT, IN_PUBLISH, false, "content type"},
    [0x08] = {TOPIC, IN_PUBLISH, false, "response topic"},
    [0x09] = {BINARY, IN_PUBLISH, false, "correlation data"},
    [0x0b] = {VARINT, IN_PUBLISH, true, "subscription id"},
    [0x11] = {BYTES4, IN_CONNACK, false, "session expiry"},
    [0x12] = {TEXT, NOWHERE, false, "assigned client id"}, // we give our own
    [0x13] = {BYTES2, IN_CONNACK, false, "server keepalive"},
    [0x15] = {TEXT, IN_CONNACK, false, "authentication method"},
    [0x16] = {BINARY, IN_CONNACK, false, "authentication data"},
    [0x17] = {FLAG, NOWHERE, false, "request problem information"},
    [0x18] = {BYTES4, NOWHERE, false, "will delay"},
    [0x19] = {FLAG, NOWHERE, false, "request response information"},
    [0x1a] = {TEXT, IN_CONNACK, false, "response information"},
    [0x1c] = {TEXT, IN_CONNACK | IN_DISCONNECT, false, "server reference"},
    [0x1f] = {TEXT, IN_CONNACK | IN_PUBACK | IN_SUBACK | IN_DISCONNECT, false, "reason string"},
    [0x21] = {BYTES2, IN_CONNACK, true, "receive maximum"},
    [0x22] = {BYTES2, IN_CONNACK, false, "topic alias maximum"},
    [0x23] = {BYTES2, NOWHERE, true, "topic alias"}, // we allow none (3.2.2.3.8)
    [0x24] = {FLAG, IN_CONNACK, false, "maximum QoS"},
    [0x25] = {FLAG, IN_CONNACK, false, "retain available"},
    [0x26] = {PAIR, EVERYWHERE, false, "user property"},
    [0x27] = {BYTES4, IN_CONNACK, true, "maximum packet size"},
    [0x28] = {FLAG, IN_CONNACK, false, "wildcard subscriptions"},
    [0x29] = {FLAG, IN_CONNACK, false, "subscription ids"},
    [0x2a] = {FLAG, IN_CONNACK, false, "shared subscriptions"},
};

static int check_number(struct sp_mqtt_check *check, const struct property *p, struct sp_mqtt_rest *rest,
			size_t bytes)
{
	uint32_t number;
	if (bytes ? !sp_mqtt_take_number(rest, bytes, &number) : !take_varint(rest, &number))
		return sp_mqtt_broken(check, -EPROTO, "%s in %s is cut short", p->name,
				      sp_mqtt_name_of(check));
	if ((p->not_zero && number == 0) || (p->kind == FLAG && number > 1))
		return sp_mqtt_broken(check, -EPROTO, "%s %u in %s", p->name, number, sp_mqtt_name_of(check));
	return 0;
}

static int check_value(struct sp_mqtt_check *check, const struct property *p, struct sp_mqtt_rest *rest)
{
	struct sp_mqtt_rest text;
	int result;
	switch (p->kind) {
	case FLAG:
		return check_number(check, p, rest, 1);
	case BYTES2:
		return check_number(check, p, rest, 2);
	case BYTES4:
		return check_number(check, p, rest, 4);
	case VARINT:
		return check_number(check, p, rest, 0);
	case TEXT:
		return take_text(check, rest, p->name, &text);
	case TOPIC:
		return sp_mqtt_take_topic(check, rest, p->name);
	case BINARY:
		if (take_binary(rest, &text))
			return 0;
		return sp_mqtt_broken(check, -EPROTO, "%s in %s is cut short", p->name,
				      sp_mqtt_name_of(check));
	case PAIR:
		result = take_text(check, rest, p->name, &text);
		return result < 0 ? result : take_text(check, rest, p->name, &text);
	}
	return -EPROTO;
}

static int check_property(struct sp_mqtt_check *check, struct sp_mqtt_rest *list, uint64_t *seen)
{
	const uint8_t *id;
	// All known ids are one byte long, and a longer form of them is none (1.5.5).
	if (!sp_mqtt_take(list, 1, &id))
		return sp_mqtt_cut_short(check);
	const struct property *p = *id < SP_COUNT(properties) ? &properties[*id] : NULL;
	if (!p || !p->name)
		return sp_mqtt_broken(check, -EPROTO, "unknown property 0x%02x in %s", *id,
				      sp_mqtt_name_of(check));
	if (!(p->where & 1 << (check->packet[0] >> 4)))
		return sp_mqtt_broken(check, -EPROTO, "%s has no place in %s", p->name,
				      sp_mqtt_name_of(check));
	if (p->kind != PAIR && *seen & UINT64_C(1) << *id)
		return sp_mqtt_broken(check, -EPROTO, "%s twice in %s", p->name, sp_mqtt_name_of(check));
	*seen |= UINT64_C(1) << *id;
	return check_value(check, p, list);
}

int sp_mqtt_take_properties(struct sp_mqtt_check *check, struct sp_mqtt_rest *rest)
{
	uint32_t length;
	uint64_t seen = 0;
	struct sp_mqtt_rest list;
	if (!take_varint(rest, &length) || !sp_mqtt_take(rest, length, &list.at))
		return sp_mqtt_broken(check, -EPROTO, "the properties of a %s are cut short",
				      sp_mqtt_name_of(check));
	list.left = length;
	for (int count = 0; list.left > 0; count++) {
		if (count == SP_MQTT_PROPERTIES_MAX)
			return sp_mqtt_broken(check, -EPROTO, "more than %d properties in %s",
					      SP_MQTT_PROPERTIES_MAX, sp_mqtt_name_of(check));
		int result = check_property(check, &list, &seen);
		if (result < 0)
			return result;
	}
	return 0;
}
