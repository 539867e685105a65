// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Boards that come back with a backlog, by several connections to a real broker, as fast as it takes them.
// Told to wait for the hub, it ends when all of it is acknowledged, which means committed; else when the
// broker has all of it.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/base/mem.h"
#include "agent/base/mqtt.h"
#include "schoolpulse/clock.h"
#include "tests/bench/hub_payload.h"

enum { CONNECTIONS = 8, BOARDS = 25 /* each */, PATIENCE_US = 120 * 1000000 };

struct sender {
	pthread_t thread;
	int number;
	char prefix[16];
	uint16_t port;
	bool hub, connected, failed;
	struct bench_feed feed;
	struct payload *payloads;
	int64_t settled[BOARDS];
	unsigned sent, taken;
	struct sp_mqtt *mqtt;
};

static void on_connected(void *arg, int reason, const char *text, bool present)
{
	struct sender *s = arg;
	(void)present;
	s->connected = reason == 0;
	s->failed = reason != 0;
	if (reason != 0)
		fprintf(stderr, "bench_hub_load: %s\n", text);
}

static void on_disconnected(void *arg, int reason, const char *text)
{
	struct sender *s = arg;
	(void)reason;
	fprintf(stderr, "bench_hub_load: %s\n", text);
	s->failed = true;
}

static void on_acknowledged(void *arg, int mid, int reason)
{
	struct sender *s = arg;
	(void)mid;
	s->taken++;
	if (reason >= 0x80)
		fprintf(stderr, "bench_hub_load: refused 0x%02x\n", reason);
	s->failed |= reason >= 0x80;
}

static void on_subscribed(void *arg, const char *topic, int reason)
{
	struct sender *s = arg;
	(void)topic;
	s->failed |= reason >= 0x80;
}

static void on_message(void *arg, const struct sp_mqtt_message *message)
{
	struct sender *s = arg;
	struct sp_feed_ack ack;
	char why[128];
	if (sp_feed_ack_decode(&ack, message->payload, message->length, why) != SP_FEED_OK)
		return;
	for (unsigned i = 0; i < BOARDS; i++) {
		if (strcmp(s->feed.streams[i], ack.stream) == 0 && ack.upto > s->settled[i])
			s->settled[i] = ack.upto;
	}
}

static bool is_done(const struct sender *s)
{
	if (s->taken < s->feed.messages)
		return false;
	for (unsigned i = 0; s->hub && i < BOARDS; i++) {
		if (s->settled[i] < (int64_t)(s->feed.messages / BOARDS) * BENCH_RECORDS)
			return false;
	}
	return true;
}

static void publish(struct sender *s)
{
	while (s->connected && s->sent < s->feed.messages) {
		const struct payload *p = &s->payloads[s->sent];
		char topic[96];
		int mid;
		snprintf(topic, sizeof(topic), "sp1/up/bench/%s/bulk", p->device);
		int result =
		    sp_mqtt_publish(s->mqtt, topic, p->bytes, p->length, false, SP_FEED_DEFLATED, &mid);
		if (result == -ENOBUFS)
			return;
		if (result < 0)
			fprintf(stderr, "bench_hub_load: %s: %s\n", topic, strerror(-result));
		s->failed |= result < 0;
		s->sent++;
	}
}

static void *run(void *arg)
{
	struct sender *s = arg;
	int64_t until = sp_clock_mono_us() + PATIENCE_US;
	while (!s->failed && !is_done(s)) {
		publish(s);
		sp_mqtt_turn(s->mqtt, 100000, -1);
		if (sp_clock_mono_us() > until) {
			fprintf(stderr, "bench_hub_load: too late\n");
			s->failed = true;
		}
	}
	return NULL;
}

static void prepare(struct sender *s, int number, uint16_t port, bool hub, unsigned messages)
{
	static const struct sp_mqtt_events events = {on_connected, on_disconnected, on_acknowledged,
						     on_subscribed, on_message};
	char id[32], why[256] = "", topic[96];
	*s = (struct sender){.number = number, .port = port, .hub = hub};
	snprintf(s->prefix, sizeof(s->prefix), "board-%d", number);
	s->feed = bench_feed_new(s->prefix, BOARDS, messages, sp_clock_now().wall_ms);
	s->payloads = sp_alloc(messages * sizeof(*s->payloads));
	for (unsigned i = 0; i < messages; i++)
		s->payloads[i] = bench_payload(&s->feed, i);
	snprintf(id, sizeof(id), "load-%d", number);
	const struct sp_mqtt_config config = {
	    .host = "127.0.0.1", .port = port, .client_id = id, .keepalive_seconds = 60, .clean_start = true};
	s->mqtt = sp_mqtt_new(&config, &events, s, why);
	if (!s->mqtt || sp_mqtt_connect(s->mqtt, why) < 0) {
		fprintf(stderr, "bench_hub_load: %s\n", why);
		exit(1);
	}
	while (!s->connected && !s->failed)
		sp_mqtt_turn(s->mqtt, 100000, -1);
	for (unsigned i = 0; hub && i < BOARDS; i++) {
		snprintf(topic, sizeof(topic), "sp1/down/bench/%s-%u/ack", s->prefix, i);
		int result = sp_mqtt_subscribe(s->mqtt, topic);
		if (result < 0)
			fprintf(stderr, "bench_hub_load: %s: %s\n", topic, strerror(-result));
		s->failed |= result < 0;
		sp_mqtt_turn(s->mqtt, 1000, -1);
	}
}

int main(int argc, char **argv)
{
	static struct sender senders[CONNECTIONS];
	if (argc != 4 || (strcmp(argv[3], "hub") != 0 && strcmp(argv[3], "broker") != 0)) {
		fputs("usage: bench_hub_load PORT MESSAGES hub|broker    (whose word is waited for)\n",
		      stderr);
		return 2;
	}
	unsigned each = (unsigned)atoi(argv[2]) / CONNECTIONS / BOARDS * BOARDS;
	bool failed = each == 0;
	sp_mqtt_library_init();
	for (int i = 0; i < CONNECTIONS; i++)
		prepare(&senders[i], i, (uint16_t)atoi(argv[1]), strcmp(argv[3], "hub") == 0, each);
	int64_t start = sp_clock_mono_us();
	for (int i = 0; i < CONNECTIONS; i++)
		failed |= pthread_create(&senders[i].thread, NULL, run, &senders[i]) != 0;
	for (int i = 0; i < CONNECTIONS && !failed; i++) {
		pthread_join(senders[i].thread, NULL);
		failed |= senders[i].failed;
	}
	double seconds = (double)(sp_clock_mono_us() - start) / 1e6;
	if (failed) {
		fputs("bench_hub_load: not all of it arrived\n", stderr);
		return 1;
	}
	printf("%.0f\n", (double)each * CONNECTIONS * BENCH_RECORDS / seconds);
	return 0;
}
