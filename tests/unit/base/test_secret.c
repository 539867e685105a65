// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What keys are kept in and used by: pages that no core file gets, and an HMAC against RFC 4231's vectors.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/hmac.h"
#include "agent/base/secret.h"

/// The kernel's flags of the mapping that holds this address: "rd wr … dd …". False: it does not tell.
static bool flags_of(const void *address, char out[256])
{
	FILE *file = fopen("/proc/self/smaps", "r");
	char line[512];
	bool inside = false, found = false;
	while (file && fgets(line, sizeof(line), file)) {
		uintptr_t from, to;
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2)
			inside = (uintptr_t)address >= from && (uintptr_t)address < to;
		if (inside && strncmp(line, "VmFlags:", 8) == 0) {
			snprintf(out, 256, "%.255s", line + 8);
			found = true;
		}
	}
	if (file)
		fclose(file);
	return found;
}

static void test_no_core_file_gets_it(void **state)
{
	(void)state;
	char flags[256];
	uint8_t *secret = sp_secret_new(5000);
	for (size_t i = 0; i < 5000; i++)
		assert_int_equal(secret[i], 0);
	if (!flags_of(secret, flags))
		skip();
	assert_non_null(strstr(flags, " dd"));
	sp_secret_free(secret, 5000);
	sp_secret_free(NULL, 5000);
}

static void test_no_child_gets_it(void **state)
{
	(void)state;
	char flags[256];
	uint8_t *secret = sp_secret_new(32);
	secret[7] = 1;
	if (!flags_of(secret, flags) || !strstr(flags, " wf"))
		skip();
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(secret[7]);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(secret[7], 1);
	sp_secret_free(secret, 32);
}

static void hmac_is(const void *key, size_t key_length, const void *data, size_t length, const char *hex)
{
	uint8_t out[SP_HMAC_LENGTH];
	char text[2 * SP_HMAC_LENGTH + 1];
	sp_hmac(key, key_length, data, length, out);
	for (size_t i = 0; i < sizeof(out); i++)
		snprintf(text + 2 * i, 3, "%02x", out[i]);
	assert_string_equal(text, hex);
}

static void test_hmac(void **state)
{
	(void)state;
	uint8_t key[131], data[50];
	memset(key, 0x0b, 20);
	hmac_is(key, 20, "Hi There", 8, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	hmac_is("Jefe", 4, "what do ya want for nothing?", 28,
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	memset(data, 0xdd, sizeof(data));
	hmac_is(key, 20, data, 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
	hmac_is(key, 131, "Test Using Larger Than Block-Size Key - Hash Key First", 54,
		"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_no_core_file_gets_it),
	    cmocka_unit_test(test_no_child_gets_it),
	    cmocka_unit_test(test_hmac),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
