// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The HTTP server: bodies that are never held, replies that repeat a block, and the pace of both.
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

enum { BLOCK = 1024, MOST = 100000 };

static char block[BLOCK];
static struct {
	size_t pieces, bytes;
	unsigned ended;
	struct sp_http_moved moved;
} seen;

static void piece(struct sp_http_call *call, const void *data, size_t length, void *arg)
{
	assert_string_equal(arg, "arg");
	assert_non_null(sp_http_call_path(call));
	for (size_t i = 0; i < length; i++)
		assert_int_equal(((const char *)data)[i], 'x');
	seen.pieces++;
	seen.bytes += length;
}

static void ended(const struct sp_http_moved *moved, void *context)
{
	assert_ptr_equal(context, block);
	seen.ended++;
	seen.moved = *moved;
}

/// /api/sites/stream takes a body, /api/sites/refuse does not, /repeat answers with `n` blocks.
static void begin(struct sp_http_call *call, void *arg)
{
	const char *path = sp_http_call_path(call), *n = sp_http_call_query(call, "n");
	assert_string_equal(arg, "arg");
	if (strcmp(path, "/api/sites/refuse") == 0) {
		sp_http_reply_header(call, "Retry-After", "7");
		sp_http_reply_text(call, 503, "not now\n");
	} else if (strcmp(path, "/api/sites/stream") == 0) {
		sp_http_call_ended(call, ended, block);
		sp_http_call_pace(call, 60 * 1000, 5 * 1000);
		sp_http_call_stream(call, MOST, piece);
	} else if (strcmp(path, "/repeat") == 0) {
		sp_http_call_ended(call, ended, block);
		sp_http_call_pace(call, 60 * 1000, 5 * 1000);
		sp_http_reply_repeat(call, 200, NULL, block, BLOCK, (size_t)atoi(n));
	}
}

static void start_streams(void)
{
	struct sp_http_server_config config = {.max_body = 10, .begin = begin};
	char why[256];
	memset(&seen, 0, sizeof(seen));
	memset(block, 'b', sizeof(block));
	start(&config, why);
}

static const char *post(size_t length)
{
	static char request[MOST + 1000];
	int head =
	    snprintf(request, sizeof(request),
		     "POST /api/sites/stream HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n" CLOSE, length);
	memset(request + head, 'x', length);
	request[(size_t)head + length] = '\0';
	return request;
}

static void turns(int count)
{
	while (count-- > 0)
		turn();
}

static void a_body_comes_in_pieces(void **state)
{
	(void)state;
	start_streams();
	has(ask(post(MOST)), "200", "POST /api/sites/stream|stream|");
	assert_int_equal(seen.bytes, MOST);
	assert_true(seen.pieces > 1);
	assert_int_equal(handled, 1);
	turns(3);
	assert_int_equal(seen.ended, 1);
	assert_int_equal(seen.moved.received, MOST);
	assert_true(seen.moved.whole);
	// Others are held as ever, within the limit of such.
	has(ask("POST /api/sites/B HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n" CLOSE), "413", "");
}

static void a_streamed_body_is_bounded(void **state)
{
	(void)state;
	start_streams();
	has(ask("POST /api/sites/stream HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n" CLOSE), "413", "");
	assert_int_equal(seen.bytes, 0);
	// Without a length: read on for a while, unseen, so that the answer is.
	int fd = dial();
	char answer[1024];
	char chunk[1100] = "400\r\n";
	memset(chunk + 5, 'x', 1024);
	memcpy(chunk + 5 + 1024, "\r\n", 3);
	say(fd, "POST /api/sites/stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 97; i++)
		say(fd, chunk);
	turns(20);
	assert_int_equal(seen.bytes, 97 * 1024);
	say(fd, chunk);
	turns(5);
	assert_int_equal(seen.bytes, 97 * 1024);
	say(fd, "0\r\n\r\n");
	assert_false(hear(fd, answer, sizeof(answer), "too large"));
	has(answer, "413", "");
	assert_int_equal(seen.bytes, 97 * 1024);
	turns(3);
	assert_int_equal(seen.ended, 2);
	assert_int_equal(handled, 0);
	close(fd);
}

static void a_refusal_needs_no_body(void **state)
{
	(void)state;
	start_streams();
	has(ask("POST /api/sites/refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n" CLOSE), "503",
	    "Retry-After: 7");
	has(ask("GET /api/sites/refuse HTTP/1.1\r\nHost: x\r\n" CLOSE), "503", "not now");
	assert_int_equal(handled, 0);
}

static void a_block_is_repeated(void **state)
{
	(void)state;
	start_streams();
	const char *answer = ask("GET /repeat?n=3 HTTP/1.1\r\nHost: x\r\n" CLOSE);
	has(answer, "200", "Content-Length: 3072");
	const char *body = strstr(answer, "\r\n\r\n") + 4;
	assert_int_equal(strlen(body), 3 * BLOCK);
	assert_int_equal(strspn(body, "b"), 3 * BLOCK);
	turns(3);
	assert_true(seen.moved.whole);
	assert_int_equal(seen.moved.sent, 3 * BLOCK);
	answer = ask("HEAD /repeat?n=3 HTTP/1.1\r\nHost: x\r\n" CLOSE);
	has(answer, "200", "Content-Length: 3072");
	turns(3);
	assert_int_equal(seen.ended, 2);
	assert_int_equal(seen.moved.sent, 0);
}

/// A reader of 40 MB that has read nothing yet.
static int stalled_reader(void)
{
	int fd = dial();
	say(fd, "GET /repeat?n=40000 HTTP/1.1\r\nHost: x\r\n\r\n");
	turns(20);
	assert_int_equal(seen.ended, 0);
	return fd;
}

static void who_does_not_read_is_cut_off(void **state)
{
	(void)state;
	start_streams();
	int fd = stalled_reader();
	forward_us += 1000 * 1000; // what has moved until now is seen
	turns(3);
	forward_us += 4 * 1000 * 1000;
	turns(3);
	assert_int_equal(seen.ended, 0);
	forward_us += 2 * 1000 * 1000;
	turns(5);
	assert_int_equal(seen.ended, 1);
	assert_false(seen.moved.whole);
	assert_true(seen.moved.sent < 40000 * BLOCK);
	close(fd);
}

static void who_reads_slowly_has_the_whole_time_and_no_more(void **state)
{
	static char scrap[1024 * 1024];
	(void)state;
	start_streams();
	int fd = stalled_reader();
	for (int seconds = 0; seconds < 60; seconds += 4) {
		assert_int_equal(seen.ended, 0);
		assert_true(recv(fd, scrap, sizeof(scrap), 0) > 0);
		turns(10);
		forward_us += 4 * 1000 * 1000;
		turns(3);
	}
	turns(5);
	assert_int_equal(seen.ended, 1);
	close(fd);
}

static void who_hangs_up_is_noticed(void **state)
{
	(void)state;
	start_streams();
	int fd = stalled_reader();
	close(fd);
	turns(5);
	assert_int_equal(seen.ended, 1);
	assert_false(seen.moved.whole);
	fd = dial();
	say(fd, "POST /api/sites/stream HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nxxx");
	turns(5);
	assert_int_equal(seen.bytes, 3);
	close(fd);
	turns(5);
	assert_int_equal(seen.ended, 2);
	assert_int_equal(seen.moved.received, 3);
}

static void the_end_of_the_server_is_an_end(void **state)
{
	(void)state;
	start_streams();
	int fd = stalled_reader();
	sp_http_server_free(server);
	server = NULL;
	assert_int_equal(seen.ended, 1);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SERVER_TEST(a_body_comes_in_pieces),
	    SERVER_TEST(a_streamed_body_is_bounded),
	    SERVER_TEST(a_refusal_needs_no_body),
	    SERVER_TEST(a_block_is_repeated),
	    SERVER_TEST(who_does_not_read_is_cut_off),
	    SERVER_TEST(who_reads_slowly_has_the_whole_time_and_no_more),
	    SERVER_TEST(who_hangs_up_is_noticed),
	    SERVER_TEST(the_end_of_the_server_is_an_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
