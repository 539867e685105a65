// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The MQTT session with TLS: a real mosquitto that wants certificates, and every way not to trust.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "tests/unit/base/mqtt_client.h"
#include "tests/unit/base/mqtt_peer.h"

static char dir[] = "/tmp/sp-mqtt-XXXXXX";

/// A file of `dir`, in one of a few buffers.
static const char *in_dir(const char *name)
{
	static char paths[8][80];
	static unsigned next;
	char *path = paths[next++ % SP_COUNT(paths)];
	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static int set_up(void **state)
{
	(void)state;
	sp_mqtt_library_init();
	assert_non_null(mkdtemp(dir));
	make_certificates(dir);
	FILE *file = fopen(in_dir("garbage.pem"), "w");
	fputs("-----BEGIN CERTIFICATE-----\nthis is none\n-----END CERTIFICATE-----\n", file);
	fclose(file);
	file = fopen(in_dir("empty.pem"), "w");
	fclose(file);
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

static void start(struct broker *broker, const char *server, const char *more)
{
	char *text = sp_asprintf("cafile %s/ca.pem\ncertfile %s/%s.pem\nkeyfile %s/%s.key\n%s", dir, dir,
				 server, dir, server, more);
	broker_start(broker, dir, text);
	free(text);
}

static struct sp_mqtt_config config(const struct broker *broker)
{
	struct sp_mqtt_config c = {.host = "127.0.0.1",
				   .port = broker->port,
				   .client_id = "hcm/kim-dong-1",
				   .ca_file = in_dir("ca.pem"),
				   .keepalive_seconds = 30,
				   .clean_start = true};
	return c;
}

static void refused(const struct sp_mqtt_config *c, const char *word)
{
	struct client a;
	client_new(&a, c);
	int reason = client_connect(&a);
	if (reason >= 0 || !strstr(a.text, word))
		fail_msg("%d: %s; not: %s", reason, a.text, word);
	assert_int_equal(a.losses, 0);
	// And again, as the owner will: the same words, not silence.
	assert_true(client_connect(&a) < 0);
	assert_non_null(strstr(a.text, word));
	client_free(&a);
}

static void trusted(struct client *client)
{
	if (client_connect(client) != 0)
		fail_msg("%s", client->text);
}

static void messages_flow_under_tls(void **state)
{
	(void)state;
	enum { MANY = 600, SIZE = 20000 };
	struct broker broker;
	struct client a, b, *both[] = {&a, &b}, *one[] = {&b};
	start(&broker, "server", "require_certificate true\nuse_identity_as_username true\n");
	struct sp_mqtt_config c = config(&broker);
	c.cert_file = in_dir("client.pem");
	c.key_file = in_dir("client.key");
	client_new(&a, &c);
	trusted(&a);
	c.host = "localhost";
	c.client_id = "hcm/b";
	client_new(&b, &c);
	trusted(&b);
	assert_int_equal(sp_mqtt_subscribe(b.mqtt, "flow/+"), 0);
	turn_until(one, 1, &b.subscribed, 1);
	char *payload = sp_alloc(SIZE);
	int sent = 0, mid;
	while (sent < MANY) {
		// Of all sizes, so that TLS records and MQTT packets end at different places.
		int result =
		    sp_mqtt_publish(a.mqtt, "flow/1", payload, (size_t)(sent * 37 % SIZE), false, "", &mid);
		if (result == 0)
			sent++;
		else
			assert_int_equal(result, -ENOBUFS);
		if (result != 0)
			turn_until(both, 2, &a.acknowledged, a.acknowledged + 1);
	}
	turn_until(both, 2, &b.messages, MANY);
	turn_until(both, 2, &a.acknowledged, MANY);
	free(payload);
	for (int i = 0; i < 10; i++) {
		sp_mqtt_disconnect(a.mqtt, i & 1);
		trusted(&a);
	}
	client_free(&a);
	client_free(&b);
	broker_stop(&broker);
}

static void a_broker_may_want_a_certificate(void **state)
{
	(void)state;
	struct broker broker;
	start(&broker, "server", "require_certificate true\n");
	struct sp_mqtt_config c = config(&broker);
	refused(&c, "TLS");
	c.cert_file = in_dir("other-ca.pem");
	c.key_file = in_dir("other-ca.key");
	refused(&c, "TLS");
	broker_stop(&broker);
}

static void a_broker_that_cannot_be_trusted_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *server, *ca, *word;
	} cases[] = {
	    {"server", "other-ca.pem", "self-signed"},
	    {"expired", "ca.pem", "certificate has expired, by this machine's clock"},
	    {"early", "ca.pem", "certificate is not yet valid, by this machine's clock"},
	    {"named", "ca.pem", "mismatch"},
	    {"other-ca", "ca.pem", "self-signed"},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct broker broker;
		start(&broker, cases[i].server, "");
		struct sp_mqtt_config c = config(&broker);
		c.ca_file = in_dir(cases[i].ca);
		refused(&c, cases[i].word);
		broker_stop(&broker);
	}
}

static void a_name_must_be_the_certificate_s(void **state)
{
	(void)state;
	struct broker broker;
	start(&broker, "named", "");
	struct sp_mqtt_config c = config(&broker);
	c.host = "localhost";
	refused(&c, "hostname mismatch");
	broker_stop(&broker);
}

static void tls_and_plain_do_not_meet(void **state)
{
	(void)state;
	struct broker broker;
	broker_start(&broker, dir, "");
	struct sp_mqtt_config c = config(&broker);
	refused(&c, "TLS");
	broker_stop(&broker);
	start(&broker, "server", "");
	c = config(&broker);
	c.ca_file = NULL;
	refused(&c, "without answering CONNECT");
	broker_stop(&broker);
}

static void no_turn_waits_with_something_to_do(void **state)
{
	(void)state;
	struct broker broker;
	struct client a;
	char why[256];
	start(&broker, "server", "");
	struct sp_mqtt_config c = config(&broker);
	client_new(&a, &c);
	assert_int_equal(sp_mqtt_connect(a.mqtt, why), 0);
	while (a.answers == 0)
		sp_mqtt_turn(a.mqtt, INT64_C(3600) * 1000000, -1);
	if (a.reason != 0)
		fail_msg("%s", a.text);
	client_free(&a);
	broker_stop(&broker);
}

static void files_are_checked_before_the_first_connection(void **state)
{
	(void)state;
	static const struct {
		const char *ca, *cert, *key;
		int error;
		const char *word;
	} cases[] = {
	    {"missing.pem", NULL, NULL, ENOENT, "missing.pem"},
	    {"garbage.pem", NULL, NULL, EINVAL, "garbage.pem"},
	    {"empty.pem", NULL, NULL, EINVAL, "empty.pem"},
	    {"ca.pem", "missing.pem", "client.key", ENOENT, "missing.pem"},
	    {"ca.pem", "client.pem", "missing.key", ENOENT, "missing.key"},
	    {"ca.pem", "client.pem", NULL, EINVAL, "needs its key"},
	    {"ca.pem", NULL, "client.key", EINVAL, "needs its key"},
	    {"ca.pem", "garbage.pem", "client.key", EINVAL, "garbage.pem"},
	    {"ca.pem", "client.pem", "server.key", EINVAL, "mismatch"},
	    {"ca.pem", "client.pem", "client.pem", EINVAL, "client.pem"},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		char why[256] = "";
		struct broker none = {.port = 1};
		struct sp_mqtt_config c = config(&none);
		struct sp_mqtt_events events = {0};
		c.ca_file = in_dir(cases[i].ca);
		c.cert_file = cases[i].cert ? in_dir(cases[i].cert) : NULL;
		c.key_file = cases[i].key ? in_dir(cases[i].key) : NULL;
		errno = 0;
		assert_null(sp_mqtt_new(&c, &events, NULL, why));
		if (errno != cases[i].error || !strstr(why, cases[i].word))
			fail_msg("case %zu: %d: %s", i, errno, why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(messages_flow_under_tls),
	    cmocka_unit_test(a_broker_may_want_a_certificate),
	    cmocka_unit_test(a_broker_that_cannot_be_trusted_is_refused),
	    cmocka_unit_test(a_name_must_be_the_certificate_s),
	    cmocka_unit_test(tls_and_plain_do_not_meet),
	    cmocka_unit_test(no_turn_waits_with_something_to_do),
	    cmocka_unit_test(files_are_checked_before_the_first_connection),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
