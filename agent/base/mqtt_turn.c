// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The poll loop of an MQTT session. libmosquitto's own loops are not used: they spin, use select(), and
// sleep without jitter. Here TCP and TLS are ours, every attempt has an end, a turn does a bounded amount
// of work, and libmosquitto gets one checked packet after the other (mqtt_relay.h).
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>

#include "agent/base/mqtt_session.h"
#include "schoolpulse/clock.h"

enum {
	READS_PER_TURN = 64, ///< of a buffer each, and as many packets at most
	WRITES_PER_TURN = 64,
};

/// While the broker takes nothing, nothing is taken from it: libmosquitto would queue answers without end.
static bool choked(const struct sp_mqtt *mqtt)
{
	return mqtt->relay.out_left > 0 && mosquitto_want_write(mqtt->lib);
}

static short events_wanted(const struct sp_mqtt *mqtt)
{
	const struct sp_mqtt_relay *relay = &mqtt->relay;
	switch (mqtt->phase) {
	case SP_MQTT_DIAL:
		return POLLOUT;
	case SP_MQTT_HANDSHAKE:
		return relay->read_wants;
	case SP_MQTT_GREET:
	case SP_MQTT_ONLINE:
		return (short)((choked(mqtt) ? 0 : relay->read_wants) |
			       (relay->out_left > 0 ? relay->write_wants : 0));
	case SP_MQTT_IDLE:
		break;
	}
	return 0;
}

static int64_t own_deadline(const struct sp_mqtt *mqtt, int64_t now)
{
	switch (mqtt->phase) {
	case SP_MQTT_DIAL:
		return mqtt->dial_until_us;
	case SP_MQTT_HANDSHAKE:
	case SP_MQTT_GREET:
		return mqtt->attempt_until_us;
	case SP_MQTT_ONLINE: // libmosquitto counts keepalive in whole seconds and tells nobody when it is due
		return now + mqtt->keepalive_seconds * 1000 * 1000 / 4;
	case SP_MQTT_IDLE:
		break;
	}
	return INT64_MAX;
}

static void drain(int wake_fd)
{
	uint64_t count;
	ssize_t ignored = read(wake_fd, &count, sizeof(count));
	(void)ignored;
}

/// What poll() saw on the connection, or POLLIN when there is something to do without it.
static short wait_for_events(struct sp_mqtt *mqtt, int64_t timeout_us, int wake_fd)
{
	int64_t now = sp_clock_mono_us(), until = now + (timeout_us > 0 ? timeout_us : 0);
	struct pollfd fds[3] = {{.fd = -1}, {.fd = -1, .events = POLLIN}, {.fd = wake_fd, .events = POLLIN}};
	bool ready = false;
	if (mqtt->phase != SP_MQTT_IDLE) {
		fds[0] = (struct pollfd){.fd = mqtt->relay.broker, .events = events_wanted(mqtt)};
		int64_t own = own_deadline(mqtt, now);
		if (own < until)
			until = own;
	}
	if (mqtt->phase >= SP_MQTT_GREET) {
		// What libmosquitto has written since the last turn, or would write if it were let, as
		// CONNECT.
		bool idle = mqtt->relay.out_left == 0;
		fds[1].fd = idle ? mqtt->relay.library : -1;
		ready = sp_mqtt_hold_due(&mqtt->relay.hold) ||
			(sp_mqtt_relay_ready(&mqtt->relay) && !choked(mqtt)) ||
			(idle && mosquitto_want_write(mqtt->lib));
	}
	int64_t left = until > now && !ready ? until - now : 0;
	struct timespec wait = {left / 1000000, (long)(left % 1000000 * 1000)};
	if (ppoll(fds, 3, &wait, NULL) < 0)
		return 0;
	if (fds[2].revents)
		drain(wake_fd);
	return (short)(fds[0].revents | (ready ? POLLIN : 0));
}

void sp_mqtt_call(struct sp_mqtt *mqtt, int (*function)(struct mosquitto *lib, int max_packets))
{
	mqtt->depth++;
	errno = 0;
	int rc = function(mqtt->lib, 1);
	if (rc != MOSQ_ERR_SUCCESS)
		sp_mqtt_over_lib(mqtt, rc);
	else if (mosquitto_socket(mqtt->lib) < 0)
		sp_mqtt_over(mqtt, -EIO, "the MQTT client ended the session");
	mqtt->depth--;
}

static bool finished(const struct sp_mqtt *mqtt)
{
	return mqtt->ended || mqtt->wish != SP_MQTT_STAY;
}

/// The next address, or the end of the attempt. `error` is that of the address tried last.
static void dial_failed(struct sp_mqtt *mqtt, int error)
{
	char why[256];
	snprintf(why, sizeof(why), "%s port %u: %s", mqtt->addresses[mqtt->address].text, mqtt->config.port,
		 strerror(error));
	mqtt->address++;
	if (mqtt->address >= mqtt->address_count || sp_clock_mono_us() >= mqtt->attempt_until_us)
		sp_mqtt_over(mqtt, -error, "%s", why);
	else if ((error = -sp_mqtt_dial(mqtt, why)) != 0)
		sp_mqtt_over(mqtt, -error, "%s", why);
}

static void step_handshake(struct sp_mqtt *mqtt)
{
	int result = sp_tls_handshake(mqtt->relay.tls, &mqtt->relay.read_wants);
	if (result == 0)
		mqtt->phase = SP_MQTT_GREET;
	else if (result != -EAGAIN)
		sp_mqtt_over_connection(mqtt, result);
}

static void step_dial(struct sp_mqtt *mqtt, short seen)
{
	if (!seen) {
		if (sp_clock_mono_us() >= mqtt->dial_until_us)
			dial_failed(mqtt, ETIMEDOUT);
		return;
	}
	int error = 0;
	socklen_t size = sizeof(error);
	getsockopt(mqtt->relay.broker, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error) {
		dial_failed(mqtt, error);
		return;
	}
	mqtt->phase = mqtt->tls ? SP_MQTT_HANDSHAKE : SP_MQTT_GREET;
	if (!mqtt->tls)
		return;
	mqtt->relay.tls = sp_tls_open(mqtt->tls, mqtt->relay.broker);
	if (mqtt->relay.tls)
		step_handshake(mqtt);
	else
		sp_mqtt_over(mqtt, -ENOMEM, "TLS: no memory for a connection");
}

/// A broker's DISCONNECT ends the session here: libmosquitto would forget what it is just sending.
static void farewell_heard(struct sp_mqtt *mqtt)
{
	const struct sp_mqtt_check *check = &mqtt->relay.check;
	int reason = check->length > check->header ? check->packet[check->header] : 0;
	if (reason)
		sp_mqtt_over(mqtt, reason, "the broker ends the session: %s",
			     mosquitto_reason_string(reason));
	else
		sp_mqtt_over(mqtt, -ECONNRESET, "the broker ended the session");
}

/// libmosquitto reads all that there is, so the pair is empty before and after.
static void hand_over(struct sp_mqtt *mqtt)
{
	const struct sp_mqtt_check *check = &mqtt->relay.check;
	for (size_t at = 0; at < check->length && !finished(mqtt);) {
		ssize_t sent = send(mqtt->relay.library, check->packet + at, check->length - at,
				    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent <= 0) {
			sp_mqtt_over(mqtt, -EIO, "the MQTT client does not read");
			return;
		}
		at += (size_t)sent;
		sp_mqtt_call(mqtt, mosquitto_loop_read);
	}
}

static void read_session(struct sp_mqtt *mqtt)
{
	for (int i = 0; i < READS_PER_TURN && !finished(mqtt) && !choked(mqtt); i++) {
		int result = sp_mqtt_relay_next(&mqtt->relay);
		if (result == -EAGAIN)
			return;
		if (result < 0)
			sp_mqtt_over_connection(mqtt, result);
		else if (result == 1 && sp_mqtt_check_is_disconnect(&mqtt->relay.check))
			farewell_heard(mqtt);
		else if (result == 1)
			hand_over(mqtt);
	}
}

int sp_mqtt_pump(struct sp_mqtt *mqtt)
{
	for (int i = 0; i < WRITES_PER_TURN; i++) {
		if (mqtt->relay.out_left == 0 && mosquitto_want_write(mqtt->lib))
			sp_mqtt_call(mqtt, mosquitto_loop_write);
		if (!sp_mqtt_relay_collect(&mqtt->relay))
			return 0;
		int result = sp_mqtt_relay_send(&mqtt->relay);
		if (result < 0)
			return result;
	}
	return -EAGAIN;
}

static void step_session(struct sp_mqtt *mqtt, short seen)
{
	if (seen)
		read_session(mqtt);
	if (!finished(mqtt)) {
		int result = sp_mqtt_pump(mqtt);
		if (result < 0 && result != -EAGAIN) {
			// Its last words may say why.
			read_session(mqtt);
			sp_mqtt_over_connection(mqtt, result);
		}
	}
	if (!finished(mqtt) && mqtt->phase == SP_MQTT_ONLINE) {
		mqtt->depth++;
		int rc = mosquitto_loop_misc(mqtt->lib);
		mqtt->depth--;
		if (rc != MOSQ_ERR_SUCCESS)
			sp_mqtt_over_lib(mqtt, rc);
	}
}

static void step(struct sp_mqtt *mqtt, short seen)
{
	if (mqtt->phase == SP_MQTT_DIAL)
		step_dial(mqtt, seen);
	else if (mqtt->phase == SP_MQTT_HANDSHAKE && seen)
		step_handshake(mqtt);
	else if (mqtt->phase >= SP_MQTT_GREET)
		step_session(mqtt, seen);
	if (!mqtt->ended && mqtt->phase != SP_MQTT_IDLE && mqtt->phase != SP_MQTT_ONLINE &&
	    sp_clock_mono_us() >= mqtt->attempt_until_us)
		sp_mqtt_over(mqtt, -ETIMEDOUT, "no answer to %s within %d s",
			     mqtt->phase == SP_MQTT_HANDSHAKE ? "the TLS handshake" : "CONNECT",
			     SP_MQTT_ATTEMPT_US / 1000000);
}

/// Acts on what was noted inside libmosquitto. Last in a turn: the owner may connect again in it.
static void settle(struct sp_mqtt *mqtt)
{
	int wish = mqtt->wish;
	mqtt->wish = SP_MQTT_STAY;
	if (wish != SP_MQTT_STAY)
		mqtt->ended = false; // the owner has had enough, and need not be told
	if (wish == SP_MQTT_DROP) {
		sp_mqtt_abort(mqtt);
	} else if (wish != SP_MQTT_STAY) {
		sp_mqtt_disconnect(mqtt, wish == SP_MQTT_LEAVE_WITH_WILL);
	} else if (mqtt->ended) {
		bool was_online = mqtt->phase == SP_MQTT_ONLINE;
		sp_mqtt_drop(mqtt);
		mqtt->ended = false;
		if (was_online)
			mqtt->events.disconnected(mqtt->arg, mqtt->reason, mqtt->text);
		else
			mqtt->events.connected(mqtt->arg, mqtt->reason, mqtt->text, false);
	}
}

void sp_mqtt_turn(struct sp_mqtt *mqtt, int64_t timeout_us, int wake_fd)
{
	// Something ended between two turns, in a publish: say so first.
	short seen = wait_for_events(mqtt, finished(mqtt) ? 0 : timeout_us, wake_fd);
	if (mqtt->phase != SP_MQTT_IDLE && !finished(mqtt))
		step(mqtt, seen);
	settle(mqtt);
}

void sp_mqtt_hold(struct sp_mqtt *mqtt, bool on)
{
	mqtt->relay.hold.on = on;
}
