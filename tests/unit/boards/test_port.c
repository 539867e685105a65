// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Interfaces, the way out, and how busy the processors were, on made-up machines.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "boards/text.h"
#include "tests/unit/boards/machine.h"

static struct sp_board_root root(void)
{
	return (struct sp_board_root){.root = machine_root};
}

static void counters(const char *rx_bytes, const char *rx_packets)
{
	machine_file("/sys/class/net/eth0/statistics/rx_bytes", rx_bytes);
	machine_file("/sys/class/net/eth0/statistics/rx_packets", rx_packets);
	machine_file("/sys/class/net/eth0/statistics/tx_bytes", "2000\n");
	machine_file("/sys/class/net/eth0/statistics/tx_packets", "10\n");
}

static void test_a_port_tells_its_speed_and_what_passed(void **state)
{
	(void)state;
	struct sp_board_root where = root();
	struct sp_board_port port;
	machine_file("/sys/class/net/eth0/speed", "100\n");
	machine_file("/sys/class/net/eth0/duplex", "full\n");
	machine_file("/sys/class/net/eth0/type", "1\n");
	counters("151400\n", "100\n");
	sp_board_port(&where, "eth0", &port);
	assert_true(port.counted);
	assert_int_equal(port.link_mbps, 100);
	assert_int_equal(port.duplex, SP_DUPLEX_FULL);
	assert_true(port.rx_bytes == 150000); // 14 bytes of each packet are Ethernet's
	assert_true(port.tx_bytes == 1860);
	// A port without Ethernet has no such headers.
	machine_file("/sys/class/net/eth0/type", "512\n");
	machine_file("/sys/class/net/eth0/duplex", "half\n");
	sp_board_port(&where, "eth0", &port);
	assert_true(port.rx_bytes == 151400);
	assert_int_equal(port.duplex, SP_DUPLEX_HALF);
}

static void test_what_a_port_does_not_tell_is_not_known(void **state)
{
	(void)state;
	struct sp_board_root where = root();
	struct sp_board_port port;
	machine_file("/sys/class/net/eth0/speed", "-1\n");
	machine_file("/sys/class/net/eth0/duplex", "unknown\n");
	sp_board_port(&where, "eth0", &port);
	assert_false(port.counted);
	assert_true(port.link_mbps == 0 && port.rx_bytes == 0);
	assert_int_equal(port.duplex, SP_DUPLEX_UNKNOWN);
	counters("9223372036854775808\n", "1\n");
	sp_board_port(&where, "eth0", &port);
	assert_false(port.counted);
	counters("10\n", "9\n"); // fewer bytes than headers: nobody's truth, and no negative number
	machine_file("/sys/class/net/eth0/type", "1\n");
	sp_board_port(&where, "eth0", &port);
	assert_true(port.counted && port.rx_bytes == 0);
	machine_file("/sys/class/secret/speed", "100\n");
	static const char *const names[] = {"",          ".",    "..",
					    "../secret", "eth9", "a-name-of-far-too-many-bytes"};
	for (size_t i = 0; i < SP_COUNT(names); i++) {
		sp_board_port(&where, names[i], &port);
		assert_true(!port.counted && port.link_mbps == 0);
	}
}

static void test_all_ports_are_read_and_no_more_than_there_is_room_for(void **state)
{
	(void)state;
	struct sp_board_root where = root();
	struct sp_board_ports ports;
	sp_board_ports(&where, &ports);
	assert_int_equal(ports.count, 0);
	machine_file("/sys/class/net/eth0/speed", "1000\n");
	machine_file("/sys/class/net/a-name-of-far-too-many-bytes/speed", "1000\n");
	sp_board_ports(&where, &ports);
	assert_int_equal(ports.count, 1);
	assert_string_equal(ports.items[0].name, "eth0");
	assert_int_equal(ports.items[0].port.link_mbps, 1000);
	for (char path[] = "/sys/class/net/eth0/speed", *digit = strchr(path, '0'); *digit < '0' + 40;
	     ++*digit)
		if (*digit != '/')
			machine_file(path, "10\n");
	sp_board_ports(&where, &ports);
	assert_int_equal(ports.count, SP_BOARD_PORTS);
}

#define HEAD "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
#define ZERO "00000000000000000000000000000000"

static void test_the_way_out_is_the_default_route_of_the_lowest_metric(void **state)
{
	(void)state;
	static const struct {
		const char *table, *out;
	} cases[] = {
	    {HEAD "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n", "eth0"},
	    {HEAD "wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
		  "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n",
	     "eth0"},
	    {HEAD "eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n", NULL},
	    {HEAD "eth0\t00000000\t0101A8C0\t0002\t0\t0\t100\t00000000\t0\t0\t0\n", NULL}, // not up
	    {HEAD "*\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0\n", NULL},      // unreachable
	    {HEAD "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t000000C0\t0\t0\t0\n", NULL},
	    {"", NULL},
	    {"eth0 zero", NULL},
	};
	char out[SP_BOARD_PORT_NAME];
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		assert_int_equal(sp_text_way_out(cases[i].table, out), cases[i].out ? 0 : -ENOENT);
		assert_string_equal(out, cases[i].out ? cases[i].out : "");
	}
}

static void test_ipv6_alone_has_a_way_out_too(void **state)
{
	(void)state;
	struct sp_board_root where = root();
	char out[SP_BOARD_PORT_NAME];
	sp_board_way_out(&where, out);
	assert_string_equal(out, "");
	machine_file("/proc/net/route", HEAD);
	machine_file("/proc/net/ipv6_route",
		     ZERO " 00 " ZERO " 00 " ZERO " ffffffff 00000001 00000000 00200200 lo\n"
			  "20010db8000000000000000000000000 40 " ZERO " 00 " ZERO
			  " 00000100 00000001 00000000 00000001 eth1\n" ZERO " 00 " ZERO
			  " 00 fe800000000000000000000000000001 00000400 00000001 00000000 00450003 eth0\n");
	sp_board_way_out(&where, out);
	assert_string_equal(out, "eth0");
	machine_file("/proc/net/route", HEAD "ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n");
	sp_board_way_out(&where, out);
	assert_string_equal(out, "ppp0"); // IPv4 first
}

static void test_processors_are_told_apart(void **state)
{
	(void)state;
	struct sp_board_root where = root();
	struct sp_board_cores cores;
	sp_board_cores(&where, &cores);
	assert_int_equal(cores.count, 0);
	machine_file("/proc/stat", "cpu  300 0 100 900 50 0 50 0 0 0\n"
				   "cpu0 100 10 40 400 50 0 0 0 7 0\n"
				   "cpu2 200 0 60 500 0 5 50 25 0 0\n"
				   "cpu99 1 1 1 1 1 1 1 1 0 0\n"
				   "intr 12 0 0\n"
				   "cpu1 not a line\n");
	sp_board_cores(&where, &cores);
	assert_int_equal(cores.count, 3);                                     // processor 1 is off
	assert_true(cores.cores[0].busy == 150 && cores.cores[0].all == 600); // waiting for a disk is no work
	assert_true(cores.cores[1].all == 0);
	assert_true(cores.cores[2].busy == 340 && cores.cores[2].all == 840);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_a_port_tells_its_speed_and_what_passed, machine_new,
					    machine_free),
	    cmocka_unit_test_setup_teardown(test_what_a_port_does_not_tell_is_not_known, machine_new,
					    machine_free),
	    cmocka_unit_test_setup_teardown(test_all_ports_are_read_and_no_more_than_there_is_room_for,
					    machine_new, machine_free),
	    cmocka_unit_test(test_the_way_out_is_the_default_route_of_the_lowest_metric),
	    cmocka_unit_test_setup_teardown(test_ipv6_alone_has_a_way_out_too, machine_new, machine_free),
	    cmocka_unit_test_setup_teardown(test_processors_are_told_apart, machine_new, machine_free),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
