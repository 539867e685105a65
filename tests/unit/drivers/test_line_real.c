// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The link drivers in the real core on a real kernel: a school and its Internet in two namespaces. What is
// waited for is a condition, never a time; only a generous limit ends the wait.
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
#include "lab.h"
#include "tests/unit/core/recorder_list.h"

enum { LIMIT_MS = 40 * 1000, TICK_MS = 20, DEVICES = 3 };

static bool has_lab;
static char resolv[] = "/tmp/sp-lab-resolv-XXXXXX";

static struct bench {
	struct sp_loop *loop;
	struct recorder_list recorder;
	struct sp_devices *devices;
	void *confs[DEVICES];
	const struct sp_driver *drivers[DEVICES];
	struct sp_rung_report last[SP_RUNGS][SP_FAMILIES];
	char detail[SP_RUNGS][SP_FAMILIES][160];
	// ---- what is waited for
	struct sp_loop_timer *timer;
	bool (*until)(const void *arg);
	const void *arg;
	int64_t deadline_us;
	bool met;
} bench;

static void on_rung(void *arg, const char *line, const char *device, const struct sp_rung_report *report,
		    int64_t max_age_us)
{
	(void)arg, (void)device, (void)max_age_us;
	assert_string_equal(line, "main");
	bench.last[report->rung][report->family] = *report;
	snprintf(bench.detail[report->rung][report->family], sizeof(bench.detail[0][0]), "%s",
		 report->detail);
}

static void on_tick(void *arg)
{
	(void)arg;
	bench.met = bench.until(bench.arg);
	if (bench.met || sp_loop_now_us(bench.loop) > bench.deadline_us)
		sp_loop_uv_stop(bench.loop);
	else
		sp_loop_timer_start(bench.loop, bench.timer, TICK_MS);
}

static bool wait_for(bool (*until)(const void *arg), const void *arg)
{
	bench.until = until;
	bench.arg = arg;
	bench.deadline_us = sp_loop_now_us(bench.loop) + LIMIT_MS * 1000;
	sp_loop_timer_start(bench.loop, bench.timer, 0);
	sp_loop_uv_run(bench.loop);
	return bench.met;
}

struct rung {
	enum sp_rung rung;
	enum sp_family family;
	enum sp_rung_status status;
};

static bool rung_is(const void *arg)
{
	const struct rung *wanted = arg;
	return bench.last[wanted->rung][wanted->family].status == wanted->status;
}

#define wait_rung(rung_, family_, status_)                                                    \
	do {                                                                                  \
		if (!wait_for(rung_is, &(struct rung){rung_, family_, status_}))              \
			print_message("last: %d \"%s\"\n", bench.last[rung_][family_].status, \
				      bench.detail[rung_][family_]);                          \
		assert_true(bench.met);                                                       \
	} while (0)

static bool fact_is(const void *arg)
{
	const char *const *wanted = arg; // type, then name and value in turn, NULL
	for (size_t i = 0; i < bench.recorder.count; i++) {
		bool same = strcmp(recorder_text(&bench.recorder, i, "type"), wanted[0]) == 0;
		for (const char *const *at = wanted + 1; same && *at; at += 2)
			same = strcmp(recorder_text(&bench.recorder, i, at[0]), at[1]) == 0;
		if (same)
			return true;
	}
	return false;
}

static void add(size_t index, const struct sp_driver *driver, const char *options)
{
	char text[1024];
	struct sp_config config = {0};
	struct sp_config_errors errors = {0};
	snprintf(text, sizeof(text), "[%s \"it\"]\n%s", driver->name, options);
	assert_int_equal(sp_config_parse(&config, "lab.conf", text, strlen(text), &errors), 0);
	bench.drivers[index] = driver;
	bench.confs[index] = calloc(1, driver->conf_size);
	assert_int_equal(sp_options_apply(driver->options, NULL, &config,
					  sp_config_find(&config, driver->name, "it"), bench.confs[index],
					  &errors),
			 0);
	sp_config_free(&config);
	char line[] = "main";
	struct sp_device_common common = {.line = line, .interval_ms = driver->interval_ms, .enabled = true};
	sp_devices_add(bench.devices, driver, driver->name, &common, bench.confs[index]);
}

static int setup(void **state)
{
	(void)state;
	if (!has_lab)
		return 0;
	lab_heal();
	memset(&bench, 0, sizeof(bench));
	recorder_list_init(&bench.recorder);
	if (sp_loop_uv_new(&bench.loop) < 0)
		return -1;
	bench.timer = sp_loop_timer_new(bench.loop, on_tick, NULL);
	struct sp_devices_config config = {
	    .loop = bench.loop, .recorder = &bench.recorder.base, .rung = on_rung};
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
	for (size_t i = 0; i < DEVICES && bench.confs[i]; i++) {
		sp_options_free(bench.drivers[i]->options, bench.confs[i]);
		free(bench.confs[i]);
	}
	sp_loop_timer_free(bench.loop, bench.timer);
	sp_loop_uv_free(bench.loop);
	recorder_list_clear(&bench.recorder);
	return 0;
}

static void begin(const char *more)
{
	char options[1024];
	snprintf(options, sizeof(options),
		 "domestic = " LAB_ANCHOR_A ", " LAB_ANCHOR_B ", " LAB_ANCHOR_V6
		 "\ninternational = " LAB_FOREIGN "\ndns_name = probe.example\ndns_direct = " LAB_ANCHOR_B
		 "\nresolv_conf = %s\nscope_interval = 2s\n"
		 "portal_url = http://page.example/204\nportal_resolve = " LAB_FOREIGN
		 "\nportal_interval = 5s\n%s",
		 resolv, more);
	add(0, &sp_driver_carrier, "");
	add(1, &sp_driver_gateway, "");
	add(2, &sp_driver_reach, options);
	sp_devices_start(bench.devices);
}

#define NEED_LAB()              \
	do {                    \
		(void)state;    \
		if (!has_lab)   \
			skip(); \
	} while (0)

static void wait_up(void)
{
	wait_rung(SP_RUNG_CABLE, SP_FAMILY_ANY, SP_RUNG_OK);
	wait_rung(SP_RUNG_ADDRESS, SP_FAMILY_IPV4, SP_RUNG_OK);
	wait_rung(SP_RUNG_ADDRESS, SP_FAMILY_IPV6, SP_RUNG_OK);
	wait_rung(SP_RUNG_GATEWAY, SP_FAMILY_IPV4, SP_RUNG_OK);
	wait_rung(SP_RUNG_GATEWAY, SP_FAMILY_IPV6, SP_RUNG_OK);
	wait_rung(SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_OK);
	wait_rung(SP_RUNG_ISP_CORE, SP_FAMILY_IPV6, SP_RUNG_OK);
	wait_rung(SP_RUNG_INTERNATIONAL, SP_FAMILY_IPV4, SP_RUNG_OK);
	wait_rung(SP_RUNG_DNS, SP_FAMILY_ANY, SP_RUNG_OK);
	wait_rung(SP_RUNG_PORTAL, SP_FAMILY_ANY, SP_RUNG_OK);
}

/// ARP has the word between two echoes.
static bool router_echoes(const void *arg)
{
	(void)arg;
	return strcmp(bench.detail[SP_RUNG_GATEWAY][SP_FAMILY_IPV4], "answers echo") == 0 &&
	       strcmp(bench.detail[SP_RUNG_GATEWAY][SP_FAMILY_IPV6], "answers echo") == 0;
}

static void test_all_rungs_answer(void **state)
{
	NEED_LAB();
	begin("");
	wait_up();
	const char *const carrier[] = {"carrier", "interface", "line0", "duplex", "full", NULL};
	assert_true(fact_is(carrier));
	const char *const gateway[] = {"gateway", "family", "ipv6", "interface", "line0", NULL};
	assert_true(fact_is(gateway));
	assert_true(wait_for(router_echoes, NULL));
	assert_true(bench.last[SP_RUNG_ISP_CORE][SP_FAMILY_IPV4].rtt_us > 0);
}

static void test_cable_flaps(void **state)
{
	NEED_LAB();
	begin("");
	wait_up();
	for (int i = 0; i < 3; i++) {
		lab_internet("ip link set isp0 down");
		wait_rung(SP_RUNG_CABLE, SP_FAMILY_ANY, SP_RUNG_SILENT);
		lab_internet("ip link set isp0 up");
		wait_rung(SP_RUNG_CABLE, SP_FAMILY_ANY, SP_RUNG_OK);
	}
	assert_in_range(recorder_count(&bench.recorder, "carrier"), 7,
			8); // one more at the end when the speed came late
}

static void test_interface_goes_and_returns(void **state)
{
	NEED_LAB();
	begin("");
	wait_up();
	lab_school("ip link del line0");
	wait_rung(SP_RUNG_CABLE, SP_FAMILY_ANY, SP_RUNG_SILENT);
	assert_string_equal(bench.detail[SP_RUNG_CABLE][SP_FAMILY_ANY], "the interface is gone");
	wait_rung(SP_RUNG_ADDRESS, SP_FAMILY_IPV4, SP_RUNG_SILENT);
	wait_rung(SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_UNKNOWN);
	lab_heal();
	wait_up();
	lab_school("ip link set line0 name wan7");
	const char *const renamed[] = {"carrier", "interface", "wan7", NULL};
	assert_true(wait_for(fact_is, renamed));
	lab_school("ip link set wan7 name line0");
}

static void test_route_goes_and_changes(void **state)
{
	NEED_LAB();
	begin("");
	wait_up();
	lab_school("ip route del default");
	wait_rung(SP_RUNG_ADDRESS, SP_FAMILY_IPV4, SP_RUNG_SILENT);
	wait_rung(SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_UNKNOWN);
	assert_int_equal(bench.last[SP_RUNG_ADDRESS][SP_FAMILY_IPV6].status, SP_RUNG_OK);
	lab_school("ip route add default via " LAB_GATEWAY4 " dev line0 metric 700");
	wait_rung(SP_RUNG_ADDRESS, SP_FAMILY_IPV4, SP_RUNG_OK);
	wait_rung(SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_OK);
	lab_school("ip -6 addr flush dev line0 scope global");
	wait_rung(SP_RUNG_ADDRESS, SP_FAMILY_IPV6, SP_RUNG_SILENT);
}

static void test_route_taken_along_by_its_link(void **state)
{
	NEED_LAB();
	begin("");
	wait_up();
	// The kernel flushes the routes without a word about each.
	lab_school("ip link set line0 down");
	wait_rung(SP_RUNG_CABLE, SP_FAMILY_ANY, SP_RUNG_SILENT);
	wait_rung(SP_RUNG_ADDRESS, SP_FAMILY_IPV4, SP_RUNG_SILENT);
}

static void test_overrun(void **state)
{
	NEED_LAB();
	begin("");
	wait_up();
	// More news than the sockets can hold, while nobody reads; the last of it is the one that matters.
	lab_school("sh -c 'for i in $(seq 0 4000); do echo route add 198.18.$((i / 256)).$((i %% 256))/32 "
		   "dev line0; done "
		   "| ip -batch -'");
	lab_internet("ip link set isp0 down");
	wait_rung(SP_RUNG_CABLE, SP_FAMILY_ANY, SP_RUNG_SILENT);
	lab_internet("ip link set isp0 up");
	wait_rung(SP_RUNG_CABLE, SP_FAMILY_ANY, SP_RUNG_OK);
}

static void test_dead_gateway(void **state)
{
	NEED_LAB();
	begin("");
	wait_up();
	lab_internet(
	    "nft -f - <<'X'\ntable netdev dead { chain c { type filter hook ingress device isp0 priority 0; "
	    "policy drop; }; }\nX");
	wait_rung(SP_RUNG_GATEWAY, SP_FAMILY_IPV4, SP_RUNG_SILENT);
	wait_rung(SP_RUNG_GATEWAY, SP_FAMILY_IPV6, SP_RUNG_SILENT);
	wait_rung(SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_SILENT);
	assert_int_equal(bench.last[SP_RUNG_CABLE][SP_FAMILY_ANY].status, SP_RUNG_OK);
	lab_internet("nft flush ruleset");
	wait_rung(SP_RUNG_GATEWAY, SP_FAMILY_IPV4, SP_RUNG_OK);
	wait_rung(SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_OK);
}

static void test_gateway_that_ignores_pings(void **state)
{
	NEED_LAB();
	lab_internet("nft -f - <<'X'\ntable inet quiet { chain c { type filter hook input priority 0; "
		     "ip daddr " LAB_GATEWAY4 " icmp type echo-request drop; "
		     "ip6 daddr " LAB_GATEWAY6 " icmpv6 type echo-request drop; }; }\nX");
	begin("");
	wait_rung(SP_RUNG_GATEWAY, SP_FAMILY_IPV4, SP_RUNG_OK);
	wait_rung(SP_RUNG_GATEWAY, SP_FAMILY_IPV6, SP_RUNG_OK);
	// Asked by us, not taken from the kernel's table.
	assert_string_equal(bench.detail[SP_RUNG_GATEWAY][SP_FAMILY_IPV4], "answers ARP");
	assert_string_equal(bench.detail[SP_RUNG_GATEWAY][SP_FAMILY_IPV6], "answers NDP");
	// It dies, and nothing but ARP and NDP can say so; it lives again.
	lab_internet("nft -f - <<'X'\ntable netdev dead { chain c { type filter hook ingress device isp0 "
		     "priority 0; policy drop; }; }\nX");
	wait_rung(SP_RUNG_GATEWAY, SP_FAMILY_IPV4, SP_RUNG_SILENT);
	assert_string_equal(bench.detail[SP_RUNG_GATEWAY][SP_FAMILY_IPV4], "no answer to echo and ARP");
	wait_rung(SP_RUNG_GATEWAY, SP_FAMILY_IPV6, SP_RUNG_SILENT);
	lab_internet("nft delete table netdev dead");
	wait_rung(SP_RUNG_GATEWAY, SP_FAMILY_IPV4, SP_RUNG_OK);
	wait_rung(SP_RUNG_GATEWAY, SP_FAMILY_IPV6, SP_RUNG_OK);
	assert_string_equal(bench.detail[SP_RUNG_GATEWAY][SP_FAMILY_IPV4], "answers ARP");
	assert_string_equal(bench.detail[SP_RUNG_GATEWAY][SP_FAMILY_IPV6], "answers NDP");
}

static void test_provider_outage(void **state)
{
	NEED_LAB();
	begin("");
	wait_up();
	lab_internet("nft -f - <<'X'\ntable inet cut { chain c { type filter hook input priority 0; "
		     "ip daddr { " LAB_ANCHOR_A ", " LAB_ANCHOR_B ", " LAB_FOREIGN " } drop; "
		     "ip6 daddr " LAB_ANCHOR_V6 " drop; }; }\nX");
	wait_rung(SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_SILENT);
	wait_rung(SP_RUNG_ISP_CORE, SP_FAMILY_IPV6, SP_RUNG_SILENT);
	wait_rung(SP_RUNG_INTERNATIONAL, SP_FAMILY_IPV4, SP_RUNG_SILENT);
	assert_int_equal(bench.last[SP_RUNG_GATEWAY][SP_FAMILY_IPV4].status, SP_RUNG_OK);
	assert_string_equal(bench.detail[SP_RUNG_ISP_CORE][SP_FAMILY_IPV4], "2 of 2 anchors silent");
	lab_internet("nft flush ruleset");
	wait_up();
}

static bool by_echo(const void *arg)
{
	const enum sp_family *family = arg;
	const char *text = bench.detail[SP_RUNG_ISP_CORE][*family];
	size_t length = strlen(text), size = strlen(" answered");
	return length > size && strcmp(text + length - size, " answered") == 0;
}

static void wait_echo(enum sp_family family)
{
	if (!wait_for(by_echo, &family))
		print_message("last: \"%s\"\n", bench.detail[SP_RUNG_ISP_CORE][family]);
	assert_true(bench.met);
}

static void test_router_says_unreachable(void **state)
{
	NEED_LAB();
	begin("");
	wait_up();
	lab_internet("nft -f - <<'X'\ntable inet cut { chain c { type filter hook input priority 0; "
		     "ip daddr { " LAB_ANCHOR_A ", " LAB_ANCHOR_B
		     " } reject with icmp type host-unreachable; "
		     "ip6 daddr " LAB_ANCHOR_V6 " reject with icmpv6 type addr-unreachable; }; }\nX");
	wait_rung(SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_SILENT);
	assert_string_equal(bench.detail[SP_RUNG_ISP_CORE][SP_FAMILY_IPV4],
			    "2 of 2 anchors silent; a router says: host unreachable");
	wait_rung(SP_RUNG_ISP_CORE, SP_FAMILY_IPV6, SP_RUNG_SILENT);
	assert_string_equal(bench.detail[SP_RUNG_ISP_CORE][SP_FAMILY_IPV6],
			    "1 of 1 anchors silent; a router says: address unreachable");
	lab_internet("nft flush ruleset");
	wait_up();
	// The errors have not deafened the sockets.
	wait_echo(SP_FAMILY_IPV4);
	wait_echo(SP_FAMILY_IPV6);
}

static void test_tcp_where_echo_is_dropped(void **state)
{
	NEED_LAB();
	lab_internet("nft -f - <<'X'\ntable inet quiet { chain c { type filter hook input priority 0; "
		     "icmp type echo-request drop; icmpv6 type echo-request drop; }; }\nX");
	begin("");
	wait_rung(SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_OK);
	wait_rung(SP_RUNG_ISP_CORE, SP_FAMILY_IPV6, SP_RUNG_OK);
	assert_non_null(strstr(bench.detail[SP_RUNG_ISP_CORE][SP_FAMILY_IPV4], "answered by TCP"));
}

static void test_resolver(void **state)
{
	NEED_LAB();
	begin("");
	wait_up();
	lab_dns('f');
	wait_rung(SP_RUNG_DNS, SP_FAMILY_ANY, SP_RUNG_WRONG);
	lab_dns('s');
	wait_rung(SP_RUNG_DNS, SP_FAMILY_ANY, SP_RUNG_SILENT);
	lab_dns('x');
	wait_rung(SP_RUNG_DNS, SP_FAMILY_ANY, SP_RUNG_OK);
	lab_dns('o'); // nobody's answer
	wait_rung(SP_RUNG_DNS, SP_FAMILY_ANY, SP_RUNG_SILENT);
	lab_dns('l');
	wait_rung(SP_RUNG_DNS, SP_FAMILY_ANY, SP_RUNG_WRONG);
	lab_dns('g');
	wait_rung(SP_RUNG_DNS, SP_FAMILY_ANY, SP_RUNG_OK);
}

static void test_portal(void **state)
{
	NEED_LAB();
	begin("");
	wait_up();
	lab_page('r');
	wait_rung(SP_RUNG_PORTAL, SP_FAMILY_ANY, SP_RUNG_WRONG);
	lab_page('2');
	wait_rung(SP_RUNG_PORTAL, SP_FAMILY_ANY, SP_RUNG_OK);
	lab_page('p');
	wait_rung(SP_RUNG_PORTAL, SP_FAMILY_ANY, SP_RUNG_WRONG);
}

static void test_bound_to_an_interface_that_is_replaced(void **state)
{
	NEED_LAB();
	begin("interface = line0\n");
	wait_up();
	lab_school("ip link del line0");
	wait_rung(SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_UNKNOWN);
	lab_heal(); // the same name, another index
	wait_rung(SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_OK);
	wait_rung(SP_RUNG_ISP_CORE, SP_FAMILY_IPV6, SP_RUNG_OK);
}

static void test_ping_sockets(void **state)
{
	NEED_LAB();
	// The other kind than root gets by default.
	lab_school("sysctl -qw 'net.ipv4.ping_group_range=0 2147483647'");
	test_provider_outage(state);
	lab_school("sysctl -qw 'net.ipv4.ping_group_range=1 0'");
}

static void test_unreachable_on_ping_sockets(void **state)
{
	NEED_LAB();
	lab_school("sysctl -qw 'net.ipv4.ping_group_range=0 2147483647'");
	test_router_says_unreachable(state);
	lab_school("sysctl -qw 'net.ipv4.ping_group_range=1 0'");
}

int main(void)
{
	int fd = mkstemp(resolv);
	if (fd < 0 || dprintf(fd, "nameserver %s\n", LAB_ANCHOR_A) < 0)
		return 1;
	has_lab = lab_open();
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_all_rungs_answer),
	    TEST(test_cable_flaps),
	    TEST(test_interface_goes_and_returns),
	    TEST(test_route_goes_and_changes),
	    TEST(test_route_taken_along_by_its_link),
	    TEST(test_overrun),
	    TEST(test_dead_gateway),
	    TEST(test_gateway_that_ignores_pings),
	    TEST(test_provider_outage),
	    TEST(test_router_says_unreachable),
	    TEST(test_tcp_where_echo_is_dropped),
	    TEST(test_resolver),
	    TEST(test_portal),
	    TEST(test_bound_to_an_interface_that_is_replaced),
	    TEST(test_ping_sockets),
	    TEST(test_unreachable_on_ping_sockets),
	};
	int result = cmocka_run_group_tests(tests, NULL, NULL);
	lab_close();
	unlink(resolv);
	return result;
}
