// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a broker sends, cut into packets and checked against MQTT 5 before libmosquitto sees a byte of
// it. Pure: bytes in, packets or a reason out; the same for every way in which the bytes are cut up.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/err.h"

/// A packet may carry this many properties. libmosquitto compares each with each.
enum { SP_MQTT_PROPERTIES_MAX = 64 };

struct sp_mqtt_check {
	size_t limit; ///< bytes of the largest packet, its fixed header included
	/// The packet, whole after sp_mqtt_check_take() has returned 1. Of a PUBACK only what its receiver
	/// needs is left: libmosquitto keeps the properties of one that nobody waits for, for ever.
	uint8_t *packet;
	size_t length;
	size_t header; ///< bytes before what its type defines

	size_t need, room; ///< of `packet`; need 0: its length is not known yet
	bool whole, greeted;
	int error;
	char fault[128]; ///< why the session must end, for people
};

void sp_mqtt_check_init(struct sp_mqtt_check *check, size_t limit);
/// Frees the packet and forgets the session.
void sp_mqtt_check_free(struct sp_mqtt_check *check);

/// Takes bytes, moving *bytes and *length on, until a packet is whole and good: 1, and it is there until
/// the next call. 0: all were taken. -EPROTO, -EMSGSIZE, with `fault`: now and ever after.
int sp_mqtt_check_take(struct sp_mqtt_check *check, const uint8_t **bytes, size_t *length) SP_MUST_CHECK;
/// The packet at hand is the broker's farewell.
bool sp_mqtt_check_is_disconnect(const struct sp_mqtt_check *check);
