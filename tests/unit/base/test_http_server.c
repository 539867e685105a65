// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The HTTP server against plain sockets: routes, limits, deadlines.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "agent/base/http_server.h"
#include "agent/base/mem.h"
#include "schoolpulse/clock.h"

enum { LARGE = 4 * 1024 * 1024 };

static char *large;
static int handled;

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

static int64_t forward_us;

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

static struct sp_http_server *server;

static int set_up(void **state)
{
	(void)state;
	handled = 0;
	sp_clock_set_source(&source);
	large = sp_alloc(LARGE);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_http_server_free(server);
	server = NULL;
	sp_clock_set_source(NULL);
	free(large);
	return 0;
}

static char arg[] = "arg";

static void start_default(void)
{
	struct sp_http_server_config config = {0};
	char why[256];
	server = sp_http_server_new(&config, routes, arg, why);
	assert_non_null(server);
}

static int dial(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(sp_http_server_port(server))};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void turn(void)
{
	struct pollfd p = {.fd = sp_http_server_fd(server), .events = POLLIN};
	int64_t timeout = sp_http_server_timeout_ms(server);
	poll(&p, 1, timeout >= 0 && timeout < 5 ? (int)timeout : 5);
	sp_http_server_run(server);
}

static void say(int fd, const char *text)
{
	ssize_t ignored = send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)ignored;
}

/// Reads until the server hangs up (true), or until `wanted` has come (false). At most 30 s.
static bool hear(int fd, char *out, size_t size, const char *wanted)
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

/// One request on a connection of its own. To be used at once.
static const char *ask(const char *request)
{
	static char answer[8192];
	int fd = dial();
	say(fd, request);
	hear(fd, answer, sizeof(answer), NULL);
	close(fd);
	return answer;
}

#define CLOSE "Connection: close\r\n\r\n"

static void has(const char *answer, const char *status, const char *part)
{
	if (strncmp(answer + 9, status, 3) != 0 || !strstr(answer, part))
		fail_msg("not %s, %s: %s", status, part, answer);
}

static void requests_find_their_route(void **state)
{
	(void)state;
	start_default();
	has(ask("GET / HTTP/1.1\r\nHost: x\r\n" CLOSE), "200", "GET /|||-|-||127.0.0.1");
	has(ask("GET /api/sites/A-1?q=Tr%C6%B0%E1%BB%9Dng HTTP/1.1\r\nHost: x\r\nX-Test: 7\r\n" CLOSE), "200",
	    "GET /api/sites/A-1|A-1||Trường|7||127.0.0.1");
	has(ask("GET /api/sites/A%201/main HTTP/1.1\r\nHost: x\r\n" CLOSE), "200", "|A 1|main|");
	has(ask("GET /assets/a/b.js HTTP/1.1\r\nHost: x\r\n" CLOSE), "200", "|a/b.js||");
	has(ask("GET /assets/ HTTP/1.1\r\nHost: x\r\n" CLOSE), "200", "GET /assets/|||");
	has(ask("POST /api/sites/B HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n" CLOSE "body"), "200",
	    "POST /api/sites/B|B||-|-|body|");
	has(ask("POST /api/sites/B HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" CLOSE
		"2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n"),
	    "200", "|body|");
	assert_int_equal(handled, 7);
	has(ask("GET /api/sites/ HTTP/1.1\r\nHost: x\r\n" CLOSE), "404", "");
	has(ask("GET /api/sites/a/b/c HTTP/1.1\r\nHost: x\r\n" CLOSE), "404", "");
	has(ask("GET /nowhere HTTP/1.1\r\nHost: x\r\n" CLOSE), "404", "");
	has(ask("PUT /api/sites/a HTTP/1.1\r\nHost: x\r\n" CLOSE), "405", "Allow: GET, POST\r\n");
	has(ask("GET /forget HTTP/1.1\r\nHost: x\r\n" CLOSE), "500", "");
	has(ask("GET /give HTTP/1.1\r\nHost: x\r\n" CLOSE), "200", "given");
	assert_int_equal(handled, 7);
}

static void replies_have_their_headers(void **state)
{
	(void)state;
	start_default();
	const char *answer = ask("GET / HTTP/1.1\r\nHost: x\r\n" CLOSE);
	has(answer, "200", "Content-Type: application/json\r\n");
	has(answer, "200", "X-Good: yes\r\n");
	has(answer, "200", "Date: ");
	assert_null(strstr(answer, "X-Evil"));
	answer = ask("HEAD / HTTP/1.1\r\nHost: x\r\n" CLOSE);
	has(answer, "200", "X-Good: yes\r\n");
	assert_null(strstr(answer, "127.0.0.1"));
	assert_int_equal(handled, 2);
}

static void a_date_is_left_to_the_handlers_if_wanted(void **state)
{
	(void)state;
	struct sp_http_server_config config = {.no_date = true};
	char why[256];
	server = sp_http_server_new(&config, routes, arg, why);
	assert_null(strstr(ask("GET / HTTP/1.1\r\nHost: x\r\n" CLOSE), "Date:"));
}

static void a_connection_serves_one_request_after_the_other(void **state)
{
	(void)state;
	char answer[8192];
	start_default();
	int fd = dial();
	for (int i = 0; i < 3; i++) {
		say(fd, "GET /give HTTP/1.1\r\nHost: x\r\n\r\n");
		assert_false(hear(fd, answer, sizeof(answer), "given"));
	}
	close(fd);
}

// ---- limits --------------------------------------------------------------------------------------------

static void bodies_are_bounded(void **state)
{
	(void)state;
	struct sp_http_server_config config = {.max_body = 100};
	char why[256], chunk[128] = "64\r\n", answer[4096];
	server = sp_http_server_new(&config, routes, arg, why);
	has(ask("POST /api/sites/B HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n" CLOSE), "413",
	    "too large");
	has(ask("POST /api/sites/B HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n" CLOSE),
	    "413", "");
	memset(chunk + 4, 'x', 100);
	memcpy(chunk + 104, "\r\n", 3);
	char *exact = sp_asprintf(
	    "POST /api/sites/B HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" CLOSE "%s0\r\n\r\n",
	    chunk);
	has(ask(exact), "200", "xxx");
	free(exact);
	exact = sp_asprintf("POST /api/sites/B HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" CLOSE
			    "%s1\r\ny\r\n0\r\n\r\n",
			    chunk);
	has(ask(exact), "413", "too large");
	free(exact);
	assert_int_equal(handled, 1);
	// Without an end: cut off.
	int fd = dial();
	size_t sent = 0;
	say(fd, "POST /api/sites/B HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (;;) {
		ssize_t got = send(fd, chunk, 106, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (got < 0 && errno != EAGAIN)
			break;
		if (got > 0 && got < 106) // keep the framing
			send(fd, chunk + got, 106 - (size_t)got, MSG_NOSIGNAL);
		sent += got > 0 ? 106 : 0;
		assert_true(sent < 64 * 1024 * 1024);
		sp_http_server_run(server);
	}
	close(fd);
	assert_int_equal(handled, 1);
	fd = dial();
	say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_false(hear(fd, answer, sizeof(answer), "127.0.0.1"));
	close(fd);
}

static void heads_are_bounded(void **state)
{
	(void)state;
	char *request = sp_alloc(70000);
	start_default();
	int length = sprintf(request, "GET / HTTP/1.1\r\nHost: x\r\nX-Long: ");
	memset(request + length, 'a', 60000);
	const char *answer = ask(request);
	assert_true(answer[0] == '\0' || answer[9] == '4');
	length = sprintf(request, "GET /");
	memset(request + length, 'a', 60000);
	answer = ask(request);
	assert_true(answer[0] == '\0' || answer[9] == '4');
	for (length = sprintf(request, "GET / HTTP/1.1\r\nHost: x\r\n"); length < 60000;)
		length += sprintf(request + length, "X-%d: a\r\n", length);
	answer = ask(request);
	assert_true(answer[0] == '\0' || answer[9] == '4');
	assert_int_equal(handled, 0);
	has(ask("GET / HTTP/1.1\r\nHost: x\r\n" CLOSE), "200", "");
	free(request);
}

static void garbage_hurts_nobody(void **state)
{
	(void)state;
	static const char *const garbage[] = {
	    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
	    "GET\r\n\r\n",
	    "\r\n\r\n\r\n\r\n \r\n\r\n",
	    "GET / HTTP/9.9\r\n\r\n",
	    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
	    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	    ("GET /%00%ff%zz/../.. HTTP/1.1\r\nHost: x\r\n" CLOSE),
	    "GET /assets/%2e%2e/%2e%2e HTTP/1.0\r\n\r\n",
	};
	char answer[4096];
	start_default();
	for (size_t i = 0; i < SP_COUNT(garbage); i++) {
		int fd = dial();
		say(fd, garbage[i]);
		shutdown(fd, SHUT_WR);
		for (int j = 0; j < 10; j++)
			turn();
		forward_us += 21 * 1000000; // what might still become a request has its deadline
		hear(fd, answer, sizeof(answer), NULL);
		close(fd);
	}
	has(ask("GET / HTTP/1.1\r\nHost: x\r\n" CLOSE), "200", "");
}

static void connections_are_bounded(void **state)
{
	(void)state;
	for (int per_address = 0; per_address <= 1; per_address++) {
		struct sp_http_server_config config = {.max_connections = per_address ? 50 : 4,
						       .max_per_address = per_address ? 4 : 50};
		char why[256], answer[1024];
		int fds[4];
		server = sp_http_server_new(&config, routes, arg, why);
		for (int i = 0; i < 4; i++) {
			fds[i] = dial();
			say(fds[i], "GET /give HTTP/1.1\r\nHost: x\r\n\r\n");
			assert_false(hear(fds[i], answer, sizeof(answer), "given"));
		}
		int more = dial();
		say(more, "GET /give HTTP/1.1\r\nHost: x\r\n\r\n");
		for (int i = 0; i < 50; i++)
			turn();
		assert_true(recv(more, answer, sizeof(answer), MSG_DONTWAIT) <= 0);
		close(more);
		// The others are served on, and one that leaves makes room.
		say(fds[3], "GET /give HTTP/1.1\r\nHost: x\r\n\r\n");
		assert_false(hear(fds[3], answer, sizeof(answer), "given"));
		close(fds[0]);
		for (int i = 0; i < 50; i++)
			turn();
		has(ask("GET /give HTTP/1.1\r\nHost: x\r\n" CLOSE), "200", "given");
		for (int i = 1; i < 4; i++)
			close(fds[i]);
		sp_http_server_free(server);
	}
	server = NULL;
}

// ---- deadlines -----------------------------------------------------------------------------------------

static void a_request_has_one_deadline_as_a_whole(void **state)
{
	(void)state;
	struct sp_http_server_config config = {.request_timeout_ms = 20000};
	char why[256], answer[1024];
	server = sp_http_server_new(&config, routes, arg, why);
	int silent = dial(), drips = dial(), works = dial();
	say(drips, "GET / HTTP/1.1\r\nHost: x\r\n");
	for (int i = 0; i < 4; i++) {
		say(drips, "X-Slow: a\r\n"); // a byte now and then would do for libmicrohttpd
		say(works, "GET /give HTTP/1.1\r\nHost: x\r\n\r\n");
		assert_false(hear(works, answer, sizeof(answer), "given"));
		forward_us += 6 * 1000000;
	}
	assert_true(hear(silent, answer, sizeof(answer), NULL));
	assert_true(hear(drips, answer, sizeof(answer), NULL));
	assert_int_equal(handled, 0);
	say(works, "GET /give HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_false(hear(works, answer, sizeof(answer), "given"));
	forward_us += 21 * 1000000; // an idle connection goes, too
	assert_true(hear(works, answer, sizeof(answer), NULL));
	close(silent);
	close(drips);
	close(works);
}

static void an_answer_has_a_deadline_too(void **state)
{
	(void)state;
	struct sp_http_server_config config = {.reply_timeout_ms = 30000};
	char why[256], *scrap = sp_alloc(LARGE + 4096);
	server = sp_http_server_new(&config, routes, arg, why);
	int fd = dial();
	say(fd, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
	for (int i = 0; i < 30; i++)
		turn();
	forward_us += 29 * 1000000;
	for (int i = 0; i < 30; i++)
		turn();
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};
	assert_int_equal(poll(&p, 1, 0), 0); // still there
	forward_us += 2 * 1000000;
	hear(fd, scrap, LARGE + 4096, NULL);
	close(fd);
	// One that reads gets it all.
	fd = dial();
	say(fd, "GET /large HTTP/1.1\r\nHost: x\r\n" CLOSE);
	size_t length = 0;
	for (;;) {
		turn();
		ssize_t got = recv(fd, scrap, LARGE, MSG_DONTWAIT);
		if (got == 0)
			break;
		length += got > 0 ? (size_t)got : 0;
	}
	assert_true(length > LARGE);
	close(fd);
	free(scrap);
}

// ---- start and stop --------------------------------------------------------------------------------------

static void a_place_that_cannot_be_had_is_told(void **state)
{
	(void)state;
	char why[256];
	start_default();
	struct sp_http_server_config taken = {.port = sp_http_server_port(server)};
	errno = 0;
	assert_null(sp_http_server_new(&taken, routes, arg, why));
	assert_int_equal(errno, EADDRINUSE);
	assert_non_null(strstr(why, "127.0.0.1"));
	assert_non_null(strstr(why, "in use"));
	struct sp_http_server_config nowhere = {.address = "192.0.2.1"};
	assert_null(sp_http_server_new(&nowhere, routes, arg, why));
	assert_int_equal(errno, EADDRNOTAVAIL);
	struct sp_http_server_config name = {.address = "localhost"};
	assert_null(sp_http_server_new(&name, routes, arg, why));
	assert_int_equal(errno, EADDRNOTAVAIL);
	sp_http_server_free(NULL);
}

static void stopping_closes_what_is_open(void **state)
{
	(void)state;
	char answer[1024];
	start_default();
	int fd = dial(), half = dial();
	say(half, "POST /api/sites/B HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhalf");
	say(fd, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
	for (int i = 0; i < 30; i++)
		turn();
	sp_http_server_free(server);
	server = NULL;
	assert_true(recv(half, answer, sizeof(answer), 0) <= 0);
	close(fd);
	close(half);
}

static int stop_fd;

static void *serve(void *of)
{
	sp_http_server_serve(of, stop_fd);
	return NULL;
}

static void a_thread_may_serve(void **state)
{
	(void)state;
	pthread_t thread;
	uint64_t one = 1;
	char answer[1024];
	start_default();
	stop_fd = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(pthread_create(&thread, NULL, serve, server), 0);
	for (int i = 0; i < 20; i++) {
		int fd = dial();
		size_t length = 0;
		say(fd, "GET /give HTTP/1.1\r\nHost: x\r\n" CLOSE);
		for (ssize_t got; (got = recv(fd, answer + length, sizeof(answer) - 1 - length, 0)) > 0;)
			length += (size_t)got;
		answer[length] = '\0';
		has(answer, "200", "given");
		close(fd);
	}
	assert_int_equal(write(stop_fd, &one, sizeof(one)), sizeof(one));
	assert_int_equal(pthread_join(thread, NULL), 0);
	close(stop_fd);
}

#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SERVER_TEST(requests_find_their_route),
	    SERVER_TEST(replies_have_their_headers),
	    SERVER_TEST(a_date_is_left_to_the_handlers_if_wanted),
	    SERVER_TEST(a_connection_serves_one_request_after_the_other),
	    SERVER_TEST(bodies_are_bounded),
	    SERVER_TEST(heads_are_bounded),
	    SERVER_TEST(garbage_hurts_nobody),
	    SERVER_TEST(connections_are_bounded),
	    SERVER_TEST(a_request_has_one_deadline_as_a_whole),
	    SERVER_TEST(an_answer_has_a_deadline_too),
	    SERVER_TEST(a_place_that_cannot_be_had_is_told),
	    SERVER_TEST(stopping_closes_what_is_open),
	    SERVER_TEST(a_thread_may_serve),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
