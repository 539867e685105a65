// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// TLS on a clock that is not set: what is let in without dates, what is not, and what becomes of it when time
// is known. A real mosquitto.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/base/clock_trust.h"
#include "agent/base/mem.h"
#include "agent/base/tls.h"
#include "tests/unit/base/mqtt_client.h"
#include "tests/unit/base/mqtt_peer.h"
#include "tests/unit/base/pretend_kernel.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)

static char dir[] = "/tmp/sp-mqtt-XXXXXX";
static struct sp_tls_trust trust;
static char ca[80];

static int set_up(void **state)
{
	(void)state;
	sp_mqtt_library_init();
	assert_non_null(mkdtemp(dir));
	make_certificates(dir);
	snprintf(ca, sizeof(ca), "%s/ca.pem", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_mqtt_library_cleanup();
	char *command = sp_asprintf("rm -rf %s", dir);
	int result = system(command);
	free(command);
	return result;
}

/// A boot in 1970 that nobody has told the time.
static int each(void **state)
{
	(void)state;
	trust = (struct sp_tls_trust){0};
	kernel_synced = false;
	kernel_ahead_ms = -(int64_t)time(NULL) * 1000;
	sp_clock_saved(0);
	return 0;
}

static int64_t true_ms(void)
{
	return (int64_t)time(NULL) * 1000;
}

static void start(struct broker *broker, const char *server)
{
	char *text = sp_asprintf("cafile %s/ca.pem\ncertfile %s/%s.pem\nkeyfile %s/%s.key\n", dir, dir,
				 server, dir, server);
	broker_start(broker, dir, text);
	free(text);
}

/// An attempt of the agent's kind, with a session of its own; the reason.
static int attempt(struct client *client, const struct broker *broker)
{
	const struct sp_mqtt_config config = {.host = "127.0.0.1",
					      .port = broker->port,
					      .client_id = "hcm/kim-dong-1",
					      .ca_file = ca,
					      .trust = &trust,
					      .keepalive_seconds = 30,
					      .clean_start = true};
	client_new(client, &config);
	return client_connect(client);
}

/// Connected, and provisional.
static void let_in(struct client *client, const struct broker *broker)
{
	if (attempt(client, broker) != 0)
		fail_msg("%s", client->text);
	assert_true(sp_mqtt_provisional(client->mqtt));
}

static void turned_away(const struct broker *broker, const char *word)
{
	struct client client;
	int reason = attempt(&client, broker);
	if (reason >= 0 || !strstr(client.text, word))
		fail_msg("%d: %s; not: %s", reason, client.text, word);
	client_free(&client);
}

static void a_good_certificate_becomes_an_ordinary_one(void **state)
{
	(void)state;
	struct broker broker;
	struct client a, *one[] = {&a};
	int mid;
	start(&broker, "server");
	let_in(&a, &broker);
	assert_int_equal(sp_mqtt_verify(a.mqtt, true_ms()), 0);
	assert_false(sp_mqtt_provisional(a.mqtt));
	// Once is enough: another time changes nothing any more.
	assert_int_equal(sp_mqtt_verify(a.mqtt, 0), 0);
	assert_int_equal(sp_mqtt_publish(a.mqtt, "x", "y", 1, false, NULL, &mid), 0);
	turn_until(one, 1, &a.acknowledged, 1);
	assert_int_equal(a.losses, 0);
	client_free(&a);
	broker_stop(&broker);
}

static void one_out_of_date_is_let_in_until_time_is_known(void **state)
{
	(void)state;
	static const struct {
		const char *server, *word;
	} cases[] = {{"expired", "certificate has expired, by the time that was learnt"},
		     {"early", "certificate is not yet valid, by the time that was learnt"}};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct broker broker;
		struct client a, *one[] = {&a};
		each(NULL);
		start(&broker, cases[i].server);
		let_in(&a, &broker);
		assert_true(sp_mqtt_verify(a.mqtt, true_ms()) < 0);
		assert_false(sp_mqtt_connected(a.mqtt));
		turn_until(one, 1, &a.losses, 1);
		if (!strstr(a.text, cases[i].word))
			fail_msg("%s", a.text);
		client_free(&a);
		// It is known now, and not asked for the time again; a renewed one is.
		turned_away(&broker, "refused until the clock is synchronised");
		broker_stop(&broker);
		start(&broker, "server");
		let_in(&a, &broker);
		client_free(&a);
		broker_stop(&broker);
	}
}

static void it_depends_on_the_time_that_is_learnt(void **state)
{
	(void)state;
	struct broker broker;
	struct client a;
	start(&broker, "early");
	let_in(&a, &broker);
	assert_int_equal(sp_mqtt_verify(a.mqtt, true_ms() + 3 * DAY_MS / 4), 0);
	client_free(&a);
	broker_stop(&broker);
	// Not only the last certificate counts: the issuer's ends as well.
	start(&broker, "server");
	let_in(&a, &broker);
	assert_true(sp_mqtt_verify(a.mqtt, true_ms() - 3 * DAY_MS / 2) < 0);
	client_free(&a);
	broker_stop(&broker);
}

static void everything_but_dates_is_enforced(void **state)
{
	(void)state;
	static const struct {
		const char *server, *word;
	} cases[] = {{"other-ca", "self-signed"}, {"named", "mismatch"}, {"client", "mismatch"}};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct broker broker;
		start(&broker, cases[i].server);
		turned_away(&broker, cases[i].word);
		broker_stop(&broker);
	}
}

/// By the time that is believed, not by that of the system's clock, which stands in 1970.
static void a_known_time_counts_at_once(void **state)
{
	(void)state;
	struct broker broker;
	struct client a;
	int64_t now_us = sp_clock_mono_us();
	assert_int_equal(sp_clock_hub_says(now_us, now_us, true_ms(), 100), 0);
	start(&broker, "expired");
	turned_away(&broker, "certificate has expired, by this machine's clock");
	broker_stop(&broker);
	start(&broker, "server");
	assert_int_equal(attempt(&a, &broker), 0);
	assert_false(sp_mqtt_provisional(a.mqtt));
	client_free(&a);
	sp_clock_saved(0);
	kernel_synced = true;
	kernel_ahead_ms = 2 * DAY_MS;
	turned_away(&broker, "certificate has expired, by this machine's clock");
	broker_stop(&broker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(a_good_certificate_becomes_an_ordinary_one, each),
	    cmocka_unit_test_setup(one_out_of_date_is_let_in_until_time_is_known, each),
	    cmocka_unit_test_setup(it_depends_on_the_time_that_is_learnt, each),
	    cmocka_unit_test_setup(everything_but_dates_is_enforced, each),
	    cmocka_unit_test_setup(a_known_time_counts_at_once, each),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
