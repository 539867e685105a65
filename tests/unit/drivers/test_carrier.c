// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The carrier driver over scripted kernel tables, on virtual time.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "drivers/drivers.h"
#include "fake_io.h"
#include "fake_rtnl.h"

static int setup(void **state)
{
	(void)state;
	fake_rtnl_reset();
	return 0;
}

static struct sp_device *begin(const char *options)
{
	struct sp_device *dev = fake_new(&sp_driver_carrier, "cable", options);
	assert_int_equal(fake_start(dev), 0);
	return dev;
}

static const struct fake_report *cable(const struct sp_device *dev)
{
	const struct fake_report *report = fake_last(dev, SP_RUNG_CABLE, SP_FAMILY_ANY);
	assert_non_null(report);
	return report;
}

static void assert_event(const struct sp_device *dev, size_t index, const char *text)
{
	assert_true(index < dev->event_count);
	assert_string_equal(dev->events[index].text, text);
}

static void test_flap(void **state)
{
	(void)state;
	struct sp_nl_link *link = fake_link(2, "eth0", true);
	fake_route(2, AF_INET, 100, "192.0.2.1");
	struct sp_device *dev = begin("");
	assert_int_equal(cable(dev)->report.status, SP_RUNG_OK);
	assert_int_equal(dev->event_count, 1);
	assert_event(dev, 0, "carrier interface=eth0 carrier=true speed_mbps=1000 duplex=full");
	assert_int_equal(dev->suspects, 0);
	fake_run(dev, 5000, true);
	// Down and up again within one look's delay: both edges are seen, each at its time.
	int64_t down = dev->now_us;
	link->carrier = false;
	fake_link_event(link, false);
	assert_int_equal(cable(dev)->report.status, SP_RUNG_SILENT);
	assert_int_equal(cable(dev)->report.since_us, down);
	assert_event(dev, 1, "carrier interface=eth0 carrier=false speed_mbps=null duplex=null");
	assert_int_equal(dev->suspects, 1);
	fake_run(dev, 10, true);
	link->carrier = true;
	fake_link_event(link, false);
	assert_int_equal(cable(dev)->report.status, SP_RUNG_OK);
	assert_int_equal(cable(dev)->report.since_us, down + 10000);
	assert_int_equal(dev->event_count, 3);
	fake_run(dev, 5000, true);
	assert_int_equal(dev->event_count, 3);
	fake_free(dev);
}

static void test_pulled_cable_takes_the_route_away(void **state)
{
	(void)state;
	struct sp_nl_link *link = fake_link(2, "eth0", true);
	fake_link(3, "eth1", true);
	fake_route(2, AF_INET, 100, "192.0.2.1");
	struct sp_device *dev = begin("interface = auto");
	link->carrier = false;
	fake_tables.view.route_count = 0;
	fake_link_event(link, false);
	fake_run(dev, 60 * 1000, true);
	assert_int_equal(cable(dev)->report.status, SP_RUNG_SILENT);
	assert_string_equal(cable(dev)->detail, "no carrier");
	assert_int_equal(dev->event_count, 2);
	fake_free(dev);
}

static void test_choice_without_route(void **state)
{
	(void)state;
	fake_link(1, "lo", true)->loopback = true;
	fake_link(2, "eth0", false);
	fake_link(3, "br0", true)->physical = false;
	struct sp_device *dev = begin("");
	assert_int_equal(cable(dev)->report.status, SP_RUNG_SILENT);
	assert_event(dev, 0, "carrier interface=eth0 carrier=false speed_mbps=null duplex=null");
	fake_free(dev);
}

static void test_two_interfaces_and_no_route(void **state)
{
	(void)state;
	fake_link(2, "eth0", true);
	fake_link(3, "eth1", true);
	struct sp_device *dev = begin("");
	assert_int_equal(cable(dev)->report.status, SP_RUNG_UNKNOWN);
	assert_string_equal(dev->reason, "no_interface");
	assert_int_equal(dev->event_count, 0);
	// A route decides it.
	fake_route(3, AF_INET6, 1024, "fe80::1");
	struct sp_nl_event event = {.kind = SP_NL_ROUTE};
	fake_change(&event);
	fake_run(dev, 100, true);
	assert_int_equal(cable(dev)->report.status, SP_RUNG_OK);
	assert_event(dev, 0, "carrier interface=eth1 carrier=true speed_mbps=1000 duplex=full");
	assert_true(dev->rounds_ok > 0);
	fake_free(dev);
}

static void test_named_interface_is_missing(void **state)
{
	(void)state;
	fake_link(2, "eth0", true);
	struct sp_device *dev = begin("interface = wan0");
	assert_int_equal(cable(dev)->report.status, SP_RUNG_UNKNOWN);
	assert_string_equal(dev->text, "there is no interface wan0");
	fake_free(dev);
}

static void test_adapter_unplugged_and_replugged(void **state)
{
	(void)state;
	const struct sp_nl_link link = *fake_link(5, "eth1", true);
	fake_route(5, AF_INET, 0, "192.0.2.1");
	struct sp_device *dev = begin("");
	fake_unlink(5);
	fake_tables.view.route_count = 0;
	fake_link_event(&link, true);
	assert_int_equal(cable(dev)->report.status, SP_RUNG_SILENT);
	assert_string_equal(cable(dev)->detail, "the interface is gone");
	assert_event(dev, 1, "carrier interface=eth1 carrier=false speed_mbps=null duplex=null");
	fake_run(dev, 40 * 1000, true);
	assert_int_equal(dev->event_count, 2);
	fake_link_event(fake_link(9, "eth1", true), false);
	fake_run(dev, 100, true);
	assert_int_equal(cable(dev)->report.status, SP_RUNG_OK);
	assert_event(dev, 2, "carrier interface=eth1 carrier=true speed_mbps=1000 duplex=full");
	fake_free(dev);
}

static void test_renamed(void **state)
{
	(void)state;
	struct sp_nl_link *link = fake_link(2, "eth0", true);
	fake_route(2, AF_INET, 0, "192.0.2.1");
	struct sp_device *dev = begin("");
	struct sp_device *named = fake_new(&sp_driver_carrier, "named", "interface = eth0");
	strcpy(link->name, "wan0");
	fake_link_event(link, false);
	fake_run(dev, 100, true);
	assert_int_equal(cable(dev)->report.status, SP_RUNG_OK);
	assert_event(dev, 1, "carrier interface=wan0 carrier=true speed_mbps=1000 duplex=full");
	fake_free(dev);
	// One that was asked for by name is not there any more.
	strcpy(link->name, "eth0");
	assert_int_equal(fake_start(named), 0);
	strcpy(link->name, "wan0");
	fake_link_event(link, false);
	assert_int_equal(cable(named)->report.status, SP_RUNG_SILENT);
	fake_run(named, 100, true);
	assert_int_equal(cable(named)->report.status, SP_RUNG_SILENT);
	fake_free(named);
}

static void test_overrun_looks_afresh(void **state)
{
	(void)state;
	struct sp_nl_link *link = fake_link(2, "eth0", true);
	fake_route(2, AF_INET, 0, "192.0.2.1");
	struct sp_device *dev = begin("");
	link->carrier = false;
	fake_change(NULL);
	fake_run(dev, 100, true);
	assert_int_equal(cable(dev)->report.status, SP_RUNG_SILENT);
	fake_free(dev);
}

static void test_flood_is_one_look(void **state)
{
	(void)state;
	fake_link(2, "eth0", true);
	struct sp_device *dev = begin("");
	unsigned looks = fake_tables.looks;
	struct sp_nl_event event = {.kind = SP_NL_CHANGED};
	for (int i = 0; i < 1000; i++)
		fake_change(&event);
	fake_run(dev, 1000, true);
	assert_int_equal(fake_tables.looks, looks + 1);
	fake_free(dev);
}

static void test_tables_that_cannot_be_read(void **state)
{
	(void)state;
	fake_link(2, "eth0", true);
	struct sp_device *dev = begin("");
	fake_tables.result = -ENOBUFS;
	fake_run(dev, 31 * 1000, true);
	assert_string_equal(dev->reason, "netlink");
	assert_int_equal(cable(dev)->report.status, SP_RUNG_OK); // nothing new is claimed
	fake_tables.result = 0;
	fake_run(dev, 31 * 1000, true);
	assert_true(dev->now_us - dev->reports[dev->report_count - 1].at_us < 31 * 1000 * 1000);
	fake_free(dev);
}

static void test_refused_fact_is_told_later(void **state)
{
	(void)state;
	fake_link(2, "eth0", true);
	struct sp_device *dev = fake_new(&sp_driver_carrier, "cable", "");
	dev->event_result = -ENOBUFS;
	assert_int_equal(fake_start(dev), 0);
	dev->event_result = 0;
	fake_run(dev, 31 * 1000, true);
	assert_int_equal(dev->event_count, 1);
	fake_free(dev);
}

static void test_counters_and_unknown_speed(void **state)
{
	(void)state;
	struct sp_nl_link *link = fake_link(2, "wlan0", true);
	fake_tables.mode = (struct sp_link_mode){-1, NULL};
	struct sp_device *dev = begin("");
	assert_event(dev, 0, "carrier interface=wlan0 carrier=true speed_mbps=null duplex=null");
	assert_true(fake_sample(dev, 0, "")->last == 7);
	link->rx_bytes = 9;
	fake_run(dev, 31 * 1000, true);
	assert_true(fake_sample(dev, 0, "")->last == 9);
	link->has_counters = false;
	fake_run(dev, 31 * 1000, true);
	assert_true(fake_sample(dev, 0, "")->unavailable);
	fake_free(dev);
}

static void test_check(void **state)
{
	(void)state;
	static const char *const bad[] = {"eth0:1", "a/b", "..", "\"eth 0\"", "tr\xc6\xb0\xe1\xbb\x9dng"};
	char options[64];
	for (size_t i = 0; i < SP_COUNT(bad); i++) {
		snprintf(options, sizeof(options), "interface = %s", bad[i]);
		struct sp_device *dev = fake_new(&sp_driver_carrier, "main", options);
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
	    TEST(test_flap),
	    TEST(test_pulled_cable_takes_the_route_away),
	    TEST(test_choice_without_route),
	    TEST(test_two_interfaces_and_no_route),
	    TEST(test_named_interface_is_missing),
	    TEST(test_adapter_unplugged_and_replugged),
	    TEST(test_renamed),
	    TEST(test_overrun_looks_afresh),
	    TEST(test_flood_is_one_look),
	    TEST(test_tables_that_cannot_be_read),
	    TEST(test_refused_fact_is_told_later),
	    TEST(test_counters_and_unknown_speed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
