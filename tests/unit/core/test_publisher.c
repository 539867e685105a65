// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Journal and publisher against a real mosquitto and a hub that acknowledges well, badly, or not at all.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "schoolpulse/clock.h"
#include "tests/unit/core/publisher_bench.h"

static bool facts_heard(struct fake_hub *h, int wanted)
{
	return fake_hub_heard(h, SP_RECORD_FACTS) >= wanted;
}

static bool bulk_heard(struct fake_hub *h, int wanted)
{
	return fake_hub_heard(h, SP_RECORD_BULK) >= wanted;
}

static bool births_heard(struct fake_hub *h, int wanted)
{
	return h->birth_count >= wanted;
}

static bool last_presence(struct fake_hub *h, int presence)
{
	return h->birth_count > 0 && (int)h->births[h->birth_count - 1].presence == presence;
}

static bool records_heard(struct fake_hub *h, int wanted)
{
	return h->records >= wanted;
}

static bool has_rubbished(struct fake_hub *h, int wanted)
{
	return h->rubbished == wanted;
}

static bool is_up(const struct sp_publisher_status *s)
{
	return s->connected;
}

static bool has_resent(const struct sp_publisher_status *s)
{
	return s->resent > 2;
}

static void ignore_connected(void *arg, int reason, const char *text, bool session_present)
{
	(void)arg;
	(void)reason;
	(void)text;
	(void)session_present;
}

static void ignore_loss(void *arg, int reason, const char *text)
{
	(void)arg;
	(void)reason;
	(void)text;
}

// ---- the ordinary day ---------------------------------------------------------------------------

static void test_facts_reach_the_hub_and_are_settled(void **state)
{
	(void)state;
	bench_start_hub(true);
	bench_start();
	append(SP_RECORD_FACTS, 0, 50);
	append(SP_RECORD_BULK, 100, 50);
	append(SP_RECORD_ATTENDANCE, 200, 50);
	fake_hub_until(&hub, facts_heard, 51, "facts");
	fake_hub_until(&hub, bulk_heard, 51, "bulk");
	until_settled(0);
	struct sp_publisher_status status = until_status(is_connected, "connected");
	assert_int_equal(status.refused, 0);
	assert_string_equal(status.reason, "");
	assert_string_equal(status.hub_epoch, hub.epoch);
	assert_true(changes > 0);
	pthread_mutex_lock(&hub.mutex);
	assert_int_equal(hub.births[0].presence, SP_FEED_ONLINE);
	assert_string_equal(hub.births[0].hub_epoch, hub.epoch); // it waited for the retained state
	pthread_mutex_unlock(&hub.mutex);
	bench_stop();
	fake_hub_until(&hub, last_presence, SP_FEED_STOPPED, "stopped");
	assert_string_equal(hub.births[hub.birth_count - 1].session, hub.births[0].session);
	fake_hub_stop(&hub);
}

static void test_backlog_of_an_older_opening_is_named_and_sent(void **state)
{
	(void)state;
	append(SP_RECORD_FACTS, 0, 30);
	append(SP_RECORD_BULK, 100, 30);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
	bench_open_journal();
	append(SP_RECORD_FACTS, 50, 1);
	bench_start_hub(true);
	bench_start();
	fake_hub_until(&hub, facts_heard, 31 + 2, "facts of both openings");
	fake_hub_until(&hub, bulk_heard, 31, "bulk");
	until_settled(0);
	assert_true(hub.births[0].held >= 2);
	bench_stop();
	fake_hub_stop(&hub);
}

static void test_stop_flushes_what_was_just_journalled(void **state)
{
	(void)state;
	bench_start_hub(true);
	bench_start();
	until_status(is_connected, "connected");
	append(SP_RECORD_FACTS, 0, 40);
	append(SP_RECORD_FACTS, 100, 1);
	until_settled(0);
	append(SP_RECORD_FACTS, 101, 1); // as the agent's last fact: no time between it and the stop
	bench_stop();
	pthread_mutex_lock(&hub.mutex);
	assert_int_equal(fake_hub_heard(&hub, SP_RECORD_FACTS), 43);
	pthread_mutex_unlock(&hub.mutex);
	fake_hub_stop(&hub);
}

static void test_lost_comes_only_from_a_real_loss(void **state)
{
	(void)state;
	// The board is a process of its own, killed while it is connected.
	assert_int_equal(sp_journal_close(journal, 60000), 0);
	fflush(NULL);
	int ready[2];
	assert_int_equal(pipe(ready), 0);
	pid_t board = fork();
	if (board == 0) {
		char byte = 0;
		if (read(ready[0], &byte, 1) != 1)
			_exit(1);
		bench_open_journal();
		bench_start();
		for (;;)
			pause();
	}
	bench_start_hub(true); // after the fork, since it has a thread
	assert_int_equal(write(ready[1], "x", 1), 1);
	fake_hub_until(&hub, births_heard, 1, "birth");
	pthread_mutex_lock(&hub.mutex);
	assert_int_equal(hub.births[0].presence, SP_FEED_ONLINE);
	pthread_mutex_unlock(&hub.mutex);
	kill(board, SIGKILL);
	waitpid(board, NULL, 0);
	fake_hub_until(&hub, last_presence, SP_FEED_LOST, "the will");
	pthread_mutex_lock(&hub.mutex);
	assert_string_equal(hub.births[hub.birth_count - 1].session, hub.births[0].session);
	pthread_mutex_unlock(&hub.mutex);
	close(ready[0]);
	close(ready[1]);
	fake_hub_stop(&hub);
}

static void test_quick_return_is_no_loss(void **state)
{
	(void)state;
	struct sp_publisher_config config = bench_config(broker.port);
	config.mqtt.will_delay_seconds = 30;
	bench_start_hub(true);
	bench_start_with(&config);
	fake_hub_until(&hub, births_heard, 1, "birth");
	// Another client with its id throws it out; it comes back with a new session.
	for (int i = 0; i < 3; i++) {
		char why[256];
		const struct sp_mqtt_events events = {.connected = ignore_connected,
						      .disconnected = ignore_loss};
		struct sp_mqtt_config other = {.host = "127.0.0.1",
					       .port = broker.port,
					       .client_id = HUB_SHARD "/" HUB_DEVICE,
					       .keepalive_seconds = 60,
					       .session_expiry_seconds = 60};
		struct sp_mqtt *rival = sp_mqtt_new(&other, &events, NULL, why);
		assert_int_equal(sp_mqtt_connect(rival, why), 0);
		int64_t end = sp_clock_mono_us() + PATIENCE_US;
		while (!sp_mqtt_connected(rival) && sp_clock_mono_us() < end)
			sp_mqtt_turn(rival, 10000, -1);
		until_status(is_down, "thrown out");
		sp_mqtt_abort(rival);
		sp_mqtt_free(rival);
		fake_hub_until(&hub, births_heard, 2 + i, "birth again");
	}
	append(SP_RECORD_FACTS, 0, 1);
	until_settled(0);
	pthread_mutex_lock(&hub.mutex);
	for (int i = 0; i < hub.birth_count; i++)
		assert_int_equal(hub.births[i].presence, SP_FEED_ONLINE);
	assert_string_not_equal(hub.births[0].session, hub.births[1].session);
	pthread_mutex_unlock(&hub.mutex);
	bench_stop();
	fake_hub_stop(&hub);
}

// ---- hubs ---------------------------------------------------------------------------------------

static void test_new_epoch_brings_birth_and_unsettled_again(void **state)
{
	(void)state;
	bench_start_hub(false);
	bench_start();
	append(SP_RECORD_FACTS, 0, 20);
	fake_hub_until(&hub, facts_heard, 21, "facts");
	assert_int_equal(unsettled(), 21);
	hub.acks = true;
	hub.renew = 2;
	until_settled(0);
	pthread_mutex_lock(&hub.mutex);
	assert_true(hub.birth_count >= 2);
	assert_string_equal(hub.births[hub.birth_count - 1].hub_epoch, hub.epoch);
	assert_int_equal(hub.births[hub.birth_count - 1].held, 1);
	pthread_mutex_unlock(&hub.mutex);
	bench_stop();
	fake_hub_stop(&hub);
}

static void test_unacknowledged_is_sent_again(void **state)
{
	(void)state;
	bench_start_hub(false);
	bench_start();
	append(SP_RECORD_FACTS, 0, 5);
	until_status(has_resent, "resending");
	fake_hub_until(&hub, records_heard, 12, "the same records again");
	hub.acks = true;
	until_settled(0);
	bench_stop();
	fake_hub_stop(&hub);
}

static void test_wrong_acknowledgements_settle_nothing(void **state)
{
	(void)state;
	bench_start_hub(false);
	bench_start();
	append(SP_RECORD_FACTS, 0, 10);
	fake_hub_until(&hub, facts_heard, 11, "facts");
	int before = hub.records;
	for (int i = 1; i <= 20; i++) {
		hub.rubbish = i;
		fake_hub_until(&hub, has_rubbished, i, "rubbish");
	}
	// Everything was read and ignored when what comes after it has its effect.
	append(SP_RECORD_FACTS, 50, 1);
	fake_hub_until(&hub, records_heard, before + 1, "one more");
	assert_int_equal(unsettled(), 12);
	hub.acks = true;
	hub.renew = 2;
	until_settled(0);
	bench_stop();
	fake_hub_stop(&hub);
}

static void test_hub_that_forgot_gets_it_all_again(void **state)
{
	(void)state;
	bench_start_hub(true);
	bench_start();
	append(SP_RECORD_FACTS, 0, 25);
	fake_hub_until(&hub, facts_heard, 26, "facts");
	until_settled(0);
	hub.forget = 1;
	// Its word "nothing" un-settles; the sweep finds what that concerns.
	int before = hub.records;
	fake_hub_until(&hub, records_heard, before + 26, "everything again");
	until_settled(0);
	bench_stop();
	fake_hub_stop(&hub);
}

static void test_backlog_waits_for_the_hub(void **state)
{
	(void)state;
	fake_hub_start(&hub, broker.port, true, true);
	fake_hub_until(&hub, hub_ready, 0, "the hub's first state");
	hub.leave = 1;
	bench_start();
	until_status(is_up, "connected");
	append(SP_RECORD_BULK, 0, 20);
	append(SP_RECORD_FACTS, 100, 3);
	fake_hub_until(&hub, facts_heard, 4, "facts in spite of it");
	pthread_mutex_lock(&hub.mutex);
	assert_int_equal(fake_hub_heard(&hub, SP_RECORD_BULK), 0);
	pthread_mutex_unlock(&hub.mutex);
	hub.renew = 2;
	fake_hub_until(&hub, bulk_heard, 21, "bulk");
	until_settled(0);
	bench_stop();
	fake_hub_stop(&hub);
}

static void test_flood_of_epochs_is_bounded(void **state)
{
	(void)state;
	bench_start_hub(false);
	bench_start();
	append(SP_RECORD_FACTS, 0, 10);
	fake_hub_until(&hub, facts_heard, 11, "facts");
	for (int i = 2; i < 60; i++) {
		hub.renew = i;
		poll(NULL, 0, 50); // twenty a second, for three seconds
	}
	pthread_mutex_lock(&hub.mutex);
	assert_true(hub.birth_count <= 4); // one in five seconds
	pthread_mutex_unlock(&hub.mutex);
	bench_stop();
	fake_hub_stop(&hub);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_facts_reach_the_hub_and_are_settled),
	    T(test_backlog_of_an_older_opening_is_named_and_sent),
	    T(test_stop_flushes_what_was_just_journalled),
	    T(test_lost_comes_only_from_a_real_loss),
	    T(test_quick_return_is_no_loss),
	    T(test_new_epoch_brings_birth_and_unsettled_again),
	    T(test_unacknowledged_is_sent_again),
	    T(test_wrong_acknowledgements_settle_nothing),
	    T(test_hub_that_forgot_gets_it_all_again),
	    T(test_backlog_waits_for_the_hub),
	    T(test_flood_of_epochs_is_bounded),
	};
	sp_mqtt_library_init();
	FILE *quiet = fopen("/dev/null", "we");
	sp_log_setup(getenv("VERBOSE") ? SP_LOG_DEBUG : SP_LOG_ERR, false,
		     getenv("VERBOSE") ? stderr : quiet);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	fclose(quiet);
	sp_mqtt_library_cleanup();
	return failed;
}
