// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The life of a device around its rounds: start and stop, suspicion, rungs and events.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "tests/unit/core/device_bench.h"

static void test_a_failed_start_is_tried_again(void **unused)
{
	(void)unused;
	struct bench *bench = bench_begin();
	struct script script = {.rounds = "o", .start_failures = 5};
	struct conf conf = {&script};
	struct sp_driver driver = scripted_driver(SP_DRIVER_LINK, 10000);
	bench_add(bench, &driver, &conf, "a");
	bench_chance = 1.0 - 1e-9;
	sp_devices_start(bench->devices);
	assert_int_equal(script.starts, 1);
	assert_int_equal(script.stops, 1);
	sp_loop_virtual_run(bench->loop, 1000 + 2000 + 4000 + 10);
	assert_int_equal(script.starts, 4);
	assert_int_equal(bench_state(bench), SP_DEVICE_DOWN);
	assert_string_equal(
	    recorder_text(&bench->records, recorder_last(&bench->records, "device"), "reason"), "start");
	sp_loop_virtual_run(bench->loop, 8000 + 16000 + 2000 + 12000);
	assert_int_equal(script.starts, 6);
	assert_int_equal(script.stops, 5);
	assert_true(script.polls >= 2);
	assert_int_equal(bench_state(bench), SP_DEVICE_UP);
	bench_end(bench);
}

static void test_stop_closes_what_a_driver_leaves_open(void **unused)
{
	(void)unused;
	struct bench *bench = bench_begin();
	struct script script = {.rounds = "s", .leave_open = true};
	struct conf conf = {&script};
	struct sp_driver driver = scripted_driver(SP_DRIVER_LINK, 10000);
	bench_add(bench, &driver, &conf, "a");
	sp_devices_start(bench->devices);
	sp_loop_virtual_run(bench->loop, 2000);
	sp_devices_stop(bench->devices);
	assert_int_equal(script.stops, 1);
	sp_loop_virtual_run(bench->loop, 100 * 1000);
	assert_int_equal(script.polls, 1);
	bench_end(bench); // and counts what is open
	assert_int_equal(script.stops, 1);
}

static void test_suspicion_makes_the_line_look_now_but_not_too_often(void **unused)
{
	(void)unused;
	struct bench *bench = bench_begin();
	struct script a = {.rounds = "o"}, b = {.rounds = "o"}, gear = {.rounds = "o"};
	struct conf a_conf = {&a}, b_conf = {&b}, gear_conf = {&gear};
	struct sp_driver link = scripted_driver(SP_DRIVER_LINK, 60000),
			 other = scripted_driver(SP_DRIVER_GEAR, 60000);
	struct sp_device *dev = bench_add(bench, &link, &a_conf, "a");
	bench_add(bench, &link, &b_conf, "b");
	bench_add(bench, &other, &gear_conf, "c");
	sp_devices_start(bench->devices);
	sp_loop_virtual_run(bench->loop, 20000);
	assert_int_equal(a.polls + b.polls, 2);
	assert_int_equal(gear.polls, 1);
	sp_line_suspect(dev);
	assert_int_equal(a.polls + b.polls, 2); // not inside the call
	sp_loop_virtual_run(bench->loop, 1);
	assert_int_equal(a.polls, 2);
	assert_int_equal(b.polls, 2);
	assert_int_equal(gear.polls, 1);
	for (int i = 0; i < 10; i++) {
		sp_line_suspect(dev);
		sp_loop_virtual_run(bench->loop, 100);
	}
	assert_int_equal(a.polls, 2);
	sp_loop_virtual_run(bench->loop, 1990);
	assert_int_equal(a.polls, 2);
	sp_loop_virtual_run(bench->loop, 1010); // 3 s after the first: what came meanwhile was not forgotten
	assert_int_equal(a.polls, 3);
	assert_int_equal(b.polls, 3);
	sp_loop_virtual_run(bench->loop, 10000);
	assert_int_equal(a.polls, 3);
	sp_line_suspect(dev);
	sp_loop_virtual_run(bench->loop, 1);
	assert_int_equal(a.polls, 4);
	bench_end(bench);
}

static void test_rungs_reach_the_ledger_with_their_age(void **unused)
{
	(void)unused;
	struct bench *bench = bench_begin();
	struct script script = {.rounds = "o"};
	struct conf conf = {&script};
	struct sp_driver link = scripted_driver(SP_DRIVER_LINK, 10000),
			 gear = scripted_driver(SP_DRIVER_GEAR, 10000);
	struct sp_device *dev = bench_add(bench, &link, &conf, "a");
	struct sp_device *stranger = bench_add(bench, &gear, &conf, "b");
	struct sp_rung_report report = {.rung = SP_RUNG_GATEWAY, .status = SP_RUNG_OK, .rtt_us = 5};
	sp_rung_report(dev, &report);
	assert_int_equal(bench->reports, 1);
	assert_int_equal(bench->last_max_age_us, 180LL * 1000 * 1000);
	sp_rung_report(stranger, &report); // has no line
	assert_int_equal(bench->reports, 1);
	bench_end(bench);
}

static int seen_result;

static void on_committed(struct sp_device *dev, int result, void *arg)
{
	(void)dev;
	assert_string_equal(arg, "why");
	seen_result = result;
}

static void test_events_tell_when_they_are_committed(void **unused)
{
	(void)unused;
	struct bench *bench = bench_begin();
	struct script script = {.rounds = "o"};
	struct conf conf = {&script};
	struct sp_driver driver = scripted_driver(SP_DRIVER_LINK, 10000);
	struct sp_device *dev = bench_add(bench, &driver, &conf, "phòng 101");
	sp_devices_start(bench->devices);
	struct sp_field field = SP_BOOL("present", true);
	char why[] = "why";
	seen_result = 99;
	assert_int_equal(sp_event(dev, SP_RECORD_FACTS, "gateway", &field, 1, on_committed, why), 0);
	assert_string_equal(recorder_text(&bench->records, 0, "device"), "phòng 101");
	assert_int_equal(seen_result, 99);
	bench->records.items[0].done(bench->records.items[0].arg, 0);
	assert_int_equal(seen_result, 0);
	bench->records.refuse = -ENOBUFS;
	assert_int_equal(sp_event(dev, SP_RECORD_FACTS, "gateway", &field, 1, on_committed, why), -ENOBUFS);
	bench->records.refuse = 0;
	// What a person did is sp_punch()'s.
	assert_int_equal(sp_event(dev, SP_RECORD_ATTENDANCE, "punch", &field, 1, on_committed, why), -EPERM);
	seen_result = 99; // a commit that ends after the device was stopped is nobody's any more
	assert_int_equal(sp_event(dev, SP_RECORD_FACTS, "gateway", &field, 1, on_committed, why), 0);
	sp_devices_stop(bench->devices);
	bench->records.items[1].done(bench->records.items[1].arg, 0);
	assert_int_equal(seen_result, 99);
	bench_end(bench);
}

static int start_watcher(struct sp_device *dev)
{
	return script_of(dev)->starts++ < script_of(dev)->start_failures ? -ENODEV : 0;
}

static void stop_watcher(struct sp_device *dev)
{
	script_of(dev)->stops++;
}

static void test_a_driver_without_rounds_is_up_once_started(void **unused)
{
	(void)unused;
	struct bench *bench = bench_begin();
	struct script script = {0};
	struct conf conf = {&script};
	struct sp_driver driver = {.name = "events",
				   .cls = SP_DRIVER_LINK,
				   .conf_size = sizeof(struct conf),
				   .start = start_watcher,
				   .stop = stop_watcher};
	struct sp_device *dev = bench_add(bench, &driver, &conf, "a");
	sp_devices_start(bench->devices);
	assert_int_equal(bench_state(bench), SP_DEVICE_UP);
	for (int i = 0; i < 3; i++)
		sp_round_failed(dev, "protocol", "nonsense");
	assert_int_equal(bench_state(bench), SP_DEVICE_DOWN);
	sp_round_ok(dev);
	sp_round_ok(dev);
	assert_int_equal(bench_state(bench), SP_DEVICE_UP);
	struct sp_rung_report report = {.rung = SP_RUNG_CABLE, .status = SP_RUNG_OK};
	sp_rung_report(dev, &report);
	assert_int_equal(bench->last_max_age_us, 0); // holds until it says otherwise
	bench_end(bench);
}

static int start_and_wait(struct sp_device *dev)
{
	if (++script_of(dev)->starts == 1)
		return -ENODEV;
	sp_round_unmeasured(dev, "waiting", "nobody has called");
	return 0;
}

static void stop_nothing(struct sp_device *dev)
{
	(void)dev;
}

static void test_a_driver_without_rounds_may_have_to_wait_and_see(void **unused)
{
	(void)unused;
	struct bench *bench = bench_begin();
	struct script script = {0};
	struct conf conf = {&script};
	struct sp_driver driver = {.name = "events",
				   .cls = SP_DRIVER_KIOSK,
				   .conf_size = sizeof(struct conf),
				   .start = start_and_wait,
				   .stop = stop_nothing};
	struct sp_device *dev = bench_add(bench, &driver, &conf, "a");
	sp_devices_start(bench->devices);
	sp_loop_virtual_run(bench->loop, 2000);
	assert_int_equal(script.starts, 2);
	assert_int_equal(bench_state(bench), SP_DEVICE_UNKNOWN);
	sp_round_ok(dev);
	assert_int_equal(bench_state(bench), SP_DEVICE_UP);
	bench_end(bench);
}

static int start_and_complain(struct sp_device *dev)
{
	script_of(dev)->starts++;
	sp_round_failed(dev, "start", "/etc/key: everybody may read it");
	return -EPERM;
}

static void test_why_it_cannot_start_is_the_drivers_word(void **unused)
{
	(void)unused;
	struct bench *bench = bench_begin();
	struct script script = {0};
	struct conf conf = {&script};
	struct sp_driver driver = {.name = "events",
				   .cls = SP_DRIVER_KIOSK,
				   .conf_size = sizeof(struct conf),
				   .start = start_and_complain,
				   .stop = stop_nothing};
	bench_add(bench, &driver, &conf, "a");
	sp_devices_start(bench->devices);
	sp_loop_virtual_run(bench->loop, 8000);
	assert_true(script.starts >= 3);
	assert_int_equal(bench_state(bench), SP_DEVICE_DOWN);
	size_t told = recorder_last(&bench->records, "device");
	assert_string_equal(recorder_text(&bench->records, told, "reason"), "start");
	assert_string_equal(recorder_text(&bench->records, told, "text"), "/etc/key: everybody may read it");
	bench_end(bench);
}

static void test_a_disabled_device_rests(void **unused)
{
	(void)unused;
	struct bench *bench = bench_begin();
	struct script script = {.rounds = "o"};
	struct conf conf = {&script};
	struct sp_driver driver = scripted_driver(SP_DRIVER_LINK, 1000);
	char line[] = "main";
	struct sp_device_common common = {.line = line, .interval_ms = 1000};
	sp_devices_add(bench->devices, &driver, "a", &common, &conf);
	sp_devices_start(bench->devices);
	sp_devices_burst(bench->devices, "main");
	sp_loop_virtual_run(bench->loop, 60 * 1000);
	assert_int_equal(script.starts, 0);
	assert_int_equal(script.polls, 0);
	bench_end(bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_failed_start_is_tried_again),
	    cmocka_unit_test(test_stop_closes_what_a_driver_leaves_open),
	    cmocka_unit_test(test_suspicion_makes_the_line_look_now_but_not_too_often),
	    cmocka_unit_test(test_rungs_reach_the_ledger_with_their_age),
	    cmocka_unit_test(test_events_tell_when_they_are_committed),
	    cmocka_unit_test(test_a_driver_without_rounds_is_up_once_started),
	    cmocka_unit_test(test_a_driver_without_rounds_may_have_to_wait_and_see),
	    cmocka_unit_test(test_why_it_cannot_start_is_the_drivers_word),
	    cmocka_unit_test(test_a_disabled_device_rests),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
