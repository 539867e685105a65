// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The growing buffer: text at every step, never beyond its maximum.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "agent/base/buf.h"

static void appends_stay_terminated(void **state)
{
	(void)state;
	struct sp_buf buf = SP_BUF(1 << 20);
	for (int i = 0; i < 5000; i++) {
		sp_buf_printf(&buf, "%d,", i);
		assert_int_equal(strlen(buf.data), buf.length);
	}
	assert_memory_equal(buf.data, "0,1,2,", 6);
	assert_string_equal(buf.data + buf.length - 5, "4999,");
	assert_false(buf.overflowed);
	assert_true(buf.capacity > buf.length);
	sp_buf_free(&buf);
	assert_null(buf.data);
	assert_int_equal(buf.max, 1 << 20);
}

static void bytes_may_be_anything(void **state)
{
	(void)state;
	struct sp_buf buf = SP_BUF(16);
	sp_buf_add(&buf, "a\0b", 3);
	assert_int_equal(buf.length, 3);
	assert_memory_equal(buf.data, "a\0b\0", 4);
	sp_buf_free(&buf);
}

static void maximum_is_exact(void **state)
{
	(void)state;
	struct sp_buf buf = SP_BUF(5);
	sp_buf_text(&buf, "12345");
	assert_false(buf.overflowed);
	assert_string_equal(buf.data, "12345");
	assert_int_equal(buf.capacity, 6);
	sp_buf_text(&buf, "");
	assert_false(buf.overflowed);
	sp_buf_text(&buf, "6");
	assert_true(buf.overflowed);
	assert_string_equal(buf.data, "12345");
	sp_buf_free(&buf);
}

static void overflowed_takes_nothing_more(void **state)
{
	(void)state;
	struct sp_buf buf = SP_BUF(8);
	sp_buf_text(&buf, "1234");
	sp_buf_printf(&buf, "%s", "too long");
	assert_true(buf.overflowed);
	sp_buf_text(&buf, "5");
	assert_string_equal(buf.data, "1234");
	sp_buf_reset(&buf);
	assert_false(buf.overflowed);
	assert_string_equal(buf.data, "");
	sp_buf_printf(&buf, "%s", "fits now");
	assert_string_equal(buf.data, "fits now");
	assert_false(buf.overflowed);
	sp_buf_free(&buf);
}

static void zero_maximum_holds_nothing(void **state)
{
	(void)state;
	struct sp_buf buf = SP_BUF(0);
	sp_buf_text(&buf, "a");
	assert_true(buf.overflowed);
	assert_null(buf.data);
}

static void unlimited_does_not_wrap(void **state)
{
	(void)state;
	struct sp_buf buf = SP_BUF(SIZE_MAX);
	sp_buf_text(&buf, "x");
	assert_string_equal(buf.data, "x");
	sp_buf_add(&buf, "never read", SIZE_MAX - 1);
	assert_true(buf.overflowed);
	sp_buf_free(&buf);
}

static void taken_memory_is_given_away(void **state)
{
	(void)state;
	struct sp_buf buf = SP_BUF(64);
	assert_null(sp_buf_take(&buf));
	sp_buf_text(&buf, "mine");
	char *text = sp_buf_take(&buf);
	assert_string_equal(text, "mine");
	assert_null(buf.data);
	assert_int_equal(buf.length, 0);
	free(text);
	sp_buf_text(&buf, "again");
	sp_buf_reset(&buf);
	assert_null(sp_buf_take(&buf));
	assert_null(buf.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(appends_stay_terminated),    cmocka_unit_test(bytes_may_be_anything),
	    cmocka_unit_test(maximum_is_exact),           cmocka_unit_test(overflowed_takes_nothing_more),
	    cmocka_unit_test(zero_maximum_holds_nothing), cmocka_unit_test(unlimited_does_not_wrap),
	    cmocka_unit_test(taken_memory_is_given_away),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
