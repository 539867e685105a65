// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What --check-config says of kiosks: two sections for one of them, and files that are not there.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/core/settings.h"

struct conf {
	char *serial, *path, *address, *secret_file;
	int64_t port;
};

#define TEXT(name)                                                                               \
	{                                                                                        \
#name, SP_OPTION_STRING, "", 0, 100, offsetof(struct conf, name), NULL, "A text" \
	}

static const struct sp_option pushing[] = {TEXT(serial), {0}};
static const struct sp_option posting[] = {
    TEXT(path),
    TEXT(address),
    TEXT(secret_file),
    {"port", SP_OPTION_INT, "8090", 1, 65535, offsetof(struct conf, port), NULL, "Its port"},
    {0}};
static const struct sp_driver pushes = {
    .name = "pushes", .cls = SP_DRIVER_KIOSK, .options = pushing, .conf_size = sizeof(struct conf)};
static const struct sp_driver posts = {
    .name = "posts", .cls = SP_DRIVER_KIOSK, .options = posting, .conf_size = sizeof(struct conf)};
static const struct sp_driver *const drivers[] = {&pushes, &posts, NULL};

#define BASE "[mqtt]\nhost = h\n[line \"main\"]\n[attendance]\nlegal_basis = B\n"

static char path[64];
static struct sp_settings settings;
static struct sp_config_errors errors, warnings;

static int set_up(void **state)
{
	(void)state;
	strcpy(path, "/tmp/sp-settings-XXXXXX");
	int fd = mkstemp(path);
	if (fd >= 0)
		close(fd);
	return fd < 0;
}

static void forget(void)
{
	sp_settings_free(&settings);
	sp_config_errors_free(&errors);
	sp_config_errors_free(&warnings);
}

static int tear_down(void **state)
{
	(void)state;
	forget();
	return unlink(path);
}

static int read_text(const char *text)
{
	forget();
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	return sp_settings_read(&settings, path, drivers, &errors, &warnings);
}

static const char *said(const struct sp_config_errors *list)
{
	assert_int_equal(list->count, 1);
	return list->lines[0] + strlen(path) + 1;
}

static void test_one_kiosk_has_one_section(void **state)
{
	(void)state;
	assert_int_equal(read_text(BASE "[pushes \"a\"]\nserial = X1\n[pushes \"b\"]\nserial = X1\n"),
			 -EINVAL);
	assert_string_equal(said(&errors),
			    "8: [pushes \"b\"] has the same serial as [pushes \"a\"] in line 6: "
			    "each kiosk has one section");
	assert_int_equal(
	    read_text(BASE "[posts \"a\"]\npath = /e\n[posts \"b\"]\npath = /e\naddress = 192.0.2.1\n"),
	    -EINVAL);
	assert_string_equal(said(&errors), "8: [posts \"b\"] has the same path as [posts \"a\"] in line 6: "
					   "each kiosk has one section");
}

static void test_what_differs_is_another_kiosk(void **state)
{
	(void)state;
	static const char *const good[] = {
	    BASE "[pushes \"a\"]\nserial = X1\n[pushes \"b\"]\nserial = X2\n",
	    BASE "[pushes \"a\"]\n[pushes \"b\"]\n",
	    BASE "[posts \"a\"]\npath = /e\n[posts \"b\"]\npath = /f\n",
	    BASE "[posts \"a\"]\npath = /e\n[posts \"b\"]\npath = /e\nport = 8091\n",
	    BASE
	    "[posts \"a\"]\npath = /e\naddress = 192.0.2.1\n[posts \"b\"]\npath = /e\naddress = 192.0.2.2\n",
	};
	for (size_t i = 0; i < SP_COUNT(good); i++) {
		assert_int_equal(read_text(good[i]), 0);
		assert_int_equal(errors.count, 0);
		assert_int_equal(warnings.count, 0);
	}
}

static void test_a_missing_file_is_told_before_the_start(void **state)
{
	(void)state;
	assert_int_equal(read_text(BASE "[posts \"a\"]\nsecret_file = /nowhere/s\n"), 0);
	assert_string_equal(said(&warnings),
			    "6: [posts \"a\"] secret_file = /nowhere/s: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_one_kiosk_has_one_section, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_what_differs_is_another_kiosk, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_missing_file_is_told_before_the_start, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
