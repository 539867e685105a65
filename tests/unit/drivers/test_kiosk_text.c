// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What kiosks say, made fit to be shown; numbers read whole or not at all.
#include "drivers/kiosk/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void cleans(const char *in, size_t length, const char *expected)
{
	char out[32];
	assert_int_equal(sp_kiosk_text(out, sizeof(out), in, length), strlen(expected));
	assert_string_equal(out, expected);
}

static void printable_text_stays(void **state)
{
	(void)state;
	cleans("Ver 8.0.4.6-20230526", 20, "Ver 8.0.4.6-20230526");
	cleans(" \tcổng chính\r\n", strlen(" \tcổng chính\r\n"), "cổng chính");
	cleans("", 0, "");
	cleans("\xf0\x9f\x8f\xab", 4, "\xf0\x9f\x8f\xab");
}

static void the_rest_becomes_marks(void **state)
{
	(void)state;
	cleans("a\x01z\x7f\x1b[0m", 8, "a?z??[0m");
	cleans("\xd5\xc5\xc8\xfd", 4, "????"); // GB2312
	cleans("a\0b", 3, "a?b");
	cleans("\xc0\xaf", 2, "??");           // overlong
	cleans("\xed\xa0\x80", 3, "???");      // a surrogate
	cleans("\xf5\x80\x80\x80", 4, "????"); // beyond Unicode
	cleans("\xc2\x85", 2, "??");           // a control character of two bytes
	cleans("\xe1\xbb", 2, "??");           // cut short
}

static void no_character_is_halved(void **state)
{
	(void)state;
	char out[4];
	assert_int_equal(sp_kiosk_text(out, sizeof(out), "abổ", 5), 2);
	assert_string_equal(out, "ab");
	assert_int_equal(sp_kiosk_text(out, 1, "abc", 3), 0);
	assert_string_equal(out, "");
	assert_int_equal(sp_kiosk_text(NULL, 0, "abc", 3), 0);
}

static int read(const char *text, int64_t *out)
{
	return sp_kiosk_integer(text, strlen(text), INT64_MIN, INT64_MAX, out);
}

static void numbers_are_read_whole(void **state)
{
	(void)state;
	int64_t value;
	assert_int_equal(read("0", &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(read("-1007", &value), 0);
	assert_int_equal(value, -1007);
	assert_int_equal(read("007", &value), 0);
	assert_int_equal(value, 7);
	assert_int_equal(read("9223372036854775807", &value), 0);
	assert_true(value == INT64_MAX);
	assert_int_equal(read("-9223372036854775808", &value), 0);
	assert_true(value == INT64_MIN);
}

static void what_is_no_number_is_refused(void **state)
{
	(void)state;
	int64_t value = 42;
	static const char *const wrong[] = {"", "-", "+1", " 1", "1 ", "1.0", "0x1", "--1", "1-"};
	for (size_t i = 0; i < SP_COUNT(wrong); i++)
		assert_int_equal(read(wrong[i], &value), -EINVAL);
	assert_int_equal(read("9223372036854775808", &value), -ERANGE);
	assert_int_equal(read("-9223372036854775809", &value), -ERANGE);
	assert_int_equal(sp_kiosk_integer("256", 3, 0, 255, &value), -ERANGE);
	assert_int_equal(sp_kiosk_integer("-1", 2, 0, 255, &value), -ERANGE);
	assert_int_equal(value, 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(printable_text_stays),         cmocka_unit_test(the_rest_becomes_marks),
	    cmocka_unit_test(no_character_is_halved),       cmocka_unit_test(numbers_are_read_whole),
	    cmocka_unit_test(what_is_no_number_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
