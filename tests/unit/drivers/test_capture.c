// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The `capture` driver against a helper that a test plays: what it starts, what it believes, what it does
// when the helper ends, lies or keeps silent.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "drivers/drivers.h"
#include "drivers/link/capture_line.h"
#include "fake_child.h"
#include "fake_io.h"
#include "fake_rtnl.h"

enum {
	DOWN,
	UP,
	OTHER,
	BROADCAST,
	MULTICAST,
	OUTSIDE,
	INSIDE,
	DNS,
	HANDSHAKES,
	ANSWERS,
	UNANSWERED,
	FRAMES,
	LOSS
};

static struct sp_device *dev;

static int set_up(void **state)
{
	(void)state;
	fake_child_reset();
	fake_rtnl_reset();
	fake_link(2, "eth0", true);
	fake_route(2, AF_INET, 100, "192.168.1.1");
	fake_tables.neighbour_result = 0;
	fake_tables.neighbour =
	    (struct sp_nl_neighbour){.has_mac = true, .mac = {0x00, 0x00, 0x5e, 0x00, 0x53, 0x01}};
	dev = NULL;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fake_free(dev);
	return fake_child.running ? -1 : 0;
}

static void begin(const char *options)
{
	dev = fake_new(&sp_driver_capture, "mirror", options);
	assert_int_equal(fake_start(dev), 0);
}

static const struct sp_capture_second quiet = {.duration_us = 1000000};

static void says(struct sp_capture_second second)
{
	char line[SP_CAPTURE_LINE_MAX];
	assert_true(sp_capture_print(&second, line, sizeof(line)) > 0);
	fake_child_says(line);
}

/// The helper's next seconds; rounds are polled by hand.
static void seconds(int count, struct sp_capture_second second)
{
	for (int i = 0; i < count; i++) {
		fake_run(dev, 1000, false);
		says(second);
	}
}

static const struct fake_sample *sample(unsigned metric, const char *target)
{
	const struct fake_sample *found = fake_sample(dev, metric, target);
	assert_non_null(found);
	return found;
}

static void the_helper_is_told_the_directions(void **state)
{
	(void)state;
	begin("interface = eth1\n");
	assert_string_equal(fake_child.command,
			    "schoolpulse-capture --interface eth1 --mac 00:00:5e:00:53:01");
	assert_true(fake_child.raw);
	fake_free(dev);
	begin("interface = eth1\nside = wan\nrouter_mac = 02:00:00:00:00:0A, 02:00:00:00:00:0b\n");
	assert_string_equal(fake_child.command, "schoolpulse-capture --interface eth1 --wan --mac "
						"02:00:00:00:00:0a --mac 02:00:00:00:00:0b");
	fake_free(dev);
	begin("interface = eth1\ninside = 192.168.0.0/16, 2001:db8::/48\n");
	assert_string_equal(fake_child.command,
			    "schoolpulse-capture --interface eth1 --inside 192.168.0.0/16 "
			    "--inside 2001:db8::/48");
}

static void mistakes_are_named(void **state)
{
	(void)state;
	static char eth1[] = "eth1", auto_word[] = "auto", mac[] = "00:00:5e:00:53:01", bad[] = "x",
		    net[] = "10.0.0.0/8";
	struct conf {
		char *interface;
		struct sp_strings router_mac;
		int side;
		struct sp_strings inside;
	};
	static char *auto_list[] = {auto_word}, *macs[] = {mac}, *bads[] = {bad}, *nets[] = {net};
	const struct {
		struct conf conf;
		const char *key; ///< NULL: it is right
	} cases[] = {
	    {{eth1, {1, auto_list}, 0, {0, NULL}}, NULL},
	    {{eth1, {1, macs}, 1, {0, NULL}}, NULL},
	    {{eth1, {1, auto_list}, 1, {1, nets}}, NULL},
	    {{auto_word, {1, auto_list}, 0, {0, NULL}}, "interface"},
	    {{eth1, {1, bads}, 0, {0, NULL}}, "router_mac"},
	    {{eth1, {1, auto_list}, 1, {0, NULL}}, "router_mac"},
	    {{eth1, {1, auto_list}, 0, {1, bads}}, "inside"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *key = NULL;
		char why[128] = "";
		int result = sp_driver_capture.check(&cases[i].conf, &key, why, sizeof(why));
		assert_int_equal(result, cases[i].key ? -EINVAL : 0);
		if (cases[i].key) {
			assert_string_equal(key, cases[i].key);
			assert_true(why[0]);
		}
	}
	begin("interface = eth1\n"); // for tear_down()
}

static void seconds_become_readings(void **state)
{
	(void)state;
	begin("interface = eth1\n");
	fake_poll(dev);
	assert_int_equal(dev->rounds_ok + dev->rounds_failed, 0); // waits for the first line
	struct sp_capture_second second = {.duration_us = 2000000,
					   .down_bytes = 5000000,
					   .up_bytes = 400000,
					   .other_bytes = 1000,
					   .frames = 4000,
					   .broadcast_frames = 40,
					   .multicast_frames = 400,
					   .dns_unanswered = 1};
	sp_histogram_add(&second.outside, 30000);
	sp_histogram_add(&second.inside, 2000);
	sp_histogram_add(&second.dns, 12000);
	says(second);
	assert_int_equal(dev->rounds_ok, 1);
	assert_true(sample(DOWN, "")->last == 2500000);
	assert_true(sample(UP, "")->last == 200000);
	assert_true(sample(OTHER, "")->last == 500);
	assert_int_equal(dev->traffics, 1);
	assert_int_equal(dev->traffic.source, SP_TRAFFIC_CAPTURE);
	assert_int_equal(dev->traffic.down_bytes, 5000000);
	assert_int_equal(dev->traffic.up_bytes, 400000);
	assert_int_equal(dev->traffic.to_us, dev->now_us);
	assert_int_equal(dev->traffic.from_us, dev->now_us - 2000000);
	assert_null(fake_sample(dev, OUTSIDE, "p50")); // a window first
	seconds(20, second);
	fake_poll(dev);
	assert_true(fabs(sample(OUTSIDE, "p50")->last - 0.030) < 0.001);
	assert_true(fabs(sample(INSIDE, "p95")->last - 0.002) < 0.0001);
	assert_true(fabs(sample(DNS, "p50")->last - 0.012) < 0.0005);
	assert_true(fabs(sample(BROADCAST, "")->last - 0.01) < 1e-9);
	assert_true(fabs(sample(MULTICAST, "")->last - 0.1) < 1e-9);
	assert_true(sample(HANDSHAKES, "")->last == 21);
	assert_true(sample(ANSWERS, "")->last == 21);
	assert_true(sample(UNANSWERED, "")->last == 21);
	assert_true(sample(FRAMES, "")->last == 84000);
	assert_true(sample(LOSS, "")->last == 0);
	says(second);
	assert_int_equal(dev->rounds_ok, 2);
}

static void losses_make_readings_unavailable(void **state)
{
	(void)state;
	begin("interface = eth1\n");
	struct sp_capture_second second = {
	    .duration_us = 1000000, .down_bytes = 1000, .frames = 990, .kernel_drops = 9};
	sp_histogram_add(&second.outside, 30000);
	seconds(1, second);
	assert_false(sample(DOWN, "")->unavailable);
	assert_int_equal(dev->traffics, 1);
	second.interface_drops = 2; // more than a hundredth by now
	seconds(40, second);
	assert_true(sample(DOWN, "")->unavailable);
	assert_int_equal(sample(DOWN, "")->count, 1);
	assert_int_equal(dev->traffics, 1);
	fake_poll(dev);
	assert_true(sample(OUTSIDE, "")->unavailable);
	assert_true(sample(LOSS, "")->last > 0.01);
	assert_true(sample(HANDSHAKES, "")->last == 41);
	says(quiet);
	assert_int_equal(dev->rounds_ok, 1);
}

static void an_end_is_explained_and_followed_by_another_start(void **state)
{
	(void)state;
	static const struct {
		int status;
		const char *reason, *text;
	} ends[] = {
	    {SP_CAPTURE_NO_PERMISSION, "no_permission", "CAP_NET_RAW"},
	    {SP_CAPTURE_NO_INTERFACE, "no_interface", "eth1: there is no such interface"},
	    {SP_CAPTURE_DOWN, "interface_gone", "eth1: switched off or gone"},
	    {SP_CAPTURE_NOT_ETHERNET, "not_ethernet", "eth1"},
	    {SP_CAPTURE_NOT_LOCKED, "not_locked", "eth1"},
	    {SP_CAPTURE_FAILED, "helper_ended", "eth1"},
	    {-9, "helper_ended", "eth1"},
	    {0, "helper_ended", "eth1"},
	    {255, "helper_ended", "eth1"},
	};
	begin("interface = eth1\n");
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		fake_poll(dev);
		fake_child_ends(ends[i].status);
		assert_int_equal(dev->rounds_failed, 2 * i + 1);
		assert_string_equal(dev->reason, ends[i].reason);
		assert_non_null(strstr(dev->text, ends[i].text));
		fake_poll(dev);
		assert_int_equal(dev->rounds_failed, 2 * i + 2);
		for (int waited = 0; !fake_child.running && waited < 60; waited++)
			fake_run(dev, 1000, false);
		assert_int_equal(fake_child.starts, i + 2);
	}
}

static void starts_come_ever_less_often(void **state)
{
	(void)state;
	begin("interface = eth1\n");
	for (int64_t wait_ms = 1000; wait_ms < 300000; wait_ms *= 2) {
		unsigned before = fake_child.starts;
		fake_child_ends(-9);
		int64_t wanted_ms = wait_ms < 60000 ? wait_ms : 60000;
		fake_run(dev, wanted_ms - 1, false);
		assert_int_equal(fake_child.starts, before);
		fake_run(dev, 1, false);
		assert_int_equal(fake_child.starts, before + 1);
	}
	// One that lived is forgiven.
	seconds(30, quiet);
	fake_child_ends(-9);
	fake_run(dev, 1000, false);
	assert_true(fake_child.running);
}

static void lies_silence_and_haste_end_the_helper(void **state)
{
	(void)state;
	begin("interface = eth1\n");
	fake_poll(dev);
	fake_child_says("us=1 down=everything");
	assert_false(fake_child.running);
	assert_string_equal(dev->reason, "protocol");

	fake_run(dev, 1000, false);
	fake_poll(dev);
	fake_run(dev, 10000, false);
	assert_int_equal(fake_child.stops, 2);
	assert_string_equal(dev->reason, "timeout");

	fake_run(dev, 2000, false);
	assert_true(fake_child.running);
	fake_poll(dev);
	unsigned said = 0;
	for (; fake_child.running && said < 100; said++)
		says(quiet);
	assert_int_equal(said, 32);
	assert_true(sample(DOWN, "")->unavailable);
	fake_poll(dev);
	assert_string_equal(dev->reason, "protocol");
}

static void a_program_that_is_missing_is_said(void **state)
{
	(void)state;
	fake_child.start_error = ENOENT;
	begin("interface = eth1\n");
	fake_poll(dev);
	assert_string_equal(dev->reason, "no_program");
	fake_child.start_error = EAGAIN;
	fake_run(dev, 1000, false);
	fake_poll(dev);
	assert_string_equal(dev->reason, "no_process");
	fake_child.start_error = 0;
	fake_run(dev, 2000, false);
	assert_true(fake_child.running);
}

static void the_router_is_found_later_and_may_change(void **state)
{
	(void)state;
	fake_tables.neighbour.has_mac = false;
	begin("interface = eth1\n");
	fake_poll(dev);
	assert_int_equal(dev->rounds_failed, 1);
	assert_string_equal(dev->reason, "no_route");
	assert_int_equal(fake_child.starts, 0);
	fake_tables.neighbour.has_mac = true;
	fake_run(dev, 1000, false);
	assert_int_equal(fake_child.starts, 1);
	seconds(2, quiet);
	fake_tables.neighbour_result = -ENOENT; // forgotten by the kernel: no news
	fake_poll(dev);
	says(quiet);
	assert_int_equal(fake_child.starts, 1);
	fake_tables.neighbour_result = 0;
	fake_tables.neighbour.mac[5] = 2;
	fake_poll(dev);
	assert_int_equal(fake_child.starts, 2);
	assert_string_equal(fake_child.command,
			    "schoolpulse-capture --interface eth1 --mac 00:00:5e:00:53:02");
	says(quiet);
	assert_int_equal(dev->rounds_ok, 2);
}

static void a_board_that_slept_has_no_reading_of_a_second(void **state)
{
	(void)state;
	begin("interface = eth1\n");
	struct sp_capture_second second = quiet;
	second.duration_us = 3600 * INT64_C(1000000);
	says(second);
	assert_true(sample(DOWN, "")->unavailable);
	assert_int_equal(dev->traffics, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_helper_is_told_the_directions, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(mistakes_are_named, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(seconds_become_readings, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(losses_make_readings_unavailable, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_end_is_explained_and_followed_by_another_start, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(starts_come_ever_less_often, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(lies_silence_and_haste_end_the_helper, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_program_that_is_missing_is_said, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_router_is_found_later_and_may_change, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_board_that_slept_has_no_reading_of_a_second, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
