// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Logs that machines read: each line parses, whatever was said, and says what it is about.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/log.h"
#include "schoolpulse/clock.h"

static char *text; ///< what was logged
static size_t length;
static FILE *stream;
static int64_t virtual_us;

static void read_virtual(void *arg, struct sp_clock_reading *out)
{
	out->mono_us = *(int64_t *)arg;
	out->wall_ms = 1795309971000 + *(int64_t *)arg / 1000;
}

static int open_log(enum sp_log_format format)
{
	static const struct sp_clock_source source = {.read = read_virtual, .arg = &virtual_us};
	virtual_us = 1234000;
	sp_clock_set_source(&source);
	stream = open_memstream(&text, &length);
	if (!stream || fflush(stream) != 0)
		return -1;
	sp_log_setup(SP_LOG_INFO, false, stream);
	sp_log_setup_format(format);
	return 0;
}

static int open_json(void **state)
{
	(void)state;
	return open_log(SP_LOG_JSON);
}

static int open_logfmt(void **state)
{
	(void)state;
	return open_log(SP_LOG_LOGFMT);
}

static int close_log(void **state)
{
	(void)state;
	sp_log_setup(SP_LOG_INFO, false, NULL);
	sp_log_setup_format(SP_LOG_PLAIN);
	sp_clock_set_source(NULL);
	fclose(stream);
	free(text);
	return 0;
}

/// The one line from `mark` on, as an object with nothing behind it.
static cJSON *only_line(size_t mark)
{
	const char *end = strchr(text + mark, '\n'), *stop;
	assert_non_null(end);
	assert_int_equal(end[1], '\0');
	cJSON *json = cJSON_ParseWithLengthOpts(text + mark, (size_t)(end - text) - mark, &stop, 0);
	assert_non_null(json);
	assert_ptr_equal(stop, end);
	return json;
}

static const char *member(const cJSON *json, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name));
}

static void an_object_a_line(void **state)
{
	(void)state;
	sp_log_with(
	    SP_LOG_WARNING, "ingest",
	    SP_LOG_FIELDS({"shard", "lao-cai", 0}, {"messages", NULL, 500}, {"duration_ms", NULL, -1}),
	    "cannot commit: %s", "đĩa đầy");
	assert_string_equal(text, "{\"time\":\"2026-11-22T01:12:52.234Z\",\"level\":\"warning\",\"module\":"
				  "\"ingest\",\"text\":\"cannot commit: đĩa đầy\",\"shard\":\"lao-cai\","
				  "\"messages\":500,\"duration_ms\":-1}\n");
	cJSON_Delete(only_line(0));
}

static void journald_has_a_time_of_its_own(void **state)
{
	(void)state;
	sp_log_setup(SP_LOG_INFO, true, stream);
	sp_notice("hub", "started");
	assert_string_equal(text, "<5>{\"level\":\"notice\",\"module\":\"hub\",\"text\":\"started\"}\n");
}

static void hostile_words_stay_words(void **state)
{
	(void)state;
	static const char *const words[] = {"\"}\n{\"level\":\"error\",\"text\":\"forged",
					    "\\",
					    "\\\"",
					    "\x1b[2J\xff\xe2\x80\xae",
					    "a\"b\\c\td",
					    "",
					    "Trường Tiểu học Kim Đồng"};
	for (size_t i = 0; i < SP_COUNT(words); i++) {
		size_t mark = length;
		sp_log_with(SP_LOG_INFO, "http", SP_LOG_FIELDS({"device", words[i], 0}), "said %s", words[i]);
		cJSON *json = only_line(mark);
		assert_int_equal(cJSON_GetArraySize(json), 5);
		assert_string_equal(member(json, "level"), "info");
		assert_string_equal(member(json, "text") + strlen("said "), member(json, "device"));
		for (const char *at = member(json, "device"); *at; at++)
			assert_true((unsigned char)*at >= 0x20 && *at != 0x7f);
		cJSON_Delete(json);
	}
	assert_non_null(strstr(text, "a\\\"b\\\\c\\\\x09d"));
}

static void words_without_end_are_cut_and_still_parse(void **state)
{
	(void)state;
	static const char *const fills[] = {"\"", "\\", "\n", "ữ", "x"};
	for (size_t i = 0; i < SP_COUNT(fills); i++) {
		char many[3000] = "";
		for (size_t at = 0; at + strlen(fills[i]) < sizeof(many); at += strlen(fills[i]))
			memcpy(many + at, fills[i], strlen(fills[i]) + 1);
		for (size_t count = 1; count <= 6; count++) {
			const struct sp_log_field fields[] = {{"a", many, 0}, {"b", many, 0}, {"c", many, 0},
							      {"d", many, 0}, {"e", many, 0}, {"n", NULL, 7}};
			size_t mark = length;
			sp_log_with(SP_LOG_INFO, "http", fields, count, "%zu %s", count, many);
			assert_true(length > mark);
			cJSON_Delete(only_line(mark));
		}
	}
}

static void other_devices_are_other_lines_and_other_numbers_are_not(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		sp_log_with(SP_LOG_WARNING, "ingest", SP_LOG_FIELDS({"device", "a", 0}, {"count", NULL, i}),
			    "set aside");
		sp_log_with(SP_LOG_WARNING, "ingest", SP_LOG_FIELDS({"device", "b", 0}, {"count", NULL, i}),
			    "set aside");
	}
	unsigned lines = 0;
	for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	assert_int_equal(lines, 2);
	sp_log_flush();
	assert_non_null(strstr(text, "\"device\":\"a\",\"count\":4,\"repeated\":4}\n"));
	assert_non_null(strstr(text, "\"device\":\"b\",\"count\":4,\"repeated\":4}\n"));
}

static void logfmt_quotes_what_asks_for_it(void **state)
{
	(void)state;
	sp_log_with(SP_LOG_ERR, "ingest",
		    SP_LOG_FIELDS({"shard", "lao-cai", 0}, {"path", "a b", 0}, {"empty", "", 0},
				  {"odd", "x=\"\\", 0}, {"messages", NULL, 500}),
		    "gone");
	assert_string_equal(text,
			    "time=2026-11-22T01:12:52.234Z level=error module=ingest text=gone shard=lao-cai "
			    "path=\"a b\" empty=\"\" odd=\"x=\\\"\\\\\" messages=500\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(an_object_a_line, open_json, close_log),
	    cmocka_unit_test_setup_teardown(journald_has_a_time_of_its_own, open_json, close_log),
	    cmocka_unit_test_setup_teardown(hostile_words_stay_words, open_json, close_log),
	    cmocka_unit_test_setup_teardown(words_without_end_are_cut_and_still_parse, open_json, close_log),
	    cmocka_unit_test_setup_teardown(other_devices_are_other_lines_and_other_numbers_are_not,
					    open_json, close_log),
	    cmocka_unit_test_setup_teardown(logfmt_quotes_what_asks_for_it, open_logfmt, close_log),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
