// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The key of a ZKTeco terminal's punch: fixed for ever, and another for every other punch.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/kiosk/kiosk_key.h"

static void test_fixed(void **state)
{
	(void)state;
	uint8_t key[SP_PUNCH_KEY_MAX];
	static const char expected[] = "zk1\nABC123\n1790000000\n0\n15\n17";
	assert_int_equal(sp_zk_punch_key(key, "ABC123", "17xx", 2, 1790000000, 0, 15), strlen(expected));
	assert_memory_equal(key, expected, strlen(expected));
}

static void test_limits(void **state)
{
	(void)state;
	uint8_t key[SP_PUNCH_KEY_MAX];
	char serial[SP_ZK_SERIAL_MAX + 2], pin[SP_PERSON_MAX + 1];
	memset(serial, 'S', sizeof(serial));
	memset(pin, '9', sizeof(pin));
	serial[SP_ZK_SERIAL_MAX + 1] = '\0';
	assert_int_equal(sp_zk_punch_key(key, serial, pin, 1, 0, 0, 0), 0);
	serial[SP_ZK_SERIAL_MAX] = '\0';
	size_t longest = sp_zk_punch_key(key, serial, pin, SP_PERSON_MAX, INT64_MIN, UINT32_MAX, UINT32_MAX);
	assert_in_range(longest, SP_ZK_SERIAL_MAX + SP_PERSON_MAX, SP_PUNCH_KEY_MAX);
	assert_int_equal(sp_zk_punch_key(key, serial, pin, SP_PERSON_MAX + 1, 0, 0, 0), 0);
	assert_int_equal(sp_zk_punch_key(key, serial, pin, 0, 0, 0, 0), 0);
	assert_int_equal(sp_zk_punch_key(key, "", pin, 1, 0, 0, 0), 0);
	assert_int_equal(sp_zk_punch_key(key, "A\n1", pin, 1, 0, 0, 0), 0);
	assert_int_equal(sp_zk_punch_key(key, "A B", pin, 1, 0, 0, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_fixed), cmocka_unit_test(test_limits)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
