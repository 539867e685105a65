// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Hop limits and full-size packets on a real kernel, by ping sockets and by raw ones: this process is the
// school's board in a namespace of its own; router, provider's hop and anchor stand in three more that go
// with it.
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/config.h"
#include "agent/core/device.h"
#include "agent/core/loop.h"
#include "drivers/drivers.h"
#include "drivers/link/ping.h"
#include "drivers/link/route.h"
#include "tests/unit/core/recorder_list.h"

enum { LIMIT_MS = 20 * 1000, TICK_MS = 10 };

static bool has_lab;

/// A driver that only lends its device to echo probes.
static struct probe {
	struct sp_ping *ping;
	struct sp_ping_result result;
	bool told;
	struct sp_device *dev;
} probe;

static int start(struct sp_device *dev)
{
	probe.dev = dev;
	probe.ping = sp_ping_new(dev, "");
	return 0;
}

static void stop(struct sp_device *dev)
{
	(void)dev;
	sp_ping_free(probe.ping);
}

static const struct sp_driver prober = {
    .name = "prober", .summary = "Echo probes", .cls = SP_DRIVER_LINK, .start = start, .stop = stop};

static struct bench {
	struct sp_loop *loop;
	struct recorder_list recorder;
	struct sp_devices *devices;
	struct sp_loop_timer *timer;
	int64_t deadline_us;
	// ---- what isp_hop said
	void *conf;
	char host[INET6_ADDRSTRLEN], reason[64];
	unsigned position;
} bench;

static void on_rung(void *arg, const char *line, const char *device, const struct sp_rung_report *report,
		    int64_t max_age_us)
{
	(void)arg, (void)line, (void)device, (void)max_age_us;
	if (report->family != SP_FAMILY_IPV4)
		return;
	snprintf(bench.host, sizeof(bench.host), "%s", report->host ? report->host : "");
	snprintf(bench.reason, sizeof(bench.reason), "%s", report->reason);
	probe.told = true;
}

static void on_egress(void *arg, const char *line, const char *device, const struct sp_egress *egress)
{
	(void)arg, (void)line, (void)device;
	if (egress->family == SP_FAMILY_IPV4)
		bench.position = egress->position;
	probe.told = true;
}

static void on_tick(void *arg)
{
	(void)arg;
	if (probe.told || sp_loop_now_us(bench.loop) > bench.deadline_us)
		sp_loop_uv_stop(bench.loop);
	else
		sp_loop_timer_start(bench.loop, bench.timer, TICK_MS);
}

static void wait_told(void)
{
	bench.deadline_us = sp_loop_now_us(bench.loop) + LIMIT_MS * 1000;
	probe.told = false;
	sp_loop_timer_start(bench.loop, bench.timer, 0);
	sp_loop_uv_run(bench.loop);
	assert_true(probe.told);
}

static void on_result(struct sp_device *dev, const struct sp_ping_result *result, void *arg)
{
	(void)dev, (void)arg;
	probe.result = *result;
	probe.told = true;
}

static const struct sp_ping_result *ask(const char *to, unsigned ttl, size_t size)
{
	struct sp_endpoint endpoint;
	assert_int_equal(sp_endpoint_parse(&endpoint, to, 0), 0);
	struct sp_ping_question question = {
	    .to = &endpoint.address, .timeout_ms = 1500, .ttl = ttl, .size = size};
	assert_int_equal(sp_ping_ask(probe.ping, &question, on_result, NULL), 0);
	wait_told();
	return &probe.result;
}

static const char *from(void)
{
	static char text[INET6_ADDRSTRLEN];
	struct sp_endpoint endpoint = {.address = probe.result.from};
	return sp_endpoint_host(&endpoint, text, sizeof(text));
}

// ---- the way ------------------------------------------------------------------------------------

static int sh(const char *command)
{
	char text[2048];
	snprintf(text, sizeof(text),
		 "set -e; ns=sp-hop-%d; on() { n=$1; shift; ip netns exec $ns-$n \"$@\"; }; %s",
		 (int)getpid(), command);
	return system(text);
}

static bool build(void)
{
	static const char way[] =
	    "for n in router hop far; do ip netns add $ns-$n; on $n ip link set lo up; "
	    "on $n sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1; done; "
	    "ip link set lo up; ip link add line0 type veth peer name r0 netns $ns-router; "
	    "ip -n $ns-router link add r1 type veth peer name h0 netns $ns-hop; "
	    "ip -n $ns-hop link add h1 type veth peer name f0 netns $ns-far; "
	    "a() { n=$1 d=$2; shift 2; on $n ip link set $d up; for i; do case $i in *:*) on $n ip addr add "
	    "$i dev $d "
	    "nodad;; *) on $n ip addr add $i dev $d;; esac; done; }; "
	    "a router r0 192.168.1.1/24 2001:db8:77:1::1/64; a router r1 198.51.100.2/30 2001:db8:99::2/64; "
	    "a hop h0 198.51.100.1/30 2001:db8:99::1/64; a hop h1 203.0.113.1/30 2001:db8:9a::1/64; "
	    "a far f0 203.0.113.2/30 2001:db8:9a::2/64; a far lo 203.0.113.100/32 2001:db8:53::1/128; "
	    "ip link set line0 up; ip addr add 192.168.1.2/24 dev line0; "
	    "ip addr add 2001:db8:77:1::2/64 dev line0 nodad; "
	    "ip route add default via 192.168.1.1; ip -6 route add default via 2001:db8:77:1::1; "
	    "on router ip route add default via 198.51.100.1; on router ip -6 route add default via "
	    "2001:db8:99::1; "
	    "on hop ip route add default via 203.0.113.2; on hop ip -6 route add default via 2001:db8:9a::2; "
	    "on hop ip route add 192.168.1.0/24 via 198.51.100.2; "
	    "on hop ip -6 route add 2001:db8:77::/48 via 2001:db8:99::2; "
	    "on far ip route add default via 203.0.113.1; on far ip -6 route add default via 2001:db8:9a::1";
	if (unshare(CLONE_NEWNET) < 0 || system("command -v ip >/dev/null") != 0 || sh(way) != 0) {
		print_message("SKIP: network namespaces cannot be made here; run as root\n");
		return false;
	}
	return true;
}

static void take_down(void)
{
	(void)!sh("for n in router hop far; do ip netns del $ns-$n 2>/dev/null || true; done");
}

static void set_far_mtu(unsigned mtu)
{
	char text[256];
	// The kernel forgets what routers said before.
	snprintf(text, sizeof(text),
		 "on hop ip link set h1 mtu %u; on far ip link set f0 mtu %u; ip route flush cache; "
		 "ip -6 route flush cache",
		 mtu, mtu);
	assert_int_equal(sh(text), 0);
}

// ---- tests --------------------------------------------------------------------------------------

static void add(const struct sp_driver *driver, const char *options)
{
	char text[512], line[] = "main";
	struct sp_config config = {0};
	struct sp_config_errors errors = {0};
	snprintf(text, sizeof(text), "[%s \"it\"]\n%s", driver->name, options);
	assert_int_equal(sp_config_parse(&config, "lab.conf", text, strlen(text), &errors), 0);
	bench.conf = calloc(1, driver->conf_size + 1);
	if (driver->options)
		assert_int_equal(sp_options_apply(driver->options, NULL, &config,
						  sp_config_find(&config, driver->name, "it"), bench.conf,
						  &errors),
				 0);
	sp_config_free(&config);
	struct sp_device_common common = {.line = line, .interval_ms = driver->interval_ms, .enabled = true};
	sp_devices_add(bench.devices, driver, driver->name, &common, bench.conf);
	sp_devices_start(bench.devices);
}

static int setup(void **state)
{
	(void)state;
	if (!has_lab)
		return 0;
	memset(&bench, 0, sizeof(bench));
	memset(&probe, 0, sizeof(probe));
	recorder_list_init(&bench.recorder);
	if (sp_loop_uv_new(&bench.loop) < 0)
		return -1;
	bench.timer = sp_loop_timer_new(bench.loop, on_tick, NULL);
	struct sp_devices_config config = {
	    .loop = bench.loop, .recorder = &bench.recorder.base, .rung = on_rung, .egress = on_egress};
	bench.devices = sp_devices_new(&config);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (!has_lab)
		return 0;
	sp_devices_stop(bench.devices);
	sp_devices_free(bench.devices);
	free(bench.conf);
	sp_loop_timer_free(bench.loop, bench.timer);
	sp_loop_uv_free(bench.loop);
	recorder_list_clear(&bench.recorder);
	return 0;
}

/// Neighbours have to find each other first.
static void wait_for_way(const char *to)
{
	int tries = 0;
	while (ask(to, 0, 0)->outcome != SP_PING_ANSWER)
		assert_true(++tries < 20);
}

static void look_along(bool raw)
{
	if (!has_lab)
		skip();
	assert_int_equal(sh(raw ? "sysctl -qw 'net.ipv4.ping_group_range=1 0'"
				: "sysctl -qw 'net.ipv4.ping_group_range=0 2147483647'"),
			 0);
	add(&prober, "");
	static const char *const all[2][4] = {
	    {"203.0.113.100", "192.168.1.1", "198.51.100.1"},
	    {"2001:db8:53::1", "2001:db8:77:1::1", "2001:db8:99::1"},
	};
	for (unsigned v6 = 0; v6 < 2; v6++) {
		wait_for_way(all[v6][0]);
		for (unsigned ttl = 1; ttl <= 2; ttl++) {
			assert_int_equal(ask(all[v6][0], ttl, 0)->outcome, SP_PING_EXPIRED);
			assert_string_equal(from(), all[v6][ttl]);
			assert_true(probe.result.rtt_us > 0);
		}
		assert_int_equal(ask(all[v6][0], 3, 0)->outcome, SP_PING_ANSWER);
		// The kernel's own limit again.
		assert_int_equal(ask(all[v6][0], 0, 0)->outcome, SP_PING_ANSWER);
		assert_string_equal(from(), all[v6][0]);
		assert_int_equal(ask(all[v6][0], 0, 1500)->outcome, SP_PING_ANSWER);
		assert_int_equal(probe.result.bytes, 3000);
	}
}

static void shrink(bool raw)
{
	if (!has_lab)
		skip();
	assert_int_equal(sh(raw ? "sysctl -qw 'net.ipv4.ping_group_range=1 0'"
				: "sysctl -qw 'net.ipv4.ping_group_range=0 2147483647'"),
			 0);
	add(&prober, "");
	static const char *const targets[] = {"203.0.113.100", "2001:db8:53::1"};
	static const char *const routers[] = {"198.51.100.1", "2001:db8:99::1"};
	set_far_mtu(1400);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct sp_endpoint endpoint;
		struct sp_route route;
		assert_int_equal(ask(targets[v6], 0, 1500)->outcome, SP_PING_TOO_BIG);
		assert_int_equal(probe.result.mtu, 1400);
		assert_string_equal(from(), routers[v6]);
		assert_int_equal(ask(targets[v6], 0, 1400)->outcome, SP_PING_ANSWER);
		assert_int_equal(sp_endpoint_parse(&endpoint, targets[v6], 0), 0);
		assert_int_equal(sp_route_look(&endpoint.address, "", &route), 0);
		assert_int_equal(route.mtu, 1400);
		struct sp_ping_question question = {
		    .to = &endpoint.address, .timeout_ms = 1000, .size = 1500};
		assert_int_equal(sp_ping_ask(probe.ping, &question, on_result, NULL), -EMSGSIZE);
	}
	set_far_mtu(1500);
}

static void test_hop_limits_raw(void **state)
{
	(void)state;
	look_along(true);
}

static void test_hop_limits_ping(void **state)
{
	(void)state;
	look_along(false);
}

static void test_too_big_raw(void **state)
{
	(void)state;
	shrink(true);
}

static void test_too_big_ping(void **state)
{
	(void)state;
	shrink(false);
}

static void test_driver_finds_the_hop(void **state)
{
	(void)state;
	if (!has_lab)
		skip();
	add(&sp_driver_isp_hop, "domestic = 203.0.113.100, 203.0.113.2, 2001:db8:53::1\n");
	while (bench.position == 0 || bench.host[0] == '\0')
		wait_told();
	assert_string_equal(bench.host, "198.51.100.1");
	assert_string_equal(bench.reason, "time_exceeded");
	assert_int_equal(bench.position, 2);
	sp_options_free(sp_driver_isp_hop.options, bench.conf);
}

int main(void)
{
	has_lab = build();
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_hop_limits_raw), TEST(test_hop_limits_ping),      TEST(test_too_big_raw),
	    TEST(test_too_big_ping),   TEST(test_driver_finds_the_hop),
	};
	int result = cmocka_run_group_tests(tests, NULL, NULL);
	take_down();
	return result;
}
