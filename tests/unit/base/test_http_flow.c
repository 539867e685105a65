// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Flowing transfers over real sockets: good servers, and those that stall, reset, refuse, lie or never end.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/http_flow.h"
#include "tests/unit/base/http_world.h"

static struct flow {
	struct sp_http_flow *flow;
	unsigned heads, fills, pieces, calls;
	bool refuse_head, refuse_body;
	struct sp_http_head head;
	char retry_after[32], location[64], error[300];
	struct sp_http_stream_end end;
	void (*then)(struct flow *flow);
} flows[2];

static struct world *world;
/// The head's reader has the first of the body already.
enum { WHOLE = 3000000 - 2048 };
static int64_t taken; ///< by the server
static bool answered;

static bool on_head(void *arg, const struct sp_http_head *head)
{
	struct flow *f = arg;
	f->heads++;
	f->head = *head;
	snprintf(f->retry_after, sizeof(f->retry_after), "%s", head->retry_after);
	snprintf(f->location, sizeof(f->location), "%s", head->location);
	return !f->refuse_head;
}

static bool on_received(void *arg, const uint8_t *data, size_t length)
{
	struct flow *f = arg;
	(void)data;
	assert_int_equal(f->heads, 1);
	assert_true(length > 0);
	f->pieces++;
	return !f->refuse_body;
}

static void on_fill(void *arg, uint8_t *data, size_t size)
{
	struct flow *f = arg;
	f->fills++;
	memset(data, 'x', size);
}

static void on_done(void *arg, const struct sp_http_stream_end *end)
{
	struct flow *f = arg;
	f->calls++;
	f->end = *end;
	snprintf(f->error, sizeof(f->error), "%s", end->error);
	assert_true((end->result == 0) == (end->error[0] == '\0'));
	if (f->then)
		f->then(f);
}

static const struct sp_http_flow_events events = {on_head, on_received, on_fill, on_done};

static void start(unsigned i, struct sp_http_stream_request request, void (*with)(int fd))
{
	static const struct sp_http_session_config config = {.connect_timeout_ms = 5000};
	char url[64];
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/path?q=1", world->port);
	void (*then)(struct flow *) = flows[i].then;
	bool head = flows[i].refuse_head, body = flows[i].refuse_body;
	flows[i] = (struct flow){.then = then, .refuse_head = head, .refuse_body = body};
	if (!request.url)
		request.url = url;
	if (!request.method)
		request.method = request.send_bytes ? "POST" : "GET";
	if (!request.timeout_ms)
		request.timeout_ms = 20000;
	world->serve = with;
	// Connections of before serve this one, too, or nobody any more; each begins with a request.
	for (size_t k = 0; k < world->peer_count; k++) {
		world->peers[k].serve = request.fresh ? NULL : with;
		world->peers[k].asked = request.fresh;
		world->peers[k].length = 0;
		memset(world->peers[k].request, 0, sizeof(world->peers[k].request));
	}
	taken = 0;
	answered = false;
	flows[i].flow = sp_http_flow_start(world->client, &config, &request, &events, &flows[i]);
	assert_int_equal(flows[i].calls, 0); // never from within
}

static int64_t seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static void finish(unsigned i)
{
	for (int64_t until = seconds() + 30; flows[i].calls == 0 && seconds() < until;)
		turn(world);
	assert_int_equal(flows[i].calls, 1);
}

static const struct flow *ask(struct sp_http_stream_request request, void (*with)(int fd))
{
	start(0, request, with);
	finish(0);
	return &flows[0];
}

// ---- servers ------------------------------------------------------------------------------------

static void swallow(int fd)
{
	static char bin[1 << 16];
	for (ssize_t got; (got = recv(fd, bin, sizeof(bin), 0)) > 0;)
		taken += got;
}

static void say_once(int fd, const char *text)
{
	if (!answered)
		say(fd, text);
	answered = true;
}

static void hello_once(int fd)
{
	say_once(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
}

static void take_it(int fd)
{
	swallow(fd);
	if (taken >= WHOLE)
		say_once(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

static void take_and_keep_silent(int fd)
{
	swallow(fd);
}

static void refuse_large(int fd)
{
	say_once(fd, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	swallow(fd);
}

static void busy(int fd)
{
	say_once(fd, "HTTP/1.1 429 Busy\r\nRetry-After: 17\r\nContent-Length: 3\r\n\r\nno\n");
	swallow(fd);
}

static void elsewhere(int fd)
{
	say_once(fd, "HTTP/1.1 307 There\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n");
	swallow(fd);
}

static void trouble_after_all(int fd)
{
	swallow(fd);
	if (taken >= WHOLE)
		say_once(fd, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
}

static void reset_midway(int fd)
{
	struct linger now = {.l_onoff = 1};
	swallow(fd);
	if (taken > 100000 && !answered) {
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		int null = socket(AF_INET, SOCK_STREAM, 0);
		dup2(null, fd); // closes it here and now, with a reset
		close(null);
		answered = true;
	}
}

static void half_closed(int fd)
{
	if (!answered)
		shutdown(fd, SHUT_WR);
	answered = true;
	swallow(fd);
}

static void short_of_its_word(int fd)
{
	say_and_close(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhello");
}

static void more_than_its_word(int fd)
{
	say_once(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhello and much more");
}

static void announced_too_long(int fd)
{
	say_once(fd, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n");
}

static void endless_body(int fd)
{
	static char block[65536];
	say_once(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
	ssize_t ignored = send(fd, block, sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)ignored;
}

static void endless_head(int fd)
{
	say_once(fd, "HTTP/1.1 200 OK\r\n");
	say(fd, "X-More: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
}

static void flood_of_1xx(int fd)
{
	say(fd, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
}

static void begun_and_stalled(int fd)
{
	say_once(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nhello");
}

static void bad_length(int fd)
{
	say_and_close(fd, "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello");
}

// ---- good servers ---------------------------------------------------------------------------------

static void a_download(void **state)
{
	(void)state;
	const struct flow *f = ask((struct sp_http_stream_request){.max_bytes = 5}, hello_once);
	assert_int_equal(f->end.result, 0);
	assert_int_equal(f->end.status, 200);
	assert_int_equal(f->heads, 1);
	assert_int_equal(f->head.length, 5);
	assert_int_equal(f->end.received_bytes, 5);
	assert_int_equal(f->end.family, SP_FAMILY_IPV4);
	assert_string_equal(f->end.address, "127.0.0.1");
	assert_true(f->end.first_byte_us >= 0);
	assert_in_range(f->end.bytes, 400, 2000); // a handshake, the question, the answer
}

static void connections_are_kept_and_shared(void **state)
{
	(void)state;
	// A question, its answer, and a segment of each at least.
	int64_t least = 90 + 43 + 2 * 52;
	int64_t first = ask((struct sp_http_stream_request){.max_bytes = 5}, hello_once)->end.bytes;
	const struct flow *f = ask((struct sp_http_stream_request){.max_bytes = 5}, hello_once);
	assert_int_equal(f->end.result, 0);
	assert_int_equal(world->peer_count, 1);
	// Its own bytes only, and no second handshake.
	if (f->end.bytes < least || f->end.bytes >= first)
		fail_msg("%lld of %lld", (long long)f->end.bytes, (long long)first);
	f = ask((struct sp_http_stream_request){.max_bytes = 5, .fresh = true}, hello_once);
	assert_int_equal(f->end.result, 0);
	assert_int_equal(world->peer_count, 2);
}

static void an_upload(void **state)
{
	(void)state;
	struct sp_http_stream_end now = {0};
	int64_t acked = 0, before = 0;
	start(0, (struct sp_http_stream_request){.send_bytes = 3000000}, take_it);
	while (flows[0].calls == 0) {
		turn(world);
		if (flows[0].calls)
			break;
		acked = sp_http_flow_acked(flows[0].flow);
		assert_true(acked >= before && acked <= 3000000);
		before = acked;
		sp_http_flow_look(flows[0].flow, &now);
		assert_true(now.sent_bytes >= acked);
	}
	assert_int_equal(flows[0].end.result, 0);
	assert_int_equal(flows[0].end.sent_bytes, 3000000);
	assert_true(flows[0].end.bytes > 3000000 && flows[0].end.bytes < 3600000);
	assert_false(isnan(flows[0].end.retransmit_ratio));
	assert_true(flows[0].end.first_byte_us >= 0);
}

/// What the kernel took and the peer never did is not acknowledged.
static void acked_is_not_taken(void **state)
{
	(void)state;
	int small = 4096;
	setsockopt(world->listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	start(0, (struct sp_http_stream_request){.send_bytes = 50000000}, silent);
	for (int i = 0; i < 100; i++)
		turn(world);
	struct sp_http_stream_end now;
	sp_http_flow_look(flows[0].flow, &now);
	int64_t acked = sp_http_flow_acked(flows[0].flow);
	assert_true(now.sent_bytes > 100000);
	assert_true(acked < 100000);
	sp_http_flow_cancel(flows[0].flow);
	assert_int_equal(flows[0].calls, 0);
}

// ---- bad ones ---------------------------------------------------------------------------------------

static void refusals_end_an_upload(void **state)
{
	(void)state;
	static const struct {
		void (*with)(int fd);
		long status;
		bool whole;
	} cases[] = {{refuse_large, 413, false},
		     {busy, 429, false},
		     {elsewhere, 307, false},
		     {trouble_after_all, 500, true}};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		int64_t size = cases[i].whole ? 3000000 : 400000000;
		const struct flow *f =
		    ask((struct sp_http_stream_request){.send_bytes = size, .max_bytes = 100, .fresh = true},
			cases[i].with);
		assert_int_equal(f->end.result, 0);
		assert_int_equal(f->end.status, cases[i].status);
		assert_int_equal(f->end.sent_bytes == size, cases[i].whole);
		assert_string_equal(f->retry_after, cases[i].status == 429 ? "17" : "");
		assert_string_equal(f->location, cases[i].status == 307 ? "http://192.0.2.1/" : "");
	}
}

static void wrong_answers_are_bounded(void **state)
{
	(void)state;
	static const struct {
		void (*with)(int fd);
		int64_t send_bytes;
		int result;
	} cases[] = {
	    {reset_midway, 400000000, -ECONNRESET},
	    {half_closed, 400000000, 1},
	    {short_of_its_word, 0, -ECONNRESET},
	    {more_than_its_word, 0, 0},
	    {announced_too_long, 0, -EMSGSIZE},
	    {endless_body, 0, -EMSGSIZE},
	    {endless_head, 0, -EPROTO},
	    {flood_of_1xx, 0, -EPROTO},
	    {bad_length, 0, -EPROTO},
	    {begun_and_stalled, 0, -ETIMEDOUT},
	    {silent, 0, -ETIMEDOUT},
	    {silent, 400000000, -ETIMEDOUT},
	    {take_and_keep_silent, 3000000, -ETIMEDOUT},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		const struct flow *f = ask((struct sp_http_stream_request){.send_bytes = cases[i].send_bytes,
									   .max_bytes = 100000,
									   .stall_ms = 200,
									   .fresh = true},
					   cases[i].with);
		if (cases[i].result == 1 ? f->end.result >= 0 : f->end.result != cases[i].result)
			fail_msg("case %zu: %d (%s)", i, f->end.result, f->error);
		assert_true(f->end.received_bytes <= 100000 + 16384);
		assert_true(f->heads <= 1);
	}
}

static void time_is_bounded(void **state)
{
	(void)state;
	const struct flow *f =
	    ask((struct sp_http_stream_request){.max_bytes = 9, .timeout_ms = 150}, silent);
	assert_int_equal(f->end.result, -ETIMEDOUT);
	assert_int_equal(f->end.status, 0);
	assert_int_equal(f->end.first_byte_us, -1);
	f = ask((struct sp_http_stream_request){.max_bytes = INT64_MAX, .timeout_ms = 300, .fresh = true},
		endless_body);
	assert_int_equal(f->end.result, -ETIMEDOUT);
	assert_true(f->end.received_bytes > 0);
}

static void requests_that_are_none(void **state)
{
	(void)state;
	static const struct sp_http_stream_request bad[] = {{.url = "ftp://127.0.0.1/"},
							    {.url = "http://"},
							    {.url = "nonsense"},
							    {.timeout_ms = -5},
							    {.max_bytes = -5}};
	for (size_t i = 0; i < SP_COUNT(bad); i++) {
		const struct flow *f = ask(bad[i], silent);
		assert_true(f->end.result < 0);
		assert_int_equal(f->end.status, 0);
		assert_int_equal(world->peer_count, 0);
	}
	const struct flow *f = ask((struct sp_http_stream_request){.url = "http://127.0.0.1:1/"}, silent);
	assert_int_equal(f->end.result, -ECONNREFUSED);
}

// ---- the owner ends it --------------------------------------------------------------------------------

static void the_owner_says_no(void **state)
{
	(void)state;
	flows[0].refuse_head = true;
	assert_int_equal(
	    ask((struct sp_http_stream_request){.max_bytes = 5, .fresh = true}, hello_once)->end.result,
	    -ECANCELED);
	assert_int_equal(flows[0].pieces, 0);
	flows[0].refuse_head = false;
	flows[0].refuse_body = true;
	assert_int_equal(
	    ask((struct sp_http_stream_request){.max_bytes = 5, .fresh = true}, hello_once)->end.result,
	    -ECANCELED);
	assert_int_equal(flows[0].end.status, 200);
	flows[0].refuse_body = false;
}

static void end_the_other(struct flow *flow)
{
	(void)flow;
	sp_http_flow_cancel(flows[1].flow);
	sp_http_flow_cancel(flows[0].flow); // itself: nothing
}

static void one_ends_the_other(void **state)
{
	(void)state;
	flows[0].then = end_the_other;
	start(1, (struct sp_http_stream_request){.max_bytes = 5, .stall_ms = 10000}, silent);
	while (world->peer_count == 0)
		turn(world);
	start(0, (struct sp_http_stream_request){.max_bytes = 5, .fresh = true}, hello_once);
	finish(0);
	assert_int_equal(flows[1].calls, 0);
	flows[0].then = NULL;
}

/// The client goes with them open: no callback, nothing left.
static void the_client_goes(void **state)
{
	(void)state;
	start(0, (struct sp_http_stream_request){.send_bytes = 400000000, .stall_ms = 500}, silent);
	start(1, (struct sp_http_stream_request){.max_bytes = INT64_MAX, .stall_ms = 500}, endless_body);
	for (int i = 0; i < 20; i++)
		turn(world);
}

static int set_up(void **state)
{
	int result = world_set_up(state);
	world = *state;
	memset(flows, 0, sizeof(flows));
	return result;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(a_download),
	    TEST(connections_are_kept_and_shared),
	    TEST(an_upload),
	    TEST(acked_is_not_taken),
	    TEST(refusals_end_an_upload),
	    TEST(wrong_answers_are_bounded),
	    TEST(time_is_bounded),
	    TEST(requests_that_are_none),
	    TEST(the_owner_says_no),
	    TEST(one_ends_the_other),
	    TEST(the_client_goes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
