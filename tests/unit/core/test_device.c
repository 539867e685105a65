// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Schedule, jitter, deadline, back-off and state of devices, with a scripted driver on a virtual
// clock.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/device.h"
#include "tests/unit/core/loop_virtual.h"
#include "tests/unit/core/recorder_list.h"

// ---- a driver that does what its script says ---------------------------------------------------

struct script {
	const char
	    *rounds; ///< one letter per round: o ok, f fail, d late ok, s silent for ever; the last repeats
	int start_failures;
	bool leave_open; ///< timers that stop() does not free
	// what happened
	int starts, stops, polls;
	int64_t polled_at[4096];
	int late_ends;
};

struct conf {
	struct script *script;
};

struct state {
	struct sp_timer *timer;
	int mark;
};

static struct script *script_of(const struct sp_device *dev)
{
	const struct conf *conf = sp_device_conf(dev);
	return conf->script;
}

static void late(struct sp_device *dev, void *arg)
{
	(void)arg;
	script_of(dev)->late_ends++;
	sp_round_ok(dev);
}

static int start(struct sp_device *dev)
{
	struct script *script = script_of(dev);
	struct state *state = sp_device_state(dev);
	assert_int_equal(state->mark, 0); // zeroed, also after a failed start
	state->mark = 1;
	state->timer = sp_timer_new(dev, late, NULL);
	return ++script->starts <= script->start_failures ? -ENODEV : 0;
}

static void poll_round(struct sp_device *dev)
{
	struct script *script = script_of(dev);
	struct state *state = sp_device_state(dev);
	size_t last = strlen(script->rounds) - 1;
	char what = script->rounds[(size_t)script->polls < last ? (size_t)script->polls : last];
	if ((size_t)script->polls < SP_COUNT(script->polled_at))
		script->polled_at[script->polls] = sp_device_now_us(dev);
	script->polls++;
	if (what == 'o')
		sp_round_ok(dev);
	else if (what == 'f')
		sp_round_failed(dev, "Refused!", "peer %d said no", 7);
	else if (what == 'd')
		sp_timer_start(state->timer, 4000);
}

static void stop(struct sp_device *dev)
{
	struct script *script = script_of(dev);
	struct state *state = sp_device_state(dev);
	script->stops++;
	if (!script->leave_open)
		sp_timer_free(state->timer);
	state->timer = NULL;
}

static const struct sp_metric metrics[] = {{"rtt_seconds", "s", SP_METRIC_GAUGE, ""}, {0}};

static struct sp_driver driver_of(enum sp_driver_class cls, int64_t interval_ms)
{
	return (struct sp_driver){.name = "scripted",
				  .cls = cls,
				  .metrics = metrics,
				  .conf_size = sizeof(struct conf),
				  .state_size = sizeof(struct state),
				  .interval_ms = interval_ms,
				  .deadline_ms = 3000,
				  .start = start,
				  .poll = poll_round,
				  .stop = stop};
}

// ---- the bench ------------------------------------------------------------------------------------

struct bench {
	struct sp_loop *loop;
	struct recorder_list records;
	struct sp_devices *devices;
	struct sp_rung_report last_report;
	int reports;
	int64_t last_max_age_us;
};

static double chance;

static double fixed_chance(void)
{
	return chance;
}

static void on_rung(void *arg, const char *line, const char *device, const struct sp_rung_report *report,
		    int64_t max_age_us)
{
	struct bench *bench = arg;
	assert_string_equal(line, "main");
	assert_non_null(device);
	bench->last_report = *report;
	bench->last_max_age_us = max_age_us;
	bench->reports++;
}

static struct bench *begin(void)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	bench->loop = sp_loop_virtual_new();
	recorder_list_init(&bench->records);
	chance = 0.5;
	bench->devices = sp_devices_new(&(struct sp_devices_config){.loop = bench->loop,
								    .recorder = &bench->records.base,
								    .rung = on_rung,
								    .arg = bench,
								    .random = fixed_chance});
	return bench;
}

static void end(struct bench *bench)
{
	sp_devices_stop(bench->devices);
	sp_devices_free(bench->devices);
	assert_int_equal(sp_loop_virtual_open(bench->loop), 0);
	recorder_list_clear(&bench->records);
	sp_loop_virtual_free(bench->loop);
	free(bench);
}

static char line_main[] = "main";
static char no_line[] = "";

static struct sp_device *add(struct bench *bench, const struct sp_driver *driver, const struct conf *conf,
			     const char *name)
{
	struct sp_device_common common = {.line = driver->cls == SP_DRIVER_LINK ? line_main : no_line,
					  .interval_ms = driver->interval_ms,
					  .enabled = true};
	return sp_devices_add(bench->devices, driver, name, &common, conf);
}

static enum sp_device_state state_of(const struct bench *bench)
{
	struct sp_device_view view;
	sp_devices_view(bench->devices, 0, &view);
	return view.state;
}

// ---- tests ---------------------------------------------------------------------------------------

static void test_rounds_keep_their_interval_with_jitter(void **unused)
{
	(void)unused;
	static const double chances[] = {0.0, 0.5, 0.999999};
	static const int64_t expected_ms[] = {9000, 10000, 11000};
	for (size_t i = 0; i < SP_COUNT(chances); i++) {
		struct bench *bench = begin();
		struct script *script = calloc(1, sizeof(*script));
		struct conf conf = {script};
		struct sp_driver driver = driver_of(SP_DRIVER_LINK, 10000);
		script->rounds = "o";
		add(bench, &driver, &conf, "a");
		chance = chances[i];
		sp_devices_start(bench->devices);
		sp_loop_virtual_run(bench->loop, 100 * 1000);
		assert_in_range(script->polls, 9, 12);
		for (int round = 1; round < script->polls; round++) {
			int64_t gap = (script->polled_at[round] - script->polled_at[round - 1]) / 1000;
			assert_in_range(gap, expected_ms[i] - 2, expected_ms[i] + 2);
		}
		end(bench);
		free(script);
	}
}

static void test_first_round_of_a_link_comes_within_a_second(void **unused)
{
	(void)unused;
	struct bench *bench = begin();
	struct script link = {.rounds = "o"}, gear = {.rounds = "o"};
	struct conf link_conf = {&link}, gear_conf = {&gear};
	struct sp_driver link_driver = driver_of(SP_DRIVER_LINK, 60000);
	struct sp_driver gear_driver = driver_of(SP_DRIVER_GEAR, 60000);
	add(bench, &link_driver, &link_conf, "a");
	add(bench, &gear_driver, &gear_conf, "b");
	chance = 0.99;
	sp_devices_start(bench->devices);
	assert_int_equal(link.polls, 0); // never inside start
	sp_loop_virtual_run(bench->loop, 1000);
	assert_int_equal(link.polls, 1);
	assert_int_equal(gear.polls, 0);
	sp_loop_virtual_run(bench->loop, 9000);
	assert_int_equal(gear.polls, 1);
	end(bench);
}

static void test_states_have_hysteresis(void **unused)
{
	(void)unused;
	struct bench *bench = begin();
	struct script script = {.rounds = "offfoo"};
	struct conf conf = {&script};
	struct sp_driver driver = driver_of(SP_DRIVER_LINK, 10000);
	static const enum sp_device_state expected[] = {SP_DEVICE_UP,   SP_DEVICE_UP,   SP_DEVICE_DEGRADED,
							SP_DEVICE_DOWN, SP_DEVICE_DOWN, SP_DEVICE_UP};
	add(bench, &driver, &conf, "a");
	sp_devices_start(bench->devices);
	sp_loop_virtual_run(bench->loop, 1000);
	for (size_t i = 0; i < SP_COUNT(expected); i++) {
		assert_int_equal(script.polls, (int)i + 1);
		assert_int_equal(state_of(bench), expected[i]);
		sp_loop_virtual_run(bench->loop, 10000);
	}
	assert_int_equal(recorder_count(&bench->records, "device"), 4);
	assert_string_equal(recorder_text(&bench->records, 0, "state"), "up");
	assert_string_equal(recorder_text(&bench->records, 0, "previous"), "unknown");
	assert_string_equal(recorder_text(&bench->records, 1, "state"), "degraded");
	assert_string_equal(recorder_text(&bench->records, 1, "reason"), "_efused_"); // a feed word
	assert_string_equal(recorder_text(&bench->records, 2, "state"), "down");
	assert_string_equal(recorder_text(&bench->records, 2, "text"), "peer 7 said no");
	assert_string_equal(recorder_text(&bench->records, 2, "driver"), "scripted");
	assert_string_equal(recorder_text(&bench->records, 3, "state"), "up");
	assert_string_equal(recorder_text(&bench->records, 3, "reason"), "");
	end(bench);
}

static void test_one_failure_in_a_row_changes_nothing(void **unused)
{
	(void)unused;
	struct bench *bench = begin();
	struct script script = {.rounds = "ofofofofofofofofo"};
	struct conf conf = {&script};
	struct sp_driver driver = driver_of(SP_DRIVER_LINK, 10000);
	add(bench, &driver, &conf, "a");
	sp_devices_start(bench->devices);
	sp_loop_virtual_run(bench->loop, 200 * 1000);
	assert_int_equal(recorder_count(&bench->records, "device"), 1);
	end(bench);
}

static void test_never_answered_is_unknown_then_down(void **unused)
{
	(void)unused;
	struct bench *bench = begin();
	struct script script = {.rounds = "f"};
	struct conf conf = {&script};
	struct sp_driver driver = driver_of(SP_DRIVER_LINK, 10000);
	add(bench, &driver, &conf, "a");
	sp_devices_start(bench->devices);
	sp_loop_virtual_run(bench->loop, 1000 + 10000);
	assert_int_equal(script.polls, 2);
	assert_int_equal(state_of(bench), SP_DEVICE_UNKNOWN);
	sp_loop_virtual_run(bench->loop, 10000);
	assert_int_equal(state_of(bench), SP_DEVICE_DOWN);
	end(bench);
}

static void test_a_round_without_end_fails_at_its_deadline(void **unused)
{
	(void)unused;
	struct bench *bench = begin();
	struct script script = {.rounds = "so"};
	struct conf conf = {&script};
	struct sp_driver driver = driver_of(SP_DRIVER_LINK, 10000);
	add(bench, &driver, &conf, "a");
	sp_devices_start(bench->devices);
	sp_loop_virtual_run(bench->loop, 500 + 2999);
	struct sp_device_view view;
	sp_devices_view(bench->devices, 0, &view);
	assert_int_equal(view.failed, 0);
	sp_loop_virtual_run(bench->loop, 2);
	sp_devices_view(bench->devices, 0, &view);
	assert_int_equal(view.failed, 1);
	assert_int_equal(view.overdue, 1);
	assert_string_equal(view.reason, "timeout");
	sp_loop_virtual_run(bench->loop, 10000); // and the next round comes all the same
	assert_int_equal(script.polls, 2);
	end(bench);
}

static void test_a_late_end_is_ignored(void **unused)
{
	(void)unused;
	struct bench *bench = begin();
	struct script script = {.rounds = "d"}; // answers after 4 s, its deadline is 3 s
	struct conf conf = {&script};
	struct sp_driver driver = driver_of(SP_DRIVER_LINK, 10000);
	add(bench, &driver, &conf, "a");
	sp_devices_start(bench->devices);
	sp_loop_virtual_run(bench->loop, 40 * 1000);
	assert_true(script.late_ends >= 3);
	assert_int_equal(state_of(bench), SP_DEVICE_DOWN);
	end(bench);
}

static void test_failing_gear_is_asked_less_often_and_a_line_is_not(void **unused)
{
	(void)unused;
	struct bench *bench = begin();
	struct script link = {.rounds = "f"}, gear = {.rounds = "f"};
	struct conf link_conf = {&link}, gear_conf = {&gear};
	struct sp_driver link_driver = driver_of(SP_DRIVER_LINK, 10000);
	struct sp_driver gear_driver = driver_of(SP_DRIVER_GEAR, 10000);
	add(bench, &link_driver, &link_conf, "a");
	add(bench, &gear_driver, &gear_conf, "b");
	sp_devices_start(bench->devices);
	sp_loop_virtual_run(bench->loop, 3600 * 1000);
	assert_in_range(link.polls, 355, 365);
	// 10, 10, then 20, 40, … up to 600 s
	assert_in_range(gear.polls, 10, 13);
	int64_t gap = (gear.polled_at[gear.polls - 1] - gear.polled_at[gear.polls - 2]) / 1000;
	assert_int_equal(gap, 600 * 1000);
	end(bench);
}

static void test_a_failed_start_is_tried_again(void **unused)
{
	(void)unused;
	struct bench *bench = begin();
	struct script script = {.rounds = "o", .start_failures = 5};
	struct conf conf = {&script};
	struct sp_driver driver = driver_of(SP_DRIVER_LINK, 10000);
	add(bench, &driver, &conf, "a");
	chance = 1.0 - 1e-9;
	sp_devices_start(bench->devices);
	assert_int_equal(script.starts, 1);
	assert_int_equal(script.stops, 1);
	sp_loop_virtual_run(bench->loop, 1000 + 2000 + 4000 + 10);
	assert_int_equal(script.starts, 4);
	assert_int_equal(state_of(bench), SP_DEVICE_DOWN);
	assert_string_equal(
	    recorder_text(&bench->records, recorder_last(&bench->records, "device"), "reason"), "start");
	sp_loop_virtual_run(bench->loop, 8000 + 16000 + 2000 + 12000);
	assert_int_equal(script.starts, 6);
	assert_int_equal(script.stops, 5);
	assert_true(script.polls >= 2);
	assert_int_equal(state_of(bench), SP_DEVICE_UP);
	end(bench);
}

static void test_stop_closes_what_a_driver_leaves_open(void **unused)
{
	(void)unused;
	struct bench *bench = begin();
	struct script script = {.rounds = "s", .leave_open = true};
	struct conf conf = {&script};
	struct sp_driver driver = driver_of(SP_DRIVER_LINK, 10000);
	add(bench, &driver, &conf, "a");
	sp_devices_start(bench->devices);
	sp_loop_virtual_run(bench->loop, 2000);
	sp_devices_stop(bench->devices);
	assert_int_equal(script.stops, 1);
	sp_loop_virtual_run(bench->loop, 100 * 1000);
	assert_int_equal(script.polls, 1);
	end(bench); // and counts what is open
	assert_int_equal(script.stops, 1);
}

static void test_suspicion_makes_the_line_look_now_but_not_too_often(void **unused)
{
	(void)unused;
	struct bench *bench = begin();
	struct script a = {.rounds = "o"}, b = {.rounds = "o"}, gear = {.rounds = "o"};
	struct conf a_conf = {&a}, b_conf = {&b}, gear_conf = {&gear};
	struct sp_driver link = driver_of(SP_DRIVER_LINK, 60000), other = driver_of(SP_DRIVER_GEAR, 60000);
	struct sp_device *dev = add(bench, &link, &a_conf, "a");
	add(bench, &link, &b_conf, "b");
	add(bench, &other, &gear_conf, "c");
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
	sp_loop_virtual_run(bench->loop, 3000);
	sp_line_suspect(dev);
	sp_loop_virtual_run(bench->loop, 1);
	assert_int_equal(a.polls, 3);
	end(bench);
}

static void test_rungs_reach_the_ledger_with_their_age(void **unused)
{
	(void)unused;
	struct bench *bench = begin();
	struct script script = {.rounds = "o"};
	struct conf conf = {&script};
	struct sp_driver link = driver_of(SP_DRIVER_LINK, 10000), gear = driver_of(SP_DRIVER_GEAR, 10000);
	struct sp_device *dev = add(bench, &link, &conf, "a");
	struct sp_device *stranger = add(bench, &gear, &conf, "b");
	struct sp_rung_report report = {.rung = SP_RUNG_GATEWAY, .status = SP_RUNG_OK, .rtt_us = 5};
	sp_rung_report(dev, &report);
	assert_int_equal(bench->reports, 1);
	assert_int_equal(bench->last_max_age_us, 180LL * 1000 * 1000);
	sp_rung_report(stranger, &report); // has no line
	assert_int_equal(bench->reports, 1);
	end(bench);
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
	struct bench *bench = begin();
	struct script script = {.rounds = "o"};
	struct conf conf = {&script};
	struct sp_driver driver = driver_of(SP_DRIVER_LINK, 10000);
	struct sp_device *dev = add(bench, &driver, &conf, "phòng 101");
	sp_devices_start(bench->devices);
	struct sp_field field = SP_BOOL("present", true);
	char why[] = "why";
	seen_result = 99;
	assert_int_equal(sp_event(dev, SP_RECORD_FACTS, "gateway", &field, 1, on_committed, why), 0);
	assert_string_equal(recorder_text(&bench->records, 0, "device"), "phòng 101");
	assert_int_equal(seen_result, 99);
	bench->records.items[0].done(bench->records.items[0].arg, 0);
	assert_int_equal(seen_result, 0);
	bench->records.refuse = -EPERM;
	assert_int_equal(sp_event(dev, SP_RECORD_ATTENDANCE, "punch", &field, 1, on_committed, why), -EPERM);
	bench->records.refuse = 0;
	seen_result = 99; // a commit that ends after the device was stopped is nobody's any more
	assert_int_equal(sp_event(dev, SP_RECORD_FACTS, "gateway", &field, 1, on_committed, why), 0);
	sp_devices_stop(bench->devices);
	bench->records.items[1].done(bench->records.items[1].arg, 0);
	assert_int_equal(seen_result, 99);
	end(bench);
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
	struct bench *bench = begin();
	struct script script = {0};
	struct conf conf = {&script};
	struct sp_driver driver = {.name = "events",
				   .cls = SP_DRIVER_LINK,
				   .conf_size = sizeof(struct conf),
				   .start = start_watcher,
				   .stop = stop_watcher};
	struct sp_device *dev = add(bench, &driver, &conf, "a");
	sp_devices_start(bench->devices);
	assert_int_equal(state_of(bench), SP_DEVICE_UP);
	for (int i = 0; i < 3; i++)
		sp_round_failed(dev, "protocol", "nonsense");
	assert_int_equal(state_of(bench), SP_DEVICE_DOWN);
	sp_round_ok(dev);
	sp_round_ok(dev);
	assert_int_equal(state_of(bench), SP_DEVICE_UP);
	struct sp_rung_report report = {.rung = SP_RUNG_CABLE, .status = SP_RUNG_OK};
	sp_rung_report(dev, &report);
	assert_int_equal(bench->last_max_age_us, 0); // holds until it says otherwise
	end(bench);
}

static void test_a_disabled_device_rests(void **unused)
{
	(void)unused;
	struct bench *bench = begin();
	struct script script = {.rounds = "o"};
	struct conf conf = {&script};
	struct sp_driver driver = driver_of(SP_DRIVER_LINK, 1000);
	struct sp_device_common common = {.line = line_main, .interval_ms = 1000};
	sp_devices_add(bench->devices, &driver, "a", &common, &conf);
	sp_devices_start(bench->devices);
	sp_devices_burst(bench->devices, "main");
	sp_loop_virtual_run(bench->loop, 60 * 1000);
	assert_int_equal(script.starts, 0);
	assert_int_equal(script.polls, 0);
	end(bench);
}

static void test_a_month_passes_quickly(void **unused)
{
	(void)unused;
	struct bench *bench = begin();
	struct script script = {.rounds = "o"};
	struct conf conf = {&script};
	struct sp_driver driver = driver_of(SP_DRIVER_LINK, 2000);
	add(bench, &driver, &conf, "a");
	sp_devices_start(bench->devices);
	sp_loop_virtual_run(bench->loop, 30LL * 86400 * 1000);
	assert_in_range(script.polls, 1290000, 1300000);
	assert_int_equal(recorder_count(&bench->records, "device"), 1);
	end(bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rounds_keep_their_interval_with_jitter),
	    cmocka_unit_test(test_first_round_of_a_link_comes_within_a_second),
	    cmocka_unit_test(test_states_have_hysteresis),
	    cmocka_unit_test(test_one_failure_in_a_row_changes_nothing),
	    cmocka_unit_test(test_never_answered_is_unknown_then_down),
	    cmocka_unit_test(test_a_round_without_end_fails_at_its_deadline),
	    cmocka_unit_test(test_a_late_end_is_ignored),
	    cmocka_unit_test(test_failing_gear_is_asked_less_often_and_a_line_is_not),
	    cmocka_unit_test(test_a_failed_start_is_tried_again),
	    cmocka_unit_test(test_stop_closes_what_a_driver_leaves_open),
	    cmocka_unit_test(test_suspicion_makes_the_line_look_now_but_not_too_often),
	    cmocka_unit_test(test_rungs_reach_the_ledger_with_their_age),
	    cmocka_unit_test(test_events_tell_when_they_are_committed),
	    cmocka_unit_test(test_a_driver_without_rounds_is_up_once_started),
	    cmocka_unit_test(test_a_disabled_device_rests),
	    cmocka_unit_test(test_a_month_passes_quickly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
