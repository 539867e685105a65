// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A speed test whose child, whose money or whose board fails: always a record, never a line left marked, and
// never a byte that is not counted.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "tests/unit/core/speed_bench.h"

/// 1.2 × 100 Mbit/s for twenty seconds.
#define WORST INT64_C(300000000)

static void begin_test(void)
{
	assert_int_equal(bench_ask(), 0);
	bench_pass(10000);
	assert_non_null(bench.child);
	bench_says("{\"is\":\"progress\",\"phase\":2,\"done\":0,\"bps\":8e7,\"cpu_us\":1}");
	assert_true(bench.loading);
}

static void test_a_child_that_crashes_is_a_record(void **state)
{
	(void)state;
	begin_test();
	bench_says("{\"is\":\"spent\",\"bytes\":1000000}");
	bench_carry(9000000);
	bench_child_ends(-11);
	bench_pass(100);
	assert_string_equal(bench_down("validity"), "failed");
	assert_string_equal(bench_up("reason"), "child");
	assert_string_equal(bench_down("text"), "the testing process was ended by signal 11");
	assert_false(bench.loading);
	assert_true(bench.spent == 9000000); // not what it told last, but what its port carried
	assert_true(bench.aside == 0);
	assert_null(bench.mark);
}

static void test_a_child_that_says_rubbish_is_killed(void **state)
{
	(void)state;
	begin_test();
	bench_says("{\"is\":\"progress\",\"phase\":77}");
	assert_int_equal(bench.kills, 1);
	bench_pass(100);
	assert_string_equal(bench_down("reason"), "child");
	assert_false(bench.loading);
}

static void test_a_child_that_hangs_is_killed(void **state)
{
	(void)state;
	begin_test();
	bench_pass(69000); // the driver's deadline and ten seconds
	assert_int_equal(bench.kills, 0);
	bench_pass(1500);
	assert_int_equal(bench.kills, 1);
	bench_pass(100);
	assert_string_equal(bench_down("reason"), "child");
}

static void test_a_child_that_does_not_leave_is_killed_and_believed(void **state)
{
	(void)state;
	begin_test();
	bench_report(1, "", 100000000, 1, "", 50000000, 160000000);
	bench_says("{\"is\":\"end\",\"ok\":true,\"reason\":\"\",\"text\":\"\"}");
	bench_pass(3500);
	assert_int_equal(bench.kills, 1);
	assert_true(bench_down_number("goodput_bps") == 80e6);
	assert_true(bench.spent == 160000000);
}

static void test_a_child_that_cannot_be_started_is_a_record(void **state)
{
	(void)state;
	bench.no_child = true;
	assert_int_equal(bench_ask(), 0);
	bench_pass(10100);
	assert_string_equal(bench_down("validity"), "failed");
	assert_string_equal(bench_down("reason"), "child");
	assert_true(bench.aside == 0 && bench.spent == 0);
}

static void test_what_does_not_move_fills_no_line(void **state)
{
	(void)state;
	begin_test();
	bench_pass(1000);
	bench_says("{\"is\":\"progress\",\"phase\":2,\"done\":0.1,\"bps\":8e7,\"cpu_us\":2}");
	int64_t moved_us = sp_loop_now_us(bench.loop);
	bench_pass(2900);
	bench_says("{\"is\":\"progress\",\"phase\":2,\"done\":0.4,\"bps\":100,\"cpu_us\":3}");
	assert_true(bench.loading);
	bench_pass(1100);
	assert_false(bench.loading);
	assert_true(bench.load_since_us == moved_us - 1000000); // the rate is that of the last second
	bench_says("{\"is\":\"progress\",\"phase\":2,\"done\":0.6,\"bps\":9e6,\"cpu_us\":4}");
	assert_true(bench.loading);
	assert_int_equal(bench.loads, 2);
	bench_child_ends(-11);
	bench_pass(100);
	assert_false(bench.loading);
}

static void test_a_driver_that_failed_says_why(void **state)
{
	(void)state;
	begin_test();
	bench_says(
	    "{\"is\":\"end\",\"ok\":false,\"reason\":\"timeout\",\"text\":\"the round had not ended\"}");
	bench_child_ends(0);
	bench_pass(100);
	assert_string_equal(bench_down("validity"), "failed");
	assert_string_equal(bench_down("reason"), "timeout");
	assert_string_equal(bench_up("text"), "the round had not ended");
}

static void test_half_a_test_is_told_as_half(void **state)
{
	(void)state;
	begin_test();
	bench_pass(15000);
	bench_report(1, "", 100000000, 2, "closed", 5000000, 120000000);
	bench_says("{\"is\":\"end\",\"ok\":false,\"reason\":\"closed\",\"text\":\"the server went\"}");
	bench_carry(120000000);
	bench_child_ends(0);
	bench_pass(100);
	assert_string_equal(bench_down("validity"), "valid");
	assert_string_equal(bench_up("validity"), "partial");
	assert_string_equal(bench_up("reason"), "closed");
	assert_true(bench_up_number("goodput_bps") == 4e6);
}

static void test_a_child_cannot_spend_more_than_a_line_carries(void **state)
{
	(void)state;
	begin_test();
	for (int i = 0; i < 4; i++)
		bench_says("{\"is\":\"spent\",\"bytes\":9000000000000000}");
	assert_true(bench.spent <= INT64_C(2500000000));
	bench_child_ends(1);
}

// ---- money --------------------------------------------------------------------------------------------

static void test_the_worst_case_is_set_aside_first(void **state)
{
	(void)state;
	bench.left = 2 * WORST;
	bench.late = true;
	assert_int_equal(bench_ask(), 0);
	bench_pass(10000);
	assert_int_equal(bench.set_asides, 1);
	assert_true(bench.aside == WORST);
	assert_int_equal(bench.spawns, 0); // not before it is on the card
	assert_int_equal(bench.last_view.stage, SP_SPEED_STAGE_PAYING);
	bench_card(0);
	assert_int_equal(bench.spawns, 1);
	assert_string_equal(bench.order,
			    "{\"down\":true,\"up\":true,\"max_bytes\":300000000,\"unattended\":false}");
}

static void test_little_left_limits_the_test_and_less_forbids_it(void **state)
{
	(void)state;
	bench.left = WORST / 3;
	begin_test();
	assert_string_equal(bench.order,
			    "{\"down\":true,\"up\":true,\"max_bytes\":100000000,\"unattended\":false}");
	assert_true(bench.aside == WORST / 3);
	bench_child_ends(1);
	bench_pass(100);
	bench.left = WORST / 3 - 1;
	assert_int_equal(bench_ask(), 0);
	bench_pass(10000);
	assert_string_equal(bench_down("validity"), "skipped");
	assert_string_equal(bench_down("reason"), "budget");
	bench.left = -1; // the account cannot be read
	assert_int_equal(bench_ask(), 0);
	bench_pass(10000);
	assert_string_equal(bench_down("reason"), "budget");
	bench.left = 0;
	assert_int_equal(bench_ask(), 0);
	bench_pass(0);
	assert_string_equal(bench_down("reason"), "budget");
	assert_int_equal(bench.spawns, 1);
}

static void test_a_card_that_refuses_forbids_it(void **state)
{
	(void)state;
	bench.left = 2 * WORST;
	bench.set_aside_result = -ENOSPC;
	assert_int_equal(bench_ask(), 0);
	bench_pass(10000);
	assert_string_equal(bench_down("reason"), "budget");
	bench.set_aside_result = 0;
	bench.late = true;
	assert_int_equal(bench_ask(), 0);
	bench_pass(10000);
	bench_card(-EIO);
	assert_string_equal(bench_down("reason"), "budget");
	assert_true(bench.aside == 0);
	assert_null(bench.mark);
	assert_int_equal(bench_ask(), 0);
	bench_pass(10000 + 15000); // or that never answers
	assert_string_equal(bench_down("reason"), "budget");
	assert_true(bench.aside == 0);
	bench_card(0);
	assert_int_equal(bench.spawns, 0);
}

static void test_without_a_cap_no_card_forbids_anything(void **state)
{
	(void)state;
	bench.set_aside_result = -EIO;
	begin_test();
	assert_true(bench.aside == 0);
	bench_child_ends(1);
	bench_pass(100);
	bench.set_aside_result = 0;
	bench.late = true;
	assert_int_equal(bench_ask(), 0);
	bench_pass(10000 + 15000);
	assert_int_equal(bench.spawns, 2);
	bench_card(-EIO);
	bench_child_ends(1);
}

// ---- the agent ends -------------------------------------------------------------------------------------

static void test_a_stop_of_the_agent_cancels_and_records(void **state)
{
	(void)state;
	begin_test();
	sp_speed_run_stop(bench.run);
	assert_int_equal(bench.kills, 1);
	assert_string_equal(bench_down("validity"), "failed");
	assert_string_equal(bench_down("reason"), "cancelled");
	assert_int_equal(bench.ends, 1);
	assert_false(bench.loading);
	assert_int_equal(bench_ask(), -EBUSY);
}

static void test_a_test_in_which_the_power_went_is_a_record(void **state)
{
	(void)state;
	begin_test();
	assert_non_null(bench.mark);
	bench_restart();
	assert_int_equal(bench.records.count, 2);
	assert_string_equal(bench_down("validity"), "failed");
	assert_string_equal(bench_down("reason"), "child");
	assert_string_equal(bench_down("test"), bench.test);
	assert_string_equal(bench_up("direction"), "up");
	assert_string_equal(bench_up("trigger"), "hand");
	assert_null(bench.mark); // once
	// Whatever the card has made of it.
	static const char *const marks[] = {"", "{", "{}", "[1]", "{\"test\":\"x\",\"trigger\":1e99}"};
	for (size_t i = 0; i < SP_COUNT(marks); i++) {
		bench.hooks.put(NULL, "speed.test", marks[i]);
		bench_restart();
		assert_int_equal(bench.records.count, 0);
		assert_null(bench.mark);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, speed_bench_begin, speed_bench_end)
	    TEST(test_a_child_that_crashes_is_a_record),
	    TEST(test_a_child_that_says_rubbish_is_killed),
	    TEST(test_a_child_that_hangs_is_killed),
	    TEST(test_a_child_that_does_not_leave_is_killed_and_believed),
	    TEST(test_a_child_that_cannot_be_started_is_a_record),
	    TEST(test_what_does_not_move_fills_no_line),
	    TEST(test_a_driver_that_failed_says_why),
	    TEST(test_half_a_test_is_told_as_half),
	    TEST(test_a_child_cannot_spend_more_than_a_line_carries),
	    TEST(test_the_worst_case_is_set_aside_first),
	    TEST(test_little_left_limits_the_test_and_less_forbids_it),
	    TEST(test_a_card_that_refuses_forbids_it),
	    TEST(test_without_a_cap_no_card_forbids_anything),
	    TEST(test_a_stop_of_the_agent_cancels_and_records),
	    TEST(test_a_test_in_which_the_power_went_is_a_record),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
