// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The bench of the publisher.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <poll.h>
#include <stdlib.h>

#include "schoolpulse/clock.h"
#include "tests/unit/core/publisher_bench.h"

struct test_place place;
struct broker broker;
struct fake_hub hub;
struct sp_journal *journal;
struct sp_publisher *publisher;
static _Atomic(struct sp_publisher *) customer;
static struct sp_deadline journal_deadline = {.thread = "journal"}, deadline = {.thread = "publisher"};
_Atomic int changes;

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

void bench_open_journal(void)
{
	const struct sp_journal_config config = {.path = place.file,
						 .cap_bytes = 16 << 20,
						 .bulk_commit_ms = 50,
						 .group_commit_ms = 10,
						 .keep_acked_ms = 86400000,
						 .keep_attendance_ms = 86400000,
						 .boot = TEST_BOOT};
	const struct sp_journal_customers customers = {.post = post, .news = news};
	assert_int_equal(sp_journal_open(&journal, &config, &customers, &journal_deadline), 0);
}

struct sp_publisher_config bench_config(uint16_t port)
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

void bench_start_with(const struct sp_publisher_config *config)
{
	assert_int_equal(sp_publisher_start(&publisher, config, journal, &deadline, changed, NULL), 0);
	customer = publisher;
}

void bench_start(void)
{
	struct sp_publisher_config config = bench_config(broker.port);
	bench_start_with(&config);
}

void append(enum sp_record_class cls, int n, int count)
{
	for (int i = 0; i < count; i++) {
		char *record = test_record(n + i, 20);
		assert_int_equal(sp_journal_append(journal, cls, record, NULL, NULL), 0);
		free(record);
	}
}

void bench_stop(void)
{
	assert_int_equal(sp_publisher_stop(publisher, 10000), 0);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
	customer = NULL;
	sp_publisher_free(publisher);
	publisher = NULL;
	journal = NULL;
}

struct sp_publisher_status until_status(bool (*good)(const struct sp_publisher_status *s), const char *what)
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

int64_t unsettled(void)
{
	struct sp_journal_status status;
	sp_journal_status(journal, &status);
	return status.unsettled[0] + status.unsettled[1] + status.unsettled[2];
}

void until_settled(int64_t wanted)
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

int bench_setup(void **state)
{
	(void)state;
	test_place_make(&place);
	broker_start(&broker, place.dir, "");
	bench_open_journal();
	return 0;
}

int bench_teardown(void **state)
{
	(void)state;
	broker_stop(&broker);
	test_place_remove(&place);
	return 0;
}

bool hub_ready(struct fake_hub *h, int unused)
{
	(void)unused;
	return h->renewed == 1;
}

bool is_connected(const struct sp_publisher_status *s)
{
	return s->connected && s->hub_online;
}

bool is_down(const struct sp_publisher_status *s)
{
	return !s->connected && s->reason[0];
}

void bench_start_hub(bool acks)
{
	fake_hub_start(&hub, broker.port, true, acks);
	fake_hub_until(&hub, hub_ready, 0, "the hub's first state");
}
