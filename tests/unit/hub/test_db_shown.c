// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A database's place in a log: what tells it from others, and no password, however it was written.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/mem.h"
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
	    {"host=db.example dbname=hub user=hub", "host=db.example dbname=hub user=hub"},
	    {"host=db.example dbname=hub password='sec ret'", "host=db.example dbname=hub "},
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

/// Each command fails, since nobody listens there, and names the database without its password.
static void no_command_tells_the_password(void **state)
{
	(void)state;
	static const char *const places[] = {"postgresql://hub:secret@127.0.0.1:1/hub",
					     "host=127.0.0.1 port=1 dbname=hub user=hub password=secret"};
	static const char *const commands[] = {
	    "import /dev/null",
	    "migrate",
	    "migrate --status",
	    "register",
	    "facts",
	    "status",
	    "backup /nonexistent/copy",
	    "speed --from 2026-11-01 --to 2026-11-02",
	    "attendance",
	    "anomalies",
	    "incidents",
	    "size",
	    "subjects",
	    "keys",
	};
	char conf[] = "/tmp/sp-shown-XXXXXX";
	close(mkstemp(conf));
	for (size_t i = 0; i < SP_COUNT(places) * SP_COUNT(commands); i++) {
		char text[4096] = "";
		FILE *out = fopen(conf, "w");
		assert_non_null(out);
		fprintf(out, "[hub]\ndb = %s\n[mqtt]\nport = 1\n", places[i % SP_COUNT(places)]);
		assert_int_equal(fclose(out), 0);
		const char *words = commands[i / SP_COUNT(places)];
		char *line = sp_asprintf("%s --config %s %s 2>&1", HUB_PROGRAM, conf, words);
		out = popen(line, "r");
		assert_non_null(out);
		assert_true(fread(text, 1, sizeof(text) - 1, out) > 0);
		if (pclose(out) == 0 || strstr(text, "secret"))
			fail_msg("%s: %s", words, text);
		free(line);
	}
	unlink(conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(no_password_is_shown),
					   cmocka_unit_test(a_long_place_is_cut),
					   cmocka_unit_test(no_command_tells_the_password)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
