// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Notes what an MQTT session tells its owner, and turns it until a test has what it waits for.
#include "tests/unit/base/mqtt_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "schoolpulse/clock.h"

static void on_connected(void *arg, int reason, const char *text, bool session_present)
{
	struct client *c = arg;
	c->answers++;
	c->reason = reason;
	c->session_present = session_present;
	snprintf(c->text, sizeof(c->text), "%s", text);
	assert_true((reason == 0) == (text[0] == '\0'));
}

static void on_disconnected(void *arg, int reason, const char *text)
{
	struct client *c = arg;
	c->losses++;
	c->loss_reason = reason;
	assert_int_not_equal(reason, 0);
	assert_true(text[0] != '\0');
	snprintf(c->text, sizeof(c->text), "%s", text);
}

static void on_acknowledged(void *arg, int mid, int reason)
{
	struct client *c = arg;
	c->acknowledged++;
	c->last_mid = mid;
	c->last_reason = reason;
}

static void on_subscribed(void *arg, const char *topic, int reason)
{
	struct client *c = arg;
	c->subscribed++;
	c->subscribe_reason = reason;
	snprintf(c->topic, sizeof(c->topic), "%s", topic);
}

static void on_message(void *arg, const struct sp_mqtt_message *m)
{
	struct client *c = arg;
	int at = c->messages++ % CLIENT_MESSAGES;
	snprintf(c->message[at].topic, sizeof(c->message[at].topic), "%s", m->topic);
	snprintf(c->message[at].payload, sizeof(c->message[at].payload), "%.*s", (int)m->length,
		 (const char *)m->payload);
	snprintf(c->message[at].content_type, sizeof(c->message[at].content_type), "%s", m->content_type);
	c->message[at].length = m->length;
	c->message[at].retained = m->retained;
	errno = EAGAIN; // what an owner leaves behind must not stop the reading
	if (c->on_message)
		c->on_message(c);
}

static const struct sp_mqtt_events events = {on_connected, on_disconnected, on_acknowledged, on_subscribed,
					     on_message};

void client_new(struct client *client, const struct sp_mqtt_config *config)
{
	char why[256];
	memset(client, 0, sizeof(*client));
	client->mqtt = sp_mqtt_new(config, &events, client, why);
	if (!client->mqtt)
		fail_msg("%s", why);
}

void client_free(struct client *client)
{
	sp_mqtt_free(client->mqtt);
}

void client_turn(struct client *client)
{
	sp_mqtt_turn(client->mqtt, 0, -1);
}

static int64_t real_seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

void turn_until(struct client *const *clients, int count, const int *counter, int wanted)
{
	int64_t until = real_seconds() + 30;
	while (*counter < wanted) {
		if (real_seconds() >= until)
			fail_msg("waited in vain for %d, have %d: %s", wanted, *counter, clients[0]->text);
		for (int i = 0; i < count; i++)
			sp_mqtt_turn(clients[i]->mqtt, count > 1 ? 1000 : 50000, -1);
	}
}

int client_connect(struct client *client)
{
	char why[256] = "";
	int wanted = client->answers + 1, result = sp_mqtt_connect(client->mqtt, why);
	if (result == 0) {
		turn_until(&client, 1, &client->answers, wanted);
		return client->reason;
	}
	assert_true(why[0] != '\0');
	snprintf(client->text, sizeof(client->text), "%s", why);
	return result;
}

// ---- the clock ----------------------------------------------------------------------------------------

static int64_t forward_us;

static void read_clock(void *arg, struct sp_clock_reading *out)
{
	struct timespec now;
	(void)arg;
	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	memset(out, 0, sizeof(*out));
	out->mono_us = now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000 + forward_us;
}

static const struct sp_clock_source source = {read_clock, NULL};

void virtual_clock(void)
{
	sp_clock_set_source(&source);
}

void real_clock(void)
{
	sp_clock_set_source(NULL);
}

void clock_forward(int64_t seconds)
{
	forward_us += seconds * 1000000;
}
