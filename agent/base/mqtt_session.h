// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the files of the MQTT session share; private to mqtt*.c.
#pragma once

#include <mosquitto.h>
#include <netinet/in.h>
#include <net/if.h>

#include "agent/base/mqtt.h"
#include "agent/base/mqtt_relay.h"
#include "agent/base/tls.h"

enum {
	SP_MQTT_ADDRESSES = 8,
	SP_MQTT_ATTEMPT_US = 15 * 1000 * 1000, ///< from the first address to CONNACK
	SP_MQTT_IN_FLIGHT = 20, ///< publishes, and as many subscriptions, that wait for their answer
	/// Told to the broker as maximum packet size, and enforced. Beyond what the feed allows, so that a
	/// hub can see and count what is too large.
	SP_MQTT_PACKET_MAX = 256 * 1024,
};

enum sp_mqtt_phase {
	SP_MQTT_IDLE,
	SP_MQTT_DIAL,      ///< TCP not yet there
	SP_MQTT_HANDSHAKE, ///< TLS not yet there
	SP_MQTT_GREET,     ///< CONNACK not yet there
	SP_MQTT_ONLINE,
};

struct sp_mqtt_address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} to;
	socklen_t size;
	char text[INET6_ADDRSTRLEN + IF_NAMESIZE];
};

struct sp_mqtt {
	struct sp_mqtt_config config; ///< own copies
	struct sp_mqtt_events events;
	void *arg;
	struct sp_tls *tls;

	/// A fresh one per attempt: libmosquitto would send again what an earlier session left behind,
	/// and the owner sends again by himself.
	struct mosquitto *lib;
	struct sp_mqtt_relay relay;
	enum sp_mqtt_phase phase;
	struct sp_mqtt_address addresses[SP_MQTT_ADDRESSES];
	size_t address_count, address; ///< `address` is being tried
	int64_t attempt_until_us, dial_until_us;
	int beyond;      ///< whether this connection's broker stands beyond the gateway; -1: not looked yet
	int64_t traffic; ///< of connections that are closed
	int64_t keepalive_seconds; ///< the broker's word, if it had one

	unsigned depth; ///< inside libmosquitto, where it may not be destroyed
	enum { SP_MQTT_STAY, SP_MQTT_LEAVE, SP_MQTT_LEAVE_WITH_WILL, SP_MQTT_DROP } wish;
	bool leaving; ///< our own DISCONNECT is under way
	bool ended;   ///< the attempt or session is over for `reason`; turn() says so
	int reason;
	char text[200];

	int in_flight[SP_MQTT_IN_FLIGHT], last_mid;
	size_t in_flight_count;
	struct {
		int mid;
		char *topic;
	} subscriptions[SP_MQTT_IN_FLIGHT];
	size_t subscription_count;
};

/// Notes the first reason for which attempt or session are over: a broker's (≥ 0x80) or -errno.
void sp_mqtt_over(struct sp_mqtt *mqtt, int reason, const char *format, ...) SP_PRINTF(3, 4);
/// sp_mqtt_over() for a result of libmosquitto. errno must still be its own.
void sp_mqtt_over_lib(struct sp_mqtt *mqtt, int rc);
/// sp_mqtt_over() for -errno of the connection; -EPIPE: the peer closed it.
void sp_mqtt_over_connection(struct sp_mqtt *mqtt, int error);
int sp_mqtt_errno(int rc); ///< MOSQ_ERR_… → -errno
void sp_mqtt_hook(struct sp_mqtt *mqtt);
void sp_mqtt_forget(struct sp_mqtt *mqtt); ///< in-flight publishes and subscriptions
/// Fills the addresses, families taking turns. 0 or -errno.
int sp_mqtt_resolve(struct sp_mqtt *mqtt, char why[256]);
/// Makes `lib`, joined to the relay. 0 or -errno.
int sp_mqtt_make_client(struct sp_mqtt *mqtt, char why[256]);
/// Begins to connect to the first of the remaining addresses that does not fail at once.
int sp_mqtt_dial(struct sp_mqtt *mqtt, char why[256]);
/// Counts the connection that is about to be closed.
void sp_mqtt_count(struct sp_mqtt *mqtt);
void sp_mqtt_drop(struct sp_mqtt *mqtt); ///< ends the connection, destroys `lib`

/// function(lib, 1) of libmosquitto's.
void sp_mqtt_call(struct sp_mqtt *mqtt, int (*function)(struct mosquitto *lib, int max_packets));
/// Brings to the broker what libmosquitto wants to send, but no more than a turn may. 0: everything;
/// -EAGAIN: more is waiting; another -errno: the connection is broken.
int sp_mqtt_pump(struct sp_mqtt *mqtt);
