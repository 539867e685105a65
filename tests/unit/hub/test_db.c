// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The database contract on either kind: values, queries within queries, errors by kind, many rows at once, a
// server that goes away; and what a reader may pass by while others still write.
#include "tests/unit/hub/hub_util.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hub/db/db.h"

static struct hub hub;
static struct sp_db *db;

static int set_up(void **state)
{
	(void)state;
	hub_open(&hub);
	db = hub_connection(&hub);
	assert_int_equal(sp_sql_script(db,
				       "CREATE TABLE thing(id {ID}, name TEXT UNIQUE, size BIGINT, share"
				       " DOUBLE PRECISION, seal {BLOB}, small INTEGER NOT NULL DEFAULT 0);"
				       "CREATE TABLE plain(t_ms BIGINT NOT NULL, word TEXT NOT NULL)"),
			 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_db_close(db);
	hub_close(&hub);
	return 0;
}

static int64_t count_of(const char *what)
{
	return number(&hub, "SELECT count(*) FROM %s", what);
}

static void values_come_back_as_they_went(void **state)
{
	(void)state;
	static const unsigned char bytes[] = {0, 1, 255, '\\', '\'', 0};
	static const int64_t sizes[] = {INT64_MIN, -1, 0, 1, INT64_MAX};
	size_t length;
	for (size_t i = 0; i < SP_COUNT(sizes); i++) {
		int64_t id = 0;
		assert_int_equal(SQL_GET(db, &id,
					 "INSERT INTO thing(name, size, share, seal) VALUES(?1 || ?2, ?3, "
					 "?4, ?5) RETURNING id",
					 T("Trường số '?'-"), T(i % 2 ? "lẻ" : NULL), I(sizes[i]),
					 R(1.0 / 3.0), B(bytes, sizeof(bytes))),
				 1);
		struct sp_rows *rows = SQL_QUERY(
		    db, "SELECT name, size, share, seal, size > 0, name IS NULL FROM thing WHERE id = ?",
		    I(id));
		assert_int_equal(sp_rows_next(db, rows), 1);
		assert_string_equal(sp_row_text(rows, 0), i % 2 ? "Trường số '?'-lẻ" : "");
		assert_true(sp_row_int(rows, 1, 7) == sizes[i]);
		assert_true(sp_row_real(rows, 2, 0) == 1.0 / 3.0);
		const void *seal = sp_row_blob(rows, 3, &length);
		assert_int_equal(length, sizeof(bytes));
		assert_memory_equal(seal, bytes, sizeof(bytes));
		assert_int_equal(sp_row_int(rows, 4, -1), sizes[i] > 0);
		assert_int_equal(sp_row_is_null(rows, 0), sp_row_int(rows, 5, -1));
		assert_int_equal(sp_rows_next(db, rows), 0);
		assert_int_equal(SQL_DO(db, "DELETE FROM thing"), 0);
		assert_int_equal(sp_sql_changes(db), 1);
	}
}

static void null_is_passed_over(void **state)
{
	(void)state;
	int64_t out = 42;
	assert_int_equal(SQL_GET(db, &out, "SELECT greatest(?, NULL, 3)", I(2)), 1);
	assert_int_equal(out, 3);
	assert_int_equal(SQL_GET(db, &out, "SELECT least(?, NULL, 3)", I(2)), 1);
	assert_int_equal(out, 2);
	assert_int_equal(SQL_GET(db, &out, "SELECT max(size) FROM thing"), 0);
	assert_int_equal(SQL_GET(db, &out, "SELECT size FROM thing WHERE name = ?", T(NULL)), 0);
	assert_int_equal(out, 2);
}

static void queries_stand_within_queries(void **state)
{
	(void)state;
	int64_t seen = 0;
	for (int i = 0; i < 5; i++)
		assert_int_equal(SQL_DO(db, "INSERT INTO thing(size) VALUES(?)", I(i)), 0);
	// The same statement, which is still being read: by the same call site.
	struct sp_rows *outer = NULL, *inner = NULL;
	for (int level = 0; level < 2; level++) {
		struct sp_rows *rows = SQL_QUERY(db, "SELECT size FROM thing ORDER BY size");
		assert_int_equal(sp_rows_next(db, rows), 1);
		assert_int_equal(sp_row_int(rows, 0, -1), 0);
		*(level ? &inner : &outer) = rows;
	}
	while (sp_rows_next(db, inner) == 1)
		assert_int_equal(SQL_DO(db, "UPDATE thing SET small = small + 1 WHERE size = ?",
					I(sp_row_int(inner, 0, -1))),
				 0);
	for (seen = 1; sp_rows_next(db, outer) == 1; seen++)
		assert_int_equal(sp_row_int(outer, 0, -1), seen);
	assert_int_equal(seen, 5);
	assert_int_equal(number(&hub, "SELECT sum(small) FROM thing"), 4);
}

static void a_failure_says_of_which_kind_it_is(void **state)
{
	(void)state;
	assert_int_equal(sp_db_begin(db), 0);
	assert_int_equal(SQL_DO(db, "INSERT INTO thing(name) VALUES(?)", T("one")), 0);
	assert_int_equal(SQL_DO(db, "SAVEPOINT s"), 0);
	assert_int_equal(SQL_DO(db, "INSERT INTO thing(name) VALUES(?)", T("one")), -EEXIST);
	assert_true(sp_db_error(db)[0] != '\0');
	assert_int_equal(SQL_DO(db, "ROLLBACK TO s"), 0);
	assert_int_equal(SQL_DO(db, "INSERT INTO thing(name) VALUES(?)", T("two")), 0);
	assert_int_equal(sp_db_commit(db), 0);
	assert_int_equal(count_of("thing"), 2);
	assert_int_equal(sp_sql_script(db, "SELEKT 1"), -EIO);
	assert_int_equal(sp_db_begin(db), 0);
	assert_int_equal(SQL_DO(db, "DELETE FROM thing"), 0);
	sp_db_rollback(db);
	sp_db_rollback(db); // once more does no harm
	assert_int_equal(count_of("thing"), 2);
	struct sp_db *reader;
	char why[256];
	assert_int_equal(sp_db_open(&reader, hub.path, SP_DB_READ, why), 0);
	assert_int_equal(SQL_DO(reader, "DELETE FROM thing"), -EROFS);
	sp_db_close(reader);
}

static void whoever_waits_for_too_long_is_told(void **state)
{
	(void)state;
	struct sp_db *other = hub_connection(&hub);
	assert_int_equal(SQL_DO(db, "INSERT INTO thing(name) VALUES(?)", T("one")), 0);
	assert_int_equal(sp_sql_script(other, hub_is_postgres() ? "SET lock_timeout = '50ms'"
								: "PRAGMA busy_timeout = 50"),
			 0);
	assert_int_equal(sp_db_begin(db), 0);
	assert_int_equal(SQL_DO(db, "UPDATE thing SET size = 1"), 0);
	int result = sp_db_begin(other);
	if (result == 0)
		result = SQL_DO(other, "UPDATE thing SET size = 2");
	assert_int_equal(result, -EBUSY);
	sp_db_rollback(other);
	assert_int_equal(sp_db_commit(db), 0);
	sp_db_close(other);
}

static void many_rows_go_at_once_and_known_ones_stay(void **state)
{
	(void)state;
	struct sp_bulk *bulk;
	assert_int_equal(sp_bulk_open(db, "thing", "name, size, share, seal, small", &bulk), 0);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(sp_db_begin(db), 0);
		for (int i = 0; i < 1000; i++) {
			char name[16];
			snprintf(name, sizeof(name), "n%d", i + 500 * round);
			const struct sp_arg row[] = {T(name), I(round), R(0.5), B(name, 2), I(i)};
			assert_int_equal(sp_bulk_add(bulk, row, SP_COUNT(row)), 0);
		}
		assert_int_equal(sp_bulk_flush(bulk), 0);
		assert_int_equal(sp_db_commit(db), 0);
	}
	assert_int_equal(count_of("thing"), 1500);
	assert_int_equal(number(&hub, "SELECT count(*) FROM thing WHERE size = 0 AND share = 0.5"), 1000);
	// What was rolled back is not there, and what comes then is.
	const struct sp_arg row[] = {T("last"), I(1), R(1), B(NULL, 0), I(1)};
	assert_int_equal(sp_db_begin(db), 0);
	assert_int_equal(sp_bulk_add(bulk, row, SP_COUNT(row)), 0);
	sp_db_rollback(db);
	sp_bulk_clear(bulk);
	assert_int_equal(sp_db_begin(db), 0);
	assert_int_equal(sp_bulk_add(bulk, row, SP_COUNT(row)), 0);
	assert_int_equal(sp_bulk_flush(bulk), 0);
	assert_int_equal(sp_db_commit(db), 0);
	assert_int_equal(number(&hub, "SELECT count(*) FROM thing WHERE name = 'last' AND seal IS NULL"), 1);
	sp_bulk_close(bulk);
	assert_int_equal(sp_bulk_open(db, "plain", "t_ms, word", &bulk), 0);
	for (int i = 0; i < 10; i++) {
		const struct sp_arg same[] = {I(1), T("word")};
		assert_int_equal(sp_bulk_add(bulk, same, SP_COUNT(same)), 0);
	}
	assert_int_equal(sp_bulk_flush(bulk), 0);
	assert_int_equal(count_of("plain"), 10); // nothing makes them unique
	sp_bulk_close(bulk);
	assert_true(sp_bulk_open(db, "thing", "name, colour", &bulk) < 0);
	assert_null(bulk);
}

static void a_connection_that_went_is_found_again(void **state)
{
	(void)state;
	struct sp_bulk *bulk;
	const struct sp_arg row[] = {T("kept"), I(1)};
	if (!hub_is_postgres())
		skip(); // a file has no connection
	assert_int_equal(sp_bulk_open(db, "thing", "name, size", &bulk), 0);
	assert_int_equal(sp_db_begin(db), 0);
	assert_int_equal(SQL_DO(db, "INSERT INTO thing(name) VALUES(?)", T("lost")), 0);
	int64_t pid = 0, killed = 0;
	assert_int_equal(SQL_GET(db, &pid, "SELECT pg_backend_pid()"), 1);
	killed = number(&hub, "SELECT pg_terminate_backend(%" PRId64 ", 5000)", pid);
	assert_int_equal(killed, 1);
	assert_int_equal(SQL_DO(db, "INSERT INTO thing(name) VALUES(?)", T("lost")), -ENOTCONN);
	assert_int_equal(SQL_DO(db, "INSERT INTO thing(name) VALUES(?)", T("lost")), -ENOTCONN);
	assert_int_equal(sp_db_commit(db), -ENOTCONN);
	sp_db_rollback(db);
	assert_int_equal(sp_db_begin(db), 0); // a new connection, with all its statements
	assert_int_equal(SQL_DO(db, "INSERT INTO thing(name) VALUES(?)", T("found")), 0);
	sp_bulk_clear(bulk);
	assert_int_equal(sp_bulk_add(bulk, row, SP_COUNT(row)), 0);
	assert_int_equal(sp_bulk_flush(bulk), 0);
	assert_int_equal(sp_db_commit(db), 0);
	assert_int_equal(number(&hub, "SELECT count(*) FROM thing WHERE name IN ('kept', 'found')"), 2);
	assert_int_equal(count_of("thing"), 2);
	sp_bulk_close(bulk);
}

static void a_place_that_is_none_says_why(void **state)
{
	(void)state;
	struct sp_db *none;
	char why[256] = "";
	assert_int_equal(sp_db_open(&none, "/no/such/folder/hub.db", SP_DB_WRITE, why), -ENOENT);
	assert_int_equal(sp_db_open(&none, "postgresql:///x?host=/no/such/folder", SP_DB_WRITE, why),
			 -ENOTCONN);
	assert_non_null(strstr(why, "/no/such/folder"));
	if (!hub_is_postgres())
		return;
	char *where = sp_asprintf("%s&dbname=no_such_database", hub.path);
	assert_int_equal(sp_db_open(&none, where, SP_DB_WRITE, why), -ENOENT);
	free(where);
}

// ---- readers and several writers ---------------------------------------------------------------

static int64_t last_seen, facts_seen;

static void on_fact(void *arg, const struct sp_fact_view *fact)
{
	(void)arg;
	assert_true(fact->id > last_seen);
	last_seen = fact->id;
	facts_seen++;
}

static void read_on(struct sp_store *reader)
{
	assert_int_equal(sp_store_read_begin(reader, NOW_MS), 0);
	assert_int_equal(sp_store_facts(reader, NULL, true, last_seen, 1000, on_fact, NULL), 0);
	sp_store_read_end(reader);
}

/// The slower of two writers took its ids first: whoever follows the facts sees its, too.
static void a_reader_passes_no_record_by(void **state)
{
	(void)state;
	struct sp_store *reader;
	char why[256];
	if (!hub_is_postgres())
		skip(); // there is one writer
	assert_int_equal(sp_store_open(&reader, hub.path, SP_STORE_READ, why), 0);
	last_seen = facts_seen = 0;
	// Both boards are known, so that no row is fought for.
	DELIVER(&hub, .last = 2);
	DELIVER(&hub, .device = "board-2", .stream = STREAM_2, .boot = BOOT_2, .last = 2);
	read_on(reader);
	assert_int_equal(facts_seen, 4);
	struct sp_db *slow = hub_connection(&hub);
	assert_int_equal(sp_db_begin(slow), 0);
	assert_int_equal(sp_sql_script(slow,
				       "SELECT pg_advisory_xact_lock_shared(last_value) FROM event_id;"
				       "INSERT INTO event(stream, seq, type, instance, mono_us, t_ms,"
				       " placed, arrived_ms, data) SELECT stream, 99, type, instance,"
				       " mono_us, t_ms, placed, arrived_ms, data FROM event WHERE seq = 2"
				       " LIMIT 1"),
			 0);
	DELIVER(&hub, .first = 3, .last = 5, .mono_us = 30 * SEC_US);
	read_on(reader);
	assert_int_equal(facts_seen, 4); // those behind the slow one's have to wait
	assert_int_equal(sp_db_commit(slow), 0);
	read_on(reader);
	assert_int_equal(facts_seen, 8);
	sp_db_close(slow);
	sp_store_close(reader);
}

static void months_are_made_as_they_come(void **state)
{
	(void)state;
	if (!hub_is_postgres())
		skip();
	DELIVER(&hub, .last = 2);
	hub.now_ms += 40 * 24 * HOUR_MS;
	DELIVER(&hub, .first = 3, .last = 4, .mono_us = 30 * SEC_US);
	assert_int_equal(number(&hub, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'event'::regclass"),
			 2);
	assert_int_equal(count_of("event_202611"), 2);
	assert_int_equal(count_of("event_202612"), 2);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    CASE(values_come_back_as_they_went),         CASE(null_is_passed_over),
	    CASE(queries_stand_within_queries),          CASE(a_failure_says_of_which_kind_it_is),
	    CASE(whoever_waits_for_too_long_is_told),    CASE(many_rows_go_at_once_and_known_ones_stay),
	    CASE(a_connection_that_went_is_found_again), CASE(a_place_that_is_none_says_why),
	    CASE(a_reader_passes_no_record_by),          CASE(months_are_made_as_they_come),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
