// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The bench of the journal's thread.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "schoolpulse/clock.h"
#include "tests/unit/core/journal_bench.h"

struct test_place place;
struct seen seen = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
struct got got;
struct sp_deadline deadline = {.thread = "journal"};

static void post(void *arg, sp_journal_done_fn done, void *done_arg, int result)
{
	(void)arg;
	// The tests have no loop: run it here, under the lock that the waiting side holds.
	pthread_mutex_lock(&seen.mutex);
	done(done_arg, result);
	pthread_cond_broadcast(&seen.changed);
	pthread_mutex_unlock(&seen.mutex);
}

static void news(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&seen.mutex);
	seen.news++;
	pthread_cond_broadcast(&seen.changed);
	pthread_mutex_unlock(&seen.mutex);
}

void count_answer(void *arg, int result)
{
	(void)arg;
	seen.posts++;
	seen.last = result;
	if (result == 0)
		seen.good++;
	else
		seen.bad++;
}

void wait_for(const int *counter, int wanted)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	pthread_mutex_lock(&seen.mutex);
	while (*counter < wanted)
		assert_int_equal(pthread_cond_timedwait(&seen.changed, &seen.mutex, &until), 0);
	pthread_mutex_unlock(&seen.mutex);
}

struct sp_journal_config thread_config(void)
{
	return (struct sp_journal_config){.path = place.file,
					  .cap_bytes = 16 << 20,
					  .bulk_commit_ms = 3600 * 1000,
					  .group_commit_ms = 20,
					  .keep_acked_ms = 86400000,
					  .keep_attendance_ms = 86400000,
					  .boot = TEST_BOOT};
}

struct sp_journal *bench_open_with(const struct sp_journal_config *config)
{
	const struct sp_journal_customers customers = {.post = post, .news = news};
	struct sp_journal *journal;
	seen.posts = seen.good = seen.bad = seen.last = seen.news = 0;
	assert_int_equal(sp_journal_open(&journal, config, &customers, &deadline), 0);
	return journal;
}

struct sp_journal *bench_open(void)
{
	struct sp_journal_config config = thread_config();
	return bench_open_with(&config);
}

int append(struct sp_journal *journal, enum sp_record_class cls, int64_t n, size_t fill,
	   sp_journal_done_fn fn)
{
	char *record = test_record(n, fill);
	int result = sp_journal_append(journal, cls, record, fn, NULL);
	free(record);
	return result;
}

struct sp_journal_status until_state(struct sp_journal *journal, int state)
{
	struct sp_journal_status status;
	int64_t end = sp_clock_mono_us() + PATIENCE_US;
	do {
		sp_journal_status(journal, &status);
		if ((int)status.state == state)
			return status;
		poll(NULL, 0, 5);
	} while (sp_clock_mono_us() < end);
	fail_msg("state %d instead of %d (error %d)", status.state, state, status.error);
	return status;
}

int bench_setup(void **state)
{
	(void)state;
	test_place_make(&place);
	return 0;
}

int bench_teardown(void **state)
{
	(void)state;
	test_place_remove(&place);
	return 0;
}

static void fetched(void *arg, enum sp_lane lane, struct sp_journal_batch **batches, size_t count)
{
	(void)arg;
	(void)lane;
	pthread_mutex_lock(&seen.mutex);
	got.batches = batches;
	got.count = count;
	got.answers++;
	pthread_cond_broadcast(&seen.changed);
	pthread_mutex_unlock(&seen.mutex);
}

void keep_held(void *arg, const struct sp_feed_held *streams, size_t count)
{
	(void)arg;
	pthread_mutex_lock(&seen.mutex);
	if (streams)
		memcpy(got.held, streams, count * sizeof(*streams));
	got.held_count = streams ? count : 999;
	got.answers++;
	pthread_cond_broadcast(&seen.changed);
	pthread_mutex_unlock(&seen.mutex);
}

void fetch(struct sp_journal *journal, enum sp_lane lane, int64_t after, size_t max)
{
	got.answers = 0;
	sp_journal_fetch(journal, lane, after, max, fetched, NULL);
	wait_for(&got.answers, 1);
}

void let_go(void)
{
	for (size_t i = 0; i < got.count; i++)
		sp_journal_batch_free(got.batches[i]);
	free(got.batches);
}
