// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Moves bytes between a broker and libmosquitto; why it does is told in the header.
#include "agent/base/mqtt_relay.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "schoolpulse/clock.h"

void sp_mqtt_relay_init(struct sp_mqtt_relay *relay, size_t packet_max)
{
	relay->broker = relay->library = -1;
	relay->tls = NULL;
	relay->read_wants = POLLIN;
	relay->write_wants = POLLOUT;
	relay->in_left = relay->out_left = 0;
	relay->received_us = 0;
	relay->hold = (struct sp_mqtt_hold){0};
	sp_mqtt_check_init(&relay->check, packet_max);
}

void sp_mqtt_relay_close(struct sp_mqtt_relay *relay)
{
	sp_tls_close(relay->tls);
	if (relay->broker >= 0)
		close(relay->broker);
	if (relay->library >= 0)
		close(relay->library);
	sp_mqtt_check_free(&relay->check);
	sp_mqtt_hold_free(&relay->hold);
	sp_mqtt_relay_init(relay, relay->check.limit);
}

// ---- joining libmosquitto -----------------------------------------------------------------------

/// A port of 127.0.0.1 that takes connections and never looks at them.
static int open_port(uint16_t *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
		int error = errno;
		close(fd);
		return -error;
	}
	*port = ntohs(address.sin_port);
	return fd;
}

/// libmosquitto gets a descriptor, and CONNECT waits within it.
static int let_connect(struct mosquitto *lib, int keepalive_seconds)
{
	uint16_t port = 0;
	int listener = open_port(&port);
	if (listener < 0)
		return listener;
	errno = 0;
	mosquitto_threaded_set(lib, true); // "another thread sends"
	int rc = mosquitto_connect_async(lib, "127.0.0.1", port, keepalive_seconds);
	int error = rc == MOSQ_ERR_ERRNO && errno ? errno : EIO;
	mosquitto_threaded_set(lib, false);
	close(listener);
	if (rc != MOSQ_ERR_SUCCESS)
		return -error;
	return mosquitto_want_write(lib) ? 0 : -ENOTSUP;
}

int sp_mqtt_relay_join(struct sp_mqtt_relay *relay, struct mosquitto *lib, int keepalive_seconds)
{
	int pair[2], result = let_connect(lib, keepalive_seconds);
	if (result < 0)
		return result;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	if (dup3(pair[1], mosquitto_socket(lib), O_CLOEXEC) < 0)
		result = -errno;
	close(pair[1]);
	relay->library = pair[0];
	return result;
}

// ---- from the broker ------------------------------------------------------------------------------

static int refill(struct sp_mqtt_relay *relay)
{
	ssize_t got;
	relay->read_wants = POLLIN;
	if (relay->tls) {
		got = sp_tls_read(relay->tls, relay->in, sizeof(relay->in), &relay->read_wants);
	} else {
		got = recv(relay->broker, relay->in, sizeof(relay->in), MSG_DONTWAIT);
		if (got < 0)
			got = errno == EINTR ? -EAGAIN : -errno;
	}
	if (got <= 0)
		return got == 0 ? -EPIPE : (int)got;
	relay->in_at = 0;
	relay->in_left = (size_t)got;
	relay->received_us = sp_clock_mono_us();
	return 0;
}

int sp_mqtt_relay_next(struct sp_mqtt_relay *relay)
{
	int result = relay->in_left ? 0 : refill(relay);
	if (result < 0)
		return result;
	const uint8_t *at = relay->in + relay->in_at;
	result = sp_mqtt_check_take(&relay->check, &at, &relay->in_left);
	relay->in_at = (size_t)(at - relay->in);
	return result;
}

bool sp_mqtt_relay_ready(const struct sp_mqtt_relay *relay)
{
	return relay->in_left > 0 || sp_tls_pending(relay->tls);
}

// ---- to the broker --------------------------------------------------------------------------------

bool sp_mqtt_relay_collect(struct sp_mqtt_relay *relay)
{
	if (relay->out_left > 0)
		return true;
	relay->out_at = 0;
	if (sp_mqtt_hold_due(&relay->hold)) {
		relay->out_left = sp_mqtt_hold_take(&relay->hold, relay->out, sizeof(relay->out));
		return true;
	}
	ssize_t got = recv(relay->library, relay->out, sizeof(relay->out), MSG_DONTWAIT);
	if (got <= 0)
		return false;
	relay->out_left = sp_mqtt_hold_sort(&relay->hold, relay->out, (size_t)got);
	return true;
}

int sp_mqtt_relay_send(struct sp_mqtt_relay *relay)
{
	while (relay->out_left > 0) {
		const uint8_t *at = relay->out + relay->out_at;
		ssize_t sent;
		relay->write_wants = POLLOUT;
		if (relay->tls) {
			sent = sp_tls_write(relay->tls, at, relay->out_left, &relay->write_wants);
		} else {
			sent = send(relay->broker, at, relay->out_left, MSG_DONTWAIT | MSG_NOSIGNAL);
			if (sent < 0)
				sent = errno == EINTR ? -EAGAIN : -errno;
		}
		if (sent < 0)
			return (int)sent;
		relay->out_at += (size_t)sent;
		relay->out_left -= (size_t)sent;
	}
	return 0;
}
