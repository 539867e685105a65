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
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/core/publisher.h"
#include "schoolpulse/clock.h"
#include "tests/unit/base/mqtt_peer.h"
#include "tests/unit/core/fake_hub.h"
#include "tests/unit/core/journal_util.h"

enum { PATIENCE_US = 60 * 1000 * 1000 };

static struct test_place place;
static struct broker broker;
static struct fake_hub hub;
static struct sp_journal *journal;
static struct sp_publisher *publisher;
static _Atomic(struct sp_publisher *) customer;
static struct sp_deadline journal_deadline = {.thread = "journal"}, deadline = {.thread = "publisher"};
static _Atomic int changes;

static void post(void *arg, sp_journal_done_fn done, void *done_arg, int result)
{
	(void)arg;
	done(done_arg, result);
}

static void news(void *arg)
{
	(void)arg;
	struct sp_publisher *p = customer;
	if (p)
		sp_publisher_news(p);
}

static void changed(void *arg)
{
	(void)arg;
	changes++;
}

static void open_journal(void)
{
	const struct sp_journal_config config = {.path = place.file,
						 .cap_bytes = 16 << 20,
						 .bulk_commit_ms = 50,
						 .group_commit_ms = 10,
						 .keep_acked_ms = 86400000,
						 .boot = TEST_BOOT};
	const struct sp_journal_customers customers = {.post = post, .news = news};
	assert_int_equal(sp_journal_open(&journal, &config, &customers, &journal_deadline), 0);
}

static struct sp_publisher_config config_of(uint16_t port)
{
	return (struct sp_publisher_config){
	    .mqtt = {.host = "127.0.0.1", .port = port, .keepalive_seconds = 5, .will_delay_seconds = 1},
	    .shard = HUB_SHARD,
	    .device = HUB_DEVICE,
	    .boot = TEST_BOOT,
	    .version = "1.0-test",
	    .backlog_per_second = 1000,
	    .resend_min_ms = 2000,
	    .resend_max_ms = 4000,
	    .backoff_max_ms = 500,
	};
}

static void start_with(const struct sp_publisher_config *config)
{
	assert_int_equal(sp_publisher_start(&publisher, config, journal, &deadline, changed, NULL), 0);
	customer = publisher;
}

static void start(void)
{
	struct sp_publisher_config config = config_of(broker.port);
	start_with(&config);
}

static void append(enum sp_record_class cls, int n, int count)
{
	for (int i = 0; i < count; i++) {
		char *record = test_record(n + i, 20);
		assert_int_equal(sp_journal_append(journal, cls, record, NULL, NULL), 0);
		free(record);
	}
}

/// Stop in the agent's order.
static void stop(void)
{
	assert_int_equal(sp_publisher_stop(publisher, 10000), 0);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
	customer = NULL;
	sp_publisher_free(publisher);
	publisher = NULL;
	journal = NULL;
}

static struct sp_publisher_status until_status(bool (*good)(const struct sp_publisher_status *s),
					       const char *what)
{
	struct sp_publisher_status status;
	int64_t end = sp_clock_mono_us() + PATIENCE_US;
	do {
		sp_publisher_status(publisher, &status);
		if (good(&status))
			return status;
		poll(NULL, 0, 5);
	} while (sp_clock_mono_us() < end);
	fail_msg("%s: not within 60 s (connected %d, reason \"%s\", sent %d)", what, status.connected,
		 status.reason, (int)status.sent);
	return status;
}

static int64_t unsettled(void)
{
	struct sp_journal_status status;
	sp_journal_status(journal, &status);
	return status.unsettled[0] + status.unsettled[1] + status.unsettled[2];
}

static void until_settled(int64_t wanted)
{
	int64_t end = sp_clock_mono_us() + PATIENCE_US;
	struct sp_journal_status status;
	do {
		sp_journal_status(journal, &status);
		if (status.waiting == 0 && unsettled() == wanted)
			return;
		poll(NULL, 0, 5);
	} while (sp_clock_mono_us() < end);
	fail_msg("%d unsettled, %d wanted", (int)unsettled(), (int)wanted);
}

static int setup(void **state)
{
	(void)state;
	test_place_make(&place);
	broker_start(&broker, place.dir, "");
	open_journal();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	broker_stop(&broker);
	test_place_remove(&place);
	return 0;
}

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
static bool hub_ready(struct fake_hub *h, int unused)
{
	(void)unused;
	return h->renewed == 1;
}
static bool is_connected(const struct sp_publisher_status *s)
{
	return s->connected && s->hub_online;
}
static bool is_up(const struct sp_publisher_status *s)
{
	return s->connected;
}
static bool is_down(const struct sp_publisher_status *s)
{
	return !s->connected && s->reason[0];
}
static bool is_refused(const struct sp_publisher_status *s)
{
	return s->refused > 0;
}
static bool has_sent(const struct sp_publisher_status *s)
{
	return s->sent > 0;
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

static void start_hub(bool acks)
{
	fake_hub_start(&hub, broker.port, true, acks);
	fake_hub_until(&hub, hub_ready, 0, "the hub's first state");
}

// ---- the ordinary day -------------------------------------------------------------------------------

static void test_facts_reach_the_hub_and_are_settled(void **state)
{
	(void)state;
	start_hub(true);
	start();
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
	stop();
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
	open_journal();
	append(SP_RECORD_FACTS, 50, 1);
	start_hub(true);
	start();
	fake_hub_until(&hub, facts_heard, 31 + 2, "facts of both openings");
	fake_hub_until(&hub, bulk_heard, 31, "bulk");
	until_settled(0);
	assert_true(hub.births[0].held >= 2);
	stop();
	fake_hub_stop(&hub);
}

static void test_stop_flushes_what_was_just_journalled(void **state)
{
	(void)state;
	start_hub(true);
	start();
	until_status(is_connected, "connected");
	append(SP_RECORD_FACTS, 0, 40);
	append(SP_RECORD_FACTS, 100, 1);
	until_settled(0); // committed and more: the stop must not lose what comes now
	char *last = test_record(101, 0);
	assert_int_equal(sp_journal_append(journal, SP_RECORD_FACTS, last, NULL, NULL), 0);
	free(last);
	struct sp_journal_status status;
	do
		sp_journal_status(journal, &status);
	while (status.waiting > 0);
	stop();
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
		open_journal();
		start();
		for (;;)
			pause();
	}
	start_hub(true); // after the fork, since it has a thread
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
	struct sp_publisher_config config = config_of(broker.port);
	config.mqtt.will_delay_seconds = 30;
	start_hub(true);
	start_with(&config);
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
	stop();
	fake_hub_stop(&hub);
}

// ---- hubs ------------------------------------------------------------------------------------------------

static void test_new_epoch_brings_birth_and_unsettled_again(void **state)
{
	(void)state;
	start_hub(false);
	start();
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
	stop();
	fake_hub_stop(&hub);
}

static void test_unacknowledged_is_sent_again(void **state)
{
	(void)state;
	start_hub(false);
	start();
	append(SP_RECORD_FACTS, 0, 5);
	until_status(has_resent, "resending");
	fake_hub_until(&hub, records_heard, 12, "the same records again");
	hub.acks = true;
	until_settled(0);
	stop();
	fake_hub_stop(&hub);
}

static void test_wrong_acknowledgements_settle_nothing(void **state)
{
	(void)state;
	start_hub(false);
	start();
	append(SP_RECORD_FACTS, 0, 10);
	fake_hub_until(&hub, facts_heard, 11, "facts");
	int before = hub.records;
	for (int i = 1; i <= 20; i++) {
		hub.rubbish = i;
		poll(NULL, 0, 30);
	}
	// Everything was read and ignored when what comes after it has its effect.
	append(SP_RECORD_FACTS, 50, 1);
	fake_hub_until(&hub, records_heard, before + 1, "one more");
	assert_int_equal(unsettled(), 12);
	hub.acks = true;
	hub.renew = 2;
	until_settled(0);
	stop();
	fake_hub_stop(&hub);
}

static void test_hub_that_forgot_gets_it_all_again(void **state)
{
	(void)state;
	start_hub(true);
	start();
	append(SP_RECORD_FACTS, 0, 25);
	fake_hub_until(&hub, facts_heard, 26, "facts");
	until_settled(0);
	hub.forget = 1;
	// Its word "nothing" un-settles; the sweep finds what that concerns.
	int before = hub.records;
	fake_hub_until(&hub, records_heard, before + 26, "everything again");
	until_settled(0);
	stop();
	fake_hub_stop(&hub);
}

static void test_backlog_waits_for_the_hub(void **state)
{
	(void)state;
	fake_hub_start(&hub, broker.port, true, true);
	fake_hub_until(&hub, hub_ready, 0, "the hub's first state");
	hub.leave = 1;
	start();
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
	stop();
	fake_hub_stop(&hub);
}

static void test_flood_of_epochs_is_bounded(void **state)
{
	(void)state;
	start_hub(false);
	start();
	append(SP_RECORD_FACTS, 0, 10);
	fake_hub_until(&hub, facts_heard, 11, "facts");
	for (int i = 2; i < 60; i++) {
		hub.renew = i;
		poll(NULL, 0, 50); // twenty a second, for three seconds
	}
	pthread_mutex_lock(&hub.mutex);
	assert_true(hub.birth_count <= 4); // one in five seconds
	pthread_mutex_unlock(&hub.mutex);
	stop();
	fake_hub_stop(&hub);
}

// ---- brokers ---------------------------------------------------------------------------------------------

static void test_broker_that_comes_later(void **state)
{
	(void)state;
	char again[64];
	uint16_t port = broker.port;
	broker_stop(&broker);
	append(SP_RECORD_FACTS, 0, 5);
	start();
	struct sp_publisher_status status = until_status(is_down, "a reason");
	assert_true(status.next_attempt_us > 0);
	assert_int_equal(status.connected_since_us, 0);
	snprintf(again, sizeof(again), "listener %u 127.0.0.1\n", port);
	broker_start(&broker, place.dir, again); // a port of its own, and the old one
	start_hub(true);
	until_settled(0);
	status = until_status(is_connected, "connected");
	assert_int_equal(status.next_attempt_us, 0);
	assert_true(status.connected_since_us > 0);
	stop();
	fake_hub_stop(&hub);
}

static void test_stop_without_a_broker_is_quick(void **state)
{
	(void)state;
	struct sp_publisher_config config = config_of(1);
	append(SP_RECORD_FACTS, 0, 5);
	start_with(&config);
	until_status(is_down, "a reason");
	int64_t before = sp_clock_mono_us();
	stop();
	assert_true(sp_clock_mono_us() - before < 9 * 1000 * 1000); // the flush would be 10 s
}

static void test_broker_killed_and_restarted(void **state)
{
	(void)state;
	char again[64];
	uint16_t port = broker.port;
	start_hub(true);
	start();
	append(SP_RECORD_FACTS, 0, 10);
	until_settled(0);
	for (int round = 0; round < 3; round++) {
		broker_stop(&broker);
		append(SP_RECORD_FACTS, 100 + round * 20, 10);
		until_status(is_down, "the loss");
		snprintf(again, sizeof(again), "listener %u 127.0.0.1\n", port);
		broker_start(&broker, place.dir, again); // a port of its own, and the old one
		hub.renew++;                             // its retained state went with the broker
		sp_publisher_hurry(publisher);
		until_status(is_connected, "the return");
		until_settled(0);
	}
	pthread_mutex_lock(&hub.mutex);
	assert_int_equal(fake_hub_heard(&hub, SP_RECORD_FACTS), 41);
	pthread_mutex_unlock(&hub.mutex);
	stop();
	fake_hub_stop(&hub);
}

static void test_broker_that_refuses_messages(void **state)
{
	(void)state;
	char acl[300], more[400];
	snprintf(acl, sizeof(acl), "%s/acl", place.dir);
	FILE *file = fopen(acl, "we");
	fputs("topic write sp1/up/" HUB_SHARD "/" HUB_DEVICE "/state\ntopic read #\n", file);
	fclose(file);
	broker_stop(&broker);
	snprintf(more, sizeof(more), "acl_file %s\n", acl);
	broker_start(&broker, place.dir, more);
	start();
	append(SP_RECORD_FACTS, 0, 5);
	struct sp_publisher_status status = until_status(is_refused, "refused");
	assert_true(status.connected);
	assert_non_null(strstr(status.reason, "0x87"));
	int64_t sent = status.sent;
	poll(NULL, 0, 3000);
	sp_publisher_status(publisher, &status);
	assert_true(status.sent <= sent + 8); // it does not spin
	assert_int_equal(unsettled(), 6);
	stop();
}

static void test_ack_mode_broker(void **state)
{
	(void)state;
	struct sp_publisher_config config = config_of(broker.port);
	config.ack_mode = SP_ACK_BROKER;
	append(SP_RECORD_FACTS, 0, 5);
	append(SP_RECORD_BULK, 10, 5);
	start_with(&config);
	until_status(has_sent, "sending");
	poll(NULL, 0, 500);
	assert_int_equal(unsettled(), 12); // nobody listens: 0x10 is no storage
	fake_hub_start(&hub, broker.port, true, false);
	until_settled(0);
	stop();
	fake_hub_stop(&hub);
}

static void test_silent_host_is_given_up_and_stop_is_quick(void **state)
{
	(void)state;
	uint16_t port;
	int fd = listen_here(1, &port);
	struct sp_publisher_config config = config_of(port);
	start_with(&config);
	poll(NULL, 0, 500);
	int64_t before = sp_clock_mono_us();
	stop();
	assert_true(sp_clock_mono_us() - before < 30 * 1000 * 1000); // not the 135 s of a blocking connect
	close(fd);
}

static void test_name_that_does_not_resolve(void **state)
{
	(void)state;
	struct sp_publisher_config config = config_of(1883);
	config.mqtt.host = "no-such-host.invalid";
	start_with(&config);
	struct sp_publisher_status status = until_status(is_down, "a reason");
	assert_non_null(strstr(status.reason, "no-such-host.invalid"));
	stop();
}

static void test_bad_tls_files(void **state)
{
	(void)state;
	struct sp_publisher_config config = config_of(broker.port);
	config.mqtt.ca_file = "/nonexistent/ca.pem";
	start_with(&config);
	struct sp_publisher_status status = until_status(is_down, "a reason");
	assert_non_null(strstr(status.reason, "/nonexistent/ca.pem"));
	stop();
}

/// Greets like a broker, and then swallows everything.
static void *swallow(void *arg)
{
	int listener = *(int *)arg;
	static const unsigned char connack[] = {0x20, 0x03, 0x00, 0x00, 0x00};
	for (;;) {
		unsigned char byte[4096];
		int fd = accept(listener, NULL, NULL);
		if (fd < 0)
			return NULL;
		if (read(fd, byte, sizeof(byte)) > 0 && write(fd, connack, sizeof(connack)) > 0) {
			while (read(fd, byte, sizeof(byte)) > 0)
				;
		}
		close(fd);
	}
}

static void test_broker_that_swallows_is_left(void **state)
{
	(void)state;
	uint16_t port;
	pthread_t thread;
	int fd = listen_here(4, &port);
	assert_int_equal(pthread_create(&thread, NULL, swallow, &fd), 0);
	struct sp_publisher_config config = config_of(port);
	config.mqtt.keepalive_seconds = 60; // it is not the keepalive that notices
	append(SP_RECORD_FACTS, 0, 3);
	start_with(&config);
	struct sp_publisher_status status = until_status(is_down, "giving up");
	assert_non_null(strstr(status.reason, "does not answer"));
	assert_true(status.sent <= SP_FEED_BATCH_MAX);
	stop();
	shutdown(fd, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(fd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
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
	    T(test_broker_that_comes_later),
	    T(test_stop_without_a_broker_is_quick),
	    T(test_broker_killed_and_restarted),
	    T(test_broker_that_refuses_messages),
	    T(test_ack_mode_broker),
	    T(test_silent_host_is_given_up_and_stop_is_quick),
	    T(test_name_that_does_not_resolve),
	    T(test_bad_tls_files),
	    T(test_broker_that_swallows_is_left),
	};
	sp_mqtt_library_init();
	FILE *quiet = fopen("/dev/null", "we");
	sp_log_setup(getenv("VERBOSE") ? SP_LOG_DEBUG : SP_LOG_ERR, false, getenv("VERBOSE") ? stderr : quiet);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	fclose(quiet);
	sp_mqtt_library_cleanup();
	return failed;
}
