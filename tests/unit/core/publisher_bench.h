// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the tests of the publisher share: a real mosquitto, a journal, a publisher and a hub. bench_setup()
// starts the broker and opens the journal.
#pragma once

#include "agent/core/publisher/publisher.h"
#include "tests/unit/base/mqtt_peer.h"
#include "tests/unit/core/fake_hub.h"
#include "tests/unit/core/journal_util.h"

enum { PATIENCE_US = 60 * 1000 * 1000 };

extern struct test_place place;
extern struct broker broker;
extern struct fake_hub hub;
extern struct sp_journal *journal;
extern struct sp_publisher *publisher;
extern _Atomic int changes;

int bench_setup(void **state);
int bench_teardown(void **state);

void bench_open_journal(void);
struct sp_publisher_config bench_config(uint16_t port);
void bench_start_with(const struct sp_publisher_config *config);
/// At the broker.
void bench_start(void);
/// Stops publisher and journal in the agent's order.
void bench_stop(void);
/// Until the hub has announced itself.
void bench_start_hub(bool acks);
bool hub_ready(struct fake_hub *h, int unused);

void append(enum sp_record_class cls, int n, int count);
struct sp_publisher_status until_status(bool (*good)(const struct sp_publisher_status *s), const char *what);
int64_t unsettled(void);
void until_settled(int64_t wanted);
bool is_connected(const struct sp_publisher_status *s);
bool is_down(const struct sp_publisher_status *s);
