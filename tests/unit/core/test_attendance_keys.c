// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The school's keys: made once, on the card before they are used, never replaced because they cannot be read;
// and what is made of them, against values of another HMAC.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/ids.h"
#include "agent/core/attendance/attendance.h"
#include "agent/core/attendance/keys.h"
#include "agent/core/attendance/person.h"

static char folder[64], path[128];

static int setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/sp-keys-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/%s", folder, SP_KEYS_FILE);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static struct sp_keys *open_keys(bool had)
{
	struct sp_keys *keys = NULL;
	char why[SP_KEYS_WHY] = "";
	int result = sp_keys_open(&keys, folder, had, why);
	if (result)
		fail_msg("%s", why);
	return keys;
}

static void refused(bool had, int error, const char *word)
{
	struct sp_keys *keys = NULL;
	char why[SP_KEYS_WHY] = "";
	assert_int_equal(sp_keys_open(&keys, folder, had, why), error);
	assert_null(keys);
	if (!strstr(why, word) || !strstr(why, SP_KEYS_FILE))
		fail_msg("\"%s\" does not say \"%s\"", why, word);
}

static size_t read_all(char out[SP_KEYS_FILE_MAX])
{
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	size_t length = fread(out, 1, SP_KEYS_FILE_MAX, file);
	fclose(file);
	return length;
}

static void write_all(const char *text, size_t length)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

static void test_made_once(void **state)
{
	(void)state;
	const uint8_t *key, *again;
	uint8_t event[SP_KEY_LENGTH], year[SP_KEY_LENGTH];
	char print[9], print_again[9];
	struct stat status;
	struct sp_keys *keys = open_keys(false);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_null(sp_keys_find(keys, 2026));
	assert_int_equal(sp_keys_year(keys, 2026, &key), 0);
	assert_int_equal(sp_keys_year(keys, 2024, &again), 0);
	assert_int_equal(sp_keys_year(keys, 2025, &again), 0);
	assert_int_equal(sp_keys_set(keys)->count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(sp_keys_set(keys)->years[i].year, 2024 + (int)i);
	key = sp_keys_find(keys, 2026);
	assert_memory_not_equal(key, again, SP_KEY_LENGTH);
	memcpy(year, key, SP_KEY_LENGTH);
	memcpy(event, sp_keys_set(keys)->event, SP_KEY_LENGTH);
	sp_keys_fingerprint(keys, print);
	sp_keys_free(keys);
	keys = open_keys(true);
	assert_memory_equal(sp_keys_set(keys)->event, event, SP_KEY_LENGTH);
	assert_int_equal(sp_keys_year(keys, 2026, &key), 0);
	assert_memory_equal(key, year, SP_KEY_LENGTH);
	sp_keys_fingerprint(keys, print_again);
	assert_string_equal(print, print_again);
	assert_int_equal(sp_keys_year(keys, 1999, &key), -ENOSPC);
	assert_int_equal(sp_keys_year(keys, 2200, &key), -ENOSPC);
	for (int i = 0; i < SP_KEY_YEARS_MAX - 3; i++)
		assert_int_equal(sp_keys_year(keys, 2100 + i, &key), 0);
	assert_int_equal(sp_keys_year(keys, 2099, &key), -ENOSPC);
	sp_keys_free(keys);
	keys = open_keys(true);
	assert_int_equal(sp_keys_set(keys)->count, SP_KEY_YEARS_MAX);
	sp_keys_free(keys);
}

static void test_never_replaced(void **state)
{
	(void)state;
	char text[SP_KEYS_FILE_MAX];
	sp_keys_free(open_keys(false));
	size_t length = read_all(text);
	// Every beginning, and every changed byte.
	for (size_t i = 0; i < length; i++) {
		write_all(text, i);
		refused(true, -EBADMSG, "broken");
		refused(false, -EBADMSG, "broken");
	}
	for (size_t i = 0; i < length; i++) {
		text[i] ^= 1;
		write_all(text, length);
		refused(i % 2, -EBADMSG, "broken");
		text[i] ^= 1;
	}
	write_all(text, length);
	sp_keys_free(open_keys(true));
	assert_int_equal(chmod(path, 0640), 0);
	refused(true, -EACCES, "chmod 600");
	assert_int_equal(unlink(path), 0);
	refused(true, -ENOKEY, "gone");
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	refused(false, -EBADMSG, "broken");
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink("/dev/zero", path), 0);
	refused(false, -ELOOP, "symbolic links");
	assert_int_equal(unlink(path), 0);
	// Unless somebody says so.
	write_all(SP_KEYS_ANEW "\n", sizeof(SP_KEYS_ANEW));
	sp_keys_free(open_keys(true));
	assert_true(read_all(text) > 100);
}

static void test_forgets_and_replaces(void **state)
{
	(void)state;
	const uint8_t *key;
	struct sp_keys *keys = open_keys(false);
	for (int year = 2023; year <= 2026; year++)
		assert_int_equal(sp_keys_year(keys, year, &key), 0);
	struct sp_key_set before = *sp_keys_set(keys);
	assert_int_equal(sp_keys_forget(keys, 2023), 0);
	assert_int_equal(sp_keys_forget(keys, 2025), 2);
	assert_null(sp_keys_find(keys, 2024));
	assert_memory_equal(sp_keys_find(keys, 2026), before.years[3].key, SP_KEY_LENGTH);
	sp_keys_free(keys);
	keys = open_keys(true);
	assert_int_equal(sp_keys_set(keys)->count, 2);
	assert_int_equal(sp_keys_replace(keys, &before), 0);
	sp_keys_free(keys);
	keys = open_keys(true);
	assert_memory_equal(sp_keys_set(keys), &before, sizeof(before));
	sp_keys_free(keys);
	explicit_bzero(&before, sizeof(before));
}

static void test_a_folder_that_takes_nothing(void **state)
{
	(void)state;
	struct sp_keys *keys = open_keys(false);
	const uint8_t *key;
	assert_int_equal(sp_keys_year(keys, 2026, &key), 0);
	// Something in the draft's place that cannot be removed as a file.
	char draft[160];
	snprintf(draft, sizeof(draft), "%s.new", path);
	assert_int_equal(mkdir(draft, 0700), 0);
	assert_true(sp_keys_year(keys, 2025, &key) < 0);
	assert_null(sp_keys_find(keys, 2025));
	assert_int_equal(sp_keys_set(keys)->count, 1);
	assert_true(sp_keys_forget(keys, 2027) < 0);
	assert_non_null(sp_keys_find(keys, 2026));
	assert_int_equal(rmdir(draft), 0);
	assert_int_equal(sp_keys_year(keys, 2025, &key), 0);
	sp_keys_free(keys);
}

static void test_school_years(void **state)
{
	(void)state;
	assert_int_equal(sp_school_year(INT64_C(1785517200000), 8, 1), 2026); // 2026-08-01 00:00 local
	assert_int_equal(sp_school_year(INT64_C(1785517199999), 8, 1), 2025);
	assert_int_equal(sp_school_year(INT64_C(1798736399000), 8, 1), 2026); // New Year's Eve
	assert_int_equal(sp_school_year(INT64_C(1798736400000), 8, 1), 2026);
	assert_int_equal(sp_school_year(INT64_C(1709139600000), 2, 28), 2024); // 2024-02-29
	assert_int_equal(sp_school_year(INT64_C(1803747600000), 3, 1), 2026);  // 2027-02-28
	assert_int_equal(sp_school_year(0, 8, 1), 1969);
}

static void test_pseudonyms(void **state)
{
	(void)state;
	uint8_t key[SP_KEY_LENGTH], event[SP_EVENT_KEY_LENGTH];
	char out[SP_PSEUDONYM_LENGTH + 1], longest[SP_PERSON_MAX];
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	// Python: hmac.new(key, bytes([len(word)]) + word + number, "sha256").hexdigest()[:32]
	sp_person_pseudonym(key, SP_PERSON_PIN, "17", 2, out);
	assert_string_equal(out, "f8260fc688fed7af1a6c5a97b67f296c");
	sp_person_pseudonym(key, SP_PERSON_CARD, "17", 2, out);
	assert_string_equal(out, "5c94b1411c83ce68d0378e7246ff609f");
	sp_person_pseudonym(key, SP_PERSON_PIN, "\0\1", 2, out);
	assert_string_equal(out, "93abbc7635b54eb66ea8bf7d9e5bf4ec");
	memset(longest, 'x', sizeof(longest));
	sp_person_pseudonym(key, SP_PERSON_CODE, longest, sizeof(longest), out);
	assert_string_equal(out, "d67ecc2f30a6c1c5234b8c818358328c");
	sp_event_key(key, "cổng trước", "ABC\t1\t2026", 10, event);
	sp_event_id(event, out);
	assert_string_equal(out, "918d24e6ab85b3a72cd86b19c9c9f795");
}

/// A kiosk sends its events also to a school that may not keep them.
static char *no_state(void *arg, const char *key)
{
	(void)arg;
	(void)key;
	return NULL;
}

static void test_no_core_file(void **state)
{
	(void)state;
	const struct sp_attendance_conf conf = {0};
	struct sp_attendance *set =
	    sp_attendance_new(&(struct sp_attendance_config){.conf = &conf, .get = no_state});
	assert_int_equal(prctl(PR_SET_DUMPABLE, 1), 0);
	assert_non_null(sp_attendance_kiosk(set, "gate", "adms"));
	assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
	assert_int_equal(prctl(PR_SET_DUMPABLE, 1), 0);
	sp_attendance_free(set);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_made_once),
	    TEST(test_never_replaced),
	    TEST(test_forgets_and_replaces),
	    TEST(test_a_folder_that_takes_nothing),
	    TEST(test_school_years),
	    TEST(test_pseudonyms),
	    TEST(test_no_core_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
