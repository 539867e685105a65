// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Time learnt from acknowledgements, over a real broker: by a board whose kernel knows none, and which
// acknowledgements teach nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/clock_trust.h"
#include "agent/base/mem.h"
#include "schoolpulse/clock.h"
#include "tests/unit/base/pretend_kernel.h"
#include "tests/unit/core/publisher_bench.h"

static char *ca; ///< file of the authority, in a test with TLS

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
	free(ca);
	ca = NULL;
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

// ---- a broker behind TLS, whose certificate cannot be judged before the time is known -------------------

/// The fake hub and the board's broker are one, with a door for each.
static void start_tls(const char *certificate, enum sp_ack_mode mode)
{
	uint16_t port;
	make_certificates(place.dir);
	free(ca);
	ca = sp_asprintf("%s/ca.pem", place.dir);
	close(listen_here(1, &port));
	char *more = sp_asprintf("listener %u 127.0.0.1\ncertfile %s/%s.pem\nkeyfile %s/%s.key\n", port,
				 place.dir, certificate, place.dir, certificate);
	broker_stop(&broker);
	broker_start(&broker, place.dir, more);
	free(more);
	struct sp_publisher_config config = bench_config(port);
	config.mqtt.ca_file = ca;
	config.ack_mode = mode;
	append(SP_RECORD_FACTS, 0, 5);
	bench_start_with(&config);
}

static void start_tls_hub(int64_t time_ms)
{
	fake_hub_start(&hub, broker.port, true, true);
	hub.time_ms = time_ms;
}

static bool is_refused_for_its_dates(const struct sp_publisher_status *s)
{
	return strstr(s->reason, "refused until the clock is synchronised");
}

static bool settles_nothing(const struct sp_publisher_status *s)
{
	return s->connected && strstr(s->reason, "nothing is settled before the time is known");
}

static bool has_no_reason(const struct sp_publisher_status *s)
{
	return s->connected && !s->reason[0];
}

static void whoever_is_out_of_date_settles_nothing(void **state)
{
	(void)state;
	start_tls("expired", SP_ACK_HUB);
	start_tls_hub((int64_t)time(NULL) * 1000);
	until_status(is_refused_for_its_dates, "the broker to be left for good");
	assert_int_equal(unsettled(), 6);
	struct sp_publisher_status status;
	sp_publisher_status(publisher, &status);
	assert_int_equal(status.acknowledged, 0);
	stop_all();
}

static void a_hub_without_time_settles_nothing_and_that_is_told(void **state)
{
	(void)state;
	start_tls("server", SP_ACK_HUB);
	start_tls_hub(0);
	until_status(settles_nothing, "the reason");
	assert_int_equal(unsettled(), 6);
	hub.time_ms = (int64_t)time(NULL) * 1000;
	until_settled(0);
	until_status(has_no_reason, "the reason's end");
	stop_all();
}

static void a_broker_s_own_word_waits_for_the_time_as_well(void **state)
{
	(void)state;
	start_tls("server", SP_ACK_BROKER);
	fake_hub_start(&hub, broker.port, true, false); // somebody who listens
	until_status(settles_nothing, "the reason");
	assert_int_equal(unsettled(), 6);
	kernel_synced = true;
	until_settled(0);
	until_status(has_no_reason, "the reason's end");
	stop_all();
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(a_board_without_a_time_server_learns),
	    T(an_answer_to_another_session_teaches_nothing),
	    T(a_time_that_cannot_be_teaches_nothing),
	    T(whoever_is_out_of_date_settles_nothing),
	    T(a_hub_without_time_settles_nothing_and_that_is_told),
	    T(a_broker_s_own_word_waits_for_the_time_as_well),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
