// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The guard between a broker and libmosquitto; private to mqtt*.c.
//
// libmosquitto trusts its peer: 2.0.11 ends the process for a property that it does not know, keeps the
// properties of a PUBACK that nobody waits for, takes 256 MiB because a header says so. So it never holds
// the connection. That, TCP or TLS, is ours, and libmosquitto holds one end of a socket pair:
//
//   broker ── TCP, TLS ── relay: whole packets that mqtt_check.h has found good ── pair ── libmosquitto
//
// It can only be made to open a socket of its own. It is told to connect to a loopback port that is ours
// for that moment, in the mode in which it queues CONNECT instead of sending it, and the descriptor that
// this gave it is then replaced by the end of the pair (dup3). So there is no path that could be left
// behind or taken, no stranger's connection that could be accepted, nothing that could be said to a broker
// before TLS stands; and should a later libmosquitto send CONNECT nevertheless, it goes to our own port,
// and the attempt fails.
#pragma once

#include <mosquitto.h>
#include <sys/types.h>

#include "agent/base/mqtt_check.h"
#include "agent/base/mqtt_hold.h"
#include "agent/base/tls.h"

enum { SP_MQTT_RELAY_BUFFER = 4096 };

struct sp_mqtt_relay {
	int broker;  ///< -1: none
	int library; ///< our end of the pair; -1: none
	struct ssl_st *tls;
	short read_wants, write_wants; ///< what poll() must see on `broker` before it is worth trying again
	struct sp_mqtt_check check;
	uint8_t in[SP_MQTT_RELAY_BUFFER], out[SP_MQTT_RELAY_BUFFER];
	size_t in_at, in_left, out_at, out_left;
	struct sp_mqtt_hold hold; ///< of what goes to the broker
	int64_t received_us;      ///< when the broker was heard last; 0: never
};

void sp_mqtt_relay_init(struct sp_mqtt_relay *relay, size_t packet_max);
/// Closes both ends at once, without a word.
void sp_mqtt_relay_close(struct sp_mqtt_relay *relay);

/// Lets `lib`, new and ready to connect, connect to the relay. 0 or -errno.
int sp_mqtt_relay_join(struct sp_mqtt_relay *relay, struct mosquitto *lib,
		       int keepalive_seconds) SP_MUST_CHECK;

/// Reads once from the broker, if nothing waits here. 1: relay->check has a packet for libmosquitto.
/// 0: not yet. -EAGAIN: there is nothing. -EPIPE: the stream is at its end. Else -errno; for the
/// protocol's sake with relay->check.fault, for TLS's with a problem.
int sp_mqtt_relay_next(struct sp_mqtt_relay *relay) SP_MUST_CHECK;
/// True when sp_mqtt_relay_next() has something without the socket's being readable.
bool sp_mqtt_relay_ready(const struct sp_mqtt_relay *relay);

/// Takes what libmosquitto has written, if nothing waits here. False: nothing is there to be sent.
bool sp_mqtt_relay_collect(struct sp_mqtt_relay *relay);
/// Sends of it what the connection takes. 0, -EAGAIN or another -errno.
int sp_mqtt_relay_send(struct sp_mqtt_relay *relay) SP_MUST_CHECK;
