// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The hub's configuration: defaults, and mistakes by file and line.
#include "tests/unit/hub/hub_util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/hub/hub_config.h"
#include "tools/hub/time/local_time.h"

static char file[] = "/tmp/sp-hub-conf-XXXXXX";

static int read_text(const char *text, struct sp_hub_config *config, struct sp_config_errors *errors)
{
	FILE *out = fopen(file, "w");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
	return sp_hub_config_read(config, file, errors);
}

static void an_empty_file_is_a_whole_configuration(void **state)
{
	(void)state;
	struct sp_config_errors errors = {0};
	struct sp_hub_config config;
	assert_int_equal(read_text("", &config, &errors), 0);
	assert_string_equal(config.hub.db, "/var/lib/schoolpulse-hub/hub.db");
	assert_string_equal(config.mqtt.host, "localhost");
	assert_int_equal(config.mqtt.port, 1883);
	assert_int_equal(config.mqtt.shards.count, 1);
	assert_string_equal(config.http.listen, "127.0.0.1");
	assert_int_equal(config.hub.reconnect_window_ms, 300000);
	assert_int_equal(config.hub.silence_ms, 900000);
	sp_hub_config_free(&config);
}

static void complains(const char *text, const char *expected)
{
	struct sp_config_errors errors = {0};
	struct sp_hub_config config;
	assert_int_equal(read_text(text, &config, &errors), -EINVAL);
	assert_true(errors.count >= 1);
	assert_memory_equal(errors.lines[0], file, strlen(file));
	assert_string_equal(errors.lines[0] + strlen(file), expected);
	sp_config_errors_free(&errors);
	sp_hub_config_free(&config);
}

static void mistakes_have_a_line_and_a_word(void **state)
{
	(void)state;
	complains("[hub]\n\n[mqt]\n", ":3: unknown section [mqt]; did you mean [mqtt]?");
	complains("[hub \"two\"]\n", ":1: [hub] takes no name");
	complains("[mqtt]\nshards = north, South\n",
		  ":2: shards: 'South': only a-z, 0-9 and - are allowed, 32 at most");
	complains("[mqtt]\nshards = a, b, a\n", ":2: shards: 'a' stands there twice");
	complains("[mqtt]\ncert_file = x\nca_file = y\n", ":2: cert_file and key_file go together");
	complains("[mqtt]\nkey_file = x\ncert_file = x\n",
		  ":3: a certificate without ca_file: TLS needs to know whom to trust");
	complains("[http]\nlisten = example.test\n",
		  ":2: listen = example.test: must be an address such as 127.0.0.1, ::1 or 0.0.0.0");
}

static void dates_are_those_of_viet_nam(void **state)
{
	(void)state;
	char text[SP_LOCAL_TIME_SIZE];
	int64_t from;
	assert_string_equal(sp_local_time(NOW_MS, text), "2026-11-21T10:00:00+07:00");
	assert_string_equal(sp_local_date(NOW_MS - 10 * HOUR_MS, text), "2026-11-21");
	assert_string_equal(sp_local_date(NOW_MS - 10 * HOUR_MS - 1, text), "2026-11-20");
	assert_true(sp_local_date_parse("2026-11-21", &from));
	assert_int_equal(from, NOW_MS - 10 * HOUR_MS);
	assert_true(sp_local_date_parse("2028-02-29", &from));
	static const char *const none[] = {"2026-02-29",  "2026-13-01", "2026-00-10", "2026-1-1",
					   "20261121",    "1999-01-01", "2026-11-2x", "",
					   "2026-11-211", "-026-11-21"};
	for (size_t i = 0; i < SP_COUNT(none); i++)
		assert_false(sp_local_date_parse(none[i], &from));
}

int main(void)
{
	int fd = mkstemp(file);
	if (fd < 0)
		return 1;
	close(fd);
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_empty_file_is_a_whole_configuration),
	    cmocka_unit_test(mistakes_have_a_line_and_a_word),
	    cmocka_unit_test(dates_are_those_of_viet_nam),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(file);
	return failed;
}
