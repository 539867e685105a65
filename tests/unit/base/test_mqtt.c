// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The MQTT session against a real mosquitto, without TLS.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "tests/unit/base/mqtt_client.h"
#include "tests/unit/base/mqtt_peer.h"

static char dir[] = "/tmp/sp-mqtt-XXXXXX";
static struct broker broker;

static int set_up(void **state)
{
	(void)state;
	sp_mqtt_library_init();
	assert_non_null(mkdtemp(dir));
	broker_start(&broker, dir, "");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	broker_stop(&broker);
	sp_mqtt_library_cleanup();
	char *command = sp_asprintf("rm -rf %s", dir);
	int result = system(command);
	free(command);
	return result;
}

static struct sp_mqtt_config config(const char *client_id)
{
	struct sp_mqtt_config c = {.host = "127.0.0.1",
				   .port = broker.port,
				   .client_id = client_id,
				   .keepalive_seconds = 30,
				   .clean_start = true};
	return c;
}

static void online(struct client *client, const struct sp_mqtt_config *c)
{
	client_new(client, c);
	if (client_connect(client) != 0)
		fail_msg("%s", client->text);
	assert_true(sp_mqtt_connected(client->mqtt));
}

static void subscribe(struct client *client, const char *topic)
{
	assert_int_equal(sp_mqtt_subscribe(client->mqtt, topic), 0);
	turn_until(&client, 1, &client->subscribed, client->subscribed + 1);
	assert_string_equal(client->topic, topic);
	assert_int_equal(client->subscribe_reason, 1);
}

static void a_message_goes_round_with_its_content_type(void **state)
{
	(void)state;
	struct client a, b, *both[] = {&a, &b};
	struct sp_mqtt_config ca = config("hcm/a"), cb = config("hcm/b");
	int mid, other;
	online(&a, &ca);
	online(&b, &cb);
	// Nobody listens: taken by the broker with a reason that is no promise.
	assert_int_equal(sp_mqtt_publish(a.mqtt, "t/1", "x", 1, false, NULL, &mid), 0);
	turn_until(both, 2, &a.acknowledged, 1);
	assert_int_equal(a.last_mid, mid);
	assert_int_equal(a.last_reason, 0x10);
	subscribe(&b, "t/+");
	assert_int_equal(sp_mqtt_publish(a.mqtt, "t/1", "{}", 2, false, "application/json", &mid), 0);
	assert_int_equal(sp_mqtt_publish(a.mqtt, "t/2", "", 0, false, NULL, &other), 0);
	assert_int_not_equal(mid, other);
	turn_until(both, 2, &b.messages, 2);
	turn_until(both, 2, &a.acknowledged, 3);
	assert_int_equal(a.last_reason, 0);
	assert_string_equal(b.message[0].topic, "t/1");
	assert_string_equal(b.message[0].payload, "{}");
	assert_string_equal(b.message[0].content_type, "application/json");
	assert_false(b.message[0].retained);
	assert_string_equal(b.message[1].topic, "t/2");
	assert_string_equal(b.message[1].content_type, "");
	assert_int_equal(b.message[1].length, 0);
	client_free(&a);
	client_free(&b);
}

static void retained_messages_are_kept(void **state)
{
	(void)state;
	struct client a, *one[] = {&a};
	struct sp_mqtt_config c = config("hcm/a");
	int mid;
	online(&a, &c);
	assert_int_equal(sp_mqtt_publish(a.mqtt, "kept/1", "yes", 3, true, NULL, &mid), 0);
	turn_until(one, 1, &a.acknowledged, 1);
	subscribe(&a, "kept/#");
	turn_until(one, 1, &a.messages, 1);
	assert_string_equal(a.message[0].payload, "yes");
	assert_true(a.message[0].retained);
	client_free(&a);
}

/// Also the proof that the properties of CONNECT arrive.
static void a_session_lasts_as_long_as_it_was_asked_to(void **state)
{
	(void)state;
	for (int expiry = 0; expiry <= 60; expiry += 60) {
		struct client a, *one[] = {&a};
		struct sp_mqtt_config c = config("hcm/lasting");
		c.session_expiry_seconds = expiry;
		c.clean_start = false;
		online(&a, &c);
		assert_false(a.session_present);
		subscribe(&a, "s/1");
		sp_mqtt_disconnect(a.mqtt, false);
		assert_false(sp_mqtt_connected(a.mqtt));
		assert_int_equal(client_connect(&a), 0);
		assert_int_equal(a.session_present, expiry > 0);
		assert_int_equal(a.losses, 0);
		if (expiry) {
			int mid;
			assert_int_equal(sp_mqtt_publish(a.mqtt, "s/1", "x", 1, false, NULL, &mid), 0);
			turn_until(one, 1, &a.messages, 1); // the subscription is still there
		}
		client_free(&a);
	}
}

static void the_will_follows_a_loss_and_not_a_farewell(void **state)
{
	(void)state;
	struct client watcher, a, *one[] = {&watcher};
	struct sp_mqtt_config cw = config("hcm/watcher"), c = config("hcm/mortal");
	c.will_topic = "will/mortal";
	c.will_payload = "lost";
	c.will_length = 4;
	online(&watcher, &cw);
	subscribe(&watcher, "will/#");
	for (int round = 0; round < 3; round++) {
		char word[] = "0";
		int mid;
		word[0] = (char)('0' + round);
		online(&a, &c);
		if (round == 0)
			sp_mqtt_abort(a.mqtt);
		else
			sp_mqtt_disconnect(a.mqtt, round == 1);
		assert_int_equal(a.losses, 0);
		client_free(&a);
		// A mark that comes after the will, if there is one.
		int seen = watcher.messages;
		if (round < 2) {
			turn_until(one, 1, &watcher.messages, seen + 1);
			assert_string_equal(watcher.message[seen].topic, "will/mortal");
			assert_string_equal(watcher.message[seen++].payload, "lost");
		}
		assert_int_equal(sp_mqtt_publish(watcher.mqtt, "will/mark", word, 1, false, NULL, &mid), 0);
		turn_until(one, 1, &watcher.messages, seen + 1);
		assert_string_equal(watcher.message[seen].topic, "will/mark");
		// The retained will goes, so that the next round starts clean.
		assert_int_equal(sp_mqtt_publish(watcher.mqtt, "will/mortal", "", 0, true, NULL, &mid), 0);
		turn_until(one, 1, &watcher.messages, seen + 2);
	}
	client_free(&watcher);
}

static void a_delayed_will_waits_for_the_return(void **state)
{
	(void)state;
	struct client watcher, a, *one[] = {&watcher};
	struct sp_mqtt_config cw = config("hcm/watcher"), c = config("hcm/quick");
	int mid;
	c.will_topic = "later/quick";
	c.will_payload = "lost";
	c.will_length = 4;
	c.will_delay_seconds = 600;
	c.session_expiry_seconds = 600;
	online(&watcher, &cw);
	subscribe(&watcher, "later/#");
	online(&a, &c);
	sp_mqtt_abort(a.mqtt);
	assert_int_equal(client_connect(&a), 0);
	assert_int_equal(sp_mqtt_publish(a.mqtt, "later/mark", "x", 1, false, NULL, &mid), 0);
	turn_until(one, 1, &watcher.messages, 1);
	assert_string_equal(watcher.message[0].topic, "later/mark");
	client_free(&a);
	client_free(&watcher);
}

static void many_messages_flow_both_ways(void **state)
{
	(void)state;
	enum { MANY = 3000, SIZE = 700 };
	struct client a, b, *both[] = {&a, &b};
	struct sp_mqtt_config ca = config("hcm/a"), cb = config("hcm/b");
	char payload[SIZE];
	int sent = 0, mid;
	memset(payload, 'x', sizeof(payload));
	online(&a, &ca);
	online(&b, &cb);
	subscribe(&b, "flow/+");
	while (sent < MANY) {
		int result = sp_mqtt_publish(a.mqtt, "flow/1", payload, SIZE, false, NULL, &mid);
		if (result == 0)
			sent++;
		else
			assert_int_equal(result, -ENOBUFS);
		if (result != 0)
			turn_until(both, 2, &a.acknowledged, a.acknowledged + 1);
	}
	turn_until(both, 2, &b.messages, MANY);
	turn_until(both, 2, &a.acknowledged, MANY);
	assert_int_equal(a.last_reason, 0);
	client_free(&a);
	client_free(&b);
}

/// 16-bit message ids wrap: the owner's view of what waits must survive it.
static void message_ids_wrap_around(void **state)
{
	(void)state;
	enum { MANY = 66000 };
	struct client a, *one[] = {&a};
	struct sp_mqtt_config c = config("hcm/a");
	int sent = 0, mid, smallest = 70000, largest = 0;
	online(&a, &c);
	while (sent < MANY) {
		if (sp_mqtt_publish(a.mqtt, "wrap/1", "", 0, false, NULL, &mid) == 0) {
			smallest = mid < smallest ? mid : smallest;
			largest = mid > largest ? mid : largest;
			sent++;
		} else {
			turn_until(one, 1, &a.acknowledged, sent - 10);
		}
	}
	turn_until(one, 1, &a.acknowledged, MANY);
	assert_int_equal(smallest, 1);
	assert_int_equal(largest, 65535);
	assert_int_equal(a.losses, 0);
	client_free(&a);
}

static void leave_in_callback(struct client *client)
{
	sp_mqtt_disconnect(client->mqtt, false);
	assert_false(sp_mqtt_connected(client->mqtt));
}

static void abort_in_callback(struct client *client)
{
	sp_mqtt_abort(client->mqtt);
}

static void an_owner_may_leave_within_a_callback(void **state)
{
	(void)state;
	for (int round = 0; round < 2; round++) {
		struct client a, *one[] = {&a};
		struct sp_mqtt_config c = config("hcm/a");
		int mid;
		online(&a, &c);
		a.on_message = round ? leave_in_callback : abort_in_callback;
		subscribe(&a, "end/1");
		assert_int_equal(sp_mqtt_publish(a.mqtt, "end/1", "x", 1, false, NULL, &mid), 0);
		turn_until(one, 1, &a.messages, 1);
		client_turn(&a);
		assert_false(sp_mqtt_connected(a.mqtt));
		assert_int_equal(a.losses, 0);
		assert_int_equal(sp_mqtt_publish(a.mqtt, "end/1", "x", 1, false, NULL, &mid), -ENOTCONN);
		assert_int_equal(client_connect(&a), 0);
		client_free(&a);
	}
}

static void a_second_with_the_same_client_id_ends_the_first(void **state)
{
	(void)state;
	struct client a, b, *one[] = {&a};
	struct sp_mqtt_config c = config("hcm/same");
	online(&a, &c);
	online(&b, &c);
	turn_until(one, 1, &a.losses, 1);
	// Mosquitto up to 2.0 hangs up without a word; later ones say "session taken over".
	assert_true(a.loss_reason == -ECONNRESET || a.loss_reason == 0x8E);
	client_free(&a);
	client_free(&b);
}

static void a_broker_that_dies_is_a_loss(void **state)
{
	(void)state;
	struct broker mortal;
	struct client a, *one[] = {&a};
	struct sp_mqtt_config c = config("hcm/a");
	int mid;
	broker_start(&mortal, dir, "");
	c.port = mortal.port;
	online(&a, &c);
	broker_stop(&mortal);
	turn_until(one, 1, &a.losses, 1);
	assert_true(a.loss_reason < 0);
	assert_int_equal(sp_mqtt_publish(a.mqtt, "t", "x", 1, false, NULL, &mid), -ENOTCONN);
	assert_int_equal(sp_mqtt_subscribe(a.mqtt, "t"), -ENOTCONN);
	// Nobody there now: at once or a moment later, but always with words.
	assert_int_equal(client_connect(&a), -ECONNREFUSED);
	assert_non_null(strstr(a.text, "Connection refused"));
	assert_int_equal(a.losses, 1);
	client_free(&a);
}

static void a_broker_may_refuse(void **state)
{
	(void)state;
	struct broker strict;
	struct client a;
	char more[200];
	snprintf(more, sizeof(more), "password_file %s/none.pw\n", dir);
	char *command = sp_asprintf("touch %s/none.pw", dir);
	assert_int_equal(system(command), 0);
	free(command);
	broker_start(&strict, dir, more);
	// The last word counts in its configuration.
	struct sp_mqtt_config c = config("hcm/a");
	c.port = strict.port;
	c.username = "nobody";
	c.password = "wrong";
	client_new(&a, &c);
	assert_int_equal(client_connect(&a), 0x87);
	assert_non_null(strstr(a.text, "Not authorized"));
	assert_int_equal(a.losses, 0);
	client_free(&a);
	broker_stop(&strict);
}

static void names_are_resolved_and_addresses_tried_in_turn(void **state)
{
	(void)state;
	struct client a;
	struct sp_mqtt_config c = config("hcm/a");
	c.host = "localhost"; // often ::1 first, where nobody listens
	online(&a, &c);
	client_free(&a);
	c.host = "no-such-host.invalid";
	client_new(&a, &c);
	assert_true(client_connect(&a) < 0);
	assert_non_null(strstr(a.text, "no-such-host.invalid"));
	client_free(&a);
}

static void a_wake_up_ends_a_turn(void **state)
{
	(void)state;
	struct client a;
	struct sp_mqtt_config c = config("hcm/a");
	uint64_t one = 1;
	int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	client_new(&a, &c);
	assert_int_equal(write(wake, &one, sizeof(one)), sizeof(one));
	sp_mqtt_turn(a.mqtt, INT64_C(3600) * 1000000, wake); // an hour, if it were not woken
	assert_int_equal(read(wake, &one, sizeof(one)), -1); // and drained
	assert_int_equal(client_connect(&a), 0);
	one = 1;
	assert_int_equal(write(wake, &one, sizeof(one)), sizeof(one));
	for (int i = 0; i < 3 && read(wake, &one, sizeof(one)) == 0; i++)
		sp_mqtt_turn(a.mqtt, INT64_C(3600) * 1000000, wake);
	close(wake);
	client_free(&a);
}

/// Each turn may take an hour: whatever is not brought to the broker at once, ends the attempt.
static void no_turn_waits_with_something_to_do(void **state)
{
	(void)state;
	struct client a;
	struct sp_mqtt_config c = config("hcm/a");
	char why[256];
	int mid;
	client_new(&a, &c);
	assert_int_equal(sp_mqtt_connect(a.mqtt, why), 0);
	while (a.answers == 0)
		sp_mqtt_turn(a.mqtt, INT64_C(3600) * 1000000, -1);
	assert_int_equal(a.reason, 0);
	assert_int_equal(sp_mqtt_subscribe(a.mqtt, "hour/+"), 0);
	assert_int_equal(sp_mqtt_publish(a.mqtt, "hour/1", "x", 1, false, NULL, &mid), 0);
	while (a.messages == 0 && a.losses == 0)
		sp_mqtt_turn(a.mqtt, INT64_C(3600) * 1000000, -1);
	assert_int_equal(a.losses, 0);
	client_free(&a);
}

static void connecting_and_leaving_leaves_nothing_behind(void **state)
{
	(void)state;
	struct client a;
	struct sp_mqtt_config c = config("hcm/a");
	char why[256];
	client_new(&a, &c);
	for (int i = 0; i < 60; i++) {
		int mid;
		assert_int_equal(sp_mqtt_connect(a.mqtt, why), 0);
		assert_int_equal(sp_mqtt_connect(a.mqtt, why), -EALREADY);
		for (int j = 0; j < i % 4; j++)
			client_turn(&a);
		if (i % 5 == 4) {
			struct client *one[] = {&a};
			turn_until(one, 1, &a.answers, a.answers + !sp_mqtt_connected(a.mqtt));
			assert_int_equal(sp_mqtt_publish(a.mqtt, "t", "x", 1, false, "text/plain", &mid), 0);
			assert_int_equal(sp_mqtt_subscribe(a.mqtt, "t"), 0);
		}
		if (i % 3 == 0)
			sp_mqtt_abort(a.mqtt);
		else
			sp_mqtt_disconnect(a.mqtt, i % 3 == 1);
		assert_false(sp_mqtt_connected(a.mqtt));
	}
	assert_int_equal(a.losses, 0);
	client_free(&a);
	sp_mqtt_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_message_goes_round_with_its_content_type),
	    cmocka_unit_test(retained_messages_are_kept),
	    cmocka_unit_test(a_session_lasts_as_long_as_it_was_asked_to),
	    cmocka_unit_test(the_will_follows_a_loss_and_not_a_farewell),
	    cmocka_unit_test(a_delayed_will_waits_for_the_return),
	    cmocka_unit_test(many_messages_flow_both_ways),
	    cmocka_unit_test(message_ids_wrap_around),
	    cmocka_unit_test(an_owner_may_leave_within_a_callback),
	    cmocka_unit_test(a_second_with_the_same_client_id_ends_the_first),
	    cmocka_unit_test(a_broker_that_dies_is_a_loss),
	    cmocka_unit_test(a_broker_may_refuse),
	    cmocka_unit_test(names_are_resolved_and_addresses_tried_in_turn),
	    cmocka_unit_test(a_wake_up_ends_a_turn),
	    cmocka_unit_test(no_turn_waits_with_something_to_do),
	    cmocka_unit_test(connecting_and_leaving_leaves_nothing_behind),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
