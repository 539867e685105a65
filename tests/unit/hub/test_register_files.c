// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Files of the register from anywhere: kinds known by their headers in two languages, and what is broken or
// meant badly, told by its row and bounded.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "agent/base/mem.h"
#include "tools/hub/register/file.h"

static struct sp_register_set *set;

static int set_up(void **state)
{
	(void)state;
	set = sp_alloc(sizeof(*set));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_register_set_free(set);
	free(set);
	return 0;
}

static void reads(enum sp_register_kind kind, const char *text)
{
	assert_int_equal(sp_register_add(set, "f.csv", -1, text, strlen(text)), 0);
	assert_int_equal(set->files[set->file_count - 1].kind, kind);
}

/// The first error of a file of its own.
static void refuses_bytes(const char *expected, const void *text, size_t length)
{
	tear_down(NULL);
	set_up(NULL);
	assert_int_equal(sp_register_add(set, "f.csv", -1, text, length), -EINVAL);
	assert_string_equal(set->files[0].errors.lines[0], expected);
}

static void refuses(const char *expected, const char *text)
{
	refuses_bytes(expected, text, strlen(text));
}

static void the_header_says_which_kind_it_is(void **state)
{
	(void)state;
	reads(SP_KIND_AREAS, "\xef\xbb\xbftree;area;parent;area_name\r\n2025;01;;Lào Cai\r\n");
	reads(SP_KIND_SCHOOLS, "Mã trường\tTên trường\tVùng\tKhu vực:2025\n1\tTrường A\tkhó khăn\t01\n");
	reads(SP_KIND_SITES, "school,mã điểm trường,Điểm chính,Vĩ độ\n1,chinh,Có,\"-1,5\"\n");
	reads(SP_KIND_LINES, "school,site,line,medium,down_mbps\n1,chinh,main,Fibre,\"33,50\"\n");
	reads(SP_KIND_BOARDS, "device,shard,school,site,line\nb-1,x,1,chinh,main\n");
	reads(SP_KIND_TIMETABLES, "timetable,week\ncap1,t2-t6 7h00-11h00\n");
	reads(SP_KIND_CALENDAR, "day_kind,scope,from,to\nholiday,all,02/09/2026,2026-09-02\n");
	reads(SP_KIND_MAINTENANCE, "scope,code,reason,from,to\nprovider,A,x,2026-09-02 7h00,2026-09-02\n");
	reads(SP_KIND_DECLARED, "school,category,declared\n1,projector,3\n");
	reads(SP_KIND_ASSETS, "school,asset\n1,TS-1\n");
	reads(SP_KIND_REGISTER, "school,school_name,site,line\n9,Z,chinh,main\n");
	assert_int_equal(sp_register_finish(set), 0);
	const struct sp_rel_row *line = &set->rows[SP_REL_LINE].items[0];
	assert_string_equal(line->cells[6], "fibre");
	assert_string_equal(line->cells[8], "33.5");
	assert_string_equal(set->rows[SP_REL_SITE].items[0].cells[3], "1");
	assert_string_equal(set->rows[SP_REL_SITE].items[0].cells[6], "-1.5");
	const struct sp_rel_row *holiday = &set->rows[SP_REL_HOLIDAY].items[0];
	assert_int_equal(holiday->to - holiday->from, 1); // the last day is included
	const struct sp_rel_row *work = &set->rows[SP_REL_MAINTENANCE].items[0];
	assert_int_equal(work->to - work->from, INT64_C(17) * 3600000);
}

static void every_mistake_has_its_row_and_column(void **state)
{
	(void)state;
	refuses("f.csv:1: unknown column 'schol_name' in a file of schools; did you mean 'school_name'?",
		"school,schol_name,pupils\n1,A,3\n");
	refuses("f.csv:3: column 'pupils': must be a number from 0 to 10000000, without signs in between",
		"school,school_name,pupils\n1,A,3\n2,B,1.000\n");
	refuses("f.csv:2: column 'medium': is none of the words that may stand there",
		"school,site,line,medium\n1,a,b,cáp\n");
	refuses("f.csv:2: column 'from': must be a day, without a time",
		"day_kind,scope,from,to\nholiday,all,2026-09-02 07:00,2026-09-02\n");
	refuses("f.csv:2: column 'to': lies before 'from'",
		"day_kind,scope,from,to\nholiday,all,2026-09-02,2026-09-01\n");
	refuses("f.csv:2: column 'from': must be a day like 2026-09-05 or 05/09/2026, with a time like 07:00 "
		"behind it or without",
		"day_kind,scope,from,to\nholiday,all,31/02/2026,2026-09-01\n");
	refuses("f.csv:2: column 'code': must be empty with the scope 'all'",
		"day_kind,scope,code,from,to\nholiday,all,1,2026-09-02,2026-09-02\n");
	refuses("f.csv:2: column 'code': an area is named by its tree and its code, like 2025:01",
		"day_kind,scope,code,from,to\nholiday,area,01,2026-09-02,2026-09-02\n");
	refuses("f.csv:1: column 'area:2025' stands there twice",
		"school,school_name,area:2025,area:2025\n1,A,a,b\n");
	refuses("f.csv:1: there is not one row in it", "school,school_name\n");
}

static void hostile_cells_and_bytes_are_refused(void **state)
{
	(void)state;
	static const char formula[] = "f.csv:2: column 'school_name': begins with '=', '+', '-' or '@': a "
				      "spreadsheet would take it for a formula";
	refuses(formula, "school,school_name\n1,\"=HYPERLINK(\"\"http://x\"\")\"\n");
	refuses(formula, "school,school_name\n1,@SUM(A1)\n");
	refuses(formula, "school,school_name\n1,\"\t+1\"\n");
	refuses(formula, "school,school_name\n1,-1\n");
	refuses(formula, "school,school_name\n1,＝1\n");
	refuses("f.csv:2: column 'school_name': contains a control character",
		"school,school_name\n1,\"A\rB\"\n");
	refuses_bytes("f.csv:1: this is UTF-16: save it as \"CSV UTF-8\"", "s\0c\0h\0o\0o\0l\0\n\0", 14);
	refuses("f.csv:2: this is not UTF-8 but Windows-1258: save it as \"CSV UTF-8\"",
		"school,school_name\n1,Ti\xea\xf2u h\xf4\xf2\n");
	refuses(
	    "f.csv:3: this is not UTF-8 but another encoding, such as TCVN3 (ABC) or VNI: save it as \"CSV "
	    "UTF-8\"",
	    "school,school_name\n1,A\n2,Tr\xad\xeang\n");
	refuses_bytes("f.csv:1: there are NUL bytes in it: not a CSV file",
		      "school,school_name\n1,a lot of text and then\0\n", 45);
	refuses("f.csv:2: a quoted cell is never closed", "school,school_name\n1,\"A\n2,B\n3,C\n");
	char *huge = sp_alloc(3000000);
	memset(huge, 'x', 2999999);
	refuses("f.csv:1: a cell is longer than 4096 bytes", huge);
	memset(huge, ',', 2999999);
	refuses("f.csv:1: more than 64 cells", huge);
	free(huge);
}

static void a_million_mistakes_are_counted(void **state)
{
	(void)state;
	struct sp_buf text = SP_BUF(SP_REGISTER_FILE_MAX);
	sp_buf_text(&text, "school,asset\n");
	for (int i = 0; i < 1000000; i++)
		sp_buf_text(&text, "1,\n");
	assert_int_equal(sp_register_add(set, "f.csv", -1, text.data, text.length), -EINVAL);
	assert_int_equal(set->files[0].errors.count, 50);
	assert_string_equal(set->files[0].errors.lines[0], "f.csv:2: column 'asset': must not be empty");
	assert_string_equal(set->files[0].errors.lines[49], "f.csv: and 999951 more mistakes");
	sp_buf_free(&text);
}

static void the_same_twice_and_times_that_overlap(void **state)
{
	(void)state;
	reads(SP_KIND_SCHOOLS, "school,school_name\n1,A\n2,B\n1,C\n");
	reads(SP_KIND_DECLARED, "school,category,declared,from,to\n1,x,1,2026-01-01,2026-03-31\n"
				"1,x,2,2026-04-01,\n1,x,3,2026-12-01,\n");
	assert_int_equal(sp_register_finish(set), -EINVAL);
	assert_string_equal(set->files[0].errors.lines[0],
			    "f.csv:4: column 'school': line 2 of f.csv has the same");
	assert_string_equal(
	    set->files[1].errors.lines[0],
	    "f.csv:4: column 'category': line 3 of f.csv has the same, and their times overlap");
	assert_int_equal(set->files[1].errors.count, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(the_header_says_which_kind_it_is),      T(every_mistake_has_its_row_and_column),
	    T(hostile_cells_and_bytes_are_refused),   T(a_million_mistakes_are_counted),
	    T(the_same_twice_and_times_that_overlap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
