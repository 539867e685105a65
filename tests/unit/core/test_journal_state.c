// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// States of the journal's thread, and their ends: full disk, missing directory, corrupt or moved file.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "schoolpulse/clock.h"
#include "tests/unit/core/journal_bench.h"

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
	struct sp_journal *journal = bench_open();
	assert_int_equal(append(journal, SP_RECORD_FACTS, 0, 0, count_answer), 0);
	wait_for(&seen.good, 1);
	disk(64);
	assert_int_equal(append(journal, SP_RECORD_FACTS, 1, 0, count_answer), 0);
	assert_int_equal(append(journal, SP_RECORD_BULK, 2, 0, count_answer), 0);
	struct sp_journal_status status = until_state(journal, SP_JOURNAL_FULL);
	assert_int_equal(status.error, ENOSPC);
	// A kiosk is told at once; the others wait.
	assert_int_equal(append(journal, SP_RECORD_ATTENDANCE, 3, 0, count_answer), 0);
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
	struct sp_journal *journal = bench_open_with(&config);
	char *nothing = sp_journal_get(journal, "outages");
	assert_null(nothing);
	until_state(journal, SP_JOURNAL_FAILED);
	assert_int_equal(append(journal, SP_RECORD_FACTS, 1, 0, count_answer), 0);
	got.answers = 0;
	sp_journal_held(journal, keep_held, NULL); // it must not say "nothing is held"
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
	struct sp_journal *journal = bench_open();
	assert_int_equal(sp_journal_put(journal, "budget", "7", count_answer, NULL), 0);
	for (int i = 0; i < 400; i++)
		assert_int_equal(append(journal, SP_RECORD_FACTS, i, 2000, count_answer), 0);
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
	assert_int_equal(append(journal, SP_RECORD_FACTS, 500, 0, count_answer), 0);
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

/// One record per batch and page after page of them, closed cleanly: not read through when opened.
static void fill_cleanly(int count)
{
	struct sp_journal_store_config config = test_config(&place);
	const struct sp_journal_commit clean = {.clean = true};
	struct sp_journal_store *store;
	assert_int_equal(sp_journal_store_open(&store, &config, 0), 0);
	for (int i = 0; i < count; i++)
		assert_int_equal(test_commit(store, SP_RECORD_FACTS, i, 1, 1000), 0);
	assert_int_equal(sp_journal_store_commit(store, &clean, 0), 0);
	sp_journal_store_close(store);
}

static void test_corruption_found_while_failing_is_not_forgotten(void **state)
{
	(void)state;
	enum { BATCHES = 150 };
	signal(SIGXFSZ, SIG_IGN);
	fill_cleanly(BATCHES);
	int fd = open(place.file, O_WRONLY | O_CLOEXEC);
	char noise[4096];
	memset(noise, 0xa5, sizeof(noise));
	// Leaves of batches, which neither an opening nor a commit reads.
	for (int page = 9; page < 30; page++)
		assert_int_equal(pwrite(fd, noise, sizeof(noise), page * 4096), sizeof(noise));
	close(fd);
	struct sp_journal *journal = bench_open();
	until_state(journal, SP_JOURNAL_WRITABLE);
	assert_int_equal(test_place_count(&place, "corrupt-"), 0);
	disk(64);
	assert_int_equal(append(journal, SP_RECORD_FACTS, 1000, 0, count_answer), 0);
	until_state(journal, SP_JOURNAL_FULL);
	fetch(journal, SP_LANE_BACKLOG, 0, BATCHES);
	let_go();
	disk(RLIM_INFINITY);
	until_state(journal, SP_JOURNAL_WRITABLE);
	wait_for(&seen.good, 1);
	assert_int_equal(test_place_count(&place, "corrupt-"), 1);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
	signal(SIGXFSZ, SIG_DFL);
}

static void test_file_moved_away_is_begun_anew(void **state)
{
	(void)state;
	struct sp_journal *journal = bench_open();
	assert_int_equal(append(journal, SP_RECORD_FACTS, 1, 0, count_answer), 0);
	wait_for(&seen.good, 1);
	assert_int_equal(unlink(place.file), 0);
	assert_int_equal(append(journal, SP_RECORD_FACTS, 2, 0, count_answer), 0);
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
	struct sp_journal *journal = bench_open();
	assert_int_equal(append(journal, SP_RECORD_FACTS, 1, 0, count_answer), 0);
	wait_for(&seen.good, 1);
	int64_t end = sp_clock_mono_us() + PATIENCE_US;
	while (sp_deadline_overdue_us(&deadline, sp_clock_mono_us()) != 0 && sp_clock_mono_us() < end)
		poll(NULL, 0, 1);
	assert_int_equal(sp_deadline_overdue_us(&deadline, INT64_MAX / 2), 0); // idle: no promise
	assert_int_equal(sp_journal_close(journal, 60000), 0);
}

/// What is kept of it once the thread has had its turn and waits for more.
static char *kept(struct sp_journal *journal, const char *key)
{
	free(sp_journal_get(journal, key)); // the request before it is taken
	int64_t end = sp_clock_mono_us() + PATIENCE_US;
	while (sp_deadline_overdue_us(&deadline, INT64_MAX / 2) != 0 && sp_clock_mono_us() < end)
		poll(NULL, 0, 1);
	return sp_journal_get(journal, key);
}

static void test_what_may_wait_is_kept_with_the_next_commit(void **state)
{
	(void)state;
	struct sp_journal *journal = bench_open();
	assert_int_equal(sp_journal_put(journal, "now", "1", NULL, NULL), 0);
	char *value = kept(journal, "now");
	assert_string_equal(value, "1");
	free(value);
	assert_int_equal(sp_journal_put_later(journal, "later", "2", count_answer, NULL), 0);
	assert_null(kept(journal, "later"));
	assert_int_equal(seen.posts, 0);
	assert_int_equal(append(journal, SP_RECORD_FACTS, 1, 0, count_answer), 0);
	wait_for(&seen.good, 2);
	value = sp_journal_get(journal, "later");
	assert_string_equal(value, "2");
	free(value);
	// The close is a commit, too.
	assert_int_equal(sp_journal_put_later(journal, "later", "3", NULL, NULL), 0);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
	journal = bench_open();
	value = sp_journal_get(journal, "later");
	assert_string_equal(value, "3");
	free(value);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_what_may_wait_is_kept_with_the_next_commit),
	    T(test_full_disk_is_a_state_with_an_end),
	    T(test_missing_directory_is_a_state),
	    T(test_corruption_found_while_failing_is_not_forgotten),
	    T(test_file_that_becomes_corrupt_is_renewed),
	    T(test_file_moved_away_is_begun_anew),
	    T(test_deadline_is_announced_only_while_working),
	};
	FILE *quiet = fopen("/dev/null", "we");
	sp_log_setup(SP_LOG_ERR, false, quiet);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	fclose(quiet);
	return failed;
}
