// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The allocation wrappers: zeroed, never NULL, right copies.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "agent/base/mem.h"

static void allocations_are_zeroed_and_never_null(void **state)
{
	(void)state;
	unsigned char *bytes = sp_alloc(4096), zeros[4096] = {0};
	assert_memory_equal(bytes, zeros, sizeof(zeros));
	bytes[4095] = 7;
	bytes = sp_realloc(bytes, 8192);
	assert_int_equal(bytes[4095], 7);
	free(bytes);
	void *nothing = sp_alloc(0);
	assert_non_null(nothing);
	nothing = sp_realloc(nothing, 0);
	assert_non_null(nothing);
	free(nothing);
}

static void copies_are_exact(void **state)
{
	(void)state;
	char *text = sp_strdup("trường");
	assert_string_equal(text, "trường");
	free(text);
	text = sp_strndup("gateway", 4);
	assert_string_equal(text, "gate");
	free(text);
	text = sp_strndup("gw", 4);
	assert_string_equal(text, "gw");
	free(text);
	text = sp_asprintf("%s:%d", "line", 12);
	assert_string_equal(text, "line:12");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(allocations_are_zeroed_and_never_null),
	    cmocka_unit_test(copies_are_exact),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
