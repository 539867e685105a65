// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The HTTP client and peers that are wrong, endless, slow or not there.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/base/http_world.h"

// ---- bad peers -----------------------------------------------------------------------------------------

static void long_and_announced(int fd)
{
	say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
}

static void long_and_not_announced(int fd)
{
	say_and_close(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n123456");
}

static void endless_chunks(int fd)
{
	static int first;
	if (fd != first)
		say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	first = fd;
	say(fd, "10\r\n0123456789abcdef\r\n");
}

static void endless_head(int fd)
{
	static int first;
	if (fd != first)
		say(fd, "HTTP/1.1 200 OK\r\n");
	first = fd;
	say(fd,
	    "X-More: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
}

static void endless_line(int fd)
{
	static char line[8192];
	memset(line, 'x', sizeof(line) - 1);
	say(fd, line);
}

static void endless_continue(int fd)
{
	say(fd, "HTTP/1.1 100 Continue\r\nX: y\r\n\r\n");
}

static void bodies_are_bounded(void **state)
{
	struct world *world = *state;
	struct result r = get(world, (struct sp_http_request){.max_bytes = 5}, long_and_announced);
	assert_int_equal(r.result, -EMSGSIZE);
	r = get(world, (struct sp_http_request){.max_bytes = 5}, long_and_not_announced);
	assert_int_equal(r.result, -EMSGSIZE);
	assert_non_null(strstr(r.error, "longer than 5 bytes"));
	r = get(world, (struct sp_http_request){.max_bytes = 6}, long_and_not_announced);
	assert_int_equal(r.result, 0);
	r = get(world, (struct sp_http_request){.max_bytes = 0}, hello);
	assert_int_equal(r.result, -EMSGSIZE);
	r = get(world, (struct sp_http_request){.max_bytes = 100000}, endless_chunks);
	assert_int_equal(r.result, -EMSGSIZE);
}

static void heads_are_bounded(void **state)
{
	struct world *world = *state;
	struct result r = get(world, (struct sp_http_request){.max_bytes = 5}, endless_head);
	assert_int_equal(r.result, -EPROTO);
	assert_non_null(strstr(r.error, "header"));
	r = get(world, (struct sp_http_request){.max_bytes = 5}, endless_continue);
	assert_int_equal(r.result, -EPROTO);
	assert_non_null(strstr(r.error, "header"));
	r = get(world, (struct sp_http_request){.max_bytes = 5}, endless_line);
	assert_true(r.result < 0);
}

static void drip(int fd)
{
	static int first;
	if (fd != first)
		say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
	first = fd;
	say(fd, ".");
}

static void time_is_bounded(void **state)
{
	struct world *world = *state;
	struct result r = get(world, (struct sp_http_request){.max_bytes = 1000000, .timeout_ms = 200}, drip);
	assert_int_equal(r.result, -ETIMEDOUT);
	assert_int_equal(r.status, 200);
	r = get(world, (struct sp_http_request){.max_bytes = 5, .timeout_ms = 100}, silent);
	assert_int_equal(r.result, -ETIMEDOUT);
	assert_int_equal(r.status, 0);
}

static void no_http(int fd)
{
	say_and_close(fd, "SSH-2.0-OpenSSH_9.2\r\n");
}

static void hang_up(int fd)
{
	shutdown(fd, SHUT_WR);
}

static void cut_short(int fd)
{
	say_and_close(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhel");
}

static void bad_length(int fd)
{
	say_and_close(fd, "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello");
}

static void bad_chunk(int fd)
{
	say_and_close(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n");
}

static void wrong_answers_are_told_apart(void **state)
{
	struct world *world = *state;
	static const struct {
		void (*serve)(int fd);
		int result;
	} cases[] = {{no_http, -EPROTO},
		     {hang_up, -ECONNRESET},
		     {cut_short, -ECONNRESET},
		     {bad_length, -EPROTO},
		     {bad_chunk, 0}};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct result r = get(world, (struct sp_http_request){.max_bytes = 1000}, cases[i].serve);
		if (cases[i].result ? r.result != cases[i].result : r.result >= 0)
			fail_msg("case %zu: %d: %s", i, r.result, r.error);
		assert_true(r.error[0] != '\0');
	}
}

static void tls_failures_have_words(void **state)
{
	struct world *world = *state;
	char url[64];
	struct result r = {0};
	snprintf(url, sizeof(url), "https://127.0.0.1:%u/", world->port);
	begin(world, &r, (struct sp_http_request){.url = url, .max_bytes = 100}, NULL);
	while (world->peer_count == 0)
		turn(world);
	say_and_close(world->peers[0].fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
	wait_for(world, &r);
	assert_int_equal(r.result, -EPROTO);
	assert_non_null(strstr(r.error, "SSL"));
}

static void nobody_there(void **state)
{
	struct world *world = *state;
	char url[64];
	close(world->listener);
	world->listener = -1;
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", world->port);
	struct result r = get(world, (struct sp_http_request){.url = url}, NULL);
	assert_int_equal(r.result, -ECONNREFUSED);
	assert_string_equal(r.error, "Connection refused");
	assert_int_equal(r.family, SP_FAMILY_ANY);
	r = get(world, (struct sp_http_request){.url = "http://no-such-host.invalid/"}, NULL);
	assert_int_equal(r.result, -ENOENT);
	assert_true(r.error[0] != '\0');
}

static void urls_that_are_none_fail_later(void **state)
{
	struct world *world = *state;
	static const char *const urls[] = {"",
					   "http://",
					   "file:///etc/passwd",
					   "ftp://127.0.0.1/",
					   "gopher://x/",
					   "://",
					   "http://127.0.0.1:99999/"};
	for (size_t i = 0; i < SP_COUNT(urls); i++) {
		struct result r = get(world, (struct sp_http_request){.url = urls[i], .max_bytes = 10}, NULL);
		if (r.result != -EINVAL)
			fail_msg("%s: %d: %s", urls[i], r.result, r.error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(bodies_are_bounded),
	    WORLD_TEST(heads_are_bounded),
	    WORLD_TEST(time_is_bounded),
	    WORLD_TEST(wrong_answers_are_told_apart),
	    WORLD_TEST(tls_failures_have_words),
	    WORLD_TEST(nobody_there),
	    WORLD_TEST(urls_that_are_none_fail_later),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
