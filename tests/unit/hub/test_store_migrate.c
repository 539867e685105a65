// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Down to the first schema and up again with real data: row by row the same, but for what was told before.
#include "tests/unit/hub/hub_util.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/buf.h"
#include "tools/hub/db/db.h"
#include "tools/hub/store/migrate.h"

static struct hub hub;
static int64_t told_lost;
static int told_steps;

static int set_up(void **state)
{
	(void)state;
	hub_open(&hub);
	told_lost = told_steps = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hub_close(&hub);
	return 0;
}

static void on_step(void *arg, int from, int to, const char *name, int64_t rows, const char *lost)
{
	(void)arg;
	(void)name;
	assert_true(from - to == 1 || to - from == 1);
	assert_true(rows == 0 || *lost);
	told_lost += rows;
	told_steps++;
}

static int go(int to, bool lose, bool dry, char why[256])
{
	const struct sp_migration how = {to, dry, lose, hub.now_ms, on_step, NULL};
	return sp_migrate(hub.path, &how, why);
}

static int version(void)
{
	char why[256];
	int now, newest;
	assert_int_equal(sp_migrate_status(hub.path, &now, &newest, why), 0);
	return now;
}

// ---- all that a table holds --------------------------------------------------------------------

static int by_text(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

/// Its rows as sorted lines, of these columns; free() it.
static char *rows_of(struct sp_db *db, const char *table, int columns)
{
	char *sql = sp_asprintf("SELECT * FROM %s", table), **lines = NULL;
	struct sp_buf out = SP_BUF(64 * 1024 * 1024);
	struct sp_rows *rows = sp_sql_once(db, sql);
	size_t count = 0;
	int result;
	while ((result = sp_rows_next(db, rows)) == 1) {
		struct sp_buf line = SP_BUF(1024 * 1024);
		if (strcmp(table, "meta") == 0 && strcmp(sp_row_text(rows, 0), "schema_version") == 0)
			continue;
		for (int i = 0; i < columns; i++)
			sp_buf_printf(&line, "%s|", sp_row_is_null(rows, i) ? "NULL" : sp_row_text(rows, i));
		lines = sp_realloc(lines, (count + 1) * sizeof(*lines));
		lines[count++] = sp_buf_take(&line);
	}
	if (result < 0)
		fail_msg("%s: %s", sql, sp_db_error(db));
	if (count > 0)
		qsort(lines, count, sizeof(*lines), by_text);
	for (size_t i = 0; i < count; i++) {
		sp_buf_printf(&out, "%s\n", lines[i]);
		free(lines[i]);
	}
	free(lines);
	free(sql);
	sp_buf_text(&out, "");
	return out.data ? out.data : sp_strdup("");
}

/// Of schema 1, with their columns.
static const struct {
	const char *name;
	int columns;
} tables[] = {{"meta", 2},           {"device", 12},    {"boot", 9},     {"anchor", 5},
	      {"stream", 11},        {"batch", 8},      {"event", 11},   {"gap", 6},
	      {"anomaly", 7},        {"set_aside", 6},  {"line", 10},    {"line_point", 11},
	      {"outage", 15},        {"silence", 11},   {"instance", 8}, {"register", 14},
	      {"published", 13},     {"speedtest", 18}, {"person", 3},   {"punch", 18},
	      {"arrival", 5},        {"attendance", 8}, {"kiosk", 17},   {"kiosk_day", 6},
	      {"instance_point", 8}, {"subject", 9},    {"refusal", 3},  {"key_backup", 7}};

static void dump(char *out[SP_COUNT(tables)])
{
	struct sp_db *db = hub_connection(&hub);
	for (size_t i = 0; i < SP_COUNT(tables); i++)
		out[i] = rows_of(db, tables[i].name, tables[i].columns);
	sp_db_close(db);
}

static void same(char *before[SP_COUNT(tables)])
{
	char *after[SP_COUNT(tables)];
	dump(after);
	for (size_t i = 0; i < SP_COUNT(tables); i++) {
		if (strcmp(before[i], after[i]) != 0)
			fail_msg("%s was:\n%sand is:\n%s", tables[i].name, before[i], after[i]);
		free(after[i]);
	}
}

static void fill(void)
{
	register_csv(&hub, "school,school_name,site,line,provider,contract,down_mbps,up_mbps,device,shard\n"
			   "1020,Trường A,main,main,VNPT,F100,100,50,board-1,north\n"
			   "1021,Trường B,main,main,FPT,,,,board-2,north\n");
	DELIVER(&hub, .last = 5, .t_ms = NOW_MS - HOUR_MS, .err_ms = 10, .synced = true,
		.clk_t_ms = NOW_MS - HOUR_MS + 60000, .clk_err_ms = 5);
	DELIVER(&hub, .first = 9, .last = 12, .mono_us = 60 * SEC_US);
	DELIVER(&hub, .device = "board-2", .stream = STREAM_2, .boot = BOOT_2, .last = 3);
	DELIVER(&hub, .first = 13, .mono_us = 90 * SEC_US,
		.records = "[{\"seq\":13,\"mono_us\":90000000,\"type\":\"line\",\"device\":\"main\","
			   "\"state\":\"down\",\"cause\":\"isp\",\"whose\":\"provider\"}]");
	BORN(&hub, .synced = true, .t_ms = NOW_MS);
	sp_store_close(hub.store);
	hub.store = NULL;
}

static void down_to_the_first_and_up_again(void **state)
{
	(void)state;
	char why[256], *before[SP_COUNT(tables)];
	fill();
	int newest = version();
	dump(before);
	assert_true(strlen(before[6]) > 200); // there are events
	if (go(1, true, false, why) != 0)
		fail_msg("%s", why);
	assert_int_equal(version(), 1);
	assert_int_equal(told_steps, newest - 1);
	same(before);
	struct sp_store *store;
	assert_int_equal(sp_store_open(&store, hub.path, SP_STORE_WRITE, why), -EPROTO);
	assert_non_null(strstr(why, "run schoolpulse-hub migrate"));
	if (go(0, false, false, why) != 0)
		fail_msg("%s", why);
	assert_int_equal(version(), newest);
	same(before);
	for (size_t i = 0; i < SP_COUNT(tables); i++)
		free(before[i]);
	// And it is a store like any other.
	hub_reopen(&hub);
	assert_int_equal(DELIVER(&hub, .first = 14, .mono_us = 99 * SEC_US), SP_VERDICT_STORED);
	assert_string_equal(acked(&hub, STREAM_1), "5 9-14");
}

static void what_would_be_lost_is_told_first(void **state)
{
	(void)state;
	char why[256];
	fill();
	int newest = version();
	execute(&hub, "INSERT INTO declared(school, category, from_day, to_day, count)"
		      " VALUES('1020', 'computer', 1, 9, 30)");
	assert_int_equal(go(1, false, true, why), 0); // dry
	assert_true(told_lost > 0);
	assert_int_equal(version(), newest);
	assert_int_equal(go(1, false, false, why), -EPERM);
	assert_non_null(strstr(why, "--lose"));
	assert_int_equal(version(), 2); // the steps before it are done, this one is not
	assert_int_equal(number(&hub, "SELECT count FROM declared"), 30);
	assert_int_equal(go(1, true, false, why), 0);
	assert_int_equal(version(), 1);
}

static void nobody_else_may_be_at_it(void **state)
{
	(void)state;
	char why[256];
	fill();
	int newest = version();
	execute(&hub, "INSERT INTO lease VALUES('north', 'h', 1, 9000000000000, 'running', 1)");
	assert_int_equal(go(1, true, false, why), -EBUSY);
	assert_non_null(strstr(why, "stop every ingest"));
	assert_int_equal(version(), newest);
	execute(&hub, "DELETE FROM lease; UPDATE meta SET value = '1000' WHERE key = 'schema_version'");
	assert_int_equal(go(1, true, false, why), -EPROTO);
	assert_int_equal(go(1000, true, false, why), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(down_to_the_first_and_up_again, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_would_be_lost_is_told_first, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(nobody_else_may_be_at_it, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
