// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Devices from round to round: schedule, jitter, deadline and back-off, and the state that rounds lead to.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "tests/unit/core/device_bench.h"

static void test_rounds_keep_their_interval_with_jitter(void **unused)
{
	(void)unused;
	static const double chances[] = {0.0, 0.5, 0.999999};
	// A link's rounds never come late.
	static const int64_t link_ms[] = {8000, 9000, 10000}, gear_ms[] = {9000, 10000, 11000};
	for (size_t i = 0; i < 2 * SP_COUNT(chances); i++) {
		bool link = i < SP_COUNT(chances);
		int64_t expected_ms = link ? link_ms[i] : gear_ms[i - SP_COUNT(chances)];
		struct bench *bench = bench_begin();
		struct script *script = calloc(1, sizeof(*script));
		struct conf conf = {script};
		struct sp_driver driver = scripted_driver(link ? SP_DRIVER_LINK : SP_DRIVER_GEAR, 10000);
		script->rounds = "o";
		bench_add(bench, &driver, &conf, "a");
		bench_chance = chances[i % SP_COUNT(chances)];
		sp_devices_start(bench->devices);
		sp_loop_virtual_run(bench->loop, 100 * 1000);
		assert_in_range(script->polls, 8, 13);
		for (int round = 1; round < script->polls; round++) {
			int64_t gap = (script->polled_at[round] - script->polled_at[round - 1]) / 1000;
			assert_in_range(gap, expected_ms - 2, expected_ms + 2);
		}
		bench_end(bench);
		free(script);
	}
}

static void test_first_round_of_a_link_comes_within_a_second(void **unused)
{
	(void)unused;
	struct bench *bench = bench_begin();
	struct script link = {.rounds = "o"}, gear = {.rounds = "o"};
	struct conf link_conf = {&link}, gear_conf = {&gear};
	struct sp_driver link_driver = scripted_driver(SP_DRIVER_LINK, 60000);
	struct sp_driver gear_driver = scripted_driver(SP_DRIVER_GEAR, 60000);
	bench_add(bench, &link_driver, &link_conf, "a");
	bench_add(bench, &gear_driver, &gear_conf, "b");
	bench_chance = 0.99;
	sp_devices_start(bench->devices);
	assert_int_equal(link.polls, 0); // never inside start
	sp_loop_virtual_run(bench->loop, 1000);
	assert_int_equal(link.polls, 1);
	assert_int_equal(gear.polls, 0);
	sp_loop_virtual_run(bench->loop, 9000);
	assert_int_equal(gear.polls, 1);
	bench_end(bench);
}

static void test_failing_gear_is_asked_less_often_and_lines_and_kiosks_are_not(void **unused)
{
	(void)unused;
	struct bench *bench = bench_begin();
	struct script link = {.rounds = "f"}, gear = {.rounds = "f"}, kiosk = {.rounds = "f"};
	struct conf link_conf = {&link}, gear_conf = {&gear}, kiosk_conf = {&kiosk};
	struct sp_driver link_driver = scripted_driver(SP_DRIVER_LINK, 10000);
	struct sp_driver gear_driver = scripted_driver(SP_DRIVER_GEAR, 10000);
	struct sp_driver kiosk_driver = scripted_driver(SP_DRIVER_KIOSK, 10000);
	bench_add(bench, &link_driver, &link_conf, "a");
	bench_add(bench, &gear_driver, &gear_conf, "b");
	bench_add(bench, &kiosk_driver, &kiosk_conf, "c");
	sp_devices_start(bench->devices);
	sp_loop_virtual_run(bench->loop, 3600 * 1000);
	assert_in_range(link.polls, 395, 405);
	assert_in_range(kiosk.polls, 350, 370);
	// 10, 10, then 20, 40, … up to 600 s
	assert_in_range(gear.polls, 10, 13);
	int64_t gap = (gear.polled_at[gear.polls - 1] - gear.polled_at[gear.polls - 2]) / 1000;
	assert_int_equal(gap, 600 * 1000);
	bench_end(bench);
}

static void test_a_round_without_end_fails_at_its_deadline(void **unused)
{
	(void)unused;
	struct bench *bench = bench_begin();
	struct script script = {.rounds = "so"};
	struct conf conf = {&script};
	struct sp_driver driver = scripted_driver(SP_DRIVER_LINK, 10000);
	bench_add(bench, &driver, &conf, "a");
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
	bench_end(bench);
}

static void test_a_late_end_is_ignored(void **unused)
{
	(void)unused;
	struct bench *bench = bench_begin();
	struct script script = {.rounds = "d"}; // answers after 4 s, its deadline is 3 s
	struct conf conf = {&script};
	struct sp_driver driver = scripted_driver(SP_DRIVER_LINK, 10000);
	bench_add(bench, &driver, &conf, "a");
	sp_devices_start(bench->devices);
	sp_loop_virtual_run(bench->loop, 40 * 1000);
	assert_true(script.late_ends >= 3);
	assert_int_equal(bench_state(bench), SP_DEVICE_DOWN);
	bench_end(bench);
}

static void test_states_have_hysteresis(void **unused)
{
	(void)unused;
	struct bench *bench = bench_begin();
	struct script script = {.rounds = "offfoo"};
	struct conf conf = {&script};
	struct sp_driver driver = scripted_driver(SP_DRIVER_LINK, 10000);
	static const enum sp_device_state expected[] = {SP_DEVICE_UP,   SP_DEVICE_UP,   SP_DEVICE_DEGRADED,
							SP_DEVICE_DOWN, SP_DEVICE_DOWN, SP_DEVICE_UP};
	bench_add(bench, &driver, &conf, "a");
	sp_devices_start(bench->devices);
	sp_loop_virtual_run(bench->loop, 1000);
	for (size_t i = 0; i < SP_COUNT(expected); i++) {
		assert_int_equal(script.polls, (int)i + 1);
		assert_int_equal(bench_state(bench), expected[i]);
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
	bench_end(bench);
}

static void test_one_failure_in_a_row_changes_nothing(void **unused)
{
	(void)unused;
	struct bench *bench = bench_begin();
	struct script script = {.rounds = "ofofofofofofofofo"};
	struct conf conf = {&script};
	struct sp_driver driver = scripted_driver(SP_DRIVER_LINK, 10000);
	bench_add(bench, &driver, &conf, "a");
	sp_devices_start(bench->devices);
	sp_loop_virtual_run(bench->loop, 200 * 1000);
	assert_int_equal(recorder_count(&bench->records, "device"), 1);
	bench_end(bench);
}

static void test_never_answered_is_unknown_then_down(void **unused)
{
	(void)unused;
	struct bench *bench = bench_begin();
	struct script script = {.rounds = "f"};
	struct conf conf = {&script};
	struct sp_driver driver = scripted_driver(SP_DRIVER_LINK, 10000);
	bench_add(bench, &driver, &conf, "a");
	sp_devices_start(bench->devices);
	sp_loop_virtual_run(bench->loop, 1000 + 10000);
	assert_int_equal(script.polls, 2);
	assert_int_equal(bench_state(bench), SP_DEVICE_UNKNOWN);
	sp_loop_virtual_run(bench->loop, 10000);
	assert_int_equal(bench_state(bench), SP_DEVICE_DOWN);
	bench_end(bench);
}

static void test_a_month_passes_quickly(void **unused)
{
	(void)unused;
	struct bench *bench = bench_begin();
	struct script script = {.rounds = "o"};
	struct conf conf = {&script};
	struct sp_driver driver = scripted_driver(SP_DRIVER_LINK, 2000);
	bench_add(bench, &driver, &conf, "a");
	sp_devices_start(bench->devices);
	sp_loop_virtual_run(bench->loop, 30LL * 86400 * 1000);
	assert_in_range(script.polls, 1435000, 1445000);
	assert_int_equal(recorder_count(&bench->records, "device"), 1);
	bench_end(bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rounds_keep_their_interval_with_jitter),
	    cmocka_unit_test(test_first_round_of_a_link_comes_within_a_second),
	    cmocka_unit_test(test_failing_gear_is_asked_less_often_and_lines_and_kiosks_are_not),
	    cmocka_unit_test(test_a_round_without_end_fails_at_its_deadline),
	    cmocka_unit_test(test_a_late_end_is_ignored),
	    cmocka_unit_test(test_states_have_hysteresis),
	    cmocka_unit_test(test_one_failure_in_a_row_changes_nothing),
	    cmocka_unit_test(test_never_answered_is_unknown_then_down),
	    cmocka_unit_test(test_a_month_passes_quickly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
