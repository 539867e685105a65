// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Sorts the packets that libmosquitto writes, byte by byte: they may be cut anywhere.
#include "agent/base/mqtt_hold.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"

enum {
	PUBACK = 4,
	KEPT_MAX = 1024 * 1024, ///< more than 65,535 PUBACKs are: a broker that goes beyond is not held back
};

void sp_mqtt_hold_free(struct sp_mqtt_hold *hold)
{
	free(hold->kept);
	*hold = (struct sp_mqtt_hold){.on = hold->on};
}

static void keep(struct sp_mqtt_hold *hold, uint8_t byte)
{
	if (hold->length == hold->room) {
		hold->room = hold->room ? 2 * hold->room : 256;
		hold->kept = sp_realloc(hold->kept, hold->room);
	}
	hold->kept[hold->length++] = byte;
}

static void follow(struct sp_mqtt_hold *hold, uint8_t byte)
{
	switch (hold->at) {
	case SP_HOLD_TYPE:
		hold->aside = hold->on && byte >> 4 == PUBACK && hold->length < KEPT_MAX;
		hold->left = 0;
		hold->shift = 0;
		hold->at = SP_HOLD_LENGTH;
		break;
	case SP_HOLD_LENGTH:
		hold->left |= (size_t)(byte & 0x7f) << hold->shift;
		hold->shift += 7;
		if (!(byte & 0x80) || hold->shift > 21)
			hold->at = hold->left ? SP_HOLD_BODY : SP_HOLD_TYPE;
		break;
	case SP_HOLD_BODY:
		if (--hold->left == 0)
			hold->at = SP_HOLD_TYPE;
		break;
	}
}

size_t sp_mqtt_hold_sort(struct sp_mqtt_hold *hold, uint8_t *bytes, size_t length)
{
	size_t stays = 0;
	for (size_t i = 0; i < length; i++) {
		uint8_t byte = bytes[i];
		follow(hold, byte);
		if (hold->aside)
			keep(hold, byte);
		else
			bytes[stays++] = byte;
	}
	return stays;
}

bool sp_mqtt_hold_due(const struct sp_mqtt_hold *hold)
{
	return !hold->on && hold->length > 0 && hold->at == SP_HOLD_TYPE;
}

size_t sp_mqtt_hold_take(struct sp_mqtt_hold *hold, uint8_t *bytes, size_t room)
{
	size_t length = hold->length < room ? hold->length : room;
	if (!length)
		return 0;
	memcpy(bytes, hold->kept, length);
	hold->length -= length;
	memmove(hold->kept, hold->kept + length, hold->length);
	return length;
}
