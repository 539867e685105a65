// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A database's place in a log: what tells it from others, and no password, however it was written.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "tools/hub/db/db.h"

static void no_password_is_shown(void **state)
{
	(void)state;
	static const struct {
		const char *where, *shown;
	} cases[] = {
	    {"/var/lib/hub.db", "/var/lib/hub.db"},
	    {"user:secret@file", "user:secret@file"}, // a file's name
	    {"postgresql:///hub?host=/run/postgresql", "postgresql:///hub?host=/run/postgresql"},
	    {"postgresql://hub@db.example/hub", "postgresql://hub@db.example/hub"},
	    {"postgresql://hub:secret@db.example:5432/hub?sslmode=require",
	     "postgresql://hub@db.example:5432/hub?sslmode=require"},
	    {"postgres://hub:se@cret@db.example/hub", "postgres://hub@db.example/hub"},
	    {"postgres://hub:secret/secret@db.example/hub", "postgres://hub@db.example/hub"},
	    {"postgresql://hub:@db.example/hub", "postgresql://hub@db.example/hub"},
	    {"postgresql://db.example/hub?user=hub&password=secret", "postgresql://db.example/hub"},
	    {"postgresql://", "postgresql://"},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		char out[SP_DB_SHOWN];
		assert_string_equal(sp_db_shown(cases[i].where, out), cases[i].shown);
	}
}

static void a_long_place_is_cut(void **state)
{
	(void)state;
	char where[2000], out[SP_DB_SHOWN];
	memset(where, 'x', sizeof(where) - 1);
	where[sizeof(where) - 1] = '\0';
	memcpy(where, "postgresql://u:", 15);
	assert_int_equal(strlen(sp_db_shown(where, out)), SP_DB_SHOWN - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(no_password_is_shown),
					   cmocka_unit_test(a_long_place_is_cut)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
