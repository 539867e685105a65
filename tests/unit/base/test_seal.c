// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Recovery codes and sealed blobs: what is typed wrong is named, what is changed does not open.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/seal.h"

static const char letters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static int parse(const char *text, unsigned *group)
{
	struct sp_seal_code code;
	return sp_seal_code_parse(&code, text, group);
}

static void a_code_is_read_as_people_type_it(void **state)
{
	(void)state;
	struct sp_seal_code code, again;
	char text[SP_SEAL_CODE_TEXT + 1], typed[128];
	unsigned group, seen[32] = {0};
	for (int round = 0; round < 200; round++) {
		sp_seal_code_new(&code);
		sp_seal_code_text(&code, text);
		assert_int_equal(strlen(text), SP_SEAL_CODE_TEXT);
		assert_int_equal(sp_seal_code_parse(&again, text, &group), 0);
		assert_memory_equal(&again, &code, sizeof(code));
		// In small letters, without groups, with letters that look like the digits.
		size_t length = 0;
		for (const char *at = text; *at; at++) {
			char c = *at == '0' ? 'o' : *at == '1' ? (round % 2 ? 'l' : 'I') : *at;
			if (c != '-')
				typed[length++] = (char)tolower(c);
		}
		strcpy(typed + length, "\n");
		assert_int_equal(sp_seal_code_parse(&again, typed, &group), 0);
		assert_memory_equal(&again, &code, sizeof(code));
		for (size_t i = 0; i < sizeof(code.symbols); i++)
			seen[code.symbols[i]]++;
	}
	for (size_t i = 0; i < 32; i++)
		assert_true(seen[i] > 50); // 175 expected
}

static void every_wrong_character_is_named(void **state)
{
	(void)state;
	struct sp_seal_code code;
	char text[SP_SEAL_CODE_TEXT + 1];
	unsigned group;
	sp_seal_code_new(&code);
	sp_seal_code_text(&code, text);
	for (size_t i = 0; i < SP_SEAL_CODE_TEXT; i++) {
		char good = text[i];
		for (const char *other = letters; *other && good != '-'; other++) {
			if (*other == good)
				continue;
			text[i] = *other;
			assert_int_equal(parse(text, &group), -EINVAL);
			assert_int_equal(group, i / 6 + 1);
		}
		if (good != '-') {
			text[i] = i % 2 ? '*' : 'U';
			assert_int_equal(parse(text, &group), -EINVAL);
			assert_int_equal(group, i / 6 + 1);
		}
		text[i] = good;
	}
	assert_int_equal(parse(text, &group), 0);
}

static void exchanged_characters_and_groups_are_seen(void **state)
{
	(void)state;
	struct sp_seal_code code;
	char text[SP_SEAL_CODE_TEXT + 1], other[SP_SEAL_CODE_TEXT + 1];
	unsigned group;
	for (int round = 0; round < 50; round++) {
		sp_seal_code_new(&code);
		sp_seal_code_text(&code, text);
		for (size_t i = 0; i + 1 < SP_SEAL_CODE_TEXT; i++) {
			strcpy(other, text);
			other[i] = text[i + 1];
			other[i + 1] = text[i];
			if (i % 6 >= 4 || text[i] == text[i + 1])
				continue;
			assert_int_equal(parse(other, &group), -EINVAL);
			assert_int_equal(group, i / 6 + 1);
		}
		for (size_t a = 0; a < SP_SEAL_GROUPS; a++) {
			for (size_t b = 0; b < a; b++) {
				strcpy(other, text);
				memcpy(other + 6 * a, text + 6 * b, 5);
				memcpy(other + 6 * b, text + 6 * a, 5);
				if (memcmp(text + 6 * a, text + 6 * b, 5) != 0)
					assert_int_equal(parse(other, &group), -EINVAL);
			}
		}
	}
}

static void too_few_and_too_many_are_told(void **state)
{
	(void)state;
	struct sp_seal_code code;
	char text[SP_SEAL_CODE_TEXT + 1], other[64];
	unsigned group;
	sp_seal_code_new(&code);
	sp_seal_code_text(&code, text);
	memcpy(other, text, 14);
	strcpy(other + 14, text + 15); // a character of the third group is missing
	assert_int_equal(parse(other, &group), -EMSGSIZE);
	assert_int_equal(group, 3);
	memcpy(other, text, 20);
	strcpy(other + 20, text + 19); // one of the fourth stands there twice
	assert_int_equal(parse(other, &group), -EMSGSIZE);
	assert_int_equal(group, 4);
	text[35] = '\0';
	assert_int_equal(parse(text, &group), -EMSGSIZE);
	assert_int_equal(group, 0);
	assert_int_equal(parse("", &group), -EMSGSIZE);
	assert_int_equal(group, 0);
}

struct sealed {
	struct sp_seal_code code;
	uint8_t key[SP_SEAL_KEY];
	struct sp_buf blob;
};

static void seal(struct sealed *out, const void *data, size_t length)
{
	out->blob = SP_BUF(64 * 1024);
	sp_seal_code_new(&out->code);
	sp_seal_public(&out->code, out->key);
	assert_int_equal(sp_seal_make(&out->blob, out->key, data, length), 0);
}

static uint8_t opened[SP_SEAL_DATA_MAX];

static void what_is_sealed_opens_with_its_code(void **state)
{
	(void)state;
	static uint8_t data[SP_SEAL_DATA_MAX];
	uint8_t key[SP_SEAL_KEY];
	char mark[SP_SEAL_MARK_TEXT + 1];
	size_t sizes[] = {0, 1, 31, 500, SP_SEAL_DATA_MAX}, size;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct sealed it;
		seal(&it, data, sizes[i]);
		assert_int_equal(sp_seal_open(opened, &size, &it.code, it.blob.data, it.blob.length), 0);
		assert_int_equal(size, sizes[i]);
		assert_memory_equal(opened, data, size);
		assert_true(sp_seal_recipient(it.blob.data, it.blob.length, key));
		assert_memory_equal(key, it.key, sizeof(key));
		sp_seal_mark(key, mark);
		assert_int_equal(strlen(mark), SP_SEAL_MARK_TEXT);
		sp_buf_free(&it.blob);
	}
	struct sp_buf out = SP_BUF(64 * 1024);
	assert_int_equal(sp_seal_make(&out, key, data, sizeof(data) + 1), -EMSGSIZE);
	// A point that anybody may have made up so that the shared secret is known: all zeros.
	assert_int_equal(sp_seal_make(&out, (uint8_t[SP_SEAL_KEY]){0}, data, 5), -EINVAL);
	assert_int_equal(out.length, 0);
	sp_buf_free(&out);
}

static void nothing_changed_opens(void **state)
{
	(void)state;
	struct sealed it, other;
	size_t size;
	seal(&it, "keys of a school", 16);
	seal(&other, "another", 7);
	assert_int_equal(sp_seal_open(opened, &size, &other.code, it.blob.data, it.blob.length),
			 -EKEYREJECTED);
	for (size_t i = 0; i < it.blob.length; i++) {
		char good = it.blob.data[i];
		it.blob.data[i] = good == 'A' ? 'B' : 'A';
		int result = sp_seal_open(opened, &size, &it.code, it.blob.data, it.blob.length);
		// Its last character holds bits that base64 does not use: no other blob comes of that.
		if (result == 0)
			assert_true(it.blob.data[i + 1] == '=');
		else
			assert_true(result == -EBADMSG || result == -EKEYREJECTED);
		it.blob.data[i] = good;
	}
	for (size_t length = 0; length < it.blob.length; length++)
		assert_int_equal(sp_seal_open(opened, &size, &it.code, it.blob.data, length), -EBADMSG);
	assert_int_equal(sp_seal_open(opened, &size, &it.code, it.blob.data, it.blob.length), 0);
	sp_buf_free(&it.blob);
	sp_buf_free(&other.blob);
}

static void blobs_do_not_repeat_themselves(void **state)
{
	(void)state;
	struct sealed it;
	struct sp_buf again = SP_BUF(64 * 1024);
	seal(&it, "the same", 8);
	assert_int_equal(sp_seal_make(&again, it.key, "the same", 8), 0);
	assert_int_equal(again.length, it.blob.length);
	assert_string_not_equal(again.data, it.blob.data);
	sp_buf_free(&again);
	sp_buf_free(&it.blob);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_code_is_read_as_people_type_it),
	    cmocka_unit_test(every_wrong_character_is_named),
	    cmocka_unit_test(exchanged_characters_and_groups_are_seen),
	    cmocka_unit_test(too_few_and_too_many_are_told),
	    cmocka_unit_test(what_is_sealed_opens_with_its_code),
	    cmocka_unit_test(nothing_changed_opens),
	    cmocka_unit_test(blobs_do_not_repeat_themselves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
