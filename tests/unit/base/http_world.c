// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One thread for both sides: libcurl's descriptors and timer, and a server that follows orders.
#include "tests/unit/base/http_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "agent/base/mem.h"

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static void watch(void *arg, int fd, unsigned events)
{
	struct world *world = arg;
	assert_in_range(fd, 0, FDS - 1);
	world->wanted[fd] = events;
}

static void timer(void *arg, int64_t delay_ms)
{
	struct world *world = arg;
	world->due_ms = delay_ms < 0 ? -1 : now_ms() + delay_ms;
}

const struct sp_http_loop world_loop = {watch, timer};

int world_set_up(void **state)
{
	struct world *world = sp_alloc(sizeof(*world));
	struct sockaddr_in here = {.sin_family = AF_INET};
	socklen_t size = sizeof(here);
	world->due_ms = -1;
	world->client = sp_http_client_new(&world_loop, world);
	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	world->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (bind(world->listener, (struct sockaddr *)&here, size) || listen(world->listener, 64) ||
	    getsockname(world->listener, (struct sockaddr *)&here, &size))
		return -1;
	world->port = ntohs(here.sin_port);
	*state = world;
	return 0;
}

int world_tear_down(void **state)
{
	struct world *world = *state;
	sp_http_client_free(world->client);
	for (int i = 0; i < FDS; i++)
		assert_int_equal(world->wanted[i], 0);
	assert_int_equal(world->due_ms, -1);
	for (size_t i = 0; i < world->peer_count; i++)
		close(world->peers[i].fd);
	close(world->listener);
	free(world);
	return 0;
}

static void serve(struct world *world)
{
	int fd = accept4(world->listener, NULL, NULL, SOCK_NONBLOCK);
	if (fd >= 0) {
		assert_true(world->peer_count < PEERS);
		world->peers[world->peer_count].fd = fd;
		world->peers[world->peer_count++].serve = world->serve;
	}
	for (size_t i = 0; i < world->peer_count; i++) {
		if (!world->peers[i].asked) {
			ssize_t got =
			    recv(world->peers[i].fd, world->peers[i].request + world->peers[i].length,
				 sizeof(world->peers[i].request) - 1 - world->peers[i].length, 0);
			world->peers[i].length += got > 0 ? (size_t)got : 0;
			world->peers[i].asked = strstr(world->peers[i].request, "\r\n\r\n");
		} else if (world->peers[i].serve) {
			world->peers[i].serve(world->peers[i].fd);
		}
	}
}

void turn(struct world *world)
{
	struct pollfd fds[FDS];
	nfds_t count = 0;
	serve(world);
	for (int i = 0; i < FDS; i++) {
		if (world->wanted[i])
			fds[count++] = (struct pollfd){
			    .fd = i,
			    .events = (short)((world->wanted[i] & SP_READABLE ? POLLIN : 0) |
					      (world->wanted[i] & SP_WRITABLE ? POLLOUT : 0))};
	}
	poll(fds, count, 2);
	for (nfds_t i = 0; i < count; i++) {
		unsigned seen = (fds[i].revents & (POLLIN | POLLHUP | POLLERR) ? SP_READABLE : 0) |
				(fds[i].revents & POLLOUT ? SP_WRITABLE : 0);
		if (seen && world->wanted[fds[i].fd])
			sp_http_client_ready(world->client, fds[i].fd, seen);
	}
	if (world->due_ms >= 0 && now_ms() >= world->due_ms) {
		world->due_ms = -1;
		sp_http_client_expired(world->client);
	}
}

static void done(void *arg, const struct sp_http_answer *answer)
{
	struct result *r = arg;
	r->calls++;
	r->result = answer->result;
	r->status = answer->status;
	r->family = answer->family;
	r->bytes = answer->bytes;
	r->length = answer->length;
	snprintf(r->error, sizeof(r->error), "%s", answer->error);
	snprintf(r->location, sizeof(r->location), "%s", answer->location);
	snprintf(r->body, sizeof(r->body), "%.*s", (int)answer->length, (const char *)answer->body);
	assert_true((answer->result == 0) == (answer->error[0] == '\0'));
	assert_true(answer->elapsed_us >= 0);
	if (r->then)
		r->then(r);
}

void wait_for(struct world *world, struct result *r)
{
	int64_t until = now_ms() + 30000;
	while (r->calls == 0 && now_ms() < until)
		turn(world);
	assert_int_equal(r->calls, 1);
}

void begin(struct world *world, struct result *r, struct sp_http_request request, void (*with)(int fd))
{
	char url[64];
	*r = (struct result){.world = world, .then = r->then};
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/path?q=1", world->port);
	if (!request.url)
		request.url = url;
	if (!request.timeout_ms)
		request.timeout_ms = 20000;
	world->serve = with;
	r->transfer = sp_http_transfer_get(world->client, &request, done, r);
	assert_int_equal(r->calls, 0); // never from within
}

struct result get(struct world *world, struct sp_http_request request, void (*with)(int fd))
{
	struct result r = {0};
	begin(world, &r, request, with);
	wait_for(world, &r);
	return r;
}

void say(int fd, const char *text)
{
	ssize_t ignored = send(fd, text, strlen(text), MSG_NOSIGNAL);
	(void)ignored;
}

void say_and_close(int fd, const char *text)
{
	say(fd, text);
	shutdown(fd, SHUT_WR);
}

void hello(int fd)
{
	say_and_close(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
}

void silent(int fd)
{
	(void)fd;
}
