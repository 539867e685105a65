// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The pieces of which MQTT packets are made, and property lists; private to mqtt_check.c.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/mqtt_check.h"

enum {
	SP_MQTT_CONNACK = 2,
	SP_MQTT_PUBLISH = 3,
	SP_MQTT_PUBACK = 4,
	SP_MQTT_SUBACK = 9,
	SP_MQTT_PINGRESP = 13,
	SP_MQTT_DISCONNECT = 14,
};

extern const char *const sp_mqtt_names[16]; ///< of the packet types

/// What is left of a packet, or of a part of it.
struct sp_mqtt_rest {
	const uint8_t *at;
	size_t left;
};

/// Ends the session for `error`, which it returns.
int sp_mqtt_broken(struct sp_mqtt_check *check, int error, const char *format, ...) SP_PRINTF(3, 4);
const char *sp_mqtt_name_of(const struct sp_mqtt_check *check); ///< of the packet at hand
int sp_mqtt_cut_short(struct sp_mqtt_check *check);

/// False, and nothing taken, when there are fewer bytes.
bool sp_mqtt_take(struct sp_mqtt_rest *rest, size_t count, const uint8_t **out);
bool sp_mqtt_take_number(struct sp_mqtt_rest *rest, size_t bytes, uint32_t *out);
/// A variable byte integer (1.5.5), in its shortest form: bytes used; 0: not all there yet; -1: none.
int sp_mqtt_read_varint(const uint8_t *at, size_t left, uint32_t *out);
/// A topic name (4.7): not empty, no wildcards.
int sp_mqtt_take_topic(struct sp_mqtt_check *check, struct sp_mqtt_rest *rest, const char *what);
/// A property list (2.2.2), as this packet may have it.
int sp_mqtt_take_properties(struct sp_mqtt_check *check, struct sp_mqtt_rest *rest);
