// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The acknowledgement never precedes the commit. A board takes events from kiosks, and loses its power at a
// random write: what was not synced is gone, or a random half of it. Or it is killed with SIGKILL. Each time,
// every event whose kiosk was told that it may forget it is on the card, once; the kiosks send the others
// again, and some of those that they need not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "tests/unit/core/attend_bench.h"
#include "tests/unit/core/fault_vfs.h"
#include "tests/unit/core/journal_bench.h"

#ifdef SP_TEST_SHORT
enum { CUTS = 50, KILLS = 12 };
#else
enum { CUTS = 200, KILLS = 60 };
#endif
enum { DAY = 20780, EVENTS = 16000 };

/// What the kiosks know. Answers come under the bench's mutex.
static struct {
	bool told[EVENTS];
	int sent;                    ///< events 0 … sent - 1 have happened
	int answers, refused, known; ///< of this life
} kiosks;
static struct roll roll;
static unsigned seed = 4711;

static int chance(int below)
{
	seed = seed * 1103515245u + 12345u;
	return (int)((seed >> 8) % (unsigned)below);
}

static void answered(void *arg, int result)
{
	bool *told = arg;
	kiosks.answers++;
	kiosks.refused += result < 0;
	kiosks.known += result == SP_JOURNAL_KNOWN;
	*told = *told || result >= 0;
}

static void send_event(struct sp_journal *journal, int n, sp_journal_done_fn done, void *arg)
{
	char *record = event_record(n, n % 100);
	struct sp_journal_event event = event_of(record, n, DAY + n / 1000, n % 3 != 0);
	assert_int_equal(sp_journal_append_event(journal, &event, done, arg), 0);
	free(record);
}

static bool all_told(void)
{
	for (int n = 0; n < kiosks.sent; n++) {
		if (!kiosks.told[n])
			return false;
	}
	return true;
}

/// A burst of events, as kiosks send them: new ones, all that were not acknowledged, a few that were.
static int burst(struct sp_journal *journal)
{
	int fresh = 1 + chance(25), sent = 0;
	for (int n = 0; n < kiosks.sent; n++) {
		pthread_mutex_lock(&seen.mutex);
		bool again = !kiosks.told[n] || chance(400) == 0;
		pthread_mutex_unlock(&seen.mutex);
		if (again && ++sent)
			send_event(journal, n, answered, &kiosks.told[n]);
	}
	for (int i = 0; i < fresh && kiosks.sent < EVENTS; i++, sent++) {
		int n = kiosks.sent++;
		send_event(journal, n, answered, &kiosks.told[n]);
	}
	return sent;
}

/// Until an answer is bad: the power has gone.
static void live(void)
{
	struct sp_journal_config config = thread_config();
	config.group_commit_ms = chance(3);
	struct sp_journal *journal = bench_open_with(&config);
	kiosks.answers = kiosks.refused = 0;
	int sent = 0, refused = 0;
	for (int i = 0; i < 12 && refused == 0; i++) {
		sent += burst(journal);
		if (chance(60) == 0) // each life with a fact has one stream more, and a birth names 256
			assert_int_equal(append(journal, SP_RECORD_FACTS, i, 100, NULL), 0);
		wait_for(&kiosks.answers, sent);
		pthread_mutex_lock(&seen.mutex);
		refused = kiosks.refused;
		pthread_mutex_unlock(&seen.mutex);
	}
	assert_int_equal(sp_journal_close(journal, 60000), 0);
}

static void expect_no_loss_and_no_double(void)
{
	struct sp_journal_store_config config = test_config(&place);
	struct sp_journal_store *store;
	assert_int_equal(sp_journal_store_open(&store, &config, 0), 0);
	assert_false(store->set_aside);
	call_roll(&roll, store);
	for (int n = 0; n < kiosks.sent; n++)
		assert_in_range(roll.seen[n], kiosks.told[n], 1);
	sp_journal_store_close(store);
}

static void test_power_cuts_at_random_writes(void **state)
{
	(void)state;
	int struck = 0;
	memset(&kiosks, 0, sizeof(kiosks));
	fault_vfs_by_default(true);
	for (int cut = 0; cut < CUTS && kiosks.sent < EVENTS - 400; cut++) {
		fault_vfs_survivors(cut % 2 ? seed | 1 : 0);
		fault_vfs_arm(FAULT_POWER, 1 + chance(120), true);
		live();
		struck += fault_vfs_struck();
		fault_vfs_disarm();
		expect_no_loss_and_no_double();
	}
	fault_vfs_disarm();
	fault_vfs_survivors(0);
	live(); // in peace, everything comes through
	fault_vfs_by_default(false);
	assert_true(all_told());
	expect_no_loss_and_no_double();
	assert_int_equal(roll.events, kiosks.sent);
	print_message("%d power cuts: %d events, 0 lost, 0 doubled, %d sent again and known\n", struck,
		      kiosks.sent, kiosks.known);
	assert_true(struck > CUTS / 2);
}

// ---- SIGKILL ------------------------------------------------------------------------------------------

struct line {
	int fd;
	int32_t n;
};

static void tell(void *arg, int result)
{
	struct line *line = arg;
	kiosks.answers++;
	if (result >= 0 && write(line->fd, &line->n, sizeof(line->n)) != sizeof(line->n))
		_exit(3);
	free(line);
}

static void child_send(struct sp_journal *journal, int fd, int n)
{
	struct line *line = sp_alloc(sizeof(*line));
	*line = (struct line){.fd = fd, .n = n};
	send_event(journal, n, tell, line);
}

/// Sends what its parent knows to be unacknowledged, then new events for ever.
static void child_life(int fd)
{
	struct sp_journal_config config = thread_config();
	config.group_commit_ms = 2;
	struct sp_journal *journal = bench_open_with(&config);
	kiosks.answers = 0;
	int sent = 0;
	for (int n = 0; n < kiosks.sent; n++) {
		if (!kiosks.told[n] || n % 50 == 0) {
			child_send(journal, fd, n);
			sent++;
		}
	}
	for (int n = kiosks.sent; n < kiosks.sent + 600; n++, sent++) {
		child_send(journal, fd, n);
		if (sent % 40 == 0)
			wait_for(&kiosks.answers, sent - 20);
	}
	wait_for(&kiosks.answers, sent);
	for (;;)
		pause();
}

static void one_kill(void)
{
	int pipes[2], wanted = 1 + chance(250), highest = kiosks.sent;
	int32_t n;
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	pid_t child = fork();
	if (child == 0) {
		child_life(pipes[1]);
		_exit(0);
	}
	close(pipes[1]);
	for (int i = 0; i < wanted && read(pipes[0], &n, sizeof(n)) == sizeof(n); i++) {
		kiosks.told[n] = true;
		highest = n >= highest ? n + 1 : highest;
	}
	kill(child, SIGKILL);
	while (read(pipes[0], &n, sizeof(n)) == sizeof(n)) {
		kiosks.told[n] = true;
		highest = n >= highest ? n + 1 : highest;
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	close(pipes[0]);
	// It may have been ahead of what it told: those, too, are sent again.
	kiosks.sent = highest + 60;
}

static void test_kill_9_at_random_moments(void **state)
{
	(void)state;
	memset(&kiosks, 0, sizeof(kiosks));
	fflush(NULL);
	for (int i = 0; i < KILLS && kiosks.sent < EVENTS - 700; i++) {
		one_kill();
		expect_no_loss_and_no_double();
	}
	live();
	assert_true(all_told());
	expect_no_loss_and_no_double();
	print_message("%d kills: %d events, 0 lost, 0 doubled\n", KILLS, kiosks.sent);
}

// ---- erasing when things fail ------------------------------------------------------------------------

static int erase_person(struct sp_journal_store *store, const char *name)
{
	const struct sp_journal_persons persons = {.names = &name, .count = 1};
	struct sp_journal_walk walk = {0};
	int result;
	while ((result = sp_journal_store_erase(store, &walk, &persons, 0)) == 1)
		;
	return result;
}

static void expect_erased(struct sp_journal_store *store, const char *name)
{
	struct audit a;
	assert_int_equal(erase_person(store, name), 0);
	assert_false(anywhere(&place, name));
	audit(&a, store, true);
	audit_free(&a);
	call_roll(&roll, store);
	for (int n = 0; n < 120; n++)
		assert_int_equal(roll.seen[n], n % 100 != 7);
}

/// Erases with a fault at operation `at`; false once `at` lies beyond the last one.
static bool erase_with_fault(enum fault_kind kind, int at)
{
	struct sp_journal_store_config config = test_config(&place);
	struct sp_journal_store *store;
	size_t known;
	char name[33];
	person_name(name, 7);
	config.vfs = FAULT_VFS;
	assert_int_equal(sp_journal_store_open(&store, &config, 0), 0);
	assert_int_equal(commit_events(store, 0, 60, DAY, true, &known), 0);
	for (int n = 60; n < 110; n++)
		assert_int_equal(commit_events(store, n, 1, DAY, n % 2, &known), 0);
	assert_int_equal(commit_events(store, 110, 10, DAY, false, &known), 0);
	assert_true(anywhere(&place, name));
	fault_vfs_arm(kind, at, kind == FAULT_POWER);
	int result = erase_person(store, name);
	bool struck = fault_vfs_struck();
	// What was reported as done is done.
	if (result == 0)
		assert_false(anywhere(&place, name));
	if (kind == FAULT_POWER) {
		sp_journal_store_close(store);
		fault_vfs_disarm();
		assert_int_equal(sp_journal_store_open(&store, &config, 0), 0);
	}
	fault_vfs_disarm();
	expect_erased(store, name);
	sp_journal_store_close(store);
	return struck;
}

static void test_erasing_with_a_fault_at_each_operation(void **state)
{
	(void)state;
	static const enum fault_kind kinds[] = {FAULT_IO, FAULT_FULL, FAULT_TORN, FAULT_POWER};
	fault_vfs_register();
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		int at = 1;
		for (bool struck = true; struck; at++) {
			assert_true(at < 1000);
			fault_vfs_survivors(kinds[i] == FAULT_POWER ? (unsigned)at : 0);
			struck = erase_with_fault(kinds[i], at);
			test_place_remove(&place);
			test_place_make(&place);
		}
		assert_true(at > 10);
	}
	fault_vfs_survivors(0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_power_cuts_at_random_writes),
	    T(test_kill_9_at_random_moments),
	    T(test_erasing_with_a_fault_at_each_operation),
	};
	FILE *quiet = fopen("/dev/null", "we");
	sp_log_setup(SP_LOG_ERR, false, quiet);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	fclose(quiet);
	return failed;
}
