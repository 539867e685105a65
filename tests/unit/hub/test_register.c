// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The register's file: columns by name, errors by row, and an import that is all or nothing.
#include "tests/unit/hub/hub_util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

#define HEAD                                                                                              \
	"area,school,school_name,site,site_name,line,provider,contract,down_mbps,up_mbps,zone,timetable," \
	"device,shard\n"
#define ONE                                                                                                        \
	"Lào Cai/Sa Pa,1020,Trường Tiểu học A,chinh,Điểm chính,main,Nhà mạng A,HD-7,100,33.5,khó " \
	"khăn,\"mon-fri 07:00-17:00; sat 07:00-11:30\",b-1,lao-cai\n"

static void all_columns_are_read(void **state)
{
	(void)state;
	struct sp_config_errors errors = {0};
	struct sp_register reg;
	assert_int_equal(sp_register_parse(&reg, "r.csv", HEAD ONE, strlen(HEAD ONE), &errors), 0);
	assert_int_equal(reg.count, 1);
	const struct sp_register_line *line = &reg.lines[0];
	assert_string_equal(line->area, "Lào Cai/Sa Pa");
	assert_string_equal(line->school, "1020");
	assert_string_equal(line->school_name, "Trường Tiểu học A");
	assert_string_equal(line->site, "chinh");
	assert_string_equal(line->site_name, "Điểm chính");
	assert_string_equal(line->line, "main");
	assert_string_equal(line->provider, "Nhà mạng A");
	assert_string_equal(line->contract, "HD-7");
	assert_true(line->down_mbps > 99.99 && line->down_mbps < 100.01);
	assert_true(line->up_mbps > 33.49 && line->up_mbps < 33.51);
	assert_string_equal(line->zone, "khó khăn");
	assert_string_equal(line->timetable, "mon-fri 07:00-17:00; sat 07:00-11:30");
	assert_string_equal(line->device, "b-1");
	assert_string_equal(line->shard, "lao-cai");
	sp_register_free(&reg);
}

static void columns_are_found_by_name_and_most_may_be_missing(void **state)
{
	(void)state;
	static const char text[] = "\xef\xbb\xbf"
				   "Line;SITE;school_name;school;down_mbps\r\nmain;s;A;1;33,5\r\n";
	struct sp_config_errors errors = {0};
	struct sp_register reg;
	assert_int_equal(sp_register_parse(&reg, "r.csv", text, strlen(text), &errors), 0);
	assert_string_equal(reg.lines[0].line, "main");
	assert_string_equal(reg.lines[0].school, "1");
	assert_string_equal(reg.lines[0].device, "");
	assert_true(reg.lines[0].down_mbps > 33.49 && reg.lines[0].down_mbps < 33.51);
	sp_register_free(&reg);
}

static void complains(const char *text, const char *expected)
{
	struct sp_config_errors errors = {0};
	struct sp_register reg;
	assert_int_equal(sp_register_parse(&reg, "r.csv", text, strlen(text), &errors), -EINVAL);
	assert_true(errors.count > 0);
	assert_string_equal(errors.lines[0], expected);
	sp_register_free(&reg);
	sp_config_errors_free(&errors);
}

static void every_mistake_has_its_row_and_column(void **state)
{
	(void)state;
#define FOUR "school,school_name,site,line\n"
	complains("schol,school_name,site,line\n", "r.csv:1: unknown column 'schol'; did you mean 'school'?");
	complains("school,school_name,site\n", "r.csv:1: column 'line' is missing");
	complains("school,school,school_name,site,line\n", "r.csv:1: column 'school' stands there twice");
	complains(FOUR "1,A,s,main\n2,B,s,\n", "r.csv:3: column 'line': must not be empty");
	complains(FOUR "1,A,s,main,5\n", "r.csv:2: 5 cells, but the first line names 4 columns");
	complains(FOUR "1,A,s,a/b\n",
		  "r.csv:2: column 'line': stands in a topic: no '/', '+', '#', and no '$' first");
	complains(FOUR "1,A\x01,s,main\n", "r.csv:2: column 'school_name': contains a control character");
	complains(FOUR "1,A,s,main\n\n1,B,s,x\n",
		  "r.csv:4: column 'school_name': differs from line 2, which names the same school");
	complains(FOUR "1,A,s,main\n1,A,s,main\n",
		  "r.csv:3: column 'line': line 2 has the same school, site and line");
	complains("school,school_name,site,line,device,shard\n1,A,s,m,b-1,\n",
		  "r.csv:2: column 'shard': must be given together with 'device'");
	complains("school,school_name,site,line,device,shard\n1,A,s,m,B 1,x\n",
		  "r.csv:2: column 'device': must be 1 to 32 of a-z, 0-9 and '-'");
	complains("school,school_name,site,line,device,shard\n1,A,s,m,b,x\n2,B,s,m,b,x\n",
		  "r.csv:3: column 'device': line 2 has the same device and line");
	complains("school,school_name,site,line,device,shard\n1,A,s,m,b,x\n2,B,s,n,b,y\n",
		  "r.csv:3: column 'shard': differs from line 2, which names the same device");
	complains("school,school_name,site,line,down_mbps\n1,A,s,m,fast\n",
		  "r.csv:2: column 'down_mbps': must be Mbit/s like 100 or 33.5");
	complains("school,school_name,site,line,down_mbps\n1,A,s,m,-5\n",
		  "r.csv:2: column 'down_mbps': must be Mbit/s like 100 or 33.5");
	complains(FOUR, "r.csv:1: there is not one line in it");
	complains("", "r.csv:1: there is not one line in it");
	complains(FOUR "1,\"A,s,main\n", "r.csv:2: a quoted cell is never closed");
}

static void an_unreadable_file_is_an_error_line(void **state)
{
	(void)state;
	struct sp_config_errors errors = {0};
	struct sp_register reg;
	assert_int_equal(sp_register_read(&reg, "/nonexistent/r.csv", &errors), -ENOENT);
	assert_string_equal(errors.lines[0], "/nonexistent/r.csv: cannot be read: No such file or directory");
	sp_config_errors_free(&errors);
}

static struct sp_store_import import(const char *text, bool dry)
{
	struct sp_config_errors errors = {0};
	struct sp_store_import done;
	struct sp_register reg;
	assert_int_equal(sp_register_parse(&reg, "r.csv", text, strlen(text), &errors), 0);
	assert_int_equal(sp_store_import(hub.store, &reg, dry, NOW_MS, &done), 0);
	sp_register_free(&reg);
	return done;
}

static void check(struct sp_store_import done, int added, int changed, int removed, int unchanged)
{
	assert_int_equal(done.added, added);
	assert_int_equal(done.changed, changed);
	assert_int_equal(done.removed, removed);
	assert_int_equal(done.unchanged, unchanged);
}

static void an_import_is_whole_and_says_what_it_did(void **state)
{
	(void)state;
	const char *first = HEAD ONE "x,1021,B,s,,main,,,,,,,,\n";
	check(import(first, true), 2, 0, 0, 0);
	assert_int_equal(number(&hub, "SELECT count(*) FROM register"), 0);
	check(import(first, false), 2, 0, 0, 0);
	assert_int_equal(number(&hub, "SELECT count(*) FROM register"), 2);
	assert_int_equal(
	    number(&hub, "SELECT down_mbps IS NULL AND device IS NULL FROM register WHERE school = '1021'"),
	    1);
	int64_t rev = number(&hub, "SELECT value FROM meta WHERE key = 'register_rev'");
	check(import(first, false), 0, 0, 0, 2);
	assert_int_equal(number(&hub, "SELECT value FROM meta WHERE key = 'register_rev'"), rev);
	const char *second = HEAD "x,1021,B,s,,main,Nhà mạng B,,,,,,,\nx,1022,C,s,,main,,,,,,,,\n";
	check(import(second, true), 1, 1, 1, 0);
	check(import(second, false), 1, 1, 1, 0);
	assert_int_equal(number(&hub, "SELECT count(*) FROM register WHERE school = '1020'"), 0);
	assert_int_equal(number(&hub, "SELECT value FROM meta WHERE key = 'register_rev'"), rev + 1);
}

static void boards_may_change_places(void **state)
{
	(void)state;
	import("school,school_name,site,line,device,shard\n1,A,s,m,b-1,x\n2,B,s,m,b-2,x\n", false);
	check(import("school,school_name,site,line,device,shard\n1,A,s,m,b-2,x\n2,B,s,m,b-1,x\n", false), 0,
	      2, 0, 0);
}

static void on_line(void *arg, const struct sp_line_view *view)
{
	int *counts = arg;
	counts[view->registered]++;
}

static void data_of_a_line_that_leaves_stay_and_are_shown_unregistered(void **state)
{
	(void)state;
	int counts[2] = {0};
	import("school,school_name,site,line,device,shard\n1,A,s,main,board-1,north\n", false);
	DELIVER(&hub, .first = 2,
		.records =
		    "[{\"seq\":2,\"type\":\"line\",\"device\":\"main\",\"mono_us\":1,\"state\":\"up\"}]");
	assert_int_equal(sp_store_lines(hub.store, on_line, counts), 0);
	assert_int_equal(counts[true], 1);
	assert_int_equal(counts[false], 0);
	import("school,school_name,site,line\n1,A,s,main\n", false);
	counts[true] = 0;
	assert_int_equal(sp_store_lines(hub.store, on_line, counts), 0);
	assert_int_equal(counts[true], 1);
	assert_int_equal(counts[false], 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_columns_are_read),
	    cmocka_unit_test(columns_are_found_by_name_and_most_may_be_missing),
	    cmocka_unit_test(every_mistake_has_its_row_and_column),
	    cmocka_unit_test(an_unreadable_file_is_an_error_line),
	    T(an_import_is_whole_and_says_what_it_did),
	    T(boards_may_change_places),
	    T(data_of_a_line_that_leaves_stay_and_are_shown_unregistered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
