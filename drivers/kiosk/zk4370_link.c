// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The socket of a visit. Over TCP a question is asked once; over UDP it is asked again.
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "zk4370.h"

enum {
	PATIENCE_MS = 15 * 1000, ///< for an answer over TCP: a terminal that is busy with a finger is slow
	UDP_MS = 2000,
	UDP_TRIES = 4,
	/// Received in one turn: the other devices are waiting.
	TURN = 256 * 1024,
};

static void failed(struct sp_device *dev, const char *reason, const char *why)
{
	zk_link_close(dev);
	zk_over(dev, reason, why);
}

static void failed_by(struct sp_device *dev, int error)
{
	const char *reason = error == ECONNREFUSED                           ? "refused"
			     : error == ENETUNREACH || error == EHOSTUNREACH ? "no_route"
			     : error == ETIMEDOUT                            ? "timeout"
			     : error == ENODEV                               ? "no_interface"
									     : "protocol";
	failed(dev, reason, strerror(error));
}

static void wait_on(struct sp_device *dev)
{
	struct zk *zk = sp_device_state(dev);
	sp_timer_start(zk->timer, zk->session.framed ? PATIENCE_MS : UDP_MS);
}

static void send_question(struct sp_device *dev)
{
	struct zk *zk = sp_device_state(dev);
	zk->asked_us = sp_device_now_us(dev);
	ssize_t n = send(zk->fd, zk->session.question, zk->session.question_length, MSG_NOSIGNAL);
	// Some dozen bytes on a connection that waits for our question: they fit, or something is wrong.
	if (n < 0 && (zk->session.framed || errno == ECONNREFUSED)) {
		failed_by(dev, errno);
		return;
	}
	wait_on(dev);
}

static void question(struct sp_device *dev)
{
	struct zk *zk = sp_device_state(dev);
	zk->tries = 1;
	send_question(dev);
}

static void note_time(struct sp_device *dev)
{
	struct zk *zk = sp_device_state(dev);
	int64_t t_ms, err_ms;
	if (!zk->session.has_time || !sp_clock_known(dev, &t_ms, &err_ms))
		return;
	// The dial tells whole seconds, and it told them half a round trip ago.
	double trip_s = (double)(sp_device_now_us(dev) - zk->asked_us) / 2e6;
	zk->clock_error_s = (double)(zk->session.local_s - zk->zone_s) + 0.5 - ((double)t_ms / 1000 - trip_s);
}

/// False when the visit is over, one way or the other.
static bool take(struct sp_device *dev, const struct sp_zk_packet *packet)
{
	struct zk *zk = sp_device_state(dev);
	bool time = zk->session.stage == SP_ZK_AT_TIME;
	zk->heard_us = sp_device_now_us(dev);
	switch (sp_zk_session_take(&zk->session, packet)) {
	case SP_ZK_WAIT:
		wait_on(dev);
		return true;
	case SP_ZK_SEND:
		if (time)
			note_time(dev);
		question(dev);
		return zk->fd >= 0;
	case SP_ZK_DONE:
		break;
	case SP_ZK_FAILED:
		failed(dev, zk->session.reason, zk->session.why);
		return false;
	}
	zk_link_close(dev);
	zk_feed(dev);
	return false;
}

static void receive_stream(struct sp_device *dev)
{
	struct zk *zk = sp_device_state(dev);
	for (size_t total = 0; total < TURN;) {
		size_t room;
		uint8_t *at = sp_zk_stream_room(zk->stream, &room);
		ssize_t n = recv(zk->fd, at, room, 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			if (n < 0)
				failed_by(dev, errno);
			else
				failed(dev, "protocol", "it closes the connection");
			return;
		}
		total += (size_t)n;
		sp_zk_stream_got(zk->stream, (size_t)n);
		struct sp_zk_packet packet;
		int result;
		while ((result = sp_zk_stream_next(zk->stream, &packet)) > 0)
			if (!take(dev, &packet))
				return;
		if (result < 0) {
			failed(dev, "protocol", "what answers there is no such terminal");
			return;
		}
	}
}

static void receive_datagrams(struct sp_device *dev)
{
	struct zk *zk = sp_device_state(dev);
	// The largest that there is: a smaller buffer would cut some off in silence.
	uint8_t *data = malloc(SP_ZK_PACKET_MAX);
	if (!data)
		return;
	for (size_t total = 0; total < TURN && zk->fd >= 0;) {
		struct sp_zk_packet packet;
		ssize_t n = recv(zk->fd, data, SP_ZK_PACKET_MAX, MSG_TRUNC);
		if (n < 0 && errno == ECONNREFUSED)
			failed_by(dev, errno);
		if (n < 0)
			break;
		total += (size_t)n + 1;
		// What is no packet is nobody's: the question is asked again.
		if (n <= SP_ZK_PACKET_MAX && sp_zk_decode(data, (size_t)n, &packet) == 0 &&
		    !take(dev, &packet))
			break;
	}
	explicit_bzero(data, SP_ZK_PACKET_MAX);
	free(data);
}

static void connected(struct sp_device *dev)
{
	struct zk *zk = sp_device_state(dev);
	int error = 0;
	socklen_t size = sizeof(error);
	if (getsockopt(zk->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (error) {
		failed_by(dev, error);
		return;
	}
	zk->connected = true;
	sp_watch_events(zk->watch, SP_READABLE);
	sp_zk_session_start(&zk->session);
	question(dev);
}

static void on_socket(struct sp_device *dev, int fd, unsigned events, void *arg)
{
	(void)fd;
	(void)events;
	(void)arg;
	struct zk *zk = sp_device_state(dev);
	if (!zk->connected)
		connected(dev);
	else if (zk->session.framed)
		receive_stream(dev);
	else
		receive_datagrams(dev);
}

static void on_timer(struct sp_device *dev, void *arg)
{
	(void)arg;
	struct zk *zk = sp_device_state(dev);
	if (zk->session.framed || zk->tries >= UDP_TRIES) {
		failed(dev, "timeout", "it does not answer");
		return;
	}
	zk->tries++;
	sp_zk_session_again(&zk->session);
	send_question(dev);
}

static int open_socket(const struct zk *zk, bool tcp)
{
	const struct sockaddr *address = (const struct sockaddr *)&zk->peer.address;
	socklen_t size =
	    address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	int fd =
	    socket(address->sa_family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	const char *interface = zk->peer.interface;
	if (interface[0] &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)) < 0)
		goto wrong;
	if (connect(fd, address, size) < 0 && errno != EINPROGRESS)
		goto wrong;
	return fd;
wrong:;
	int result = -errno;
	close(fd);
	return result;
}

void zk_visit(struct sp_device *dev)
{
	const struct zk_conf *conf = sp_device_conf(dev);
	struct zk *zk = sp_device_state(dev);
	bool tcp = conf->transport == ZK_TCP;
	sp_zk_session_end(&zk->session);
	zk->session = (struct sp_zk_session){
	    .framed = tcp, .comm_key = (uint32_t)conf->comm_key, .serial_wanted = conf->serial};
	zk->clock_error_s = NAN;
	zk->visiting = true;
	zk->connected = false;
	zk->fd = open_socket(zk, tcp);
	if (zk->fd < 0) {
		int error = -zk->fd;
		zk->fd = -1;
		failed_by(dev, error);
		return;
	}
	if (tcp)
		zk->stream = calloc(1, sizeof(*zk->stream));
	zk->watch = sp_watch_new(dev, zk->fd, SP_WRITABLE, on_socket, NULL);
	if (!zk->timer)
		zk->timer = sp_timer_new(dev, on_timer, NULL);
	if (!zk->watch || (tcp && !zk->stream)) {
		failed(dev, "protocol", "no memory");
		return;
	}
	sp_timer_start(zk->timer, PATIENCE_MS);
}

void zk_link_close(struct sp_device *dev)
{
	struct zk *zk = sp_device_state(dev);
	sp_watch_free(zk->watch);
	zk->watch = NULL;
	if (zk->timer)
		sp_timer_stop(zk->timer);
	if (zk->fd >= 0) {
		// A terminal serves one client at a time, and some keep a place for who never said goodbye.
		if (zk->connected && sp_zk_session_leave(&zk->session))
			(void)!send(zk->fd, zk->session.question, zk->session.question_length, MSG_NOSIGNAL);
		close(zk->fd);
	}
	zk->fd = -1;
	if (zk->stream) {
		explicit_bzero(zk->stream, sizeof(*zk->stream));
		free(zk->stream);
	}
	zk->stream = NULL;
}
