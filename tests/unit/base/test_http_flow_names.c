// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A stream whose host's name is asked of a resolver that never answers: bounded, and the owner's loop goes
// on. In namespaces of its own, with a resolv.conf that nobody else sees.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/http_flow.h"
#include "tests/unit/base/http_world.h"

enum { LOOPS = 50 }; ///< each waits a few milliseconds at most

static bool closed_off;
static unsigned calls;
static struct sp_http_stream_end end;

static void on_done(void *arg, const struct sp_http_stream_end *told)
{
	(void)arg;
	calls++;
	end = *told;
}

static const struct sp_http_flow_events events = {.done = on_done};

static bool write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	if (!file)
		return false;
	bool good = fputs(text, file) >= 0;
	return fclose(file) == 0 && good;
}

/// Loopback, a resolver on it that hears and says nothing, and nothing else.
static bool close_off(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(53)};
	char path[] = "/tmp/sp-resolv-XXXXXX";
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
		return false;
	int fd = mkstemp(path);
	here.sin_addr.s_addr = inet_addr("127.0.0.53");
	int deaf = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool good = fd >= 0 && deaf >= 0 && ioctl(deaf, SIOCSIFFLAGS, &lo) == 0 &&
		    bind(deaf, (struct sockaddr *)&here, sizeof(here)) == 0 &&
		    write_file(path, "nameserver 127.0.0.53\n") &&
		    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		    mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) == 0;
	if (fd >= 0) {
		close(fd);
		unlink(path);
	}
	return good;
}

static struct sp_http_flow *start(struct world *world, int64_t timeout_ms)
{
	static const struct sp_http_session_config config = {.connect_timeout_ms = 5000};
	struct sp_http_stream_request request = {.method = "GET",
						 .url = "http://silent.example/",
						 .max_bytes = 9,
						 .timeout_ms = timeout_ms,
						 .stall_ms = 100};
	calls = 0;
	return sp_http_flow_start(world->client, &config, &request, &events, NULL);
}

static void it_ends_in_time(void **state)
{
	struct world *world = *state;
	unsigned turns = 0;
	if (!closed_off)
		skip();
	start(world, 600);
	for (; calls == 0 && turns < 100000; turns++)
		turn(world);
	assert_int_equal(calls, 1);
	assert_int_equal(end.result, -ETIMEDOUT);
	assert_int_equal(end.family, SP_FAMILY_ANY);
	assert_int_equal(end.bytes, 0);
	// Had the loop waited for the resolver, it would have turned twice or so.
	if (turns < LOOPS)
		fail_msg("%u turns", turns);
}

/// Neither cancelling it nor leaving with it open waits for the resolver, which gives up after ten seconds.
static void it_is_cancelled(void **state)
{
	struct world *world = *state;
	if (!closed_off)
		skip();
	struct sp_http_flow *flow = start(world, 60000);
	for (int i = 0; i < 20; i++)
		turn(world);
	sp_http_flow_cancel(flow);
	start(world, 60000);
	for (int i = 0; i < 20; i++)
		turn(world);
	assert_int_equal(calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {WORLD_TEST(it_ends_in_time), WORLD_TEST(it_is_cancelled)};
	closed_off = close_off();
	if (!closed_off)
		print_message("namespaces of one's own need root\n");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
