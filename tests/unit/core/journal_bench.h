// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the tests of the journal's thread share: the side of main, that posts answers and hears news, and
// waiting for them.
#pragma once

#include <pthread.h>

#include "agent/core/journal/journal.h"
#include "tests/unit/core/journal_util.h"

enum { PATIENCE_US = 60 * 1000 * 1000 };

extern struct test_place place;
extern struct sp_deadline deadline;

/// Main's side: what was posted and how often there was news.
struct seen {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	int posts, good, bad, last, news;
};
extern struct seen seen;

/// The last answer to a fetch, or about what is held.
struct got {
	struct sp_journal_batch **batches;
	size_t count;
	struct sp_feed_held held[SP_FEED_HELD_MAX];
	size_t held_count;
	int answers;
};
extern struct got got;

int bench_setup(void **state);
int bench_teardown(void **state);

struct sp_journal_config thread_config(void);
struct sp_journal *bench_open_with(const struct sp_journal_config *config);
struct sp_journal *bench_open(void);
int append(struct sp_journal *journal, enum sp_record_class cls, int64_t n, size_t fill,
	   sp_journal_done_fn fn);
/// An sp_journal_done_fn that counts in `seen`.
void count_answer(void *arg, int result);
/// Until the counter, one of `seen` or `got`, has come that far; the test fails after 60 s.
void wait_for(const int *counter, int wanted);
struct sp_journal_status until_state(struct sp_journal *journal, int state);

/// Fetches into `got`, and waits for it; the caller lets go.
void fetch(struct sp_journal *journal, enum sp_lane lane, int64_t after, size_t max);
void let_go(void);
/// For sp_journal_held(): into `got`, its count 999 when the journal could not tell.
void keep_held(void *arg, const struct sp_feed_held *streams, size_t count);
