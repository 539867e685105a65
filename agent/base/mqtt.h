// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One MQTT 5 session over libmosquitto, driven by its owner's thread: own poll() loop, no hidden
// thread, no hidden queue, no blocking but name resolution. What bites is in the house's reference,
// section 5; each trap is answered in mqtt.c.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/err.h"

struct sp_mqtt;
struct sp_tls_trust;

struct sp_mqtt_config {
	const char *host;
	uint16_t port;
	const char *client_id;
	const char *username, *password;            ///< NULL: none
	const char *ca_file, *cert_file, *key_file; ///< ca_file NULL: no TLS
	/// Not NULL: connect also before this machine knows the time (sp_tls_undated()); outlives the
	/// session.
	struct sp_tls_trust *trust;
	int64_t keepalive_seconds;
	int64_t session_expiry_seconds;
	bool clean_start;
	int64_t receive_maximum; ///< messages that the broker may have under way to us; 0: 100
	const char *will_topic;  ///< NULL: no will; retained, QoS 1, JSON
	const char *will_payload;
	size_t will_length;
	int64_t will_delay_seconds;
};

struct sp_mqtt_message {
	const char *topic;
	const void *payload;
	size_t length;
	const char *content_type; ///< "" without
	bool retained;
};

/// Called from sp_mqtt_turn() only. They may publish, subscribe, disconnect and abort; connected()
/// with a reason and disconnected() may connect, too; none may free.
struct sp_mqtt_events {
	/// Reason 0: connected. ≥ 0x80: refused by the broker, in its words. < 0: -errno, not reached, no
	/// TLS, no MQTT, or no answer within 15 s. `text` says why, for people.
	void (*connected)(void *arg, int reason, const char *text, bool session_present);
	/// Once per loss of a session that was connected, unless the owner ended it; reason as above. What
	/// was not acknowledged by then is forgotten here: the owner sends it again.
	void (*disconnected)(void *arg, int reason, const char *text);
	/// PUBACK (QoS 1) with its MQTT 5 reason: 0x00 taken, 0x10 nobody listens, ≥ 0x80 refused.
	void (*acknowledged)(void *arg, int mid, int reason);
	/// SUBACK; granted QoS, or ≥ 0x80 refused.
	void (*subscribed)(void *arg, const char *topic, int reason);
	void (*message)(void *arg, const struct sp_mqtt_message *message);
};

/// Copies the configuration. NULL and errno when TLS files cannot be read or parsed; `why` says so.
struct sp_mqtt *sp_mqtt_new(const struct sp_mqtt_config *config, const struct sp_mqtt_events *events,
			    void *arg, char why[256]);
void sp_mqtt_free(struct sp_mqtt *mqtt);

/// Begins one attempt: may block in name resolution (announce a deadline first), never in connect.
/// 0: under way, connected() will be called. -errno: failed at once, `why` says so.
int sp_mqtt_connect(struct sp_mqtt *mqtt, char why[256]) SP_MUST_CHECK;
/// Sends DISCONNECT and closes. `with_will`: reason 0x04, so that the broker publishes the will.
void sp_mqtt_disconnect(struct sp_mqtt *mqtt, bool with_will);
/// Drops the socket without a word, as a power cut would.
void sp_mqtt_abort(struct sp_mqtt *mqtt);
bool sp_mqtt_connected(const struct sp_mqtt *mqtt);
/// The broker's certificate was verified without its dates.
bool sp_mqtt_provisional(const struct sp_mqtt *mqtt);
/// Verifies it again in full, as of `t_ms`. -EPROTO: it fails, and the session ends; disconnected() is called
/// in the next turn at the latest.
int sp_mqtt_verify(struct sp_mqtt *mqtt, int64_t t_ms) SP_MUST_CHECK;
/// Bytes of IP, both ways, of this and earlier connections and attempts of this object, the search for the
/// host's address included.
int64_t sp_mqtt_traffic(const struct sp_mqtt *mqtt);
/// The interface of the present connection; "" without one.
void sp_mqtt_interface(const struct sp_mqtt *mqtt, char out[16]);

/// When bytes of the broker arrived last in this session, monotonic; 0: none yet, or the broker does not
/// stand beyond the gateway.
int64_t sp_mqtt_received_us(struct sp_mqtt *mqtt);

/// QoS 1, `content_type` may be NULL. 0 or -errno; *mid identifies the PUBACK. -ENOBUFS: 20 publishes
/// wait for their PUBACK; -EMSGSIZE: more than this program or the broker takes; -ENOTCONN.
int sp_mqtt_publish(struct sp_mqtt *mqtt, const char *topic, const void *payload, size_t length, bool retain,
		    const char *content_type, int *mid) SP_MUST_CHECK;
/// The same, not retained, and dropped by the broker when nobody took it within `expiry_seconds`.
int sp_mqtt_publish_for(struct sp_mqtt *mqtt, const char *topic, const void *payload, size_t length,
			const char *content_type, int64_t expiry_seconds, int *mid) SP_MUST_CHECK;
int sp_mqtt_subscribe(struct sp_mqtt *mqtt, const char *topic) SP_MUST_CHECK;

/// From the next turn on: PUBACKs for what arrives are kept back, so that the broker sends no more than the
/// receive maximum; or they leave. Everything else goes on. A new session begins without.
void sp_mqtt_hold(struct sp_mqtt *mqtt, bool on);

/// One turn: waits at most `timeout_us` for the socket or `wake_fd` (an eventfd; -1: none; drained
/// here), then reads, writes, keeps alive and calls back. Bounded time also when the peer floods.
void sp_mqtt_turn(struct sp_mqtt *mqtt, int64_t timeout_us, int wake_fd);

/// Once per process, before threads; and after them.
void sp_mqtt_library_init(void);
void sp_mqtt_library_cleanup(void);
