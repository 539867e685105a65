// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A speed test from being asked for to its records, on a quiet line and on a busy one, with a child that does
// as it should.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/core/speed_bench.h"

#define SECOND INT64_C(1000000)

static void test_a_quiet_line_is_tested(void **state)
{
	(void)state;
	assert_int_equal(bench_ask(), 0);
	assert_int_equal(bench.progresses + bench.ends, 0); // never inside the call
	bench_pass(9000);
	assert_int_equal(bench.spawns, 0); // ten seconds are looked at
	assert_string_equal(bench.last_view.waits_for, "quiet");
	bench_pass(1000);
	assert_int_equal(bench.spawns, 1);
	assert_string_equal(bench.order, "{\"down\":true,\"up\":true,\"max_bytes\":0,\"unattended\":false}");
	assert_false(bench.loading); // latency without load comes first
	assert_true(bench.hushed);   // but nothing of ours that can wait comes between
	bench_good_test();
	assert_int_equal(bench.loads, 1);
	assert_int_equal(bench.records.count, 2);
	assert_string_equal(bench_down("type"), "speedtest");
	assert_string_equal(bench_down("device"), "nearby");
	assert_string_equal(bench_down("validity"), "valid");
	assert_string_equal(bench_down("reason"), "");
	assert_true(bench_down_number("goodput_bps") == 80e6 && bench_up_number("goodput_bps") == 40e6);
	assert_true(bench_down_number("wire_bytes") == 130e6);
	assert_true(isnan(bench_up_number("wire_bytes")) || bench_up_number("wire_bytes") == 0);
	assert_string_equal(bench_down("test"), bench.test);
	assert_string_equal(bench_up("test"), bench.test);
	assert_string_equal(bench_down("trigger"), "hand");
	assert_string_equal(bench_down("interface"), "eth0");
	assert_true(bench_down_number("link_mbps") == 1000);
	assert_string_equal(bench_down("duplex"), "full");
	assert_true(bench_others("during_bytes_per_second") < 1000);
	assert_int_equal(bench.ends, 1);
	assert_true(bench.last_end.directions[SP_SPEED_DOWN].goodput_bps == 80e6);
	assert_true(bench.last_end.idle_seconds == 0.002 &&
		    bench.last_end.loaded_seconds[SP_SPEED_UP] == 0.04);
	assert_true(bench.spent == 130000000); // told twice, paid once
	assert_int_equal(bench.give_backs, 1);
	assert_null(bench.mark);
	assert_int_equal(sp_speed_count(bench.run), 0);
}

static void test_a_busy_line_is_waited_for(void **state)
{
	(void)state;
	assert_int_equal(bench_ask(), 0);
	for (int i = 0; i < 3; i++) {
		bench_pass(5000);
		bench_carry(300000); // 30,000 byte/s over ten seconds
		bench_pass(5000);
		assert_int_equal(bench.spawns, 0);
		assert_string_equal(bench.last_view.waits_for, "busy");
		bench_pass(20000); // every 30 s
	}
	assert_string_equal(bench.last_view.waits_for, "quiet");
	bench_carry(200000); // 20,000 byte/s
	bench_pass(10000);
	assert_int_equal(bench.spawns, 1);
	bench_good_test();
	assert_string_equal(bench_down("validity"), "valid");
	assert_true(bench_down_number("deferrals") == 3);
	assert_true(bench_others("before_bytes_per_second") == 20000);
}

static void test_a_line_that_stays_busy_is_a_record(void **state)
{
	(void)state;
	assert_int_equal(bench_ask(), 0);
	for (int i = 0; i < 20 * 6 && bench.ends == 0; i++) {
		bench_pass(5000);
		bench_carry(500000);
		bench_pass(5000);
	}
	assert_int_equal(bench.ends, 1);
	assert_int_equal(bench.spawns + bench.set_asides, 0);
	assert_int_equal(bench.records.count, 2);
	assert_string_equal(bench_down("validity"), "skipped");
	assert_string_equal(bench_up("reason"), "busy");
	assert_string_equal(bench_up("scope"), "international"); // as configured: no server told its own
	assert_true(bench_down_number("deferrals") == 40);
	assert_true(bench_down_number("start_mono_us") > 0);
}

static void test_a_busy_board_is_waited_for(void **state)
{
	(void)state;
	assert_int_equal(bench_ask(), 0);
	bench_pass(5000);
	bench_work(31);
	bench_pass(5000);
	assert_int_equal(bench.spawns, 0);
	assert_string_equal(bench.last_view.waits_for, "cpu");
	bench_pass(20000);
	bench_work(30);
	bench_pass(10000);
	assert_int_equal(bench.spawns, 1);
	bench_good_test();
}

static void capture(int64_t bytes)
{
	struct sp_traffic traffic = {.source = SP_TRAFFIC_CAPTURE,
				     .to_us = sp_loop_now_us(bench.loop),
				     .from_us = sp_loop_now_us(bench.loop) - SECOND,
				     .down_bytes = bytes};
	sp_speed_traffic(bench.run, "main", &traffic);
	sp_speed_traffic(bench.run, "another", &traffic);
}

static void gateway(int64_t bytes)
{
	struct sp_traffic traffic = {.source = SP_TRAFFIC_GATEWAY,
				     .to_us = sp_loop_now_us(bench.loop),
				     .from_us = sp_loop_now_us(bench.loop) - SECOND,
				     .down_bytes = bytes};
	sp_speed_traffic(bench.run, "main", &traffic);
	sp_speed_traffic(bench.run, "another", &traffic);
}

static void test_others_are_seen_by_the_capture_only(void **state)
{
	(void)state;
	assert_int_equal(bench_ask(), 0);
	// The board itself is quiet; a classroom is not.
	for (int i = 0; i < 30; i++) {
		bench_pass(1000);
		capture(40000);
	}
	assert_int_equal(bench.spawns, 0);
	assert_string_equal(bench.last_view.waits_for, "quiet"); // again
	for (int i = 0; i < 10; i++) {
		bench_pass(1000);
		capture(24000);
	}
	assert_int_equal(bench.spawns, 1);
	// They come back while it is loaded: 10 MB/s of ours, and 2 MB/s of theirs.
	for (int i = 0; i < 12; i++) {
		bench_says("{\"is\":\"progress\",\"phase\":2,\"done\":0.5,\"bps\":8e7,\"cpu_us\":1}");
		bench_pass(1000);
		bench_carry(10000000);
		capture(12000000);
	}
	bench_report(1, "", 100000000, 0, "", 0, 120000000);
	bench_says("{\"is\":\"end\",\"ok\":true,\"reason\":\"\",\"text\":\"\"}");
	bench_child_ends(0);
	bench_pass(8500);
	assert_string_equal(bench_down("validity"), "contended");
	assert_string_equal(bench_down("reason"), "busy");
	const cJSON *cross = cJSON_GetObjectItemCaseSensitive(bench.records.items[0].json, "cross_traffic");
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(cross, "source")),
			    "capture");
	assert_true(cJSON_GetObjectItemCaseSensitive(cross, "during_bytes_per_second")->valuedouble == 1.8e6);
	assert_true(cJSON_GetObjectItemCaseSensitive(cross, "before_bytes_per_second")->valuedouble == 24000);
}

static void test_a_source_that_remembers_sees_nobody_else(void **state)
{
	(void)state;
	enum { LATE = 3, LOADED = 6 };
	int64_t moved[LATE + 2 * LOADED + 9] = {0};
	assert_int_equal(bench_ask(), 0);
	for (int i = 0; i < 10; i++) {
		bench_pass(1000);
		capture(1000);
	}
	assert_int_equal(bench.spawns, 1);
	// What it tells is three seconds old: half of the fast direction falls into the slow one's time.
	for (int i = 0; i < 2 * LOADED; i++) {
		bool down = i < LOADED;
		bench_says(down ? "{\"is\":\"progress\",\"phase\":2,\"done\":0.5,\"bps\":8e7,\"cpu_us\":1}"
				: "{\"is\":\"progress\",\"phase\":3,\"done\":0.5,\"bps\":8e6,\"cpu_us\":1}");
		moved[LATE + i] = down ? 10000000 : 1000000;
		bench_pass(1000);
		bench_carry(moved[LATE + i]);
		capture(moved[i]);
	}
	bench_report(1, "", 60000000, 1, "", 6000000, 66000000);
	bench_says("{\"is\":\"end\",\"ok\":true,\"reason\":\"\",\"text\":\"\"}");
	bench_child_ends(0);
	for (int i = 2 * LOADED; i < LATE + 2 * LOADED + 9; i++) {
		bench_pass(1000);
		capture(moved[i]);
	}
	assert_string_equal(bench_down("validity"), "valid");
	assert_string_equal(bench_up("validity"), "valid");
}

static void test_others_are_not_hidden_by_a_router_that_remembers(void **state)
{
	(void)state;
	enum { LATE = 3, LOADED = 6 };
	int64_t moved[LATE + 2 * LOADED + 9] = {0};
	assert_int_equal(bench_ask(), 0);
	for (int i = 0; i < 10; i++) {
		bench_pass(1000);
		gateway(1000);
	}
	assert_int_equal(bench.spawns, 1);
	// Somebody moves 1.5 MB/s all the time; told late, they are fewer than ours that are not told yet.
	for (int i = 0; i < 2 * LOADED; i++) {
		bool down = i < LOADED;
		bench_says(down ? "{\"is\":\"progress\",\"phase\":2,\"done\":0.5,\"bps\":8e7,\"cpu_us\":1}"
				: "{\"is\":\"progress\",\"phase\":3,\"done\":0.5,\"bps\":8e6,\"cpu_us\":1}");
		moved[LATE + i] = down ? 10000000 : 1000000;
		bench_pass(1000);
		bench_carry(moved[LATE + i]);
		gateway(moved[i] + (i >= LATE && i < LATE + 2 * LOADED ? 1500000 : 0));
	}
	bench_report(1, "", 60000000, 1, "", 6000000, 66000000);
	bench_says("{\"is\":\"end\",\"ok\":true,\"reason\":\"\",\"text\":\"\"}");
	bench_child_ends(0);
	for (int i = 2 * LOADED; i < LATE + 2 * LOADED + 9; i++) {
		bench_pass(1000);
		gateway(moved[i] + (i >= LATE && i < LATE + 2 * LOADED ? 1500000 : 0));
	}
	assert_string_equal(bench_down("validity"), "contended");
	assert_string_equal(bench_up("validity"), "contended");
}

static void test_what_the_board_moves_beside_its_test_contends_too(void **state)
{
	(void)state;
	assert_int_equal(bench_ask(), 0);
	bench_pass(10000);
	bench_carry(26 * 600000); // 600,000 byte/s beside 80 Mbit/s down and 40 up
	bench_good_test();
	assert_string_equal(bench_down("validity"), "contended");
	assert_string_equal(bench_up("validity"), "contended");
}

static void test_our_probes_and_telemetry_are_not_others(void **state)
{
	(void)state;
	bench.own = 5000000; // of before
	assert_int_equal(bench_ask(), 0);
	bench_pass(10000);
	bench_carry(26 * 600000);
	bench.own += 26 * 590000;
	bench_good_test();
	assert_string_equal(bench_down("validity"), "valid");
	assert_true(bench_others("during_bytes_per_second") > 10000 &&
		    bench_others("during_bytes_per_second") < 12000);
}

static void test_what_the_own_queue_dropped_never_left(void **state)
{
	(void)state;
	bench.way = "eth0";
	assert_int_equal(bench_ask(), 0);
	bench_pass(10000);
	bench_says("{\"is\":\"spent\",\"bytes\":30000000}");
	bench_pass(9000);
	bench_carry(20000000);
	bench_report(1, "", 9000000, 1, "", 9000000, 30000000);
	bench_says("{\"is\":\"end\",\"ok\":true,\"reason\":\"\",\"text\":\"\"}");
	bench_child_ends(0);
	bench_pass(100);
	// What the port carried, and the headers that it may not have counted.
	assert_true(bench_down_number("wire_bytes") == 21000000 && bench.spent == 21000000);
	// A port that carried less than was received is another's.
	assert_int_equal(bench_ask(), 0);
	bench_pass(19000);
	bench_carry(10000000);
	bench_report(1, "", 9000000, 1, "", 9000000, 30000000);
	bench_says("{\"is\":\"end\",\"ok\":true,\"reason\":\"\",\"text\":\"\"}");
	bench_child_ends(0);
	bench_pass(100);
	assert_true(bench_down_number("wire_bytes") == 30000000 && bench.spent == 51000000);
}

static void test_a_processor_that_is_out_of_breath_limits(void **state)
{
	(void)state;
	assert_int_equal(bench_ask(), 0);
	bench_pass(10000);
	for (int i = 0; i < 10; i++) {
		bench_says("{\"is\":\"progress\",\"phase\":2,\"done\":0.5,\"bps\":8e7,\"cpu_us\":1}");
		bench_work(95);
		bench_pass(1000);
	}
	// The other direction is easy for the cores, but its one thread had no rest.
	for (int i = 0; i <= 10; i++) {
		char line[128];
		snprintf(line, sizeof(line),
			 "{\"is\":\"progress\",\"phase\":3,\"done\":0.5,\"bps\":8e7,\"cpu_us\":%d}",
			 i * 930000);
		bench_says(line);
		bench_work(40);
		bench_pass(1000);
	}
	bench_carry(100000000);
	bench_report(1, "", 90000000, 1, "", 30000000, 100000000);
	bench_says("{\"is\":\"end\",\"ok\":true,\"reason\":\"\",\"text\":\"\"}");
	bench_child_ends(0);
	bench_pass(100);
	assert_string_equal(bench_down("validity"), "device_limited");
	assert_string_equal(bench_up("validity"), "device_limited");
	assert_true(bench_down_number("cpu_ratio") > 0.94 && bench_down_number("cpu_ratio") < 0.96);
	assert_true(bench_up_number("cpu_ratio") > 0.92 && bench_up_number("cpu_ratio") < 0.94);
}

static void test_the_port_by_which_it_really_went_counts(void **state)
{
	(void)state;
	bench.way = "wlan9"; // which is not there: nobody counted, so nobody knows what others did
	assert_int_equal(bench_ask(), 0);
	bench_pass(10000);
	bench_good_test();
	assert_string_equal(bench_down("interface"), "wlan9");
	assert_string_equal(bench_down("validity"), "contended");
	assert_true(bench_others("during_bytes_per_second") == -1);
}

static void test_a_line_that_is_down_is_not_tested(void **state)
{
	(void)state;
	bench.usable = false;
	assert_int_equal(bench_ask(), 0);
	bench_pass(10000);
	assert_string_equal(bench_down("validity"), "skipped");
	assert_string_equal(bench_down("reason"), "line_down");
	bench.usable = true;
	bench.frugal = true;
	assert_int_equal(bench_ask(), 0);
	bench_pass(0);
	assert_string_equal(bench_down("reason"), "frugal"); // no need to look
	assert_int_equal(bench.spawns, 0);
}

static void test_requests_are_refused_with_a_reason(void **state)
{
	(void)state;
	struct sp_speed_request request = {.device = "nobody", .wanted = {true, true}};
	assert_int_equal(sp_speed_request(bench.run, &request, NULL), -ENOENT);
	request.device = "nearby";
	request.wanted[0] = request.wanted[1] = false;
	assert_int_equal(sp_speed_request(bench.run, &request, NULL), -EINVAL);
	assert_int_equal(bench_ask(), 0);
	assert_int_equal(bench_ask(), -EALREADY);
	assert_int_equal(sp_speed_cancel(bench.run, "no such test"), -ENOENT);
	sp_speed_skip(bench.run, &(struct sp_speed_request){.device = "nearby", .wanted = {false, true}},
		      "missed", "");
	assert_int_equal(bench.records.count, 1);
	assert_string_equal(bench_up("reason"), "missed");
	assert_string_equal(bench_up("trigger"), "schedule");
	assert_int_equal(sp_speed_count(bench.run), 1);
}

static void test_a_test_is_cancelled_at_any_stage(void **state)
{
	(void)state;
	assert_int_equal(bench_ask(), 0);
	bench_pass(5000);
	assert_int_equal(sp_speed_cancel(bench.run, bench.test), 0);
	assert_int_equal(bench.ends, 0);
	bench_pass(0);
	assert_string_equal(bench_down("validity"), "skipped");
	assert_string_equal(bench_down("reason"), "cancelled");
	bench.late = true;
	assert_int_equal(bench_ask(), 0);
	bench_pass(10000);
	assert_int_equal(sp_speed_cancel(bench.run, bench.test), 0);
	bench_pass(0);
	assert_string_equal(bench_down("reason"), "cancelled");
	assert_true(bench.aside == 0 && bench.spawns == 0);
	bench_card(0); // nobody waits for it any more
	bench.late = false;
	assert_int_equal(bench_ask(), 0);
	bench_pass(11000);
	bench_says("{\"is\":\"progress\",\"phase\":2,\"done\":0,\"bps\":8e7,\"cpu_us\":1}");
	assert_true(bench.loading);
	bench_carry(7000000);
	assert_int_equal(sp_speed_cancel(bench.run, bench.test), 0);
	bench_pass(0);
	assert_int_equal(bench.kills, 1);
	assert_string_equal(bench_down("validity"), "failed");
	assert_string_equal(bench_up("reason"), "cancelled");
	assert_false(bench.loading);
	assert_true(bench.spent == 7000000); // as the port counted
}

static void test_who_listens_no_more_is_not_told(void **state)
{
	(void)state;
	assert_int_equal(bench_ask(), 0);
	bench_pass(1000);
	int before = bench.progresses;
	sp_speed_forget(bench.run, &bench);
	bench_pass(9000);
	bench_good_test();
	assert_int_equal(bench.records.count, 2);
	assert_int_equal(bench.progresses, before);
	assert_int_equal(bench.ends, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, speed_bench_begin, speed_bench_end)
	    TEST(test_a_quiet_line_is_tested),
	    TEST(test_a_busy_line_is_waited_for),
	    TEST(test_a_line_that_stays_busy_is_a_record),
	    TEST(test_a_busy_board_is_waited_for),
	    TEST(test_others_are_seen_by_the_capture_only),
	    TEST(test_a_source_that_remembers_sees_nobody_else),
	    TEST(test_others_are_not_hidden_by_a_router_that_remembers),
	    TEST(test_what_the_board_moves_beside_its_test_contends_too),
	    TEST(test_our_probes_and_telemetry_are_not_others),
	    TEST(test_what_the_own_queue_dropped_never_left),
	    TEST(test_a_processor_that_is_out_of_breath_limits),
	    TEST(test_the_port_by_which_it_really_went_counts),
	    TEST(test_a_line_that_is_down_is_not_tested),
	    TEST(test_requests_are_refused_with_a_reason),
	    TEST(test_a_test_is_cancelled_at_any_stage),
	    TEST(test_who_listens_no_more_is_not_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
