// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// io.h: one datagram and its answer, one TCP handshake; each with a deadline.
#include "schoolpulse/io.h"

#include <string.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "agent/core/device_priv.h"

enum {
	DATAGRAM_MAX = 65535,
	READS_PER_WAKE = 16, ///< a peer that floods does not hold the loop
};

struct sp_exchange {
	struct sp_resource open;
	int fd;
	struct sp_loop_watch *watch;
	struct sp_loop_timer *timer;
	bool over;
	int result; ///< what the timer brings
	int64_t sent_us;
	sp_accept_fn accept;
	sp_exchange_fn done;
	void *arg;
};

static void release(struct sp_exchange *exchange)
{
	struct sp_loop *loop = sp_device_loop(exchange->open.dev);
	sp_loop_watch_free(loop, exchange->watch);
	sp_loop_timer_free(loop, exchange->timer);
	if (exchange->fd >= 0)
		close(exchange->fd);
	exchange->watch = NULL;
	exchange->timer = NULL;
	exchange->fd = -1;
	sp_resource_unlink(&exchange->open);
}

static void close_exchange(struct sp_resource *resource)
{
	struct sp_exchange *exchange = (struct sp_exchange *)resource;
	release(exchange);
	free(exchange);
}

static void finish(struct sp_exchange *exchange, int result, const uint8_t *data, size_t length)
{
	int64_t elapsed = sp_loop_now_us(sp_device_loop(exchange->open.dev)) - exchange->sent_us;
	// Out of the device's list first: the callback may stop or cancel anything.
	exchange->over = true;
	release(exchange);
	exchange->done(exchange->open.dev, result, data, length, elapsed, exchange->arg);
	free(exchange);
}

static void timed_out(void *arg)
{
	struct sp_exchange *exchange = arg;
	finish(exchange, exchange->result, NULL, 0);
}

static void connected(void *arg, int fd, unsigned events)
{
	(void)events;
	int error = 0;
	socklen_t size = sizeof(error);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	finish(arg, -error, NULL, 0);
}

static void readable(void *arg, int fd, unsigned events)
{
	(void)events;
	struct sp_exchange *exchange = arg;
	uint8_t data[DATAGRAM_MAX];
	for (int i = 0; i < READS_PER_WAKE; i++) {
		ssize_t length = recv(fd, data, sizeof(data), MSG_DONTWAIT);
		if (length < 0) {
			if (errno != EAGAIN && errno != EINTR)
				finish(exchange, -errno, NULL, 0);
			return;
		}
		if (!exchange->accept || exchange->accept(data, (size_t)length, exchange->arg)) {
			finish(exchange, 0, data, (size_t)length);
			return;
		}
	}
}

static socklen_t address_size(const struct sp_endpoint *peer)
{
	return peer->address.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

static int open_socket(struct sp_exchange *exchange, const struct sp_endpoint *peer, int type)
{
	exchange->fd = socket(peer->address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (exchange->fd < 0)
		return -errno;
	if (peer->interface[0] &&
	    setsockopt(exchange->fd, SOL_SOCKET, SO_BINDTODEVICE, peer->interface,
		       (socklen_t)strnlen(peer->interface, sizeof(peer->interface))) < 0)
		return -errno;
	if (connect(exchange->fd, (const struct sockaddr *)&peer->address, address_size(peer)) < 0 &&
	    errno != EINPROGRESS)
		return -errno;
	return 0;
}

static struct sp_exchange *new_exchange(struct sp_device *dev, int64_t timeout_ms, sp_exchange_fn done,
					void *arg)
{
	struct sp_exchange *exchange = sp_alloc(sizeof(*exchange));
	exchange->fd = -1;
	exchange->done = done;
	exchange->arg = arg;
	exchange->result = -ETIMEDOUT;
	exchange->timer = sp_loop_timer_new(sp_device_loop(dev), timed_out, exchange);
	sp_resource_open(&exchange->open, dev, close_exchange);
	sp_loop_timer_start(sp_device_loop(dev), exchange->timer, timeout_ms);
	exchange->sent_us = sp_loop_now_us(sp_device_loop(dev));
	return exchange;
}

/// Failed at once; told by the timer, never inside the call that asked.
static struct sp_exchange *fail_soon(struct sp_exchange *exchange, int result)
{
	exchange->result = result;
	sp_loop_timer_start(sp_device_loop(exchange->open.dev), exchange->timer, 0);
	return exchange;
}

struct sp_exchange *sp_udp_exchange(struct sp_device *dev, const struct sp_endpoint *peer,
				    const uint8_t *data, size_t length, int64_t timeout_ms,
				    sp_accept_fn accept, sp_exchange_fn done, void *arg)
{
	struct sp_exchange *exchange = new_exchange(dev, timeout_ms, done, arg);
	exchange->accept = accept;
	int result = open_socket(exchange, peer, SOCK_DGRAM);
	if (result)
		return fail_soon(exchange, result);
	exchange->watch =
	    sp_loop_watch_new(sp_device_loop(dev), exchange->fd, SP_READABLE, readable, exchange);
	if (!exchange->watch)
		return fail_soon(exchange, -errno);
	exchange->sent_us = sp_loop_now_us(sp_device_loop(dev));
	if (send(exchange->fd, data, length, MSG_NOSIGNAL) < 0)
		return fail_soon(exchange, -errno);
	return exchange;
}

struct sp_exchange *sp_tcp_connect(struct sp_device *dev, const struct sp_endpoint *peer, int64_t timeout_ms,
				   sp_exchange_fn done, void *arg)
{
	struct sp_exchange *exchange = new_exchange(dev, timeout_ms, done, arg);
	int result = open_socket(exchange, peer, SOCK_STREAM);
	if (result)
		return fail_soon(exchange, result);
	exchange->watch =
	    sp_loop_watch_new(sp_device_loop(dev), exchange->fd, SP_WRITABLE, connected, exchange);
	if (!exchange->watch)
		return fail_soon(exchange, -errno);
	return exchange;
}

void sp_exchange_cancel(struct sp_exchange *exchange)
{
	// From inside its own callback there is nothing left to end.
	if (exchange && !exchange->over)
		close_exchange(&exchange->open);
}
