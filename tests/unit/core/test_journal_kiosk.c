// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The journal as the attendance room uses it, across threads: answers, counts, back-pressure, a full disk,
// and erasing while punches come in.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "tests/unit/core/attend_bench.h"
#include "tests/unit/core/journal_bench.h"

enum { DAY = 20780 };

static struct {
	int fresh, known, refused, last;
} answers;
static struct {
	int done, result;
	int64_t count;
} counted;
static struct roll roll;

/// Under the bench's mutex.
static void answered(void *arg, int result)
{
	(void)arg;
	seen.posts++;
	answers.fresh += result == 0;
	answers.known += result == SP_JOURNAL_KNOWN;
	answers.refused += result < 0;
	answers.last = result;
}

static void count_came(void *arg, int result, int64_t count)
{
	(void)arg;
	counted.done++;
	counted.result = result;
	counted.count = count;
}

static int send_event(struct sp_journal *journal, int64_t n, bool publish)
{
	char *record = event_record(n, n % 100);
	struct sp_journal_event event = event_of(record, n, DAY, publish);
	int result = sp_journal_append_event(journal, &event, answered, NULL);
	free(record);
	return result;
}

static void begin(void)
{
	memset(&answers, 0, sizeof(answers));
	memset(&counted, 0, sizeof(counted));
}

static void erase_person(struct sp_journal *journal, int64_t person)
{
	char name[33];
	const char *names[] = {name};
	person_name(name, person);
	assert_int_equal(sp_journal_erase(journal, names, 1, count_came, NULL), 0);
}

static void test_answers_say_what_is_known(void **state)
{
	(void)state;
	struct sp_journal *journal = bench_open();
	begin();
	for (int i = 0; i < 300; i++)
		assert_int_equal(send_event(journal, i % 100, true), 0);
	wait_for(&seen.posts, 300);
	assert_int_equal(answers.fresh, 100);
	assert_int_equal(answers.known, 200);
	assert_int_equal(sp_journal_seen(journal, GATE, DAY, count_came, NULL), 0);
	wait_for(&counted.done, 1);
	assert_int_equal(counted.result, 0);
	assert_int_equal(counted.count, 100);
	assert_int_equal(sp_journal_seen(journal, "", DAY, count_came, NULL), -EINVAL);
	assert_int_equal(sp_journal_seen(journal, NULL, DAY, count_came, NULL), -EINVAL);
	// An event without a key is always new.
	char *record = event_record(5, 5);
	struct sp_journal_event event = event_of(record, 5, DAY, true);
	event.has_key = false;
	for (int i = 0; i < 2; i++)
		assert_int_equal(sp_journal_append_event(journal, &event, answered, NULL), 0);
	event.kiosk = "";
	assert_int_equal(sp_journal_append_event(journal, &event, answered, NULL), -EINVAL);
	free(record);
	wait_for(&seen.posts, 302);
	assert_int_equal(answers.fresh, 102);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
}

static void test_known_events_are_no_news(void **state)
{
	(void)state;
	struct sp_journal *journal = bench_open();
	begin();
	assert_int_equal(send_event(journal, 1, true), 0);
	wait_for(&seen.posts, 1);
	wait_for(&seen.news, 2); // the opening, and this
	for (int i = 0; i < 20; i++) {
		assert_int_equal(send_event(journal, 1, true), 0);
		assert_int_equal(send_event(journal, 2 + i, false), 0);
	}
	wait_for(&seen.posts, 41);
	assert_int_equal(seen.news, 2);
	fetch(journal, SP_LANE_LIVE, 0, 10);
	assert_int_equal(got.count, 1);
	assert_int_equal(got.batches[0]->envelope.last, 2);
	let_go();
	assert_int_equal(sp_journal_close(journal, 60000), 0);
}

static void test_too_much_at_once_is_refused_and_no_loss(void **state)
{
	(void)state;
	struct sp_journal_config config = thread_config();
	config.group_commit_ms = 50;
	struct sp_journal *journal = bench_open_with(&config);
	struct sp_journal_status status;
	begin();
	int sent = 0, busy = 0;
	while (busy == 0) {
		int result = send_event(journal, sent, true);
		assert_true(result == 0 || result == -ENOBUFS);
		busy += result == -ENOBUFS;
		sent += result == 0;
		assert_true(sent < 15000);
	}
	assert_true(sent > 1000);
	wait_for(&seen.posts, sent);
	assert_int_equal(send_event(journal, sent, true), 0);
	wait_for(&seen.posts, sent + 1);
	assert_int_equal(answers.fresh, sent + 1);
	sp_journal_status(journal, &status);
	assert_int_equal(status.dropped, 0);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
}

static void disk(rlim_t bytes)
{
	struct rlimit limit = {bytes, RLIM_INFINITY};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_a_full_disk_refuses_and_keeps_keys(void **state)
{
	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	struct sp_journal *journal = bench_open();
	begin();
	for (int i = 0; i < 200; i++)
		assert_int_equal(send_event(journal, i, i % 2), 0);
	wait_for(&seen.posts, 200);
	disk(64);
	// The kiosk is told no; it keeps them.
	int sent = 200;
	while (answers.refused == 0) {
		assert_int_equal(send_event(journal, sent++, true), 0);
		wait_for(&seen.posts, sent);
	}
	assert_int_equal(answers.last, -ENOSPC);
	until_state(journal, SP_JOURNAL_FULL);
	erase_person(journal, 7);
	wait_for(&counted.done, 1);
	assert_true(counted.result < 0); // not done, and nobody says it was
	disk(RLIM_INFINITY);
	until_state(journal, SP_JOURNAL_WRITABLE);
	int refused = answers.refused, fresh = answers.fresh;
	for (int i = 0; i < sent; i++)
		assert_int_equal(send_event(journal, i, true), 0);
	wait_for(&seen.posts, 2 * sent);
	assert_int_equal(answers.known, fresh);
	assert_int_equal(answers.fresh, sent);
	assert_int_equal(answers.refused, refused);
	erase_person(journal, 7);
	wait_for(&counted.done, 2);
	assert_int_equal(counted.result, 0);
	assert_true(counted.count >= 2);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
	signal(SIGXFSZ, SIG_DFL);
}

static struct sp_journal *shared;

static void *pusher(void *arg)
{
	const int *first = arg;
	for (int i = 0; i < 500; i++) {
		while (send_event(shared, *first + i, i % 2) == -ENOBUFS)
			sched_yield();
	}
	return NULL;
}

static void walk_done(void *arg, int result)
{
	(void)arg;
	counted.done++;
	counted.result = result;
}

/// The walk's argument is for both of its callbacks.
static bool on_event(void *arg, const char *record)
{
	return roll_event(arg, record);
}

static void test_erasing_while_punches_come(void **state)
{
	(void)state;
	struct sp_journal *journal = shared = bench_open();
	char name[33];
	int firsts[] = {1000, 1500};
	pthread_t threads[2];
	begin();
	// 1000 events of before, of which person 7 has ten; then others' come while they are erased.
	for (int i = 0; i < 1000; i++) {
		while (send_event(journal, i, true) == -ENOBUFS)
			sched_yield();
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, pusher, &firsts[i]), 0);
	erase_person(journal, 7);
	wait_for(&counted.done, 1);
	assert_int_equal(counted.result, 0);
	assert_true(counted.count >= 10 && counted.count <= 20);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	wait_for(&seen.posts, 2000);
	assert_int_equal(answers.fresh, 2000);
	erase_person(journal, 7);
	wait_for(&counted.done, 2);
	person_name(name, 7);
	assert_false(anywhere(&place, name));
	memset(&roll, 0, sizeof(roll));
	roll.person = name;
	assert_int_equal(sp_journal_events(journal, on_event, walk_done, &roll), 0);
	wait_for(&counted.done, 3);
	assert_int_equal(counted.result, 0);
	assert_int_equal(roll.events, 1980);
	assert_int_equal(roll.of_person, 0);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
	assert_false(anywhere(&place, name));
}

static void test_a_close_ends_what_takes_long(void **state)
{
	(void)state;
	struct sp_journal *journal = bench_open();
	begin();
	memset(&roll, 0, sizeof(roll));
	for (int i = 0; i < 100; i++)
		assert_int_equal(send_event(journal, i, true), 0);
	for (int i = 0; i < 50; i++)
		assert_int_equal(sp_journal_events(journal, on_event, walk_done, &roll), 0);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
	assert_int_equal(counted.done, 50); // whether it came to an end or not
	assert_int_equal(answers.fresh, 100);
}

static void test_names_that_are_none(void **state)
{
	(void)state;
	struct sp_journal *journal = bench_open();
	char much[80];
	const char *names[] = {much};
	memset(much, 'a', sizeof(much) - 1);
	much[79] = '\0';
	begin();
	assert_int_equal(sp_journal_erase(journal, names, 1, count_came, NULL), -EINVAL);
	much[0] = '\0';
	assert_int_equal(sp_journal_erase(journal, names, 1, count_came, NULL), -EINVAL);
	assert_int_equal(sp_journal_erase(journal, names, 0, count_came, NULL), 0);
	wait_for(&counted.done, 1);
	assert_int_equal(counted.count, 0);
	assert_int_equal(sp_journal_close(journal, 60000), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_answers_say_what_is_known),
	    T(test_known_events_are_no_news),
	    T(test_too_much_at_once_is_refused_and_no_loss),
	    T(test_a_full_disk_refuses_and_keeps_keys),
	    T(test_erasing_while_punches_come),
	    T(test_a_close_ends_what_takes_long),
	    T(test_names_that_are_none),
	};
	FILE *quiet = fopen("/dev/null", "we");
	sp_log_setup(SP_LOG_ERR, false, quiet);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	fclose(quiet);
	return failed;
}
