// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// UTF-8: what is text and what is not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "agent/base/utf8.h"
#include "schoolpulse/err.h"

static void characters_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint32_t character;
	} good[] = {{"a", 'a'},
		    {"\x7f", 0x7f},
		    {"\xc2\x80", 0x80},
		    {"đ", 0x111},
		    {"ữ", 0x1eef},
		    {"\xe0\xa0\x80", 0x800},
		    {"\xed\x9f\xbf", 0xd7ff},
		    {"\xee\x80\x80", 0xe000},
		    {"\xef\xbf\xbf", 0xffff},
		    {"\xf0\x90\x80\x80", 0x10000},
		    {"\xf4\x8f\xbf\xbf", 0x10ffff}};
	for (size_t i = 0; i < SP_COUNT(good); i++) {
		uint32_t character = 0;
		assert_int_equal(sp_utf8_next(good[i].text, strlen(good[i].text), &character),
				 strlen(good[i].text));
		assert_int_equal(character, good[i].character);
		assert_int_equal(sp_utf8_next(good[i].text, strlen(good[i].text) - 1, NULL), 0);
	}
}

static void everything_else_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {"\x80",
					  "\xbf",
					  "\xc0\x80",
					  "\xc1\xbf",
					  "\xe0\x80\x80",
					  "\xe0\x9f\xbf",
					  "\xed\xa0\x80",
					  "\xed\xbf\xbf",
					  "\xf0\x80\x80\x80",
					  "\xf4\x90\x80\x80",
					  "\xf5\x80\x80\x80",
					  "\xff",
					  "\xc3(",
					  "\xe1\xbb",
					  "\xe1(\xaf",
					  "\xf0\x9f\x98"};
	for (size_t i = 0; i < SP_COUNT(bad); i++)
		assert_int_equal(sp_utf8_next(bad[i], strlen(bad[i]), NULL), 0);
	assert_int_equal(sp_utf8_next("", 0, NULL), 0);
	assert_true(sp_utf8_valid("Trường Tiểu học Số 2 Đồng Văn", strlen("Trường Tiểu học Số 2 Đồng Văn")));
	assert_true(sp_utf8_valid("", 0));
	assert_true(sp_utf8_valid("a\0b", 3));
	assert_false(sp_utf8_valid("ok\xc3", 3));
}

static void clipping_cuts_no_character(void **state)
{
	(void)state;
	assert_int_equal(sp_utf8_clip("abc", 3, 5), 3);
	assert_int_equal(sp_utf8_clip("abc", 3, 2), 2);
	assert_int_equal(sp_utf8_clip("aữb", 5, 4), 4);
	assert_int_equal(sp_utf8_clip("aữb", 5, 3), 1);
	assert_int_equal(sp_utf8_clip("aữb", 5, 2), 1);
	assert_int_equal(sp_utf8_clip("ữ", 3, 2), 0);
	assert_int_equal(sp_utf8_clip("ữ", 3, 0), 0);
}

static void controls_are_known(void **state)
{
	(void)state;
	static const uint32_t controls[] = {0, '\n', 0x1b, 0x7f, 0x85, 0x9f, 0x2028, 0x202e, 0x2066, 0xfeff};
	static const uint32_t letters[] = {' ', 'a', 0xa0, 0x111, 0x1eef, 0x2026, 0x1f600};
	for (size_t i = 0; i < SP_COUNT(controls); i++)
		assert_true(sp_utf8_is_control(controls[i]));
	for (size_t i = 0; i < SP_COUNT(letters); i++)
		assert_false(sp_utf8_is_control(letters[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(characters_are_read),
	    cmocka_unit_test(everything_else_is_refused),
	    cmocka_unit_test(clipping_cuts_no_character),
	    cmocka_unit_test(controls_are_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
