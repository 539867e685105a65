// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Opening a database: a fresh one, ours, a newer one, one that is none; and many handles on one.
#include "tests/unit/hub/hub_util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/ids.h"
#include "agent/base/mem.h"

static struct hub hub;

static int set_up(void **state)
{
	(void)state;
	hub_open(&hub);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hub_close(&hub);
	return 0;
}

static int open_as(enum sp_store_mode mode, const char *path, char why[256])
{
	struct sp_store *store;
	why[0] = '\0';
	int result = sp_store_open(&store, path, mode, why);
	sp_store_close(store);
	return result;
}

/// Of all that is in a file; of a server only what says who may read it.
static void digest_of(const char *path, char out[SP_DIGEST_LENGTH + 1])
{
	if (hub_is_postgres()) {
		snprintf(out, SP_DIGEST_LENGTH + 1, "%d",
			 (int)number(&hub,
				     "SELECT sum(CAST(value AS BIGINT)) FROM meta WHERE key LIKE 'rev%%'"
				     " OR key = 'schema_version'"));
		return;
	}
	struct sp_buf text = SP_BUF(16 * 1024 * 1024);
	char chunk[4096];
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	for (size_t n; (n = fread(chunk, 1, sizeof(chunk), file)) > 0;)
		sp_buf_add(&text, chunk, n);
	fclose(file);
	sp_digest(text.data, text.length, out);
	sp_buf_free(&text);
}

static void a_newer_database_is_left_as_it_is(void **state)
{
	(void)state;
	char why[256], before[SP_DIGEST_LENGTH + 1], after[SP_DIGEST_LENGTH + 1];
	DELIVER(&hub, .last = 3);
	sp_store_close(hub.store);
	hub.store = NULL;
	execute(&hub, "UPDATE meta SET value = 1000 WHERE key = 'schema_version'");
	digest_of(hub.path, before);
	assert_int_equal(open_as(SP_STORE_WRITE, hub.path, why), -EPROTO);
	assert_non_null(strstr(why, "it was written by a newer schoolpulse-hub; it is left as it is"));
	assert_int_equal(open_as(SP_STORE_READ, hub.path, why), -EPROTO);
	digest_of(hub.path, after);
	assert_string_equal(before, after);
}

/// Opening changes no schema: what to do stands in the message.
static void an_older_database_is_told_from_a_broken_one(void **state)
{
	(void)state;
	char why[256];
	sp_store_close(hub.store);
	hub.store = NULL;
	execute(&hub, "UPDATE meta SET value = 1 WHERE key = 'schema_version'");
	for (int mode = SP_STORE_READ; mode <= SP_STORE_WRITE; mode++) {
		assert_int_equal(open_as((enum sp_store_mode)mode, hub.path, why), -EPROTO);
		assert_non_null(strstr(why, "has schema 1, this program needs "));
		assert_non_null(strstr(why, "written by an older schoolpulse-hub; it is left as it is"));
		assert_non_null(strstr(why, "run schoolpulse-hub migrate"));
	}
	execute(&hub, "UPDATE meta SET value = 'three' WHERE key = 'schema_version'");
	assert_int_equal(open_as(SP_STORE_WRITE, hub.path, why), -EUCLEAN);
	assert_non_null(strstr(why, "no readable schema version"));
}

static void somebody_elses_database_is_not_taken(void **state)
{
	(void)state;
	char why[256];
	if (hub_is_postgres()) {
		execute(&hub, "DROP TABLE meta");
		assert_int_equal(open_as(SP_STORE_WRITE, hub.path, why), -EUCLEAN);
		assert_non_null(strstr(why, "not a hub's database"));
		return;
	}
	execute(&hub, "PRAGMA foreign_keys = 0"); // the file exists
	char *path = sp_asprintf("%s/other.db", hub.dir);
	char *make = sp_asprintf("ATTACH '%s' AS o; CREATE TABLE o.recipes(cake TEXT)", path);
	execute(&hub, make);
	assert_int_equal(open_as(SP_STORE_WRITE, path, why), -EUCLEAN);
	assert_non_null(strstr(why, "not a hub's database"));
	free(make);
	make = sp_asprintf("echo 'this is no database, but long enough to be asked' > %s", path);
	assert_int_equal(system(make), 0);
	assert_int_equal(open_as(SP_STORE_WRITE, path, why), -EUCLEAN);
	free(make);
	free(path);
}

static void a_reader_before_the_first_writer_is_told(void **state)
{
	(void)state;
	char why[256], *path = sp_asprintf("%s/none.db", hub.dir);
	assert_int_equal(open_as(SP_STORE_READ, path, why), -ENOENT);
	assert_true(why[0] != '\0');
	free(path);
	path = sp_asprintf("%s/no/such/folder/hub.db", hub.dir);
	assert_int_equal(open_as(SP_STORE_WRITE, path, why), -ENOENT);
	free(path);
}

static void a_reader_cannot_write(void **state)
{
	(void)state;
	struct sp_store *reader;
	char why[256];
	assert_int_equal(sp_store_open(&reader, hub.path, SP_STORE_READ, why), 0);
	assert_int_equal(sp_store_begin(reader, NOW_MS), -EROFS);
	sp_store_close(reader);
}

static void a_reader_sees_one_moment(void **state)
{
	(void)state;
	struct sp_store *reader;
	struct sp_store_status one, two;
	char why[256];
	DELIVER(&hub, .last = 1);
	assert_int_equal(sp_store_open(&reader, hub.path, SP_STORE_READ, why), 0);
	assert_int_equal(sp_store_read_begin(reader, NOW_MS), 0);
	assert_int_equal(sp_store_status(reader, &one), 0);
	DELIVER(&hub, .first = 2);
	assert_int_equal(sp_store_status(reader, &two), 0);
	assert_int_equal(two.rev, one.rev);
	sp_store_read_end(reader);
	assert_int_equal(sp_store_status(reader, &two), 0);
	assert_int_equal(two.rev, one.rev + 1);
	sp_store_close(reader);
}

static void only_what_changes_raises_the_revision(void **state)
{
	(void)state;
	struct sp_store_status one, two;
	assert_int_equal(sp_store_begin(hub.store, NOW_MS), 0);
	assert_int_equal(sp_store_pulse(hub.store, "running"), 0);
	assert_int_equal(sp_store_commit(hub.store), 0);
	assert_int_equal(sp_store_status(hub.store, &one), 0);
	assert_string_equal(one.ingest, "running");
	assert_int_equal(sp_store_begin(hub.store, NOW_MS + 5000), 0);
	assert_int_equal(sp_store_pulse(hub.store, "running"), 0);
	assert_int_equal(sp_store_commit(hub.store), 0);
	assert_int_equal(sp_store_status(hub.store, &two), 0);
	assert_int_equal(two.rev, one.rev);
	assert_int_equal(two.ingest_ms, NOW_MS + 5000);
	assert_int_equal(sp_store_begin(hub.store, NOW_MS + 6000), 0);
	assert_int_equal(sp_store_pulse(hub.store, "disconnected"), 0);
	assert_int_equal(sp_store_commit(hub.store), 0);
	assert_int_equal(sp_store_status(hub.store, &two), 0);
	assert_int_equal(two.rev, one.rev + 1);
	assert_string_equal(two.epoch, EPOCH);
}

/// What is read after `state` was told of the one shard at `at_ms`; "stopped": its lease was given back.
static struct sp_store_status after(const char *state, int64_t at_ms)
{
	struct sp_store_status status;
	struct sp_lease seen;
	assert_int_equal(sp_store_begin(hub.store, at_ms), 0);
	assert_int_equal(sp_store_lease_look(hub.store, "north", &seen), 0);
	if (strcmp(state, "stopped") == 0) {
		assert_int_equal(sp_store_lease_release(hub.store, "me"), 0);
	} else {
		if (seen.until_ms == 0)
			assert_int_equal(sp_store_lease_take(hub.store, "north", "me", &seen, at_ms + 10000),
					 1);
		assert_int_equal(sp_store_lease_renew(hub.store, "me", state, at_ms + 10000), 1);
	}
	assert_int_equal(sp_store_commit(hub.store), 0);
	assert_int_equal(sp_store_status(hub.store, &status), 0);
	return status;
}

static void an_ingest_that_stopped_has_been_there(void **state)
{
	(void)state;
	assert_string_equal(after("running", NOW_MS).ingest, "running");
	assert_string_equal(after("disconnected", NOW_MS + 1000).ingest, "disconnected");
	struct sp_store_status last = after("stopped", NOW_MS + 2000);
	assert_string_equal(last.ingest, "stopped");
	assert_int_equal(last.ingest_ms, NOW_MS + 2000);
	assert_string_equal(after("running", NOW_MS + 3000).ingest, "running");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(a_newer_database_is_left_as_it_is),
	    T(an_older_database_is_told_from_a_broken_one),
	    T(somebody_elses_database_is_not_taken),
	    T(a_reader_before_the_first_writer_is_told),
	    T(a_reader_cannot_write),
	    T(a_reader_sees_one_moment),
	    T(only_what_changes_raises_the_revision),
	    T(an_ingest_that_stopped_has_been_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
