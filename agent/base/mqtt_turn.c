// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The poll loop of an MQTT session. libmosquitto's own loops are not used: they spin when TLS meets
// a refused or silent peer, end for ever on a certificate that does not verify, use select() and
// sleep without jitter. Here TCP and TLS are watched until they stand, every attempt has an end,
// and a turn does a bounded amount of work.
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "agent/base/mqtt_session.h"
#include "schoolpulse/clock.h"

enum {
	READS_PER_TURN = 64,
	MUTED_US = 20 * 1000,
};

static void *ssl_of(const struct sp_mqtt *mqtt)
{
	return mosquitto_ssl_get(mqtt->lib);
}

static short events_wanted(const struct sp_mqtt *mqtt)
{
	switch (mqtt->phase) {
	case SP_MQTT_DIAL:
		return POLLOUT;
	case SP_MQTT_HANDSHAKE:
		// mosquitto_want_write() stays true all through a handshake: polling by it spins.
		return sp_tls_wants_write(ssl_of(mqtt)) ? POLLOUT : POLLIN;
	case SP_MQTT_GREET:
	case SP_MQTT_ONLINE:
		return mosquitto_want_write(mqtt->lib) && !mqtt->mute_output ? POLLIN | POLLOUT : POLLIN;
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
		return now + mqtt->config.keepalive_seconds * 1000 * 1000 / 4;
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

/// What poll() saw on the session's socket. With TLS libmosquitto may claim for ever to want to
/// write while it has nothing to send: after a turn that left it so, output is not polled for once.
static short wait_for_events(struct sp_mqtt *mqtt, int64_t timeout_us, int wake_fd)
{
	int64_t now = sp_clock_mono_us(), until = now + (timeout_us > 0 ? timeout_us : 0);
	struct pollfd fds[2] = {{.fd = -1}, {.fd = wake_fd, .events = POLLIN}};
	if (mqtt->lib) {
		fds[0] = (struct pollfd){.fd = mosquitto_socket(mqtt->lib), .events = events_wanted(mqtt)};
		int64_t own = mqtt->mute_output ? now + MUTED_US : own_deadline(mqtt, now);
		if (own < until)
			until = own;
		mqtt->mute_output = false;
		if (mqtt->phase >= SP_MQTT_GREET && sp_tls_pending(ssl_of(mqtt)))
			until = now;
	}
	int64_t left = until > now ? until - now : 0;
	struct timespec wait = {left / 1000000, (long)(left % 1000000 * 1000)};
	if (ppoll(fds, 2, &wait, NULL) <= 0)
		return 0;
	if (fds[1].revents)
		drain(wake_fd);
	return fds[0].revents;
}

static void call(struct sp_mqtt *mqtt, int (*function)(struct mosquitto *lib, int max_packets))
{
	mqtt->depth++;
	errno = 0;
	int rc = sp_mqtt_guarded(mqtt->lib, function);
	if (rc != MOSQ_ERR_SUCCESS)
		sp_mqtt_over_lib(mqtt, rc);
	else if (mosquitto_socket(mqtt->lib) < 0)
		sp_mqtt_over(mqtt, -ECONNRESET, "the connection was closed");
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
	snprintf(why, sizeof(why), "%s port %u: %s", mqtt->addresses[mqtt->address], mqtt->config.port,
		 strerror(error));
	mqtt->address++;
	if (mqtt->address >= mqtt->address_count || sp_clock_mono_us() >= mqtt->attempt_until_us)
		sp_mqtt_over(mqtt, -error, "%s", why);
	else if ((error = -sp_mqtt_dial(mqtt, why)) != 0)
		sp_mqtt_over(mqtt, -error, "%s", why);
}

static struct tcp_info info_of(int fd)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);
	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size);
	return info;
}

/// 0 when TCP stands or has stood: what came after is the handshake's to tell. TLS may have tried
/// to send already and swallowed the socket's error.
static int dial_error(int fd)
{
	int error = 0;
	struct sockaddr_storage peer;
	socklen_t size = sizeof(error), peer_size = sizeof(peer);
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	// An acknowledged SYN counts as one byte.
	if (getpeername(fd, (struct sockaddr *)&peer, &peer_size) == 0 || info_of(fd).tcpi_bytes_acked > 0)
		return 0;
	return error ? error : ECONNREFUSED;
}

static void step_dial(struct sp_mqtt *mqtt, short seen)
{
	if (!seen) {
		if (sp_clock_mono_us() >= mqtt->dial_until_us)
			dial_failed(mqtt, ETIMEDOUT);
		return;
	}
	int error = dial_error(mosquitto_socket(mqtt->lib));
	if (error)
		dial_failed(mqtt, error);
	else
		mqtt->phase = mqtt->tls ? SP_MQTT_HANDSHAKE : SP_MQTT_GREET;
}

/// libmosquitto takes a connection that broke during the handshake for one that is still at it.
static void step_handshake(struct sp_mqtt *mqtt, short seen)
{
	char byte;
	if (seen & (POLLIN | POLLHUP | POLLERR)) {
		ssize_t got = recv(mosquitto_socket(mqtt->lib), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
		if (got == 0)
			sp_mqtt_over(mqtt, -ECONNRESET,
				     "the peer closed the connection in the TLS handshake");
		else if (got < 0 && errno != EAGAIN && errno != EINTR)
			sp_mqtt_over(mqtt, -errno, "TLS handshake: %s", strerror(errno));
	}
	if (seen && !mqtt->ended)
		call(mqtt, mosquitto_loop_read);
	// A quick peer's CONNACK may have come in the same call.
	if (!mqtt->ended && mqtt->phase == SP_MQTT_HANDSHAKE && !sp_tls_handshaking(ssl_of(mqtt)))
		mqtt->phase = SP_MQTT_GREET;
}

static bool more_to_read(const struct sp_mqtt *mqtt)
{
	int waiting = 0;
	if (sp_tls_pending(ssl_of(mqtt)))
		return true;
	return ioctl(mosquitto_socket(mqtt->lib), FIONREAD, &waiting) == 0 && waiting > 0;
}

/// See SP_MQTT_UNFRAMED_MAX.
static void watch_size(struct sp_mqtt *mqtt)
{
	if (mqtt->heard) {
		mqtt->heard = false;
		mqtt->received = -1;
		return;
	}
	int64_t received = (int64_t)info_of(mosquitto_socket(mqtt->lib)).tcpi_bytes_received;
	if (mqtt->received < 0)
		mqtt->received = received;
	else if (received - mqtt->received > SP_MQTT_UNFRAMED_MAX)
		sp_mqtt_over(mqtt, -EMSGSIZE, "the peer sends more than %d bytes without a message",
			     SP_MQTT_UNFRAMED_MAX);
}

static void step_session(struct sp_mqtt *mqtt, short seen)
{
	bool readable = (seen & (POLLIN | POLLHUP | POLLERR)) || sp_tls_pending(ssl_of(mqtt));
	for (int i = 0; readable && i < READS_PER_TURN && !finished(mqtt); i++) {
		call(mqtt, mosquitto_loop_read);
		readable = !finished(mqtt) && more_to_read(mqtt);
	}
	if (!finished(mqtt) && (seen & (POLLIN | POLLHUP | POLLERR)))
		watch_size(mqtt);
	if (!finished(mqtt) && mosquitto_want_write(mqtt->lib)) {
		call(mqtt, mosquitto_loop_write);
		mqtt->mute_output = !finished(mqtt) && (seen & POLLOUT) && mosquitto_want_write(mqtt->lib);
	}
	if (!finished(mqtt)) {
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
	else if (mqtt->phase == SP_MQTT_HANDSHAKE)
		step_handshake(mqtt, seen);
	else
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
	if (mqtt->lib && !finished(mqtt))
		step(mqtt, seen);
	settle(mqtt);
}
