// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The journal's file, found spoilt: bytes rot, files are foreign, newer, locked or moved away. Nothing
// untrue comes out, and the journal goes on.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "tests/unit/core/fault_bench.h"

// ---- rot ----------------------------------------------------------------------------------------

static void fill(void)
{
	struct sp_journal_store_config config = faulty();
	struct sp_journal_store *store;
	assert_int_equal(sp_journal_store_open(&store, &config, 0), 0);
	struct sp_journal_small small = {.key = "budget", .value = "41"};
	struct sp_journal_commit what = {.small = &small, .small_count = 1};
	assert_int_equal(sp_journal_store_commit(store, &what, 0), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(test_commit(store, i % 4 ? SP_RECORD_FACTS : SP_RECORD_BULK, i * 3, 3, 300),
				 0);
	sp_journal_store_close(store);
}

static void damage(const char *file, off_t offset, const void *bytes, size_t length)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, bytes, length, offset), length);
	close(fd);
}

/// Opens whatever lies there and lives with it as the journal's thread would. Records that come out are
/// true or they do not come out; new ones are kept.
static void live_with_rot(void)
{
	struct sp_journal_store_config config = faulty();
	struct sp_journal_store *store = NULL;
	struct sp_journal_batch *batches[8];
	size_t count;
	int result = -EBADMSG;
	for (int i = 0; i < 3 && result != 0; i++) {
		if (!store)
			assert_int_equal(sp_journal_store_open(&store, &config, 0), 0);
		result = test_commit(store, SP_RECORD_FACTS, 5000, 1, 0);
		int64_t after = 0;
		do {
			count = 0;
			if (result == 0)
				result = sp_journal_store_fetch(store, SP_LANE_BACKLOG, after, 8, batches,
								&count, 0);
			for (size_t k = 0; k < count; k++) {
				char digest[SP_DIGEST_LENGTH + 1];
				after = batches[k]->id;
				sp_digest(batches[k]->text, strlen(batches[k]->text), digest);
				assert_string_equal(digest, batches[k]->envelope.digest);
				sp_journal_batch_free(batches[k]);
			}
		} while (count > 0);
		if (result == 0)
			result = sp_journal_store_forget(store, 1000);
		if (result == 0)
			break;
		assert_int_equal(result, -EBADMSG);
		sp_journal_store_close(store);
		store = NULL;
		config.set_aside = "corrupt";
	}
	assert_int_equal(result, 0);
	sp_journal_store_close(store);
}

static void test_flipped_bytes_everywhere(void **state)
{
	(void)state;
	struct test_place whole;
	test_place_make(&whole);
	fill();
	test_place_copy(&place, &whole);
	off_t size = size_of(place.file);
	unsigned seed = 12345;
	for (int i = 0; i < 600; i++) {
		seed = seed * 1103515245u + 12345u;
		off_t offset = i < 100 ? i : (off_t)(seed >> 4) % size; // the header byte by byte
		unsigned char bytes[4] = {0xff, (unsigned char)(seed >> 24), 0, 0x7f};
		damage(place.file, offset, bytes, 1 + (seed >> 8) % 4);
		live_with_rot();
		assert_true(test_place_count(&place, ".corrupt-") <= 2);
		test_place_remove(&place);
		mkdir(place.dir, 0700);
		test_place_copy(&whole, &place);
	}
	test_place_remove(&whole);
}

static void test_zeroed_and_cut_files(void **state)
{
	(void)state;
	struct test_place whole;
	char zeros[4096] = {0};
	test_place_make(&whole);
	fill();
	test_place_copy(&place, &whole);
	off_t size = size_of(place.file);
	for (off_t page = 0; page * 4096 < size; page++) {
		damage(place.file, page * 4096, zeros, sizeof(zeros));
		live_with_rot();
		test_place_copy(&whole, &place);
		assert_int_equal(truncate(place.file, page * 4096 + (page % 2 ? 700 : 0)), 0);
		live_with_rot();
		test_place_copy(&whole, &place);
	}
	test_place_remove(&whole);
}

static void test_altered_text_is_dropped_with_a_fact(void **state)
{
	(void)state;
	struct sp_journal_store_config config = faulty();
	struct sp_journal_store *store;
	struct audit a;
	fill();
	// One letter inside a record: SQLite cannot notice.
	int fd = open(place.file, O_RDWR | O_CLOEXEC);
	char *all = sp_alloc((size_t)size_of(place.file) + 1);
	ssize_t length = pread(fd, all, (size_t)size_of(place.file), 0);
	char *at = memmem(all, (size_t)length, "\"n\":9,", 6);
	assert_non_null(at);
	assert_int_equal(pwrite(fd, "8", 1, at - all + 4), 1);
	close(fd);
	free(all);
	assert_int_equal(sp_journal_store_open(&store, &config, 0), 0);
	audit(&a, store, false);
	assert_int_equal(a.seen[8], 1); // the true one
	assert_int_equal(a.seen[9], 0);
	assert_int_equal(a.dropped, 1);
	assert_int_equal(a.dropped_records, 3);
	assert_false(a.set_aside);
	audit_free(&a);
	sp_journal_store_close(store);
}

// ---- files that are not ours to use -------------------------------------------------------------

static void expect_new_chain(const char *kept_as)
{
	struct sp_journal_store_config config = faulty();
	struct sp_journal_store *store;
	struct audit a;
	assert_int_equal(sp_journal_store_open(&store, &config, 0), 0);
	assert_true(store->set_aside);
	assert_int_equal(test_commit(store, SP_RECORD_FACTS, 1, 1, 0), 0);
	audit(&a, store, true);
	assert_true(a.set_aside);
	assert_int_equal(a.last_prev, -1);
	audit_free(&a);
	sp_journal_store_close(store);
	assert_true(test_place_count(&place, kept_as) > 0);
	// The next opening is an ordinary one.
	assert_int_equal(sp_journal_store_open(&store, &config, 0), 0);
	assert_false(store->set_aside);
	sp_journal_store_close(store);
}

static void write_text(const char *text)
{
	FILE *file = fopen(place.file, "we");
	fputs(text, file);
	fclose(file);
}

static void test_text_file_is_set_aside(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		write_text("this was never a database, but somebody put it here, and it is long enough to be "
			   "looked at as one: 0123456789012345678901234567890123456789\n");
		expect_new_chain("journal.db.corrupt-");
	}
	assert_int_equal(test_place_count(&place, "journal.db.corrupt-"), 2);
	assert_int_equal(test_place_count(&place, "journal.db.corrupt-4"), 1);
}

static void test_empty_file_is_a_new_journal(void **state)
{
	(void)state;
	struct sp_journal_store_config config = faulty();
	struct sp_journal_store *store;
	write_text("");
	assert_int_equal(sp_journal_store_open(&store, &config, 0), 0);
	assert_false(store->set_aside);
	sp_journal_store_close(store);
}

static void sql(const char *text)
{
	sqlite3 *db;
	assert_int_equal(sqlite3_open(place.file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void test_newer_schema_is_kept(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		unlink(place.file);
		fill();
		sql("PRAGMA user_version=99; ALTER TABLE batch ADD COLUMN later TEXT");
		expect_new_chain("journal.db.newer-");
	}
	assert_int_equal(test_place_count(&place, "journal.db.newer-"), 4); // none was deleted
}

static void test_strangers_database_is_kept(void **state)
{
	(void)state;
	sql("CREATE TABLE recipes(name TEXT)");
	expect_new_chain("journal.db.foreign-");
}

static void test_missing_table_is_corruption(void **state)
{
	(void)state;
	struct sp_journal_store_config config = faulty();
	struct sp_journal_store *store;
	fill();
	sql("DROP TABLE batch");
	assert_int_equal(sp_journal_store_open(&store, &config, 0), 0);
	assert_true(store->set_aside);
	// What could still be read went over.
	char *value = sp_journal_store_get(store, "budget");
	assert_non_null(value);
	assert_string_equal(value, "41");
	free(value);
	sp_journal_store_close(store);
}

static void test_second_process_is_refused(void **state)
{
	(void)state;
	struct sp_journal_store_config config = faulty();
	struct sp_journal_store *store;
	fill();
	assert_int_equal(sp_journal_store_open(&store, &config, 0), 0);
	pid_t child = fork();
	if (child == 0) {
		struct sp_journal_store *second;
		_exit(sp_journal_store_open(&second, &config, 0) == -EBUSY ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(test_place_count(&place, "corrupt"), 0);
	assert_int_equal(test_commit(store, SP_RECORD_FACTS, 1, 1, 0), 0);
	sp_journal_store_close(store);
}

static void test_file_moved_away_is_noticed(void **state)
{
	(void)state;
	struct sp_journal_store_config config = faulty();
	struct sp_journal_store *store;
	char away[200];
	assert_int_equal(sp_journal_store_open(&store, &config, 0), 0);
	assert_int_equal(test_commit(store, SP_RECORD_FACTS, 1, 1, 0), 0);
	snprintf(away, sizeof(away), "%s.away", place.file);
	assert_int_equal(rename(place.file, away), 0);
	assert_int_equal(test_commit(store, SP_RECORD_FACTS, 2, 1, 0), -ESTALE);
	sp_journal_store_close(store);
}

static void test_missing_directory_is_an_error(void **state)
{
	(void)state;
	struct sp_journal_store_config config = faulty();
	struct sp_journal_store *store;
	config.path = "/nonexistent/sp/journal.db";
	int result = sp_journal_store_open(&store, &config, 0);
	assert_true(result < 0);
	assert_null(store);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_flipped_bytes_everywhere),
	    T(test_zeroed_and_cut_files),
	    T(test_altered_text_is_dropped_with_a_fact),
	    T(test_text_file_is_set_aside),
	    T(test_empty_file_is_a_new_journal),
	    T(test_newer_schema_is_kept),
	    T(test_strangers_database_is_kept),
	    T(test_missing_table_is_corruption),
	    T(test_second_process_is_refused),
	    T(test_file_moved_away_is_noticed),
	    T(test_missing_directory_is_an_error),
	};
	fault_vfs_register();
	FILE *quiet = fopen("/dev/null", "we");
	sp_log_setup(SP_LOG_ERR, false, quiet);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	fclose(quiet);
	return failed;
}
