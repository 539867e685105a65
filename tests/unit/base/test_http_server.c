// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The HTTP server: routes, replies, start and stop.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "tests/unit/base/http_visitor.h"

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
	start(&config, why);
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

// ---- start and stop --------------------------------------------------------------------------------------

static void a_place_that_cannot_be_had_is_told(void **state)
{
	(void)state;
	char why[256];
	start_default();
	struct sp_http_server *first = server;
	struct sp_http_server_config taken = {.port = sp_http_server_port(server)};
	errno = 0;
	start(&taken, why);
	assert_null(server);
	assert_int_equal(errno, EADDRINUSE);
	assert_non_null(strstr(why, "127.0.0.1"));
	assert_non_null(strstr(why, "in use"));
	struct sp_http_server_config nowhere = {.address = "192.0.2.1"};
	start(&nowhere, why);
	assert_null(server);
	assert_int_equal(errno, EADDRNOTAVAIL);
	struct sp_http_server_config name = {.address = "localhost"};
	start(&name, why);
	assert_null(server);
	assert_int_equal(errno, EADDRNOTAVAIL);
	sp_http_server_free(NULL);
	server = first;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SERVER_TEST(requests_find_their_route),
	    SERVER_TEST(replies_have_their_headers),
	    SERVER_TEST(a_date_is_left_to_the_handlers_if_wanted),
	    SERVER_TEST(a_connection_serves_one_request_after_the_other),
	    SERVER_TEST(a_place_that_cannot_be_had_is_told),
	    SERVER_TEST(stopping_closes_what_is_open),
	    SERVER_TEST(a_thread_may_serve),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
