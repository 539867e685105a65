// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A whole stream against a server that says what the fuzzer wants, over real loopback sockets in one thread:
// two requests one after the other, so that the second may find the first's connection kept, and what was
// said too much on it. The first byte chooses (see enum), each 0xff in the rest ends what is said to one
// request.
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/http_flow.h"
#include "schoolpulse/clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/// Also where assert() is compiled away, as in the build that looks for something new.
#define SHALL(condition)                                                                        \
	do {                                                                                    \
		if (!(condition)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                                \
		}                                                                               \
	} while (0)

enum {
	POSTS = 1,      ///< else GET
	STAYS_OPEN = 2, ///< the server neither closes nor says more: the stall limit must end it
	RESETS = 4,
	DRIPS = 8,   ///< a few bytes at a time
	UNREAD = 16, ///< nothing of the request is read
	EARLY = 32,  ///< it speaks before it is asked
};

enum {
	FDS = 1024,
	MOST_BODY = 20000,
	STALL_MS = 8,
	PATIENCE_MS = 3000, ///< of one request: limits are far below
	REQUESTS = 2,
	SENT = 90000,
	PEERS = 2 * REQUESTS, ///< libcurl tries a dead kept connection, and then another
};

static struct {
	unsigned wanted[FDS];
	int64_t due_us;
	int listener;
	uint16_t port;
	struct sp_http_client *client;
	int peers[PEERS];
	unsigned peer_count, served;
	// ---- the script
	unsigned how;
	const uint8_t *said, *said_end;
	size_t said_all;
	bool over;
	// ---- what came of it
	struct sp_http_flow *flow;
	unsigned heads, done;
	int64_t announced, received;
	struct sp_http_stream_end end;
} world;

static void watch(void *arg, int fd, unsigned events)
{
	(void)arg;
	SHALL(fd >= 0 && fd < FDS);
	world.wanted[fd] = events;
}

static void timer(void *arg, int64_t delay_ms)
{
	(void)arg;
	world.due_us = delay_ms < 0 ? -1 : sp_clock_mono_us() + delay_ms * 1000;
}

static const struct sp_http_loop loop = {watch, timer};

// ---- our side -------------------------------------------------------------------------------------

static bool on_head(void *arg, const struct sp_http_head *head)
{
	(void)arg;
	SHALL(head->status >= 200 && head->length >= -1 && head->location && head->retry_after);
	world.heads++;
	world.announced = head->length;
	return true;
}

static bool on_received(void *arg, const uint8_t *data, size_t length)
{
	(void)arg, (void)data;
	SHALL(world.heads == 1 && length > 0);
	world.received += (int64_t)length;
	return true;
}

static void on_fill(void *arg, uint8_t *data, size_t size)
{
	(void)arg;
	memset(data, 'x', size);
}

static void on_done(void *arg, const struct sp_http_stream_end *end)
{
	(void)arg;
	SHALL((end->result == 0) == (end->error[0] == '\0'));
	world.done++;
	world.end = *end;
}

static const struct sp_http_flow_events events = {on_head, on_received, on_fill, on_done};

static void judge(void)
{
	const struct sp_http_stream_end *end = &world.end;
	SHALL(world.done == 1 && world.heads <= 1);
	SHALL(end->result != 0 || world.heads == 1);
	SHALL(end->received_bytes <= MOST_BODY || end->result == -EMSGSIZE);
	// No more came out than was ever said, and of a whole body neither more nor less than it announced.
	SHALL(world.received <= end->received_bytes && world.received <= (int64_t)world.said_all);
	if (end->result == 0 && end->status == 200 && world.announced >= 0 && world.received > 0)
		SHALL(world.received == world.announced);
	SHALL(end->sent_bytes <= SENT && end->acked_bytes <= REQUESTS * SENT);
}

// ---- the server -------------------------------------------------------------------------------------

static void end_peer(int fd)
{
	struct linger now = {.l_onoff = 1};
	if (world.how & RESETS)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	if (world.how & RESETS)
		close(fd);
	else
		shutdown(fd, SHUT_WR);
}

static void speak(unsigned i)
{
	int fd = world.peers[i];
	static char bin[1 << 16];
	ssize_t got = -1;
	if (fd < 0)
		return;
	if (!(world.how & UNREAD))
		while ((got = recv(fd, bin, sizeof(bin), 0)) > 0)
			world.served |= 1u << i;
	else if (recv(fd, bin, 1, MSG_PEEK) > 0)
		world.served |= 1u << i;
	if (!(world.served & 1u << i) && !(world.how & EARLY))
		return;
	size_t left = (size_t)(world.said_end - world.said), piece = world.how & DRIPS && left > 7 ? 7 : left;
	if (piece > 0) {
		ssize_t sent = send(fd, world.said, piece, MSG_NOSIGNAL);
		world.said += sent > 0 ? sent : (ssize_t)left; // who has hung up hears nothing
	} else if (!(world.how & STAYS_OPEN) && !world.over) {
		world.over = true;
		end_peer(fd);
		if (world.how & RESETS)
			world.peers[i] = -1;
	}
}

static void serve(void)
{
	int fd =
	    world.peer_count < PEERS ? accept4(world.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) : -1;
	if (fd >= 0)
		world.peers[world.peer_count++] = fd;
	// It speaks on the newest connection, or on the kept one.
	if (world.peer_count > 0)
		speak(world.peer_count - 1);
}

// ---- both -----------------------------------------------------------------------------------------

static void turn(void)
{
	struct pollfd fds[16];
	nfds_t count = 0;
	serve();
	for (int i = 0; i < FDS && count < 16; i++)
		if (world.wanted[i])
			fds[count++] =
			    (struct pollfd){.fd = i,
					    .events = (short)((world.wanted[i] & SP_READABLE ? POLLIN : 0) |
							      (world.wanted[i] & SP_WRITABLE ? POLLOUT : 0))};
	poll(fds, count, world.said < world.said_end || !world.over ? 0 : 1);
	for (nfds_t i = 0; i < count; i++) {
		unsigned seen = (fds[i].revents & (POLLIN | POLLHUP | POLLERR) ? SP_READABLE : 0) |
				(fds[i].revents & POLLOUT ? SP_WRITABLE : 0);
		if (seen && world.wanted[fds[i].fd])
			sp_http_client_ready(world.client, fds[i].fd, seen);
	}
	if (world.due_us >= 0 && sp_clock_mono_us() >= world.due_us) {
		world.due_us = -1;
		sp_http_client_expired(world.client);
	}
}

static void request(const uint8_t *said, size_t size)
{
	static const struct sp_http_session_config config = {.connect_timeout_ms = 1000};
	char url[64];
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/x", world.port);
	struct sp_http_stream_request ask = {.method = world.how & POSTS ? "POST" : "GET",
					     .url = url,
					     .send_bytes = world.how & POSTS ? SENT : 0,
					     .max_bytes = MOST_BODY,
					     .timeout_ms = 1000,
					     .stall_ms = STALL_MS};
	world.said = said;
	world.said_end = said + size;
	world.said_all += size;
	world.over = false;
	world.served = 0;
	world.heads = world.done = 0;
	world.announced = -1;
	world.received = 0;
	world.flow = sp_http_flow_start(world.client, &config, &ask, &events, NULL);
	for (int64_t until = sp_clock_mono_us() + PATIENCE_MS * 1000; !world.done;) {
		SHALL(sp_clock_mono_us() < until);
		turn();
		if (!world.done) {
			struct sp_http_stream_end now;
			sp_http_flow_look(world.flow, &now);
		}
	}
	judge();
}

static void open_listener(void)
{
	struct sockaddr_in here = {.sin_family = AF_INET};
	socklen_t size = sizeof(here);
	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	world.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int failed = bind(world.listener, (struct sockaddr *)&here, size) || listen(world.listener, 16) ||
		     getsockname(world.listener, (struct sockaddr *)&here, &size);
	SHALL(!failed);
	world.port = ntohs(here.sin_port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 100000)
		return 0;
	if (!world.port)
		open_listener();
	const uint8_t *at = data + 1, *end = data + size;
	world.how = data[0];
	world.due_us = -1;
	world.peer_count = 0;
	world.said_all = 0;
	world.client = sp_http_client_new(&loop, NULL);
	for (int i = 0; i < REQUESTS && (i == 0 || at < end); i++) {
		const uint8_t *stop = at < end ? memchr(at, 0xff, (size_t)(end - at)) : NULL;
		stop = stop ? stop : end;
		request(at, (size_t)(stop - at));
		at = stop < end ? stop + 1 : end;
	}
	sp_http_client_free(world.client);
	for (int i = 0; i < FDS; i++)
		SHALL(world.wanted[i] == 0);
	for (unsigned i = 0; i < world.peer_count; i++)
		if (world.peers[i] >= 0)
			close(world.peers[i]);
	for (int fd; (fd = accept4(world.listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;)
		close(fd);
	return 0;
}
