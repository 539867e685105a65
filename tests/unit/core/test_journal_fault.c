// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The journal's file in bad times: every write, sync and truncate fails in turn, the power goes at each
// of them, the disk is full. After each: what was committed is there once, under one identity, in an
// unbroken chain.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "tests/unit/core/fault_bench.h"

enum { ROUNDS = 12, SWEEP_MAX = 4000 };

/// What the caller of the journal knows: which records it was told are on the card.
struct ledger {
	bool told[AUDIT_MAX];
	int64_t tried;
};

static void expect_exactly(const struct audit *a, const struct ledger *ledger, bool unsure_allowed)
{
	for (int64_t n = 0; n < ledger->tried; n++) {
		if (ledger->told[n])
			assert_int_equal(a->seen[n], 1);
		else
			assert_true(a->seen[n] == 0 || (unsure_allowed && a->seen[n] == 1));
	}
}

/// One life of a board: facts, bulk, small state, an acknowledgement, forgetting. Each record is tried until
/// it is committed, as the journal's thread does, at most `tries` times.
static void live(struct sp_journal_store *store, struct ledger *ledger, int tries)
{
	for (int round = 0; round < ROUNDS; round++) {
		int64_t n = ledger->tried;
		enum sp_record_class cls = round % 3 == 2 ? SP_RECORD_BULK : SP_RECORD_FACTS;
		int result = -1;
		for (int i = 0; i < tries && result != 0; i++)
			result = test_commit(store, cls, n, 3, 1500);
		ledger->tried += 3;
		for (int i = 0; i < 3; i++)
			ledger->told[n + i] = result == 0;
		if (round == ROUNDS / 2)
			(void)!sp_journal_store_forget(store, 1000);
	}
}

/// Runs a life with a fault at operation `at`; false once `at` lies beyond the last operation.
static bool fault_at(enum fault_kind kind, bool lasting, int at)
{
	struct ledger *ledger = sp_alloc(sizeof(*ledger));
	struct sp_journal_store_config config = faulty();
	struct sp_journal_store *store = NULL;
	struct audit a;
	fault_vfs_arm(kind, at, lasting);
	int opened = sp_journal_store_open(&store, &config, 0);
	if (opened == 0)
		live(store, ledger, lasting ? 1 : 2);
	bool struck = fault_vfs_struck();
	fault_vfs_disarm();
	// The card heals: the same handle goes on, and so does the chain.
	if (opened != 0)
		assert_int_equal(sp_journal_store_open(&store, &config, 0), 0);
	int64_t n = ledger->tried;
	assert_int_equal(test_commit(store, SP_RECORD_FACTS, n, 1, 0), 0);
	ledger->told[n] = true;
	ledger->tried++;
	audit(&a, store, true);
	expect_exactly(&a, ledger, false);
	audit_free(&a);
	sp_journal_store_close(store);
	// And so after opening the file again.
	assert_int_equal(sp_journal_store_open(&store, &config, 0), 0);
	audit(&a, store, true);
	assert_false(a.set_aside);
	expect_exactly(&a, ledger, false);
	audit_free(&a);
	sp_journal_store_close(store);
	free(ledger);
	return struck;
}

static void sweep(enum fault_kind kind, bool lasting)
{
	int at = 1;
	for (bool struck = true; struck; at++) {
		assert_true(at < SWEEP_MAX);
		struck = fault_at(kind, lasting, at);
		test_place_remove(&place);
		test_place_make(&place);
	}
	assert_true(at > 50); // a life has more writes than that
}

static void test_disk_full_once(void **state)
{
	(void)state;
	sweep(FAULT_FULL, false);
}

static void test_disk_full_for_long(void **state)
{
	(void)state;
	sweep(FAULT_FULL, true);
}

static void test_io_error_once(void **state)
{
	(void)state;
	sweep(FAULT_IO, false);
}

static void test_io_error_for_long(void **state)
{
	(void)state;
	sweep(FAULT_IO, true);
}

static void test_torn_write(void **state)
{
	(void)state;
	sweep(FAULT_TORN, false);
}

/// The power goes at operation `at`: nothing unsynced survives.
static bool cut_at(int at)
{
	struct ledger *ledger = sp_alloc(sizeof(*ledger));
	struct sp_journal_store_config config = faulty();
	struct sp_journal_store *store = NULL;
	struct audit a;
	// An older life first, so that a cut also meets a file with a past.
	assert_int_equal(sp_journal_store_open(&store, &config, 0), 0);
	live(store, ledger, 1);
	sp_journal_store_close(store);
	fault_vfs_arm(FAULT_POWER, at, true);
	if (sp_journal_store_open(&store, &config, 0) == 0)
		live(store, ledger, 1);
	bool struck = fault_vfs_struck();
	fault_vfs_power_cut();
	sp_journal_store_close(store);
	fault_vfs_disarm();
	assert_int_equal(sp_journal_store_open(&store, &config, 0), 0);
	audit(&a, store, true);
	assert_false(a.set_aside);
	expect_exactly(&a, ledger, true);
	audit_free(&a);
	assert_int_equal(test_commit(store, SP_RECORD_FACTS, ledger->tried, 1, 0), 0);
	audit(&a, store, true);
	audit_free(&a);
	sp_journal_store_close(store);
	free(ledger);
	return struck;
}

static void test_power_cut(void **state)
{
	(void)state;
	int at = 1;
	for (bool struck = true; struck; at++) {
		assert_true(at < SWEEP_MAX);
		struck = cut_at(at);
		test_place_remove(&place);
		test_place_make(&place);
	}
	assert_true(at > 50);
}

/// In a process of its own, whose largest possible file is the disk.
static int full_disk_life(void)
{
	struct sp_journal_store_config config = test_config(&place);
	struct sp_journal_store *store;
	if (sp_journal_store_open(&store, &config, 0) != 0)
		return 1;
	for (int i = 0; i < 80; i++) {
		if (test_commit(store, SP_RECORD_BULK, i * 4, 4, 8000) != 0)
			return 2;
	}
	signal(SIGXFSZ, SIG_IGN);
	struct rlimit disk = {.rlim_cur = (rlim_t)size_of(place.file), .rlim_max = RLIM_INFINITY};
	if (setrlimit(RLIMIT_FSIZE, &disk) < 0)
		return 3;
	for (int i = 0; i < 200; i++) {
		if (test_commit(store, SP_RECORD_FACTS, 1000 + i, 1, 4000) != 0)
			return 4;
	}
	// Every fact is there, samples are not, and in the end the disk is simply full.
	struct audit a;
	audit(&a, store, false);
	for (int i = 0; i < 200; i++) {
		if (a.seen[1000 + i] != 1)
			return 5;
	}
	int64_t lost = store->now.dropped;
	if (lost == 0 || lost != a.dropped_records)
		return 6;
	int result = 0;
	for (int i = 0; i < 2000 && result == 0; i++)
		result = test_commit(store, SP_RECORD_FACTS, 2000 + i, 1, 4000);
	bool full = result == -ENOSPC && store->now.unsettled[SP_RECORD_BULK] == 0;
	// And when there is room again, it goes on.
	disk.rlim_cur = RLIM_INFINITY;
	setrlimit(RLIMIT_FSIZE, &disk);
	if (!full || test_commit(store, SP_RECORD_FACTS, 9000, 1, 4000) != 0)
		return 7;
	sp_journal_store_close(store);
	return 0;
}

static void test_full_disk_costs_samples_not_facts(void **state)
{
	(void)state;
	fflush(NULL);
	pid_t child = fork();
	if (child == 0)
		_exit(full_disk_life());
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(WIFEXITED(status));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_disk_full_once),
	    T(test_disk_full_for_long),
	    T(test_io_error_once),
	    T(test_io_error_for_long),
	    T(test_torn_write),
	    T(test_power_cut),
	    T(test_full_disk_costs_samples_not_facts),
	};
	fault_vfs_register();
	FILE *quiet = fopen("/dev/null", "we");
	sp_log_setup(SP_LOG_ERR, false, quiet);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	fclose(quiet);
	return failed;
}
