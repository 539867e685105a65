// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the tests of the journal's file share: opening it, and the hub's word.
#pragma once

#include "tests/unit/core/journal_util.h"

extern struct test_place place;

int bench_setup(void **state);
int bench_teardown(void **state);

struct sp_journal_store *bench_open_with(const struct sp_journal_store_config *config, int64_t now_ms);
struct sp_journal_store *bench_open(void);
struct sp_feed_ack ack_of(const char *stream, int64_t upto);
/// Whether it unsettled something.
bool apply(struct sp_journal_store *store, const struct sp_feed_ack *ack);
/// Records of all classes.
int64_t unsettled(const struct sp_journal_store *store);
