// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The journal's thread: grouping, answers, states and their ends, and kill -9 in the middle of it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/core/journal.h"
#include "schoolpulse/clock.h"
#include "tests/unit/core/journal_util.h"

enum { PATIENCE_US = 60 * 1000 * 1000 };

static struct test_place place;

/// Main's side: what was posted and how often there was news.
static struct {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	int posts, good, bad, last, news;
} seen = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

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

static void done(void *arg, int result)
{
	(void)arg;
	seen.posts++;
	seen.last = result;
	if (result == 0)
		seen.good++;
	else
		seen.bad++;
}

static void wait_for(const int *counter, int wanted)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	pthread_mutex_lock(&seen.mutex);
	while (*counter < wanted)
		assert_int_equal(pthread_cond_timedwait(&seen.changed, &seen.mutex, &until), 0);
	pthread_mutex_unlock(&seen.mutex);
}

static struct sp_deadline deadline = {.thread = "journal"};

static struct sp_journal_config thread_config(void)
{
	return (struct sp_journal_config){.path = place.file,
					  .cap_bytes = 16 << 20,
					  .bulk_commit_ms = 3600 * 1000,
					  .group_commit_ms = 20,
					  .keep_acked_ms = 86400000,
					  .boot = TEST_BOOT};
}

static struct sp_journal *open_with(const struct sp_journal_config *config)
{
	const struct sp_journal_customers customers = {.post = post, .news = news};
	struct sp_journal *journal;
	seen.posts = seen.good = seen.bad = seen.last = seen.news = 0;
	assert_int_equal(sp_journal_open(&journal, config, &customers, &deadline), 0);
	return journal;
}

static struct sp_journal *open_here(void)
{
	struct sp_journal_config config = thread_config();
	return open_with(&config);
}

static int append(struct sp_journal *journal, enum sp_record_class cls, int64_t n, size_t fill,
		  sp_journal_done_fn fn)
{
	char *record = test_record(n, fill);
	int result = sp_journal_append(journal, cls, record, fn, NULL);
	free(record);
	return result;
}

static struct sp_journal_status until_state(struct sp_journal *journal, int state)
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

static int setup(void **state)
{
	(void)state;
	test_place_make(&place);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	test_place_remove(&place);
	return 0;
}

// ---- fetching ------------------------------------------------------------------------------------------

static struct {
	struct sp_journal_batch **batches;
	size_t count;
	struct sp_feed_held held[SP_FEED_HELD_MAX];
	size_t held_count;
	int answers;
} got;

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

static void held(void *arg, const struct sp_feed_held *streams, size_t count)
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

static void fetch(struct sp_journal *journal, enum sp_lane lane, int64_t after, size_t max)
{
	got.answers = 0;
	sp_journal_fetch(journal, lane, after, max, fetched, NULL);
	wait_for(&got.answers, 1);
}

static void let_go(void)
{
	for (size_t i = 0; i < got.count; i++)
		sp_journal_batch_free(got.batches[i]);
	free(got.batches);
}

// ---- grouping ------------------------------------------------------------------------------------------

static void test_facts_are_committed_and_told(void **state)
{
	(void)state;
	struct sp_journal *journal = open_here();
	for (int i = 0; i < 50; i++)
		assert_int_equal(append(journal, SP_RECORD_FACTS, i, 0, done), 0);
	wait_for(&seen.good, 50);
	struct sp_journal_status status;
	sp_journal_status(journal, &status);
	assert_int_equal(status.state, SP_JOURNAL_WRITABLE);
	assert_int_equal(status.unsettled[SP_RECORD_FACTS], 51);
	assert_int_equal(status.committed, 51);
	assert_int_equal(status.waiting, 0);
	wait_for(&seen.news, 2); // opened, committed
	assert_int_equal(sp_journal_close(journal, 60000), 0);
}

static void test_bulk_waits_and_is_committed_at_the_clean_close(void **state)
{
	(void)state;
	struct sp_journal *journal = open_here();
	for (int i = 0; i < 20; i++)
		assert_int_equal(append(journal, SP_RECORD_BULK, i, 0, done), 0);
	assert_int_equal(append(journal, SP_RECORD_FACTS, 100, 0, done), 0);
	wait_for(&seen.good, 1);
	struct sp_journal_status status;
	sp_journal_status(journal, &status);
	assert_int_equal(status.waiting, 20);
	assert_int_equal(status.unsettled[SP_RECORD_BULK], 0);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
	assert_int_equal(seen.good, 21);
	journal = open_here();
	char *clean = sp_journal_get(journal, SP_JOURNAL_CLEAN);
	assert_non_null(clean);
	assert_string_equal(clean, TEST_BOOT);
	free(clean);
	fetch(journal, SP_LANE_BACKLOG, 0, 8);
	assert_int_equal(got.count, 2);
	assert_int_equal(got.batches[1]->envelope.cls, SP_RECORD_BULK);
	assert_int_equal(got.batches[1]->envelope.last, 21); // one batch
	let_go();
	assert_int_equal(sp_journal_close(journal, 60000), 0);
}

static void test_much_bulk_does_not_wait(void **state)
{
	(void)state;
	struct sp_journal *journal = open_here();
	for (int i = 0; i < 40; i++)
		assert_int_equal(append(journal, SP_RECORD_BULK, i, 8000, done), 0);
	wait_for(&seen.good, 20);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
	assert_int_equal(seen.good, 40);
}

static void test_bulk_and_attendance_come_when_due(void **state)
{
	(void)state;
	struct sp_journal_config config = thread_config();
	config.bulk_commit_ms = 50;
	struct sp_journal *journal = open_with(&config);
	assert_int_equal(append(journal, SP_RECORD_BULK, 1, 0, done), 0);
	wait_for(&seen.good, 1);
	assert_int_equal(append(journal, SP_RECORD_ATTENDANCE, 2, 0, done), 0);
	assert_int_equal(append(journal, SP_RECORD_ATTENDANCE, 3, 0, done), 0);
	wait_for(&seen.good, 3);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
}

static void test_small_state_and_get(void **state)
{
	(void)state;
	struct sp_journal *journal = open_here();
	char *none = sp_journal_get(journal, "outages");
	assert_null(none);
	assert_int_equal(sp_journal_put(journal, "outages", "[1]", done, NULL), 0);
	assert_int_equal(sp_journal_put(journal, "outages", "[1,2]", done, NULL), 0);
	wait_for(&seen.good, 2);
	char *large = sp_alloc(64 * 1024 + 2);
	memset(large, 'x', 64 * 1024 + 1);
	assert_int_equal(sp_journal_put(journal, "outages", large, NULL, NULL), -EINVAL);
	free(large);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
	journal = open_here();
	char *value = sp_journal_get(journal, "outages");
	assert_non_null(value);
	assert_string_equal(value, "[1,2]");
	free(value);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
}

static void test_ack_settles_and_status_follows(void **state)
{
	(void)state;
	struct sp_journal *journal = open_here();
	struct sp_journal_status status;
	assert_int_equal(append(journal, SP_RECORD_FACTS, 1, 0, done), 0);
	wait_for(&seen.good, 1);
	got.answers = 0;
	sp_journal_held(journal, held, NULL);
	wait_for(&got.answers, 1);
	assert_int_equal(got.held_count, 1);
	assert_int_equal(got.held[0].newest, 2);
	struct sp_feed_ack ack = {.upto = 2};
	strcpy(ack.stream, got.held[0].stream);
	sp_journal_ack(journal, &ack);
	fetch(journal, SP_LANE_LIVE, 0, 4);
	assert_int_equal(got.count, 0);
	let_go();
	int64_t end = sp_clock_mono_us() + PATIENCE_US;
	do {
		sp_journal_status(journal, &status);
	} while (status.settled_seq != 2 && sp_clock_mono_us() < end);
	assert_int_equal(status.settled_seq, 2);
	assert_int_equal(status.unsettled[SP_RECORD_FACTS], 0);
	// A restored hub takes it back, and that is news.
	int before = seen.news;
	ack.upto = 0;
	sp_journal_ack(journal, &ack);
	wait_for(&seen.news, before + 1);
	fetch(journal, SP_LANE_LIVE, 0, 4);
	assert_int_equal(got.count, 1);
	sp_journal_settle(journal, got.batches[0]->id);
	let_go();
	fetch(journal, SP_LANE_LIVE, 0, 4);
	assert_int_equal(got.count, 0);
	let_go();
	assert_int_equal(sp_journal_close(journal, 60000), 0);
}

static void test_invalid_records_are_refused(void **state)
{
	(void)state;
	struct sp_journal *journal = open_here();
	char *large = sp_alloc(SP_FEED_RECORD_MAX + 3);
	memset(large, '{', SP_FEED_RECORD_MAX + 2);
	assert_int_equal(sp_journal_append(journal, SP_RECORD_FACTS, large, NULL, NULL), -EINVAL);
	assert_int_equal(sp_journal_append(journal, SP_RECORD_FACTS, "", NULL, NULL), -EINVAL);
	free(large);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
}

// ---- states -------------------------------------------------------------------------------------------

/// The largest file this process may write: a disk that can be filled and freed at will.
static void disk(rlim_t bytes)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_full_disk_is_a_state_with_an_end(void **state)
{
	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	struct sp_journal *journal = open_here();
	assert_int_equal(append(journal, SP_RECORD_FACTS, 0, 0, done), 0);
	wait_for(&seen.good, 1);
	disk(64);
	assert_int_equal(append(journal, SP_RECORD_FACTS, 1, 0, done), 0);
	assert_int_equal(append(journal, SP_RECORD_BULK, 2, 0, done), 0);
	struct sp_journal_status status = until_state(journal, SP_JOURNAL_FULL);
	assert_int_equal(status.error, ENOSPC);
	// A kiosk is told at once; the others wait.
	assert_int_equal(append(journal, SP_RECORD_ATTENDANCE, 3, 0, done), 0);
	wait_for(&seen.bad, 1);
	assert_int_equal(seen.last, -ENOSPC);
	assert_int_equal(seen.good, 1);
	// More than memory may hold is refused and counted.
	int refused = 0;
	for (int i = 0; i < 200; i++)
		refused += append(journal, SP_RECORD_BULK, 1000 + i, 12000, NULL) == -ENOBUFS;
	assert_in_range(refused, 50, 199);
	disk(RLIM_INFINITY);
	until_state(journal, SP_JOURNAL_WRITABLE);
	wait_for(&seen.good, 3);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
	signal(SIGXFSZ, SIG_DFL);

	struct sp_journal_store_config config = test_config(&place);
	struct sp_journal_store *store;
	struct audit a;
	assert_int_equal(sp_journal_store_open(&store, &config, 0), 0);
	audit(&a, store, true);
	assert_int_equal(a.seen[1], 1);
	assert_int_equal(a.seen[2], 1);
	assert_int_equal(a.seen[3], 0);
	assert_int_equal(a.memory_records, refused);
	for (int i = 0, held_back = 0; i < 200; i++) {
		held_back += a.seen[1000 + i];
		assert_true(i < 199 || held_back == 200 - refused);
	}
	audit_free(&a);
	sp_journal_store_close(store);
}

static void test_missing_directory_is_a_state(void **state)
{
	(void)state;
	struct sp_journal_config config = thread_config();
	char path[200];
	snprintf(path, sizeof(path), "%s/later/journal.db", place.dir);
	config.path = path;
	struct sp_journal *journal = open_with(&config);
	char *nothing = sp_journal_get(journal, "outages");
	assert_null(nothing);
	until_state(journal, SP_JOURNAL_FAILED);
	assert_int_equal(append(journal, SP_RECORD_FACTS, 1, 0, done), 0);
	got.answers = 0;
	sp_journal_held(journal, held, NULL); // it must not say "nothing is held"
	wait_for(&got.answers, 1);
	assert_int_equal(got.held_count, 999);
	path[strlen(path) - strlen("/journal.db")] = '\0';
	assert_int_equal(mkdir(path, 0700), 0);
	wait_for(&seen.good, 1);
	until_state(journal, SP_JOURNAL_WRITABLE);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
	char command[300];
	snprintf(command, sizeof(command), "%s/journal.db", path);
	unlink(command);
	rmdir(path);
}

static void test_file_that_becomes_corrupt_is_renewed(void **state)
{
	(void)state;
	struct sp_journal *journal = open_here();
	assert_int_equal(sp_journal_put(journal, "budget", "7", done, NULL), 0);
	for (int i = 0; i < 400; i++)
		assert_int_equal(append(journal, SP_RECORD_FACTS, i, 2000, done), 0);
	wait_for(&seen.good, 401);
	// Under its feet: every page but the first is noise now, in the file and in the WAL.
	int fd = open(place.file, O_WRONLY | O_CLOEXEC);
	char noise[4096];
	memset(noise, 0xa5, sizeof(noise));
	for (int page = 1; page < 100; page++)
		assert_int_equal(pwrite(fd, noise, sizeof(noise), page * 4096), sizeof(noise));
	close(fd);
	// It may take some commits until a broken page is met; fetching meets them all.
	fetch(journal, SP_LANE_LIVE, 0, 400);
	let_go();
	assert_int_equal(append(journal, SP_RECORD_FACTS, 500, 0, done), 0);
	wait_for(&seen.good, 402);
	until_state(journal, SP_JOURNAL_WRITABLE);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
	assert_true(test_place_count(&place, "corrupt") <= 2);
	struct sp_journal_store_config config = test_config(&place);
	struct sp_journal_store *store;
	assert_int_equal(sp_journal_store_open(&store, &config, 0), 0);
	assert_false(store->set_aside);
	sp_journal_store_close(store);
}

static void test_file_moved_away_is_begun_anew(void **state)
{
	(void)state;
	struct sp_journal *journal = open_here();
	assert_int_equal(append(journal, SP_RECORD_FACTS, 1, 0, done), 0);
	wait_for(&seen.good, 1);
	assert_int_equal(unlink(place.file), 0);
	assert_int_equal(append(journal, SP_RECORD_FACTS, 2, 0, done), 0);
	wait_for(&seen.good, 2);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
	struct sp_journal_store_config config = test_config(&place);
	struct sp_journal_store *store;
	struct audit a;
	assert_int_equal(sp_journal_store_open(&store, &config, 0), 0);
	audit(&a, store, true);
	assert_int_equal(a.seen[2], 1);
	assert_true(a.set_aside);
	audit_free(&a);
	sp_journal_store_close(store);
}

static void test_deadline_is_announced_only_while_working(void **state)
{
	(void)state;
	struct sp_journal *journal = open_here();
	assert_int_equal(append(journal, SP_RECORD_FACTS, 1, 0, done), 0);
	wait_for(&seen.good, 1);
	int64_t end = sp_clock_mono_us() + PATIENCE_US;
	while (sp_deadline_overdue_us(&deadline, sp_clock_mono_us()) != 0 && sp_clock_mono_us() < end)
		poll(NULL, 0, 1);
	assert_int_equal(sp_deadline_overdue_us(&deadline, INT64_MAX / 2), 0); // idle: no promise
	assert_int_equal(sp_journal_close(journal, 60000), 0);
}

// ---- threads and kills -----------------------------------------------------------------------------------

static void *pusher(void *arg)
{
	struct sp_journal *journal = arg;
	for (int i = 0; i < 300; i++) {
		enum sp_record_class cls = (enum sp_record_class)(i % SP_RECORD_CLASSES);
		assert_int_equal(append(journal, cls, i, 100, done), 0);
		if (i % 50 == 0) {
			struct sp_journal_status status;
			assert_int_equal(sp_journal_put(journal, "state", "x", NULL, NULL), 0);
			sp_journal_status(journal, &status);
		}
	}
	return NULL;
}

static void test_many_threads_at_once(void **state)
{
	(void)state;
	struct sp_journal *journal = open_here();
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, pusher, journal), 0);
	for (int i = 0; i < 20; i++) {
		fetch(journal, SP_LANE_LIVE, 0, 4);
		if (got.count > 0)
			sp_journal_settle(journal, got.batches[0]->id);
		let_go();
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
	assert_int_equal(seen.good, 1200);
	assert_int_equal(seen.bad, 0);
}

struct told {
	int fd;
	int32_t n;
};

static _Atomic int outstanding;

static void tell(void *arg, int result)
{
	struct told *told = arg;
	outstanding--;
	if (result == 0 && write(told->fd, &told->n, sizeof(told->n)) != sizeof(told->n))
		_exit(3);
	free(told);
}

/// Journals for ever and tells, through the pipe, what it was told to be on the card.
static void child_life(int fd, int32_t n)
{
	struct sp_journal_config config = thread_config();
	config.bulk_commit_ms = 5;
	config.group_commit_ms = 1;
	struct sp_journal *journal = open_with(&config);
	for (;; n++) {
		struct told *told = sp_alloc(sizeof(*told));
		*told = (struct told){.fd = fd, .n = n};
		char *record = test_record(n, 200);
		enum sp_record_class cls = (enum sp_record_class)(n % SP_RECORD_CLASSES);
		outstanding++;
		if (sp_journal_append(journal, cls, record, tell, told) != 0)
			_exit(4);
		free(record);
		while (outstanding > 100)
			poll(NULL, 0, 1);
	}
}

static void test_kill_9_loses_nothing_that_was_told(void **state)
{
	(void)state;
	enum { KILLS = 40 };
	bool *told = sp_alloc(AUDIT_MAX * sizeof(bool));
	int32_t next = 0;
	unsigned seed = 99;
	fflush(NULL);
	for (int kill_number = 0; kill_number < KILLS; kill_number++) {
		int pipes[2];
		assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
		pid_t child = fork();
		if (child == 0) {
			child_life(pipes[1], next);
			_exit(0);
		}
		close(pipes[1]);
		// Killed after a random number of confirmed records, wherever the next commit stands.
		seed = seed * 1103515245u + 12345u;
		int wanted = 1 + (int)(seed >> 16) % 120;
		int32_t n, highest = next;
		for (int i = 0; i < wanted; i++) {
			assert_int_equal(read(pipes[0], &n, sizeof(n)), sizeof(n));
			told[n] = true;
			highest = n > highest ? n : highest;
		}
		kill(child, SIGKILL);
		while (read(pipes[0], &n, sizeof(n)) == sizeof(n)) {
			told[n] = true;
			highest = n > highest ? n : highest;
		}
		assert_int_equal(waitpid(child, NULL, 0), child);
		close(pipes[0]);
		next = highest + 200; // the child may have been ahead of what it told
		assert_true(next < AUDIT_MAX);
		if (next > AUDIT_MAX - 1000)
			break;
	}
	struct sp_journal_store_config config = test_config(&place);
	struct sp_journal_store *store;
	struct audit a;
	assert_int_equal(sp_journal_store_open(&store, &config, 0), 0);
	assert_null(store->clean);
	audit(&a, store, true);
	assert_false(a.set_aside);
	for (int n = 0; n < AUDIT_MAX; n++) {
		if (told[n])
			assert_int_equal(a.seen[n], 1);
	}
	audit_free(&a);
	sp_journal_store_close(store);
	free(told);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_facts_are_committed_and_told),  T(test_bulk_waits_and_is_committed_at_the_clean_close),
	    T(test_much_bulk_does_not_wait),       T(test_bulk_and_attendance_come_when_due),
	    T(test_small_state_and_get),           T(test_ack_settles_and_status_follows),
	    T(test_invalid_records_are_refused),   T(test_full_disk_is_a_state_with_an_end),
	    T(test_missing_directory_is_a_state),  T(test_file_that_becomes_corrupt_is_renewed),
	    T(test_file_moved_away_is_begun_anew), T(test_deadline_is_announced_only_while_working),
	    T(test_many_threads_at_once),          T(test_kill_9_loses_nothing_that_was_told),
	};
	FILE *quiet = fopen("/dev/null", "we");
	sp_log_setup(SP_LOG_ERR, false, quiet);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	fclose(quiet);
	return failed;
}
