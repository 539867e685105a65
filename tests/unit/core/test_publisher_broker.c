// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The publisher and brokers of every kind: late, killed, refusing, silent, swallowing, or none.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "schoolpulse/clock.h"
#include "tests/unit/core/publisher_bench.h"

static bool is_refused(const struct sp_publisher_status *s)
{
	return s->refused > 0;
}

static bool has_sent(const struct sp_publisher_status *s)
{
	return s->sent > 0;
}

static void test_broker_that_comes_later(void **state)
{
	(void)state;
	char again[64];
	uint16_t port = broker.port;
	broker_stop(&broker);
	append(SP_RECORD_FACTS, 0, 5);
	bench_start();
	struct sp_publisher_status status = until_status(is_down, "a reason");
	assert_true(status.next_attempt_us > 0);
	assert_int_equal(status.connected_since_us, 0);
	snprintf(again, sizeof(again), "listener %u 127.0.0.1\n", port);
	broker_start(&broker, place.dir, again); // a port of its own, and the old one
	bench_start_hub(true);
	until_settled(0);
	status = until_status(is_connected, "connected");
	assert_int_equal(status.next_attempt_us, 0);
	assert_true(status.connected_since_us > 0);
	bench_stop();
	fake_hub_stop(&hub);
}

static void test_stop_without_a_broker_is_quick(void **state)
{
	(void)state;
	struct sp_publisher_config config = bench_config(1);
	append(SP_RECORD_FACTS, 0, 5);
	bench_start_with(&config);
	until_status(is_down, "a reason");
	int64_t before = sp_clock_mono_us();
	bench_stop();
	assert_true(sp_clock_mono_us() - before < 9 * 1000 * 1000); // the flush would be 10 s
}

static void test_broker_killed_and_restarted(void **state)
{
	(void)state;
	char again[64];
	uint16_t port = broker.port;
	bench_start_hub(true);
	bench_start();
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
	bench_stop();
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
	bench_start();
	append(SP_RECORD_FACTS, 0, 5);
	struct sp_publisher_status status = until_status(is_refused, "refused");
	assert_true(status.connected);
	assert_non_null(strstr(status.reason, "0x87"));
	int64_t sent = status.sent;
	poll(NULL, 0, 3000);
	sp_publisher_status(publisher, &status);
	assert_true(status.sent <= sent + 8); // it does not spin
	assert_int_equal(unsettled(), 6);
	bench_stop();
}

static void test_ack_mode_broker(void **state)
{
	(void)state;
	struct sp_publisher_config config = bench_config(broker.port);
	config.ack_mode = SP_ACK_BROKER;
	append(SP_RECORD_FACTS, 0, 5);
	append(SP_RECORD_BULK, 10, 5);
	bench_start_with(&config);
	until_status(has_sent, "sending");
	poll(NULL, 0, 500);
	assert_int_equal(unsettled(), 12); // nobody listens: 0x10 is no storage
	fake_hub_start(&hub, broker.port, true, false);
	until_settled(0);
	bench_stop();
	fake_hub_stop(&hub);
}

static void test_silent_host_is_given_up_and_stop_is_quick(void **state)
{
	(void)state;
	uint16_t port;
	int fd = listen_here(1, &port);
	struct sp_publisher_config config = bench_config(port);
	bench_start_with(&config);
	poll(NULL, 0, 500);
	int64_t before = sp_clock_mono_us();
	bench_stop();
	assert_true(sp_clock_mono_us() - before < 30 * 1000 * 1000); // not the 135 s of a blocking connect
	close(fd);
}

static void test_name_that_does_not_resolve(void **state)
{
	(void)state;
	struct sp_publisher_config config = bench_config(1883);
	config.mqtt.host = "no-such-host.invalid";
	bench_start_with(&config);
	struct sp_publisher_status status = until_status(is_down, "a reason");
	assert_non_null(strstr(status.reason, "no-such-host.invalid"));
	bench_stop();
}

static void test_bad_tls_files(void **state)
{
	(void)state;
	struct sp_publisher_config config = bench_config(broker.port);
	config.mqtt.ca_file = "/nonexistent/ca.pem";
	bench_start_with(&config);
	struct sp_publisher_status status = until_status(is_down, "a reason");
	assert_non_null(strstr(status.reason, "/nonexistent/ca.pem"));
	bench_stop();
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
	struct sp_publisher_config config = bench_config(port);
	config.mqtt.keepalive_seconds = 60; // it is not the keepalive that notices
	append(SP_RECORD_FACTS, 0, 3);
	bench_start_with(&config);
	struct sp_publisher_status status = until_status(is_down, "giving up");
	assert_non_null(strstr(status.reason, "does not answer"));
	assert_true(status.sent <= SP_FEED_BATCH_MAX);
	bench_stop();
	shutdown(fd, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(fd);
}

static bool is_silent(const struct sp_publisher_status *s)
{
	return s->connected && s->silent_since_us != 0;
}

static bool is_heard(const struct sp_publisher_status *s)
{
	return s->connected && s->silent_since_us == 0;
}

/// The machine hangs, its connections stand: nothing tells but a question.
static void test_broker_that_hangs_is_found_out_by_doubt(void **state)
{
	(void)state;
	struct sp_publisher_config config = bench_config(broker.port);
	config.mqtt.keepalive_seconds = 600;
	bench_start_hub(true);
	bench_start_with(&config);
	append(SP_RECORD_FACTS, 0, 1);
	until_settled(0);
	sp_publisher_doubt(publisher); // it answers: no harm
	int64_t before = sp_clock_mono_us();
	assert_int_equal(kill(broker.pid, SIGSTOP), 0);
	// The first question's answer may still have come; the next is asked after a pause.
	struct sp_publisher_status status;
	do {
		sp_publisher_doubt(publisher);
		sp_publisher_status(publisher, &status);
		poll(NULL, 0, 50);
	} while (!is_silent(&status) && sp_clock_mono_us() < before + PATIENCE_US);
	assert_true(is_silent(&status));
	assert_true(status.silent_since_us >= before - 1000000);
	assert_int_equal(kill(broker.pid, SIGCONT), 0);
	until_status(is_heard, "an answer after all");
	assert_int_equal(kill(broker.pid, SIGSTOP), 0);
	do {
		sp_publisher_doubt(publisher);
		sp_publisher_status(publisher, &status);
		poll(NULL, 0, 50);
	} while (!is_down(&status) && sp_clock_mono_us() < before + 2 * PATIENCE_US);
	assert_string_equal(status.reason, "the broker does not answer what we send");
	assert_true(status.silent_since_us >= before); // the session is left, and nobody has spoken since
	assert_int_equal(kill(broker.pid, SIGCONT), 0);
	until_status(is_heard, "another session");
	bench_stop();
	fake_hub_stop(&hub);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_broker_that_comes_later),
	    T(test_stop_without_a_broker_is_quick),
	    T(test_broker_killed_and_restarted),
	    T(test_broker_that_refuses_messages),
	    T(test_ack_mode_broker),
	    T(test_silent_host_is_given_up_and_stop_is_quick),
	    T(test_name_that_does_not_resolve),
	    T(test_bad_tls_files),
	    T(test_broker_that_swallows_is_left),
	    T(test_broker_that_hangs_is_found_out_by_doubt),
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
