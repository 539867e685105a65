// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A ZKTeco terminal's punch: its key, fixed for ever and another for every other punch; what its codes mean.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/kiosk/zk_punch.h"

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

static void test_direction(void **state)
{
	(void)state;
	static const enum sp_punch_direction in = SP_PUNCH_IN, out = SP_PUNCH_OUT, none = SP_PUNCH_UNKNOWN;
	const enum sp_punch_direction meant[] = {in, out, out, in, in, out, none};
	for (unsigned status = 0; status < SP_COUNT(meant); status++) {
		assert_int_equal(sp_zk_direction(SP_DIRECTION_AUTO, true, status), meant[status]);
		assert_int_equal(sp_zk_direction(SP_DIRECTION_AUTO, false, status), none);
		assert_int_equal(sp_zk_direction(SP_DIRECTION_IN, true, status), in);
		assert_int_equal(sp_zk_direction(SP_DIRECTION_OUT, false, status), out);
		assert_int_equal(sp_zk_direction(SP_DIRECTION_UNKNOWN, true, status), none);
	}
}

static void test_method(void **state)
{
	(void)state;
	static const struct {
		unsigned verify;
		enum sp_punch_method unsure, v5, old;
	} codes[] = {
	    {0, SP_PUNCH_BY_UNKNOWN, SP_PUNCH_BY_UNKNOWN, SP_PUNCH_BY_PASSWORD},
	    {1, SP_PUNCH_BY_FINGER, SP_PUNCH_BY_FINGER, SP_PUNCH_BY_FINGER},
	    {2, SP_PUNCH_BY_UNKNOWN, SP_PUNCH_BY_PIN, SP_PUNCH_BY_CARD},
	    {3, SP_PUNCH_BY_UNKNOWN, SP_PUNCH_BY_PASSWORD, SP_PUNCH_BY_PIN},
	    {4, SP_PUNCH_BY_UNKNOWN, SP_PUNCH_BY_CARD, SP_PUNCH_BY_UNKNOWN},
	    {15, SP_PUNCH_BY_FACE, SP_PUNCH_BY_FACE, SP_PUNCH_BY_FACE},
	    {25, SP_PUNCH_BY_PALM, SP_PUNCH_BY_PALM, SP_PUNCH_BY_PALM},
	    {199, SP_PUNCH_BY_UNKNOWN, SP_PUNCH_BY_UNKNOWN, SP_PUNCH_BY_UNKNOWN},
	};
	for (size_t i = 0; i < SP_COUNT(codes); i++) {
		assert_int_equal(sp_zk_method(SP_ZK_VERIFY_AUTO, codes[i].verify), codes[i].unsure);
		assert_int_equal(sp_zk_method(SP_ZK_VERIFY_V5, codes[i].verify), codes[i].v5);
		assert_int_equal(sp_zk_method(SP_ZK_VERIFY_OLD, codes[i].verify), codes[i].old);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_fixed), cmocka_unit_test(test_limits),
					   cmocka_unit_test(test_direction), cmocka_unit_test(test_method)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
