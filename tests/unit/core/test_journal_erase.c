// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Erasing persons from the journal, and walking over what it holds: the raw bytes of every file are searched
// afterwards. Also what a damaged file's successor takes over.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "tests/unit/core/attend_bench.h"
#include "tests/unit/core/store_bench.h"

enum { DAY = 20780 };

static struct roll roll;

static int64_t erase(struct sp_journal_store *store, int64_t first, size_t count)
{
	char names[4][33];
	const char *list[4];
	assert_true(count <= 4);
	for (size_t i = 0; i < count; i++) {
		person_name(names[i], first + (int64_t)i);
		list[i] = names[i];
	}
	const struct sp_journal_persons persons = {.names = list, .count = count};
	struct sp_journal_walk walk = {0};
	int result;
	while ((result = sp_journal_store_erase(store, &walk, &persons, 0)) == 1)
		;
	assert_int_equal(result, 0);
	return walk.erased;
}

static bool is_anywhere(int64_t person)
{
	char name[33];
	person_name(name, person);
	return anywhere(&place, name);
}

/// Counts what a batch's text says is forgotten; every record's seq is in its place.
static size_t count_forgotten(const struct sp_journal_batch *batch)
{
	struct sp_buf wire = SP_BUF(SP_FEED_PAYLOAD_MAX);
	struct sp_feed_envelope envelope = batch->envelope;
	struct sp_feed_message message;
	size_t forgotten = 0;
	char why[128];
	snprintf(envelope.device, sizeof(envelope.device), "board");
	snprintf(envelope.clk_boot, sizeof(envelope.clk_boot), TEST_BOOT);
	assert_int_equal(sp_feed_envelope_encode(&wire, &envelope, batch->text, false), 0);
	assert_int_equal(sp_feed_envelope_decode(&message, wire.data, wire.length, SP_FEED_JSON, why),
			 SP_FEED_OK);
	assert_int_equal(message.envelope.redacted, envelope.redacted);
	for (size_t i = 0; i < message.count; i++) {
		assert_int_equal(message.events[i].seq, envelope.first + (int64_t)i);
		if (strcmp(message.events[i].type, "forgotten") != 0)
			continue;
		assert_string_equal(message.events[i].data, "{}");
		assert_string_equal(message.events[i].device, "");
		assert_false(message.events[i].placed);
		forgotten++;
	}
	assert_int_equal(message.count, envelope.last - envelope.first + 1);
	sp_feed_message_free(&message);
	sp_buf_free(&wire);
	return forgotten;
}

static size_t forgotten_records(struct sp_journal_store *store, int64_t *redacted)
{
	struct sp_journal_batch *batches[64];
	size_t count, found = 0;
	*redacted = 0;
	for (int lane = 0; lane < 2; lane++) {
		assert_int_equal(sp_journal_store_fetch(store, (enum sp_lane)lane, 0, 64, batches, &count, 0),
				 0);
		for (size_t i = 0; i < count; i++) {
			found += count_forgotten(batches[i]);
			*redacted += batches[i]->envelope.redacted;
			sp_journal_batch_free(batches[i]);
		}
	}
	return found;
}

static void test_erased_bytes_are_nowhere(void **state)
{
	(void)state;
	struct sp_journal_store *store = bench_open();
	size_t known;
	int64_t redacted;
	// 1000 published ones in big batches, 50 alone, 500 local, a settled stream, across two openings.
	assert_int_equal(commit_events(store, 0, 500, DAY, true, &known), 0);
	struct sp_feed_ack ack = ack_of(store->now.stream[SP_RECORD_ATTENDANCE].name,
					store->now.stream[SP_RECORD_ATTENDANCE].last);
	apply(store, &ack);
	assert_int_equal(test_commit(store, SP_RECORD_FACTS, 19000, 1, 0), 0);
	sp_journal_store_close(store);
	store = bench_open();
	assert_int_equal(commit_events(store, 500, 500, DAY, true, &known), 0);
	for (int n = 1000; n < 1050; n++)
		assert_int_equal(commit_events(store, n, 1, DAY, true, &known), 0);
	assert_int_equal(commit_events(store, 1050, 450, DAY, false, &known), 0);
	assert_true(is_anywhere(7));
	assert_true(is_anywhere(8));
	call_roll(&roll, store);
	assert_int_equal(roll.events, 1500);
	assert_int_equal(forgotten_records(store, &redacted), 0);
	assert_int_equal(redacted, 0);

	// Persons 7 and 8 have 15 events each.
	assert_int_equal(erase(store, 7, 2), 30);
	assert_false(is_anywhere(7));
	assert_false(is_anywhere(8));
	assert_true(is_anywhere(9));
	call_roll(&roll, store);
	assert_int_equal(roll.events, 1470);
	for (int n = 0; n < 1500; n++)
		assert_int_equal(roll.seen[n], n % 100 != 7 && n % 100 != 8);
	// Unsettled and published: 500 … 1049, so 11 of them.
	assert_int_equal(forgotten_records(store, &redacted), 12);
	assert_true(redacted > 0);
	struct audit a;
	audit(&a, store, true); // digests, seqs and chains are whole
	audit_free(&a);
	// It is indifferent to being asked again, and the kiosk's sending again brings nothing back.
	assert_int_equal(erase(store, 7, 2), 0);
	assert_int_equal(commit_events(store, 0, 1500, DAY, true, &known), 0);
	assert_int_equal(known, 1500);
	assert_false(is_anywhere(7));
	// A restored hub gets the settled stream again, without them.
	ack.upto = 0;
	assert_true(apply(store, &ack));
	assert_int_equal(forgotten_records(store, &redacted), 22);
	sp_journal_store_close(store);
	assert_false(is_anywhere(7));
	store = bench_open();
	assert_int_equal(forgotten_records(store, &redacted), 22);
	sp_journal_store_close(store);
}

static void test_a_batch_erased_twice_says_so(void **state)
{
	(void)state;
	struct sp_journal_store *store = bench_open();
	size_t known;
	int64_t redacted;
	assert_int_equal(commit_events(store, 0, 100, DAY, true, &known), 0);
	assert_int_equal(erase(store, 1, 1), 1);
	assert_int_equal(forgotten_records(store, &redacted), 1);
	assert_int_equal(redacted, 1);
	assert_int_equal(erase(store, 2, 4), 4);
	assert_int_equal(forgotten_records(store, &redacted), 5);
	assert_int_equal(redacted, 2);
	// The hub's word on the old text settles the new one: it names seqs.
	struct sp_feed_ack ack = ack_of(store->now.stream[SP_RECORD_ATTENDANCE].name, 101);
	apply(store, &ack);
	assert_int_equal(store->now.unsettled[SP_RECORD_ATTENDANCE], 0);
	sp_journal_store_close(store);
}

static void test_a_whole_local_row_goes(void **state)
{
	(void)state;
	struct sp_journal_store *store = bench_open();
	size_t known;
	assert_int_equal(commit_events(store, 5, 1, DAY, false, &known), 0);
	assert_int_equal(commit_events(store, 6, 1, DAY, false, &known), 0);
	assert_int_equal(erase(store, 5, 1), 1);
	call_roll(&roll, store);
	assert_int_equal(roll.events, 1);
	assert_int_equal(roll.seen[6], 1);
	sp_journal_store_close(store);
}

static bool stop_at_ten(void *arg, const char *record)
{
	int *count = arg;
	assert_non_null(strstr(record, "\"type\":\"punch\""));
	return ++*count < 10;
}

static void test_a_walk_can_be_ended(void **state)
{
	(void)state;
	struct sp_journal_store *store = bench_open();
	size_t known;
	int count = 0;
	assert_int_equal(commit_events(store, 0, 100, DAY, true, &known), 0);
	struct sp_journal_walk walk = {0};
	const struct sp_journal_visit visit = {.event = stop_at_ten, .arg = &count};
	assert_int_equal(sp_journal_store_walk(store, &walk, &visit), -ECANCELED);
	assert_int_equal(count, 10);
	sp_journal_store_close(store);
}

// ---- files that were set aside --------------------------------------------------------------------

/// Opens with the file that is there set aside as corrupt.
static struct sp_journal_store *open_renewed(void)
{
	struct sp_journal_store_config config = test_config(&place);
	config.set_aside = "corrupt";
	return bench_open_with(&config, 0);
}

static void test_a_successor_takes_over_what_waits(void **state)
{
	(void)state;
	struct sp_journal_store *store = bench_open();
	size_t known;
	assert_int_equal(commit_events(store, 0, 100, DAY, true, &known), 0);
	struct sp_feed_ack ack = ack_of(store->now.stream[SP_RECORD_ATTENDANCE].name,
					store->now.stream[SP_RECORD_ATTENDANCE].last);
	apply(store, &ack);
	assert_int_equal(commit_events(store, 100, 100, DAY, true, &known), 0);
	assert_int_equal(commit_events(store, 200, 50, DAY + 1, false, &known), 0);
	assert_int_equal(sp_journal_store_forget(store, 5000), 0); // writes the age
	int64_t age = store->age_ms;
	sp_journal_store_close(store);
	store = open_renewed();
	assert_true(store->set_aside);
	assert_int_equal(store->age_ms, age);
	assert_int_equal(store->now.unsettled[SP_RECORD_ATTENDANCE], 100);
	assert_true(store->now.seen_bytes > 0);
	call_roll(&roll, store);
	assert_int_equal(roll.events, 150);
	for (int n = 0; n < 250; n++)
		assert_int_equal(roll.seen[n], n >= 100);
	assert_int_equal(commit_events(store, 0, 200, DAY, true, &known), 0);
	assert_int_equal(known, 200);
	assert_int_equal(commit_events(store, 200, 51, DAY + 1, true, &known), 0);
	assert_int_equal(known, 50);
	sp_journal_store_close(store);
	assert_int_equal(test_place_count(&place, ".corrupt-"), 1);
}

static void test_unreadable_events_may_come_again(void **state)
{
	(void)state;
	struct sp_journal_store *store = bench_open();
	size_t known;
	assert_int_equal(commit_events(store, 0, 10, DAY, true, &known), 0);
	assert_int_equal(commit_events(store, 10, 10, DAY, true, &known), 0);
	// The card has altered one text.
	assert_int_equal(
	    sqlite3_exec(store->db, "UPDATE batch SET digest = 'x' WHERE id = 1", NULL, NULL, NULL),
	    SQLITE_OK);
	sp_journal_store_close(store);
	store = open_renewed();
	call_roll(&roll, store);
	assert_int_equal(roll.events, 10);
	// Which keys stood for what is lost is not known: all may come again.
	assert_int_equal(commit_events(store, 0, 20, DAY, true, &known), 0);
	assert_int_equal(known, 0);
	struct audit a;
	audit(&a, store, false);
	assert_int_equal(a.dropped, 1);
	assert_int_equal(a.dropped_records, 11);
	audit_free(&a);
	sp_journal_store_close(store);
}

/// All kiosks send all again, and everything is read: 0, or -EBADMSG when damage was met.
static int send_and_read(struct sp_journal_store *store)
{
	const struct sp_journal_visit visit = {.event = roll_event, .arg = &roll};
	struct sp_journal_walk walk = {0};
	size_t known;
	int result = 0;
	memset(&roll, 0, sizeof(roll));
	for (int n = 0; n < 300 && result == 0; n += 10)
		result = commit_events(store, n, 10, DAY + n / 100, n % 20 == 0, &known);
	while (result == 0 && (result = sp_journal_store_walk(store, &walk, &visit)) == 1)
		result = 0;
	return result;
}

static void with_noise_at(const struct test_place *whole, int64_t page, size_t *lost, size_t *again)
{
	struct sp_journal_store_config config = test_config(&place);
	struct sp_journal_store *store;
	char noise[4096];
	memset(noise, 0xa5, sizeof(noise));
	test_place_copy(whole, &place);
	FILE *file = fopen(place.file, "r+e");
	assert_non_null(file);
	assert_int_equal(fseeko(file, page * 4096, SEEK_SET), 0);
	assert_int_equal(fwrite(noise, sizeof(noise), 1, file), 1);
	fclose(file);
	assert_int_equal(sp_journal_store_open(&store, &config, 0), 0);
	// As the journal's thread: who meets the damage begins anew.
	int result = send_and_read(store);
	if (result == -EBADMSG) {
		sp_journal_store_close(store);
		store = open_renewed();
		result = send_and_read(store);
	}
	assert_int_equal(result, 0);
	for (int n = 0; n < 300; n++) {
		*lost += roll.seen[n] == 0;
		*again += roll.seen[n] > 1;
	}
	sp_journal_store_close(store);
}

/// Noise over every page in turn: what the successor lacks, the kiosk's sending again brings back. Only a
/// text whose pages SQLite cannot know to be bad is lost: with one page, one group.
static void test_rot_and_sending_again(void **state)
{
	(void)state;
	struct test_place whole = place;
	struct sp_journal_store *store = bench_open();
	size_t known, lost = 0, again = 0;
	for (int n = 0; n < 300; n += 10)
		assert_int_equal(commit_events(store, n, 10, DAY + n / 100, n % 20 == 0, &known), 0);
	int64_t pages = store->now.pages;
	sp_journal_store_close(store);
	snprintf(whole.file, sizeof(whole.file), "%.100s/whole.db", place.dir);
	assert_int_equal(rename(place.file, whole.file), 0);
	for (int64_t page = 1; page < pages; page++)
		with_noise_at(&whole, page, &lost, &again);
	print_message("noise in each of %d pages: %zu events lost, %zu taken again\n", (int)pages - 1, lost,
		      again);
	assert_int_equal(lost, 0);
}

static void test_a_takeover_that_was_cut_off_goes_on(void **state)
{
	(void)state;
	struct sp_journal_store *store = bench_open();
	size_t known;
	assert_int_equal(commit_events(store, 0, 100, DAY, true, &known), 0);
	sp_journal_store_close(store);
	char *aside = sp_asprintf("%s.corrupt-1", place.file);
	assert_int_equal(rename(place.file, aside), 0);
	// What a power cut leaves right after the successor was made.
	store = bench_open();
	char *sql = sp_asprintf("INSERT INTO small VALUES('" SP_JOURNAL_SALVAGE "', '%s')", aside);
	assert_int_equal(sqlite3_exec(store->db, sql, NULL, NULL, NULL), SQLITE_OK);
	free(sql);
	sp_journal_store_close(store);
	store = bench_open();
	assert_int_equal(commit_events(store, 0, 101, DAY, true, &known), 0);
	assert_int_equal(known, 100);
	assert_null(sp_journal_store_get(store, SP_JOURNAL_SALVAGE));
	call_roll(&roll, store);
	assert_int_equal(roll.events, 101);
	free(aside);
	sp_journal_store_close(store);
}

static void test_erasing_reaches_what_was_set_aside(void **state)
{
	(void)state;
	struct sp_journal_store *store = bench_open();
	size_t known;
	assert_int_equal(commit_events(store, 0, 100, DAY, true, &known), 0);
	// With a WAL of its own beside it.
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sp_journal_store_close(store);
	store = open_renewed();
	assert_int_equal(test_place_count(&place, ".corrupt-1"), 1);
	char *newer = sp_asprintf("%s.newer-3", place.file),
	     *strange = sp_asprintf("%s.foreign-1", place.file);
	char name[33];
	person_name(name, 7);
	const char *files[] = {newer, strange};
	for (int i = 0; i < 2; i++) {
		FILE *file = fopen(files[i], "we");
		assert_non_null(file);
		fputs(i == 0 ? name : "not ours", file);
		fclose(file);
	}
	assert_int_equal(erase(store, 7, 1), 1);
	assert_false(is_anywhere(7));
	assert_int_equal(test_place_count(&place, ".corrupt-"), 0);
	assert_int_equal(access(newer, F_OK), -1);
	assert_int_equal(access(strange, F_OK), 0);
	free(newer);
	free(strange);
	sp_journal_store_close(store);
}

static void test_what_cannot_be_read_is_erased_whole(void **state)
{
	(void)state;
	struct sp_journal_store *store = bench_open();
	size_t known;
	assert_int_equal(commit_events(store, 7, 1, DAY, true, &known), 0);
	assert_int_equal(commit_events(store, 107, 1, DAY, false, &known), 0);
	assert_int_equal(sqlite3_exec(store->db,
				      "UPDATE batch SET digest = 'x'; UPDATE local SET digest = 'x'", NULL,
				      NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(erase(store, 7, 1), 0);
	assert_false(is_anywhere(7));
	assert_int_equal(store->now.dropped, 2);
	sp_journal_store_close(store);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_erased_bytes_are_nowhere),
	    T(test_a_batch_erased_twice_says_so),
	    T(test_a_whole_local_row_goes),
	    T(test_a_walk_can_be_ended),
	    T(test_a_successor_takes_over_what_waits),
	    T(test_unreadable_events_may_come_again),
	    T(test_rot_and_sending_again),
	    T(test_a_takeover_that_was_cut_off_goes_on),
	    T(test_erasing_reaches_what_was_set_aside),
	    T(test_what_cannot_be_read_is_erased_whole),
	};
	FILE *quiet = fopen("/dev/null", "we");
	sp_log_setup(SP_LOG_ERR, false, quiet);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	fclose(quiet);
	return failed;
}
