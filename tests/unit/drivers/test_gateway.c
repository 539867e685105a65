// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The gateway driver over scripted tables, neighbours and echoes, on virtual time.
#include <linux/neighbour.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "drivers/drivers.h"
#include "drivers/link/gateway.h"
#include "fake_ask.h"
#include "fake_io.h"
#include "fake_ping.h"
#include "fake_rtnl.h"

static bool alive4, alive6;
static int connects; ///< result of a TCP connect

static void echo(struct sp_device *dev, const char *to, struct fake_echo *out)
{
	(void)dev;
	out->answer = strchr(to, ':') ? alive6 : alive4;
	out->rtt_ms = 1;
}

static void tcp(const struct sp_endpoint *peer, const uint8_t *data, size_t length, struct fake_answer *out)
{
	(void)peer, (void)data, (void)length;
	out->result = connects;
}

static int setup(void **state)
{
	(void)state;
	fake_rtnl_reset();
	fake_ask_reset();
	fake_ping(echo, true);
	alive4 = alive6 = true;
	connects = -ETIMEDOUT;
	fake_link(2, "eth0", true);
	fake_link(3, "wwan0", true);
	return 0;
}

static void plug4(void)
{
	fake_address(2, AF_INET);
	fake_route(2, AF_INET, 100, "192.0.2.1");
}

static void plug6(void)
{
	fake_address(2, AF_INET6);
	fake_route(2, AF_INET6, 1024, "fe80::1");
}

static void neighbour(uint16_t nud, int64_t confirmed_ms)
{
	fake_tables.neighbour_result = 0;
	fake_tables.neighbour =
	    (struct sp_nl_neighbour){.state = nud, .has_age = true, .confirmed_ms = confirmed_ms};
}

static struct sp_device *begin(const char *options)
{
	struct sp_device *dev = fake_new(&sp_driver_gateway, "main", options);
	dev->tcp = tcp;
	assert_int_equal(fake_start(dev), 0);
	return dev;
}

static const struct fake_report *last(const struct sp_device *dev, enum sp_rung rung, enum sp_family family)
{
	const struct fake_report *report = fake_last(dev, rung, family);
	assert_non_null(report);
	return report;
}

#define assert_status(dev, rung, family, expected) \
	assert_int_equal(last(dev, rung, family)->report.status, expected)

static void test_both_families(void **state)
{
	(void)state;
	plug4();
	plug6();
	struct sp_device *dev = begin("");
	fake_run(dev, 1000, true);
	assert_status(dev, SP_RUNG_ADDRESS, SP_FAMILY_IPV4, SP_RUNG_OK);
	assert_status(dev, SP_RUNG_ADDRESS, SP_FAMILY_IPV6, SP_RUNG_OK);
	assert_status(dev, SP_RUNG_GATEWAY, SP_FAMILY_IPV4, SP_RUNG_OK);
	assert_status(dev, SP_RUNG_GATEWAY, SP_FAMILY_IPV6, SP_RUNG_OK);
	assert_string_equal(last(dev, SP_RUNG_GATEWAY, SP_FAMILY_IPV4)->detail, "answers echo");
	assert_true(fake_sample(dev, SP_GATEWAY_RTT, "ipv4")->last == 0.001);
	assert_int_equal(dev->rounds_ok, 1);
	assert_int_equal(dev->event_count, 2);
	assert_string_equal(dev->events[0].text, "gateway family=ipv4 interface=eth0 present=true");
	assert_string_equal(dev->events[1].text, "gateway family=ipv6 interface=eth0 present=true");
	// One echo a round is enough for a router that answers.
	fake_run(dev, 100 * 1000, true);
	assert_in_range(fake_ping_count("192.0.2.1"), 30, 38);
	assert_int_equal(dev->event_count, 2);
	fake_free(dev);
}

static void test_dead_router_that_used_to_answer(void **state)
{
	(void)state;
	plug4();
	neighbour(NUD_REACHABLE, 20000);
	struct sp_device *dev = begin("");
	fake_run(dev, 15 * 1000, true);
	int64_t broke = dev->now_us;
	alive4 = false;
	fake_run(dev, 4900, true);
	const struct fake_report *report = last(dev, SP_RUNG_GATEWAY, SP_FAMILY_IPV4);
	assert_int_equal(report->report.status, SP_RUNG_SILENT);
	assert_in_range(report->report.since_us, broke, broke + 3 * 1000000);
	// Asked at once, it is known within two seconds.
	assert_true(report->at_us - report->report.since_us < 2000000);
	assert_string_equal(dev->reason, "timeout");
	assert_status(dev, SP_RUNG_ADDRESS, SP_FAMILY_IPV4, SP_RUNG_OK);
	alive4 = true;
	fake_run(dev, 11 * 1000, true);
	assert_status(dev, SP_RUNG_GATEWAY, SP_FAMILY_IPV4, SP_RUNG_OK);
	fake_free(dev);
}

static void test_tcp_does_not_vouch_for_a_router_that_used_to_answer(void **state)
{
	(void)state;
	plug4();
	neighbour(NUD_REACHABLE, 0); // the kernel believes it was confirmed just now, all the time
	struct sp_device *dev = begin("");
	fake_run(dev, 15 * 1000, true);
	alive4 = false;
	fake_run(dev, 12 * 1000, true);
	const struct fake_report *report = last(dev, SP_RUNG_GATEWAY, SP_FAMILY_IPV4);
	assert_int_equal(report->report.status, SP_RUNG_SILENT);
	assert_string_equal(report->detail, "no answer to echo any more");
	// A dead one's entry would have failed by then: this one was told to ignore echoes.
	fake_run(dev, 150 * 1000, true);
	report = last(dev, SP_RUNG_GATEWAY, SP_FAMILY_IPV4);
	assert_int_equal(report->report.status, SP_RUNG_OK);
	assert_string_equal(report->detail, "answers ARP");
	fake_free(dev);
}

static void test_router_that_ignores_echo(void **state)
{
	(void)state;
	plug4();
	alive4 = false;
	neighbour(NUD_REACHABLE, 0); // ARP was answered just now
	struct sp_device *dev = begin("");
	fake_run(dev, 30 * 1000, true);
	assert_status(dev, SP_RUNG_GATEWAY, SP_FAMILY_IPV4, SP_RUNG_OK);
	assert_string_equal(last(dev, SP_RUNG_GATEWAY, SP_FAMILY_IPV4)->detail, "answers ARP");
	assert_int_equal(dev->rounds_failed, 0);
	// The kernel hopes for a while, then asks: as long as it hopes there is no verdict.
	neighbour(NUD_DELAY, 40000);
	size_t silent = fake_count(dev, SP_RUNG_GATEWAY, SP_FAMILY_IPV4, SP_RUNG_SILENT, 0);
	fake_run(dev, 5 * 1000, true);
	assert_int_equal(fake_count(dev, SP_RUNG_GATEWAY, SP_FAMILY_IPV4, SP_RUNG_SILENT, 0), silent);
	neighbour(NUD_FAILED, 48000);
	fake_run(dev, 8 * 1000, true);
	assert_status(dev, SP_RUNG_GATEWAY, SP_FAMILY_IPV4, SP_RUNG_SILENT);
	assert_string_equal(last(dev, SP_RUNG_GATEWAY, SP_FAMILY_IPV4)->detail, "no answer to echo and ARP");
	fake_free(dev);
}

static void test_pending_neighbour_ends_the_round_in_time(void **state)
{
	(void)state;
	plug4();
	alive4 = false;
	neighbour(NUD_STALE, 90000);
	struct sp_device *dev = begin("");
	fake_run(dev, 60 * 1000, true); // fake_run() watches the deadline
	assert_true(dev->rounds_ok >= 4);
	assert_null(fake_last(dev, SP_RUNG_GATEWAY, SP_FAMILY_IPV4));
	fake_free(dev);
}

static void test_without_echo_permission(void **state)
{
	(void)state;
	plug4();
	fake_ping(echo, false);
	connects = -ECONNREFUSED;
	struct sp_device *dev = begin("");
	fake_run(dev, 1000, true);
	assert_string_equal(last(dev, SP_RUNG_GATEWAY, SP_FAMILY_IPV4)->detail, "answers TCP");
	connects = -EHOSTUNREACH;
	neighbour(NUD_FAILED, 1000);
	fake_run(dev, 12 * 1000, true);
	assert_status(dev, SP_RUNG_GATEWAY, SP_FAMILY_IPV4, SP_RUNG_SILENT);
	fake_free(dev);
}

static void test_route_changes(void **state)
{
	(void)state;
	plug4();
	struct sp_device *dev = begin("");
	fake_run(dev, 1000, true);
	// A better route over another interface.
	fake_address(3, AF_INET);
	fake_route(3, AF_INET, 50, "198.51.100.1");
	struct sp_nl_event event = {.kind = SP_NL_ROUTE};
	fake_change(&event);
	fake_run(dev, 200, false);
	assert_string_equal(dev->events[dev->event_count - 1].text,
			    "gateway family=ipv4 interface=wwan0 present=true");
	assert_true(dev->suspects >= 1);
	assert_status(dev, SP_RUNG_GATEWAY, SP_FAMILY_IPV4, SP_RUNG_UNKNOWN);
	fake_run(dev, 10 * 1000, true);
	assert_status(dev, SP_RUNG_GATEWAY, SP_FAMILY_IPV4, SP_RUNG_OK);
	assert_true(fake_ping_count("198.51.100.1") > 0);
	// All routes gone.
	fake_tables.view.route_count = 0;
	event.kind = SP_NL_CHANGED;
	int64_t broke = dev->now_us;
	fake_change(&event);
	fake_run(dev, 200, false);
	const struct fake_report *report = last(dev, SP_RUNG_ADDRESS, SP_FAMILY_IPV4);
	assert_int_equal(report->report.status, SP_RUNG_SILENT);
	assert_in_range(report->report.since_us, broke, broke + 200000);
	assert_string_equal(dev->events[dev->event_count - 1].text,
			    "gateway family=ipv4 interface=null present=false");
	fake_run(dev, 11 * 1000, true);
	assert_string_equal(dev->reason, "no_route");
	fake_free(dev);
}

static void test_family_never_offered_is_unknown(void **state)
{
	(void)state;
	plug4();
	struct sp_device *dev = begin("");
	assert_status(dev, SP_RUNG_ADDRESS, SP_FAMILY_IPV6, SP_RUNG_UNKNOWN);
	// Once it was there, its absence is a loss.
	plug6();
	fake_run(dev, 11 * 1000, true);
	assert_status(dev, SP_RUNG_ADDRESS, SP_FAMILY_IPV6, SP_RUNG_OK);
	fake_tables.view.route_count = 1;
	fake_run(dev, 11 * 1000, true);
	assert_status(dev, SP_RUNG_ADDRESS, SP_FAMILY_IPV6, SP_RUNG_SILENT);
	assert_string_equal(last(dev, SP_RUNG_ADDRESS, SP_FAMILY_IPV6)->detail,
			    "address, but no default route");
	fake_tables.view.address_count = 1;
	fake_run(dev, 4 * 1000, true);
	assert_string_equal(last(dev, SP_RUNG_ADDRESS, SP_FAMILY_IPV6)->reason, "no_router_advertisement");
	assert_status(dev, SP_RUNG_ADDRESS, SP_FAMILY_IPV4, SP_RUNG_OK);
	fake_free(dev);
}

static void test_nothing_at_start(void **state)
{
	(void)state;
	struct sp_device *dev = begin("");
	assert_status(dev, SP_RUNG_ADDRESS, SP_FAMILY_IPV4, SP_RUNG_SILENT);
	assert_status(dev, SP_RUNG_ADDRESS, SP_FAMILY_IPV6, SP_RUNG_UNKNOWN);
	assert_int_equal(dev->event_count, 0);
	fake_free(dev);
}

static void test_no_dhcp_answer(void **state)
{
	(void)state;
	plug4();
	struct sp_device *dev = begin("");
	fake_run(dev, 1000, true);
	assert_string_equal(last(dev, SP_RUNG_ADDRESS, SP_FAMILY_IPV4)->reason, "address_and_route");
	assert_string_equal(last(dev, SP_RUNG_ADDRESS, SP_FAMILY_IPV4)->host, "eth0");
	// The lease ran out and nobody renewed it.
	fake_tables.view.route_count = fake_tables.view.address_count = 0;
	fake_run(dev, 4 * 1000, true);
	assert_status(dev, SP_RUNG_ADDRESS, SP_FAMILY_IPV4, SP_RUNG_SILENT);
	assert_string_equal(last(dev, SP_RUNG_ADDRESS, SP_FAMILY_IPV4)->reason, "no_dhcp_answer");
	// An address that the board gave itself is none, not even with a route.
	struct sp_nl_event event = {.kind = SP_NL_ADDRESS};
	event.address = (struct sp_nl_address){.index = 2, .family = AF_INET, .link_local = true};
	sp_view_add(&fake_tables.view, &event);
	fake_route(2, AF_INET, 2000, NULL);
	fake_run(dev, 4 * 1000, true);
	assert_status(dev, SP_RUNG_ADDRESS, SP_FAMILY_IPV4, SP_RUNG_SILENT);
	assert_string_equal(last(dev, SP_RUNG_ADDRESS, SP_FAMILY_IPV4)->reason, "no_dhcp_answer");
	assert_non_null(strstr(last(dev, SP_RUNG_ADDRESS, SP_FAMILY_IPV4)->detail, "gave itself"));
	// Without a cable nobody can be blamed.
	fake_tables.view.route_count = fake_tables.view.address_count = 0;
	fake_tables.view.links[0].carrier = false;
	fake_run(dev, 4 * 1000, true);
	assert_string_equal(last(dev, SP_RUNG_ADDRESS, SP_FAMILY_IPV4)->reason, "no_address");
	fake_free(dev);
}

static void test_route_without_address(void **state)
{
	(void)state;
	fake_route(2, AF_INET, 100, "192.0.2.1");
	struct sp_device *dev = begin("");
	fake_run(dev, 1000, true);
	assert_status(dev, SP_RUNG_ADDRESS, SP_FAMILY_IPV4, SP_RUNG_SILENT);
	assert_string_equal(last(dev, SP_RUNG_ADDRESS, SP_FAMILY_IPV4)->detail,
			    "default route, but no address");
	assert_int_equal(fake_ping_count(NULL), 0);
	fake_free(dev);
}

static void test_point_to_point(void **state)
{
	(void)state;
	fake_address(3, AF_INET);
	fake_route(3, AF_INET, 0, NULL);
	plug6();
	struct sp_device *dev = begin("");
	fake_run(dev, 1000, true);
	assert_status(dev, SP_RUNG_ADDRESS, SP_FAMILY_IPV4, SP_RUNG_OK);
	assert_status(dev, SP_RUNG_GATEWAY, SP_FAMILY_IPV4, SP_RUNG_UNKNOWN);
	assert_status(dev, SP_RUNG_GATEWAY, SP_FAMILY_IPV6, SP_RUNG_OK);
	assert_int_equal(dev->rounds_ok, 1);
	fake_free(dev);
}

static void test_named_interface(void **state)
{
	(void)state;
	plug4();
	fake_address(3, AF_INET);
	fake_route(3, AF_INET, 50, "198.51.100.1");
	struct sp_device *dev = begin("interface = eth0");
	fake_run(dev, 1000, true);
	assert_int_equal(fake_ping_count("198.51.100.1"), 0);
	assert_int_equal(fake_ping_count("192.0.2.1"), 1);
	fake_unlink(2);
	fake_run(dev, 11 * 1000, true);
	assert_status(dev, SP_RUNG_ADDRESS, SP_FAMILY_IPV4, SP_RUNG_SILENT);
	fake_free(dev);
}

static void test_stop_under_way(void **state)
{
	(void)state;
	plug4();
	plug6();
	alive4 = false;
	neighbour(NUD_DELAY, 40000);
	for (int64_t ms = 0; ms < 12000; ms += 251) {
		struct sp_device *dev = begin("");
		fake_run(dev, ms, true);
		fake_free(dev);
	}
}

static void test_check(void **state)
{
	(void)state;
	static const char *const bad[] = {"eth0:1", "a/b", "..", "\"eth 0\"", "tr\xc6\xb0\xe1\xbb\x9dng"};
	char options[64];
	for (size_t i = 0; i < SP_COUNT(bad); i++) {
		snprintf(options, sizeof(options), "interface = %s", bad[i]);
		struct sp_device *dev = fake_new(&sp_driver_gateway, "main", options);
		if (fake_start(dev) != -EINVAL)
			fail_msg("%s", bad[i]);
		fake_free(dev);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
	    TEST(test_check),
	    TEST(test_both_families),
	    TEST(test_dead_router_that_used_to_answer),
	    TEST(test_tcp_does_not_vouch_for_a_router_that_used_to_answer),
	    TEST(test_router_that_ignores_echo),
	    TEST(test_pending_neighbour_ends_the_round_in_time),
	    TEST(test_without_echo_permission),
	    TEST(test_route_changes),
	    TEST(test_family_never_offered_is_unknown),
	    TEST(test_nothing_at_start),
	    TEST(test_no_dhcp_answer),
	    TEST(test_route_without_address),
	    TEST(test_point_to_point),
	    TEST(test_named_interface),
	    TEST(test_stop_under_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
