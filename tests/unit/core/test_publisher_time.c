// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Time learnt from acknowledgements, over a real broker: by a board whose kernel knows none, and which
// acknowledgements teach nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>

#include "agent/base/clock_trust.h"
#include "schoolpulse/clock.h"
#include "tests/unit/base/pretend_kernel.h"
#include "tests/unit/core/publisher_bench.h"

#define HUB_MS (SP_CLOCK_BUILT_MS + INT64_C(300) * 24 * 3600 * 1000)

static int set_up(void **state)
{
	kernel_synced = false;
	kernel_ahead_ms = 0;
	sp_clock_saved(0);
	return bench_setup(state);
}

static int tear_down(void **state)
{
	sp_clock_saved(0);
	return bench_teardown(state);
}

static void start_all(int64_t time_ms, int64_t echo_us)
{
	fake_hub_start(&hub, broker.port, true, true);
	hub.time_ms = time_ms;
	hub.echo_us = echo_us;
	fake_hub_until(&hub, hub_ready, 0, "the hub's epoch");
	bench_start();
}

static void stop_all(void)
{
	bench_stop();
	fake_hub_stop(&hub);
}

static void a_board_without_a_time_server_learns(void **state)
{
	(void)state;
	int64_t before_us = sp_clock_mono_us();
	assert_false(sp_clock_now().synced);
	start_all(HUB_MS, 0);
	append(SP_RECORD_FACTS, 0, 5);
	until_settled(0);
	struct sp_clock_reading now = sp_clock_now();
	assert_true(now.synced);
	assert_int_equal(now.from, SP_CLOCK_HUB);
	// The hub said so at some moment since the start of this test: the error covers all of the way.
	int64_t passed_ms = (now.mono_us - before_us) / 1000;
	assert_true(now.err_ms >= 60);
	assert_true(now.err_ms <= 60 + passed_ms);
	assert_true(llabs(now.wall_ms - HUB_MS) <= passed_ms + now.err_ms);
	// The kernel, once it knows, comes first.
	kernel_synced = true;
	assert_int_equal(sp_clock_now().from, SP_CLOCK_KERNEL);
	stop_all();
}

static void an_answer_to_another_session_teaches_nothing(void **state)
{
	(void)state;
	start_all(HUB_MS, 1); // a microsecond after the boot: an acknowledgement that lay in a queue
	append(SP_RECORD_FACTS, 0, 5);
	until_settled(0);
	assert_false(sp_clock_now().synced);
	hub.echo_us = INT64_C(1) << 52; // one that answers what will be sent in a hundred years
	append(SP_RECORD_FACTS, 5, 5);
	until_settled(0);
	assert_false(sp_clock_now().synced);
	hub.echo_us = 0;
	append(SP_RECORD_FACTS, 10, 5);
	until_settled(0);
	assert_true(sp_clock_now().synced);
	stop_all();
}

static void a_time_that_cannot_be_teaches_nothing(void **state)
{
	(void)state;
	sp_clock_saved(HUB_MS + 3600000);
	start_all(HUB_MS, 0);
	append(SP_RECORD_FACTS, 0, 5);
	until_settled(0);
	assert_false(sp_clock_now().synced);
	hub.time_ms = HUB_MS + 2 * SP_CLOCK_REACH_MS;
	append(SP_RECORD_FACTS, 5, 5);
	until_settled(0);
	assert_false(sp_clock_now().synced);
	stop_all();
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(a_board_without_a_time_server_learns),
	    T(an_answer_to_another_session_teaches_nothing),
	    T(a_time_that_cannot_be_teaches_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
