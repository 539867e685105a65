// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// MQTT 5 packets (OASIS 2019) of a small client: written here, and read out of what agent/base/mqtt_check.h
// has checked. libmosquitto takes three descriptors for each connection, which is two too many for a fleet.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/buf.h"
#include "agent/base/mqtt_check.h"

struct sp_packet_hello {
	const char *client_id, *username, *password; ///< the latter two may be NULL
	unsigned keepalive_seconds;
	uint32_t expiry_seconds, will_delay_seconds;
	bool clean_start;
	const char *will_topic; ///< retained, QoS 1
	const void *will;
	size_t will_length;
};

void sp_packet_connect(struct sp_buf *out, const struct sp_packet_hello *hello);
/// QoS 1, one topic.
void sp_packet_subscribe(struct sp_buf *out, uint16_t mid, const char *topic);
/// QoS 1.
void sp_packet_publish(struct sp_buf *out, uint16_t mid, const char *topic, const char *content_type,
		       bool retain, const void *payload, size_t length);
void sp_packet_puback(struct sp_buf *out, uint16_t mid);
void sp_packet_ping(struct sp_buf *out);
/// An ordinary farewell; the broker forgets the session, too.
void sp_packet_disconnect(struct sp_buf *out);

struct sp_packet {
	unsigned type;   ///< enum in agent/base/mqtt_fields.h
	unsigned reason; ///< of CONNACK, PUBACK, SUBACK, DISCONNECT
	uint16_t mid;
	unsigned qos;
	bool retained;
	char topic[128]; ///< "" when it is longer: none of ours is
	const void *payload;
	size_t length;
	unsigned keepalive_seconds; ///< of CONNACK; 0: as asked
};

/// The packet at hand.
void sp_packet_read(const struct sp_mqtt_check *check, struct sp_packet *out);
