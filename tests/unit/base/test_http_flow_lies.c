// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Servers whose answers would make bytes that never moved count: bodies that are compressed on their way, and
// uploads that are answered before they have arrived.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/http_flow.h"
#include "tests/unit/base/http_world.h"

static struct world *world;
static unsigned calls;
static struct sp_http_stream_end end;
static char error[300];
static const char *said; ///< by the server, once
static bool answered, reads;
static int64_t taken, pieces;

static bool on_received(void *arg, const uint8_t *data, size_t length)
{
	(void)arg, (void)data;
	pieces += (int64_t)length;
	return true;
}

static void on_fill(void *arg, uint8_t *data, size_t size)
{
	(void)arg;
	memset(data, 'x', size);
}

static void on_done(void *arg, const struct sp_http_stream_end *told)
{
	(void)arg;
	calls++;
	end = *told;
	snprintf(error, sizeof(error), "%s", told->error);
}

static const struct sp_http_flow_events events = {NULL, on_received, on_fill, on_done};

static void serve(int fd)
{
	static char bin[1 << 16];
	if (!answered)
		say(fd, said);
	answered = true;
	for (ssize_t got; reads && (got = recv(fd, bin, sizeof(bin), 0)) > 0;)
		taken += got;
}

static struct sp_http_flow *start(int64_t send_bytes)
{
	static const struct sp_http_session_config config = {.connect_timeout_ms = 5000};
	char url[64];
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", world->port);
	struct sp_http_stream_request request = {.method = send_bytes ? "POST" : "GET",
						 .url = url,
						 .send_bytes = send_bytes,
						 .max_bytes = 1 << 20,
						 .timeout_ms = 20000,
						 .stall_ms = 300};
	world->serve = serve;
	// A kept connection waits for a request of its own.
	for (size_t k = 0; k < world->peer_count; k++) {
		world->peers[k].asked = false;
		world->peers[k].length = 0;
		memset(world->peers[k].request, 0, sizeof(world->peers[k].request));
	}
	answered = false;
	calls = 0;
	pieces = taken = 0;
	return sp_http_flow_start(world->client, &config, &request, &events, NULL);
}

static void finish(void)
{
	for (int i = 0; calls == 0 && i < 10000; i++)
		turn(world);
	assert_int_equal(calls, 1);
}

// ---- compressed bodies ----------------------------------------------------------------------------

/// What `printf '%1000s' | gzip -9n` makes: a thousand bytes out of 29.
#define SQUEEZED                                                                                   \
	"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x53\x50\x18\x05\xa3\x60\x14\x0c\x77\x00\x00\x82" \
	"\xe3\x93\xcd\xe8\x03\x00\x00"

static void ask_coded(const char *fields)
{
	// The body has zeros: it cannot be a string. A closed connection ends it.
	static char answer[512];
	static const char body[] = SQUEEZED;
	int length = snprintf(answer, sizeof(answer), "%sConnection: close\r\n\r\n", fields);
	size_t next = world->peer_count;
	said = "";
	start(0);
	while (world->peer_count == next || !world->peers[next].asked)
		turn(world);
	int fd = world->peers[next].fd;
	assert_int_equal(send(fd, answer, (size_t)length, MSG_NOSIGNAL), length);
	(void)!send(fd, body, sizeof(body) - 1, MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	finish();
}

static void nothing_is_unfolded(void **state)
{
	(void)state;
	static const char *const coded[] = {
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n",
	    "HTTP/1.1 200 OK\r\ntransfer-encoding:gzip\t\r\n",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: deflate, chunked\r\n",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n",
	    "HTTP/1.1 103 Hints\r\nTransfer-Encoding: gzip\r\n\r\nHTTP/1.1 200 OK\r\n",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: br\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Encoding: identity, gzip\r\n",
	};
	for (size_t i = 0; i < SP_COUNT(coded); i++) {
		ask_coded(coded[i]);
		if (end.result != -EPROTO || pieces != 0 || end.received_bytes != 0)
			fail_msg("%s: %d, %lld bytes", coded[i], end.result, (long long)pieces);
		assert_string_equal(error, "the body is coded");
	}
}

static void plain_ones_are_read(void **state)
{
	(void)state;
	static const char *const plain[] = {"HTTP/1.1 200 OK\r\n",
					    "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n",
					    "HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\n"};
	for (size_t i = 0; i < SP_COUNT(plain); i++) {
		ask_coded(plain[i]);
		assert_int_equal(end.result, 0);
		assert_int_equal(pieces, sizeof(SQUEEZED) - 1);
	}
	said = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
	start(0);
	finish();
	assert_int_equal(end.result, 0);
	assert_int_equal(pieces, 5);
}

/// What follows is no body of an answer that we asked for.
static void nothing_is_switched(void **state)
{
	(void)state;
	said = "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nhello";
	start(0);
	finish();
	assert_int_equal(end.result, -EPROTO);
	assert_int_equal(pieces, 0);
}

static void serve_a_part(int fd)
{
	if (!answered)
		say_and_close(fd, said);
	answered = true;
}

/// A head that breaks off says nothing, not even by its status.
static void no_part_of_a_head_is_an_answer(void **state)
{
	(void)state;
	static const char *const parts[] = {"HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
					    "HTTP/1.1 200 OK\r\nX: y", "HTTP/1.1 200 OK"};
	for (size_t i = 0; i < SP_COUNT(parts); i++) {
		said = parts[i];
		start(0);
		world->serve = serve_a_part;
		finish();
		if (end.result >= 0)
			fail_msg("%s: %d", parts[i], end.result);
	}
}

// ---- uploads ----------------------------------------------------------------------------------------

/// 200 at once, and never a byte read: what the kernel took is not what arrived.
static void answered_unread(void **state)
{
	(void)state;
	int small = 4096;
	setsockopt(world->listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	said = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	reads = false;
	start(400000);
	finish();
	assert_true(end.sent_bytes > 100000);
	assert_true(end.acked_bytes >= 0 && end.acked_bytes < 50000);
}

/// 200 at once, and the body read afterwards, as some servers do: no byte is lost or counted twice, though
/// the next upload of the connection finds some of the last still on their way.
static void answered_early(void **state)
{
	(void)state;
	enum { ROUNDS = 20, SIZE = 300000 };
	int64_t sum = 0, all = 0;
	int small = 4096;
	setsockopt(world->listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	said = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	reads = true;
	for (int i = 0; i < ROUNDS; i++) {
		start(SIZE);
		finish();
		assert_int_equal(end.result, 0);
		assert_int_equal(end.sent_bytes, SIZE);
		all += SIZE;
		sum += end.acked_bytes;
		if (end.acked_bytes < 0 || sum > all)
			fail_msg("round %d: %lld, %lld of %lld", i, (long long)end.acked_bytes,
				 (long long)sum, (long long)all);
	}
	assert_int_equal(world->peer_count, 1);
	// All but what is under way at the very end.
	assert_true(sum > all - SIZE);
}

static int set_up(void **state)
{
	int result = world_set_up(state);
	world = *state;
	return result;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(nothing_is_unfolded), TEST(plain_ones_are_read),
	    TEST(nothing_is_switched), TEST(no_part_of_a_head_is_an_answer),
	    TEST(answered_unread),     TEST(answered_early),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
