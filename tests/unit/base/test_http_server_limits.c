// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The HTTP server: what it takes of size, number and time, and no more.
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
#include <unistd.h>

#include "agent/base/mem.h"
#include "tests/unit/base/http_visitor.h"

// ---- limits --------------------------------------------------------------------------------------------

static void bodies_are_bounded(void **state)
{
	(void)state;
	struct sp_http_server_config config = {.max_body = 100};
	char why[256], chunk[128] = "64\r\n", answer[4096];
	start(&config, why);
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
		start(&config, why);
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
	start(&config, why);
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
	start(&config, why);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SERVER_TEST(bodies_are_bounded),
	    SERVER_TEST(heads_are_bounded),
	    SERVER_TEST(garbage_hurts_nobody),
	    SERVER_TEST(connections_are_bounded),
	    SERVER_TEST(a_request_has_one_deadline_as_a_whole),
	    SERVER_TEST(an_answer_has_a_deadline_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
