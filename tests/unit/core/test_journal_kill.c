// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Many threads at the journal at once, and kill -9 in the middle of it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "tests/unit/core/journal_bench.h"

static void *pusher(void *arg)
{
	struct sp_journal *journal = arg;
	for (int i = 0; i < 300; i++) {
		enum sp_record_class cls = (enum sp_record_class)(i % SP_RECORD_CLASSES);
		assert_int_equal(append(journal, cls, i, 100, count_answer), 0);
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
	struct sp_journal *journal = bench_open();
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
	struct sp_journal *journal = bench_open_with(&config);
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
#define T(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_many_threads_at_once),
	    T(test_kill_9_loses_nothing_that_was_told),
	};
	FILE *quiet = fopen("/dev/null", "we");
	sp_log_setup(SP_LOG_ERR, false, quiet);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	fclose(quiet);
	return failed;
}
