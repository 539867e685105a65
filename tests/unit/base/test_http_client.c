// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The HTTP client: good answers, and the life of a transfer.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/base/http_world.h"

// ---- good answers --------------------------------------------------------------------------------------

static void a_good_answer_comes_whole(void **state)
{
	struct world *world = *state;
	// The environment's proxy must not be asked.
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("all_proxy", "http://127.0.0.1:1", 1);
	struct result r = get(world, (struct sp_http_request){.max_bytes = 5}, hello);
	unsetenv("http_proxy");
	unsetenv("all_proxy");
	assert_int_equal(r.result, 0);
	assert_int_equal(r.status, 200);
	assert_string_equal(r.body, "hello");
	assert_int_equal(strncmp(world->peers[0].request, "GET /path?q=1 HTTP/1.1\r\n", 24), 0);
	assert_non_null(strstr(world->peers[0].request, "User-Agent: SchoolPulse/"));
	assert_int_equal(r.family, SP_FAMILY_IPV4);
}

/// Does the kernel count segments? QEMU's user mode answers no TCP_INFO.
static bool kernel_counts(void)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool counts = getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
		      size >= offsetof(struct tcp_info, tcpi_segs_in) + sizeof(info.tcpi_segs_in);
	close(fd);
	return counts;
}

static void what_it_cost_is_told(void **state)
{
	if (!kernel_counts())
		skip();
	struct result r = get(*state, (struct sp_http_request){.max_bytes = 5}, hello);
	assert_int_equal(r.result, 0);
	// Two handshakes, a question and an answer: a handful of segments.
	assert_in_range(r.bytes, 500, 2000);
}

static void an_address_may_stand_in_for_the_name(void **state)
{
	struct world *world = *state;
	char url[80], host[60];
	snprintf(url, sizeof(url), "http://speed.example.org:%u/", world->port);
	struct result r =
	    get(world, (struct sp_http_request){.url = url, .resolve = "127.0.0.1", .max_bytes = 100}, hello);
	assert_int_equal(r.result, 0);
	snprintf(host, sizeof(host), "Host: speed.example.org:%u\r\n", world->port);
	assert_non_null(strstr(world->peers[0].request, host));
	// The next one with that name knows nothing of it.
	r = get(world, (struct sp_http_request){.url = url, .resolve = "::1", .max_bytes = 100}, hello);
	assert_true(r.result == -ECONNREFUSED || r.result == -EADDRNOTAVAIL || r.result == -ENETUNREACH);
}

static void redirect(int fd)
{
	say_and_close(fd, "HTTP/1.1 302 Found\r\nLocation: /login?x=1\r\nContent-Length: 0\r\n\r\n");
}

static void a_redirect_is_told_and_not_followed(void **state)
{
	struct world *world = *state;
	char wanted[80];
	struct result r = get(world, (struct sp_http_request){.max_bytes = 100}, redirect);
	assert_int_equal(r.result, 0);
	assert_int_equal(r.status, 302);
	snprintf(wanted, sizeof(wanted), "http://127.0.0.1:%u/login?x=1", world->port);
	assert_string_equal(r.location, wanted);
	assert_int_equal(world->peer_count, 1);
}

static void an_interface_may_be_named(void **state)
{
	struct world *world = *state;
	struct result r = get(world, (struct sp_http_request){.interface = "lo", .max_bytes = 100}, hello);
	assert_int_equal(r.result, 0);
	r = get(world, (struct sp_http_request){.interface = "nosuch0", .max_bytes = 100}, hello);
	assert_int_equal(r.result, -ENODEV);
}

// ---- life ------------------------------------------------------------------------------------------------

static void cancelling_is_silent(void **state)
{
	struct world *world = *state;
	struct result r = {0}, early = {0};
	for (int turns = 0; turns < 12; turns++) {
		begin(world, &r, (struct sp_http_request){.max_bytes = 100}, silent);
		for (int i = 0; i < turns; i++)
			turn(world);
		sp_http_transfer_cancel(r.transfer);
		begin(world, &early, (struct sp_http_request){.url = "file:///"}, NULL);
		sp_http_transfer_cancel(early.transfer);
	}
	for (int i = 0; i < 10; i++)
		turn(world);
	assert_int_equal(r.calls, 0);
	assert_int_equal(early.calls, 0);
	sp_http_transfer_cancel(NULL);
}

static void freeing_cancels_what_is_left(void **state)
{
	struct world *world = *state;
	static struct result left[8];
	for (size_t i = 0; i < SP_COUNT(left); i++)
		begin(world, &left[i], (struct sp_http_request){.url = i % 3 ? NULL : "nonsense://"}, silent);
	sp_http_client_free(world->client);
	for (size_t i = 0; i < SP_COUNT(left); i++)
		assert_int_equal(left[i].calls, 0);
	world->client = sp_http_client_new(&world_loop, world);
}

static struct result second, third;

static void start_and_cancel(struct result *r)
{
	sp_http_transfer_cancel(r->transfer); // itself: no harm
	sp_http_transfer_cancel(third.transfer);
	begin(r->world, &second, (struct sp_http_request){.max_bytes = 100}, hello);
}

static void a_callback_may_start_and_cancel(void **state)
{
	struct world *world = *state;
	for (int early = 0; early <= 1; early++) {
		struct result r = {.then = start_and_cancel};
		memset(&second, 0, sizeof(second));
		memset(&third, 0, sizeof(third));
		begin(world, &third, (struct sp_http_request){.max_bytes = 100}, silent);
		for (size_t peers = world->peer_count; world->peer_count == peers;)
			turn(world); // until it has its silent peer
		begin(world, &r, (struct sp_http_request){.url = early ? "y://" : NULL, .max_bytes = 100},
		      hello);
		wait_for(world, &r);
		wait_for(world, &second);
		assert_int_equal(second.result, 0);
		assert_int_equal(third.calls, 0);
	}
}

static void many_at_a_time(void **state)
{
	struct world *world = *state;
	static struct result many[50];
	for (size_t i = 0; i < SP_COUNT(many); i++)
		begin(world, &many[i], (struct sp_http_request){.max_bytes = 100}, hello);
	for (size_t i = 0; i < SP_COUNT(many); i++) {
		wait_for(world, &many[i]);
		assert_int_equal(many[i].result, 0);
		assert_string_equal(many[i].body, "hello");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(a_good_answer_comes_whole),
	    WORLD_TEST(what_it_cost_is_told),
	    WORLD_TEST(an_address_may_stand_in_for_the_name),
	    WORLD_TEST(a_redirect_is_told_and_not_followed),
	    WORLD_TEST(an_interface_may_be_named),
	    WORLD_TEST(cancelling_is_silent),
	    WORLD_TEST(freeing_cancels_what_is_left),
	    WORLD_TEST(a_callback_may_start_and_cancel),
	    WORLD_TEST(many_at_a_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
