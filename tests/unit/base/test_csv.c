// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// CSV as spreadsheets write it, and as nobody should.
#include "tests/unit/hub/hub_util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/base/csv.h"

/// Rows as "1:a|b 2:c|d", faults as "3!text".
static const char *read_all(const char *text, size_t length)
{
	static char out[8192];
	static struct sp_csv_row row;
	struct sp_csv csv;
	char why[128];
	size_t used = 0;
	out[0] = '\0';
	if (sp_csv_start(&csv, text, length, why) < 0) {
		snprintf(out, sizeof(out), "!%s", why);
		return out;
	}
	for (int result; (result = sp_csv_next(&csv, &row, why)) != 0;) {
		used += (size_t)snprintf(out + used, sizeof(out) - used, "%s%u%s", used ? " " : "", row.line,
					 result < 0 ? "!" : ":");
		if (result < 0)
			used += (size_t)snprintf(out + used, sizeof(out) - used, "%s", why);
		for (size_t i = 0; result > 0 && i < row.count; i++)
			used += (size_t)snprintf(out + used, sizeof(out) - used, "%s%s", i ? "|" : "",
						 row.cells[i]);
	}
	sp_csv_end(&csv);
	return out;
}

static void reads(const char *text, const char *expected)
{
	assert_string_equal(read_all(text, strlen(text)), expected);
}

static void commas_semicolons_and_tabs(void **state)
{
	(void)state;
	reads("a,b\nc,d\n", "1:a|b 2:c|d");
	reads("a;b\n1,5;d", "1:a|b 2:1,5|d");
	reads("a\tb\nc\td\n", "1:a|b 2:c|d");
	reads("\"a,b,c\";d\ne;f\n", "1:a,b,c|d 2:e|f");
}

static void any_line_end_and_a_byte_order_mark(void **state)
{
	(void)state;
	reads("\xef\xbb\xbf"
	      "a,b\r\nc,d\r\n",
	      "1:a|b 2:c|d");
	reads("a,b\rc,d", "1:a|b 2:c|d");
}

static void quotes(void **state)
{
	(void)state;
	reads("\"a\",\"b \"\"c\"\"\",\"\"\n", "1:a|b \"c\"|");
	reads("\"a\nb\",c\n\"x\r\ny\",z\ne,f\n", "1:a\nb|c 3:x\r\ny|z 5:e|f");
	reads(" \"a\" , b \n", "1:a|b");
}

static void blank_rows_are_skipped_and_counted(void **state)
{
	(void)state;
	reads("a,b\n\n,\n  ,  \nc,d\n", "1:a|b 5:c|d");
	reads("", "");
	reads("\n\n", "");
}

static void a_bad_row_is_one_error_and_the_next_row_is_read(void **state)
{
	(void)state;
	reads("a,b\n\"x\"y,z\nc,d\n", "1:a|b 2!there is text after a closing quote 3:c|d");
	reads("a,b\nx\"y,z\nc,d\n", "1:a|b 2!there is a quote inside a cell that is not quoted 3:c|d");
	reads("a,b\n\"x,z\nc,d\n", "1:a|b 2!a quoted cell is never closed");
	reads("a,b\n\xff,z\nc,d\n", "1:a|b 2!a cell is not UTF-8: save the file as \"CSV UTF-8\" 3:c|d");
}

static void limits_hold(void **state)
{
	(void)state;
	char *text = sp_alloc(70000);
	memset(text, 'x', SP_CSV_CELL_MAX + 1);
	assert_string_equal(read_all(text, SP_CSV_CELL_MAX + 1), "1!a cell is longer than 4096 bytes");
	assert_int_equal(strlen(read_all(text, SP_CSV_CELL_MAX)), 2 + SP_CSV_CELL_MAX);
	memset(text, ',', SP_CSV_CELLS_MAX + 1);
	text[0] = 'a'; // and as many cells as commas, and one
	assert_string_equal(read_all(text, SP_CSV_CELLS_MAX + 1), "1!more than 64 cells");
	assert_int_equal(read_all(text, SP_CSV_CELLS_MAX)[1], ':');
	free(text);
}

static void what_is_no_csv_is_told_at_once(void **state)
{
	(void)state;
	assert_string_equal(read_all("\xff\xfe"
				     "a\0",
				     4),
			    "!this is UTF-16: save it as \"CSV UTF-8\"");
	assert_string_equal(read_all("a\0b", 3), "!there are NUL bytes in it: not a CSV file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(commas_semicolons_and_tabs),
	    cmocka_unit_test(any_line_end_and_a_byte_order_mark),
	    cmocka_unit_test(quotes),
	    cmocka_unit_test(blank_rows_are_skipped_and_counted),
	    cmocka_unit_test(a_bad_row_is_one_error_and_the_next_row_is_read),
	    cmocka_unit_test(limits_hold),
	    cmocka_unit_test(what_is_no_csv_is_told_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
