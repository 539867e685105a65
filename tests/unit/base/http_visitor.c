// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Handlers, sockets and the clock around an HTTP server under test.
#include "tests/unit/base/http_visitor.h"

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
#include "schoolpulse/clock.h"

static char *large;
int handled;

static void show(struct sp_http_call *call, void *arg)
{
	char text[512];
	size_t length;
	const char *q = sp_http_call_query(call, "q"), *h = sp_http_call_header(call, "x-test");
	const char *body = sp_http_call_body(call, &length);
	handled++;
	assert_string_equal(arg, "arg");
	assert_int_equal(strlen(body), length);
	snprintf(text, sizeof(text), "%s %s|%s|%s|%s|%s|%s|%s", sp_http_call_method(call),
		 sp_http_call_path(call), sp_http_call_level(call, 0), sp_http_call_level(call, 1),
		 q ? q : "-", h ? h : "-", body, sp_http_call_peer(call));
	sp_http_reply_header(call, "X-Good", "yes");
	sp_http_reply_header(call, "X-Bad", "no\r\nX-Evil: 1");
	sp_http_reply(call, 200, "application/json", text, strlen(text), SP_HTTP_COPY);
	sp_http_reply(call, 500, NULL, "", 0, SP_HTTP_COPY); // a second one is no reply
}

static void forget(struct sp_http_call *call, void *arg)
{
	(void)call, (void)arg;
}

static void send_large(struct sp_http_call *call, void *arg)
{
	(void)arg;
	sp_http_reply(call, 200, NULL, large, LARGE, SP_HTTP_STATIC);
}

static void give(struct sp_http_call *call, void *arg)
{
	(void)arg;
	sp_http_reply(call, 200, NULL, sp_strdup("given"), 5, SP_HTTP_TAKE);
	sp_http_reply(call, 200, NULL, sp_strdup("again"), 5, SP_HTTP_TAKE);
}

static const struct sp_http_route routes[] = {
    {"GET", "/", show},
    {"GET", "/api/sites/:site", show},
    {"GET", "/api/sites/:site/:line", show},
    {"POST", "/api/sites/:site", show},
    {"GET", "/forget", forget},
    {"GET", "/large", send_large},
    {"GET", "/give", give},
    {"GET", "/assets/*", show},
    {0},
};

// ---- the clock: real, but it can be put forward -----------------------------------------------------------

int64_t forward_us;

static void read_clock(void *arg, struct sp_clock_reading *out)
{
	struct timespec now;
	(void)arg;
	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	memset(out, 0, sizeof(*out));
	out->mono_us = now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000 + forward_us;
}

static const struct sp_clock_source source = {read_clock, NULL};

// ---- one server and its clients in one thread -------------------------------------------------------------

struct sp_http_server *server;

int visitor_set_up(void **state)
{
	(void)state;
	handled = 0;
	sp_clock_set_source(&source);
	large = sp_alloc(LARGE);
	return 0;
}

int visitor_tear_down(void **state)
{
	(void)state;
	sp_http_server_free(server);
	server = NULL;
	sp_clock_set_source(NULL);
	free(large);
	return 0;
}

static char arg[] = "arg";

void start(const struct sp_http_server_config *config, char why[256])
{
	server = sp_http_server_new(config, routes, arg, why);
}

void start_default(void)
{
	struct sp_http_server_config config = {0};
	char why[256];
	start(&config, why);
	if (!server)
		fail_msg("%s", why);
}

int dial(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(sp_http_server_port(server))};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

void turn(void)
{
	struct pollfd p = {.fd = sp_http_server_fd(server), .events = POLLIN};
	int64_t timeout = sp_http_server_timeout_ms(server);
	poll(&p, 1, timeout >= 0 && timeout < 5 ? (int)timeout : 5);
	sp_http_server_run(server);
}

void say(int fd, const char *text)
{
	ssize_t ignored = send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)ignored;
}

bool hear(int fd, char *out, size_t size, const char *wanted)
{
	size_t length = 0;
	out[0] = '\0';
	for (int i = 0; i < 6000; i++) {
		turn();
		ssize_t got = recv(fd, out + length, size - 1 - length, MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno != EAGAIN))
			return true;
		length += got > 0 ? (size_t)got : 0;
		out[length] = '\0';
		if (wanted && strstr(out, wanted))
			return false;
	}
	fail_msg("waited in vain for %s in: %s", wanted ? wanted : "the end", out);
	return false;
}

const char *ask(const char *request)
{
	static char answer[8192];
	int fd = dial();
	say(fd, request);
	hear(fd, answer, sizeof(answer), NULL);
	close(fd);
	return answer;
}

void has(const char *answer, const char *status, const char *part)
{
	if (strncmp(answer + 9, status, 3) != 0 || !strstr(answer, part))
		fail_msg("not %s, %s: %s", status, part, answer);
}
