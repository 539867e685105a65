// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Identities and digests.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/ids.h"

enum { IDS = 2000 };

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void ids_are_base32_and_differ(void **state)
{
	(void)state;
	static char ids[IDS][SP_ID_LENGTH + 1];
	unsigned seen[128] = {0};
	for (size_t i = 0; i < IDS; i++) {
		sp_id_new(ids[i]);
		assert_int_equal(strlen(ids[i]), SP_ID_LENGTH);
		assert_int_equal(strspn(ids[i], "abcdefghijklmnopqrstuvwxyz234567"), SP_ID_LENGTH);
		assert_true(sp_id_valid(ids[i]));
		// 128 bits leave three for the last digit, and two zeros.
		assert_non_null(strchr("aeimquy4", ids[i][SP_ID_LENGTH - 1]));
		for (size_t j = 0; j < SP_ID_LENGTH; j++)
			seen[(unsigned char)ids[i][j]]++;
	}
	// 50,000 digits over 32 letters: a letter that never comes means that bits are lost.
	for (const char *letter = "abcdefghijklmnopqrstuvwxyz234567"; *letter; letter++)
		assert_true(seen[(unsigned char)*letter] > IDS * SP_ID_LENGTH / 64);
	qsort(ids, IDS, sizeof(ids[0]), compare);
	for (size_t i = 1; i < IDS; i++)
		assert_string_not_equal(ids[i - 1], ids[i]);
}

static void fill_with(void *arg, void *out, size_t length)
{
	memset(out, *(const int *)arg, length);
}

static void randomness_can_be_replaced(void **state)
{
	(void)state;
	int byte = 0xff;
	const struct sp_random_source source = {fill_with, &byte};
	char id[SP_ID_LENGTH + 1];
	sp_random_set_source(&source);
	sp_id_new(id);
	assert_string_equal(id, "77777777777777777777777774");
	byte = 0;
	assert_true(sp_random_unit() == 0);
	sp_random_set_source(NULL);
	sp_id_new(id);
	assert_string_not_equal(id, "77777777777777777777777774");
}

static void names_for_topics_are_checked(void **state)
{
	(void)state;
	assert_true(sp_id_valid("a"));
	assert_true(sp_id_valid("test-0-9"));
	assert_true(sp_id_valid("12345678901234567890123456789012"));
	assert_false(sp_id_valid("123456789012345678901234567890123"));
	assert_false(sp_id_valid(""));
	assert_false(sp_id_valid("A"));
	assert_false(sp_id_valid("a/b"));
	assert_false(sp_id_valid("a+"));
	assert_false(sp_id_valid("a#"));
	assert_false(sp_id_valid("a b"));
	assert_false(sp_id_valid("đ"));
}

/// FIPS 180-4's examples, first 128 bits.
static void digests_are_sha256(void **state)
{
	(void)state;
	char digest[SP_DIGEST_LENGTH + 1];
	sp_digest("abc", 3, digest);
	assert_string_equal(digest, "ba7816bf8f01cfea414140de5dae2223");
	sp_digest(NULL, 0, digest);
	assert_string_equal(digest, "e3b0c44298fc1c149afbf4c8996fb924");
	sp_digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, digest);
	assert_string_equal(digest, "248d6a61d20638b8e5c026930c3e6039");
}

static void jitter_is_uniform(void **state)
{
	(void)state;
	unsigned tenth[10] = {0};
	for (int i = 0; i < 10000; i++) {
		double unit = sp_random_unit();
		assert_true(unit >= 0 && unit < 1);
		tenth[(int)(unit * 10)]++;
	}
	for (int i = 0; i < 10; i++) // 1000 expected, sigma 30: ten sigma either way
		assert_in_range(tenth[i], 700, 1300);
}

static void boot_id_is_the_kernels(void **state)
{
	(void)state;
	char first[37], second[37];
	memset(first, 'x', sizeof(first));
	sp_boot_id("", first);
	sp_boot_id("/nowhere", second);
	assert_int_equal(strlen(first), 36);
	assert_string_equal(first, second);
	assert_int_equal(first[8], '-');
}

static void *digest_often(void *arg)
{
	char digest[SP_DIGEST_LENGTH + 1];
	for (int i = 0; i < 500; i++) {
		sp_digest("abc", 3, digest);
		if (strcmp(digest, "ba7816bf8f01cfea414140de5dae2223") != 0)
			return arg;
	}
	return NULL;
}

static void threads_may_digest_at_once(void **state)
{
	(void)state;
	pthread_t threads[4];
	int wrong = 0;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, digest_often, &wrong), 0);
	for (int i = 0; i < 4; i++) {
		void *result;
		pthread_join(threads[i], &result);
		assert_null(result);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ids_are_base32_and_differ),
	    cmocka_unit_test(randomness_can_be_replaced),
	    cmocka_unit_test(names_for_topics_are_checked),
	    cmocka_unit_test(digests_are_sha256),
	    cmocka_unit_test(jitter_is_uniform),
	    cmocka_unit_test(boot_id_is_the_kernels),
	    cmocka_unit_test(threads_may_digest_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
