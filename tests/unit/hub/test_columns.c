// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Tables stay straight with Vietnamese names in them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tools/hub/text/columns.h"

static void test_a_letter_is_a_column(void **state)
{
	(void)state;
	static const char *const names[] = {"gate", "", "cổng chính", "Trường THCS Nguyễn Huệ"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char cell[128];
		size_t letters = 0;
		snprintf(cell, sizeof(cell), "%-*s|", sp_columns(24, names[i]), names[i]);
		for (const char *c = cell; *c != '|'; c++)
			letters += ((unsigned char)*c & 0xc0) != 0x80;
		assert_int_equal(letters, 24);
	}
}

static void test_a_long_name_is_not_cut(void **state)
{
	(void)state;
	char cell[128];
	snprintf(cell, sizeof(cell), "%-*s|", sp_columns(4, "phòng bảo vệ"), "phòng bảo vệ");
	assert_string_equal(cell, "phòng bảo vệ|");
}

static void test_lines_break_between_words(void **state)
{
	(void)state;
	char text[128] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");
	sp_columns_wrap(out, 2, 12, "cổng chính phòng bảo vệ");
	sp_columns_wrap(out, 0, 4, "Nguyễn Huệ");
	sp_columns_wrap(out, 1, 4, "");
	fclose(out);
	assert_string_equal(text, "  cổng chính\n  phòng bảo\n  vệ\nNguyễn\nHuệ\n\n");
	assert_int_equal(sp_columns_clip(4, "cổng chính"), (int)strlen("cổng"));
	assert_int_equal(sp_columns_clip(4, "cổ"), (int)strlen("cổ"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_letter_is_a_column),
	    cmocka_unit_test(test_a_long_name_is_not_cut),
	    cmocka_unit_test(test_lines_break_between_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
