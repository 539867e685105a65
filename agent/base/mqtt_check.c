// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// MQTT 5 (OASIS 2019) as a client may hear it that subscribes with QoS 0 or 1, gives its own client id,
// and asks for no topic aliases and no AUTH. Numbers in comments are the standard's.
#include "agent/base/mqtt_check.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/base/mqtt_fields.h"

enum {
	ROOM_MIN = 256,
	ROOM_KEPT = 4096, ///< what a larger packet took is given back after it
};

// ---- packets ----------------------------------------------------------------------------------------

static int nothing_left(struct sp_mqtt_check *check, const struct sp_mqtt_rest *rest)
{
	return rest->left == 0 ? 0
			       : sp_mqtt_broken(check, -EPROTO, "a %s is too long", sp_mqtt_name_of(check));
}

static int bad_reason(struct sp_mqtt_check *check, uint32_t reason)
{
	return sp_mqtt_broken(check, -EPROTO, "reason 0x%02x in %s", reason, sp_mqtt_name_of(check));
}

static int take_id(struct sp_mqtt_check *check, struct sp_mqtt_rest *rest)
{
	uint32_t id;
	if (!sp_mqtt_take_number(rest, 2, &id))
		return sp_mqtt_cut_short(check);
	return id != 0 ? 0 : sp_mqtt_broken(check, -EPROTO, "packet id 0 in %s", sp_mqtt_name_of(check));
}

static int check_connack(struct sp_mqtt_check *check, struct sp_mqtt_rest *rest)
{
	const uint8_t *head;
	if (!sp_mqtt_take(rest, 2, &head))
		return sp_mqtt_cut_short(check);
	if (rest->left == 0) // so did MQTT 3
		return sp_mqtt_broken(check, -EPROTO, "CONNACK is not of MQTT 5");
	if (head[0] & ~1 || (head[0] && head[1]))
		return sp_mqtt_broken(check, -EPROTO, "flags 0x%02x in CONNACK", head[0]);
	if (head[1] > 0 && head[1] < 0x80)
		return bad_reason(check, head[1]);
	int result = sp_mqtt_take_properties(check, rest);
	return result < 0 ? result : nothing_left(check, rest);
}

static int check_publish(struct sp_mqtt_check *check, struct sp_mqtt_rest *rest)
{
	int result = sp_mqtt_take_topic(check, rest, "the topic");
	if (result == 0 && check->packet[0] & 0x06)
		result = take_id(check, rest);
	return result < 0 ? result : sp_mqtt_take_properties(check, rest); // and the payload is any bytes
}

static int check_puback(struct sp_mqtt_check *check, struct sp_mqtt_rest *rest)
{
	uint32_t reason = 0;
	int result = take_id(check, rest);
	if (result < 0)
		return result;
	if (rest->left > 0 && sp_mqtt_take_number(rest, 1, &reason) && reason > 0 && reason < 0x80 &&
	    reason != 0x10)
		return bad_reason(check, reason);
	if (rest->left > 0) // the end of properties may be left out (3.4.2.2.1)
		result = sp_mqtt_take_properties(check, rest);
	return result < 0 ? result : nothing_left(check, rest);
}

static int check_suback(struct sp_mqtt_check *check, struct sp_mqtt_rest *rest)
{
	int result = take_id(check, rest);
	if (result == 0)
		result = sp_mqtt_take_properties(check, rest);
	if (result < 0)
		return result;
	// We ask for one topic at a time.
	if (rest->left != 1)
		return sp_mqtt_broken(check, -EPROTO, "%zu answers in a SUBACK for one topic", rest->left);
	return *rest->at <= 2 || *rest->at >= 0x80 ? 0 : bad_reason(check, *rest->at);
}

static int check_disconnect(struct sp_mqtt_check *check, struct sp_mqtt_rest *rest)
{
	uint32_t reason = 0;
	int result = 0;
	if (rest->left > 0 && sp_mqtt_take_number(rest, 1, &reason) && reason > 0 && reason < 0x80)
		return bad_reason(check, reason);
	if (rest->left > 0)
		result = sp_mqtt_take_properties(check, rest);
	return result < 0 ? result : nothing_left(check, rest);
}

/// See `packet` in the header.
static void shorten(struct sp_mqtt_check *check)
{
	uint8_t *p = check->packet, body[3] = {0};
	memcpy(body, p + check->header, check->length - check->header < 3 ? 2 : 3);
	p[1] = 3;
	memcpy(p + 2, body, 3);
	check->header = 2;
	check->length = 5;
}

static int check_packet(struct sp_mqtt_check *check)
{
	struct sp_mqtt_rest rest = {check->packet + check->header, check->length - check->header};
	int result = 0;
	switch (check->packet[0] >> 4) {
	case SP_MQTT_CONNACK:
		check->greeted = true;
		return check_connack(check, &rest);
	case SP_MQTT_PUBLISH:
		return check_publish(check, &rest);
	case SP_MQTT_PUBACK:
		result = check_puback(check, &rest);
		if (result == 0)
			shorten(check);
		return result;
	case SP_MQTT_SUBACK:
		return check_suback(check, &rest);
	case SP_MQTT_DISCONNECT:
		return check_disconnect(check, &rest);
	default: // PINGRESP; check_type() lets nothing else pass
		return nothing_left(check, &rest);
	}
}

/// The first byte (2.1): what may come, when, and with which flags.
static int check_type(struct sp_mqtt_check *check)
{
	unsigned type = check->packet[0] >> 4, flags = check->packet[0] & 0x0f;
	const unsigned known = 1 << SP_MQTT_CONNACK | 1 << SP_MQTT_PUBLISH | 1 << SP_MQTT_PUBACK |
			       1 << SP_MQTT_SUBACK | 1 << SP_MQTT_PINGRESP | 1 << SP_MQTT_DISCONNECT;
	if (!check->greeted && check->packet[0] != SP_MQTT_CONNACK << 4)
		return sp_mqtt_broken(check, -EPROTO, "its answer to CONNECT begins with 0x%02x",
				      check->packet[0]);
	if (check->greeted && type == SP_MQTT_CONNACK)
		return sp_mqtt_broken(check, -EPROTO, "CONNACK came twice");
	if (!(known & 1 << type))
		return sp_mqtt_broken(check, -EPROTO, "nobody asked for %s", sp_mqtt_names[type]);
	if (type != SP_MQTT_PUBLISH)
		return flags == 0 ? 0
				  : sp_mqtt_broken(check, -EPROTO, "a %s with flags 0x%x",
						   sp_mqtt_names[type], flags);
	if ((flags & 0x06) > 0x02) // we subscribe with QoS 1
		return sp_mqtt_broken(check, -EPROTO, "a PUBLISH of QoS %u", flags >> 1 & 3);
	return (flags & 0x0e) == 0x08
		   ? sp_mqtt_broken(check, -EPROTO, "a PUBLISH of QoS 0 is marked as sent again")
		   : 0;
}

// ---- collecting ---------------------------------------------------------------------------------------

void sp_mqtt_check_init(struct sp_mqtt_check *check, size_t limit)
{
	*check = (struct sp_mqtt_check){.limit = limit};
}

void sp_mqtt_check_free(struct sp_mqtt_check *check)
{
	free(check->packet);
	sp_mqtt_check_init(check, check->limit);
}

static void forget_packet(struct sp_mqtt_check *check)
{
	check->length = check->need = 0;
	check->whole = false;
	if (check->room > ROOM_KEPT) {
		free(check->packet);
		check->packet = NULL;
		check->room = 0;
	}
}

/// Room for some of the bytes to come. A length that is only claimed takes no memory.
static size_t make_room(struct sp_mqtt_check *check, size_t coming)
{
	if (check->length == check->room) {
		size_t room = check->room ? check->room * 2 : ROOM_MIN;
		if (room > check->need && check->need > ROOM_MIN)
			room = check->need;
		check->packet = sp_realloc(check->packet, room);
		check->room = room;
	}
	size_t free_room = check->room - check->length;
	return coming < free_room ? coming : free_room;
}

static int header_byte(struct sp_mqtt_check *check, uint8_t byte)
{
	uint32_t rest;
	make_room(check, 1);
	check->packet[check->length++] = byte;
	if (check->length == 1)
		return check_type(check);
	int used = sp_mqtt_read_varint(check->packet + 1, check->length - 1, &rest);
	if (used < 0)
		return sp_mqtt_broken(check, -EPROTO, "a %s without a proper length", sp_mqtt_name_of(check));
	if (used == 0)
		return 0;
	check->header = check->length;
	check->need = check->length + rest;
	if (check->need > check->limit)
		return sp_mqtt_broken(check, -EMSGSIZE, "a %s of %zu bytes, where %zu are allowed",
				      sp_mqtt_name_of(check), check->need, check->limit);
	return 0;
}

static void body_bytes(struct sp_mqtt_check *check, const uint8_t **bytes, size_t *length)
{
	size_t missing = check->need - check->length, count = *length < missing ? *length : missing;
	if (count == 0)
		return;
	count = make_room(check, count);
	memcpy(check->packet + check->length, *bytes, count);
	check->length += count;
	*bytes += count;
	*length -= count;
}

int sp_mqtt_check_take(struct sp_mqtt_check *check, const uint8_t **bytes, size_t *length)
{
	if (check->error)
		return check->error;
	if (check->whole)
		forget_packet(check);
	while (*length > 0) {
		int result = 0;
		if (check->need == 0) {
			result = header_byte(check, **bytes);
			*bytes += 1;
			*length -= 1;
		} else {
			body_bytes(check, bytes, length);
		}
		if (result == 0 && check->need > 0 && check->length == check->need) {
			check->whole = true;
			result = check_packet(check);
			if (result == 0)
				return 1;
		}
		if (result < 0)
			return result;
	}
	return 0;
}

bool sp_mqtt_check_is_disconnect(const struct sp_mqtt_check *check)
{
	return check->whole && check->packet[0] >> 4 == SP_MQTT_DISCONNECT;
}
