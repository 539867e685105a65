// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Option tables: every type, every limit, every complaint; durations and sizes there and back.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/config.h"

struct conf {
	char *host, *note;
	int64_t port, offset, any;
	int64_t interval, least;
	int64_t size;
	bool on;
	int mode;
	struct sp_strings anchors, tags;
};

static const struct sp_option options[] = {
    {"host", SP_OPTION_STRING, NULL, 1, 20, offsetof(struct conf, host), NULL,
     "Host or address of the broker"},
    {"note", SP_OPTION_STRING, "", 3, 5, offsetof(struct conf, note), NULL, "Optional, but then not short"},
    {"port", SP_OPTION_INT, "1883", 1, 65535, offsetof(struct conf, port), NULL, "Port"},
    {"offset", SP_OPTION_INT, "-3", -5, 0, offsetof(struct conf, offset), NULL, "Offset"},
    {"any", SP_OPTION_INT, "0", 0, 0, offsetof(struct conf, any), NULL, "Any number"},
    {"interval", SP_OPTION_DURATION, "30s", 1000, 3600000, offsetof(struct conf, interval), NULL, "Interval"},
    {"least", SP_OPTION_DURATION, "0s", 500, INT64_MAX, offsetof(struct conf, least), NULL, "0: not given"},
    {"size", SP_OPTION_SIZE, "16M", 65536, 1 << 30, offsetof(struct conf, size), NULL, "Size"},
    {"on", SP_OPTION_BOOL, "yes", 0, 0, offsetof(struct conf, on), NULL, "On"},
    {"mode", SP_OPTION_ENUM, "broker", 0, 0, offsetof(struct conf, mode), "hub broker none", "Mode"},
    {"anchors", SP_OPTION_LIST, "192.0.2.1, 192.0.2.2", 1, 3, offsetof(struct conf, anchors), NULL,
     "Anchors"},
    {"tags", SP_OPTION_LIST, "", 0, 0, offsetof(struct conf, tags), NULL, "Tags"},
    {.key = NULL},
};
static const struct sp_option elsewhere[] = {
    {"line", SP_OPTION_STRING, "", 0, 0, 0, NULL, "Line"},
    {.key = NULL},
};

static struct sp_config config;
static struct sp_config_errors errors;
static struct conf conf;

static int clean_up(void **state)
{
	(void)state;
	sp_options_free(options, &conf);
	memset(&conf, 0, sizeof(conf));
	sp_config_free(&config);
	sp_config_errors_free(&errors);
	return 0;
}

static int apply(const char *text)
{
	clean_up(NULL);
	assert_int_equal(sp_config_parse(&config, "f", text, strlen(text), &errors), 0);
	return sp_options_apply(options, elsewhere, &config, sp_config_find(&config, "a", ""), &conf,
				&errors);
}

/// Exactly this one mistake in a section whose other keys are right.
static void assert_mistake(const char *line, const char *expected)
{
	char text[5000];
	snprintf(text, sizeof(text), "[a]\nhost = h\n%s\n", line);
	assert_int_equal(apply(text), -EINVAL);
	assert_string_equal(errors.lines[0], expected);
	assert_int_equal(errors.count, 1);
}

static void assert_fine(const char *line)
{
	char text[200];
	snprintf(text, sizeof(text), "[a]\nhost = h\n%s\n", line);
	assert_int_equal(apply(text), 0);
	assert_int_equal(errors.count, 0);
}

static void defaults_fill_what_is_not_said(void **state)
{
	(void)state;
	assert_int_equal(apply("[a]\nhost = broker\nline = fibre\n"), 0);
	assert_string_equal(conf.host, "broker");
	assert_string_equal(conf.note, "");
	assert_int_equal(conf.port, 1883);
	assert_int_equal(conf.offset, -3);
	assert_int_equal(conf.interval, 30000);
	assert_int_equal(conf.least, 0); // outside of its limits: "not given"
	assert_int_equal(conf.size, 16 << 20);
	assert_true(conf.on);
	assert_int_equal(conf.mode, 1);
	assert_int_equal(conf.anchors.count, 2);
	assert_string_equal(conf.anchors.items[1], "192.0.2.2");
	assert_int_equal(conf.tags.count, 0);
}

static void every_type_is_read(void **state)
{
	(void)state;
	assert_int_equal(
	    apply("[a]\n"
		  "host = \" x \"\nnote = trễ\nport = 65535\noffset = -5\nany = -9223372036854775808\n"
		  "interval = 5min\nleast = 106751991167d\nsize = 64k\non = off\nmode = none\n"
		  "anchors = a,b , c\ntags = \" x y ,z\"\n"),
	    0);
	assert_string_equal(conf.host, " x ");
	assert_string_equal(conf.note, "trễ");
	assert_int_equal(conf.port, 65535);
	assert_int_equal(conf.offset, -5);
	assert_true(conf.any == INT64_MIN);
	assert_int_equal(conf.interval, 300000);
	assert_int_equal(conf.least, INT64_C(106751991167) * 86400000);
	assert_int_equal(conf.size, 65536);
	assert_false(conf.on);
	assert_int_equal(conf.mode, 2);
	assert_int_equal(conf.anchors.count, 3);
	assert_string_equal(conf.anchors.items[0], "a");
	assert_string_equal(conf.anchors.items[1], "b");
	assert_string_equal(conf.anchors.items[2], "c");
	assert_int_equal(conf.tags.count, 2);
	assert_string_equal(conf.tags.items[0], "x y");
}

static void booleans_have_three_ways(void **state)
{
	(void)state;
	static const char *const yes[] = {"on = yes", "on = true", "on = on"};
	static const char *const no[] = {"on = no", "on = false", "on = off"};
	for (size_t i = 0; i < 3; i++) {
		assert_fine(yes[i]);
		assert_true(conf.on);
		assert_fine(no[i]);
		assert_false(conf.on);
	}
}

static void limits_are_inclusive(void **state)
{
	(void)state;
	assert_fine("port = 1");
	assert_fine("offset = 0");
	assert_fine("interval = 1s");
	assert_fine("interval = 1h");
	assert_fine("size = 1G");
	assert_fine("note = abc");
	assert_fine("note = abcde");
	assert_fine("anchors = a");
	assert_fine("tags =");
	assert_fine("any = 9223372036854775807");
}

static void every_wrong_value_is_explained(void **state)
{
	(void)state;
	assert_mistake("port = 0", "f:3: port = 0: must be 1 to 65535");
	assert_mistake("port = 65536", "f:3: port = 65536: must be 1 to 65535");
	assert_mistake("port = 99999999999999999999", "f:3: port = 99999999999999999999: must be 1 to 65535");
	assert_mistake("port = x", "f:3: port = x: is not a whole number");
	assert_mistake("port = 1.5", "f:3: port = 1.5: is not a whole number");
	assert_mistake("port = 0x10", "f:3: port = 0x10: is not a whole number");
	assert_mistake("port =", "f:3: port = : is not a whole number");
	assert_mistake("port = -", "f:3: port = -: is not a whole number");
	assert_mistake("port = +1", "f:3: port = +1: is not a whole number");
	assert_mistake("offset = -6", "f:3: offset = -6: must be -5 to 0");
	assert_mistake("offset = -99999999999999999999",
		       "f:3: offset = -99999999999999999999: must be -5 to 0");
	assert_mistake("any = 9223372036854775808",
		       "f:3: any = 9223372036854775808: does not fit in 64 bits");
	assert_mistake(
	    "interval = 5",
	    "f:3: interval = 5: is not a duration: a whole number with ms, s, min, h or d, as in 5min");
	assert_mistake(
	    "interval = 5m",
	    "f:3: interval = 5m: is not a duration: a whole number with ms, s, min, h or d, as in 5min");
	assert_mistake("interval = 999ms", "f:3: interval = 999ms: must be 1s to 1h");
	assert_mistake("interval = 2d", "f:3: interval = 2d: must be 1s to 1h");
	assert_mistake("interval = 9223372036854775807d",
		       "f:3: interval = 9223372036854775807d: must be 1s to 1h");
	assert_mistake("least = 499ms", "f:3: least = 499ms: must be at least 500ms");
	assert_mistake("least = 9223372036854775807d",
		       "f:3: least = 9223372036854775807d: does not fit in 64 bits");
	assert_mistake(
	    "size = 16m",
	    "f:3: size = 16m: is not a size: a whole number of bytes, or with k, M or G, as in 16M");
	assert_mistake("size = 2G", "f:3: size = 2G: must be 64k to 1G");
	assert_mistake("on = maybe", "f:3: on = maybe: must be yes or no (also true/false, on/off)");
	assert_mistake("on = Yes", "f:3: on = Yes: must be yes or no (also true/false, on/off)");
	assert_mistake("mode = bro", "f:3: mode = bro: must be one of: hub broker none");
	assert_mistake("mode = hub broker", "f:3: mode = hub broker: must be one of: hub broker none");
	assert_mistake("mode =", "f:3: mode = : must be one of: hub broker none");
	assert_mistake("note = ab", "f:3: note = ab: must have 3 to 5 bytes");
	assert_mistake("note = trường", "f:3: note = trường: must have 3 to 5 bytes");
	assert_mistake("anchors =", "f:3: anchors = : must have 1 to 3 items");
	assert_mistake("anchors = a,b,c,d", "f:3: anchors = a,b,c,d: must have 1 to 3 items");
	assert_mistake("anchors = a,,b", "f:3: anchors = a,,b: an item of the list is empty");
	assert_mistake("anchors = a,", "f:3: anchors = a,: an item of the list is empty");
	assert_mistake("anchors = ,", "f:3: anchors = ,: an item of the list is empty");
}

static void unknown_keys_are_told_with_what_was_meant(void **state)
{
	(void)state;
	assert_mistake("intervall = 2s", "f:3: unknown key 'intervall' in [a]; did you mean 'interval'?");
	assert_mistake("lin = x", "f:3: unknown key 'lin' in [a]; did you mean 'line'?");
	assert_mistake("zzz = x", "f:3: unknown key 'zzz' in [a]");
}

static void mandatory_keys_are_asked_for(void **state)
{
	(void)state;
	assert_int_equal(apply("\n[a]\nport = 1\n"), -EINVAL);
	assert_string_equal(errors.lines[0], "f:2: [a] lacks 'host' (Host or address of the broker)");
	assert_int_equal(errors.count, 1);
	assert_int_equal(apply("[a]\nhost =\n"), -EINVAL);
	assert_string_equal(errors.lines[0], "f:2: host = : must have 1 to 20 bytes");
	assert_int_equal(apply("[b]\n"), -EINVAL); // no such section: defaults only
	assert_string_equal(errors.lines[0], "f: 'host' is missing (Host or address of the broker)");
}

static void a_mandatory_text_without_limits_is_not_empty_either(void **state)
{
	(void)state;
	static const struct sp_option bare[] = {
	    {"host", SP_OPTION_STRING, NULL, 0, 0, offsetof(struct conf, host), NULL, "Host"},
	    {"tags", SP_OPTION_LIST, NULL, 0, 0, offsetof(struct conf, tags), NULL, "Tags"},
	    {.key = NULL},
	};
	const char *text = "[a]\nhost =\ntags =\n";
	assert_int_equal(sp_config_parse(&config, "f", text, strlen(text), &errors), 0);
	assert_int_equal(sp_options_apply(bare, NULL, &config, &config.sections[0], &conf, &errors), -EINVAL);
	assert_int_equal(errors.count, 2);
	assert_string_equal(errors.lines[0], "f:2: host = : must not be empty");
	assert_string_equal(errors.lines[1], "f:3: tags = : must not be empty");
}

static void all_mistakes_come_in_the_order_of_lines(void **state)
{
	(void)state;
	assert_int_equal(apply("[a]\nport = x\nmod = hub\nsize = 1\n"), -EINVAL);
	assert_int_equal(errors.count, 4);
	assert_memory_equal(errors.lines[0], "f:1: [a] lacks", 14);
	assert_memory_equal(errors.lines[1], "f:2: port", 9);
	assert_memory_equal(errors.lines[2], "f:3: unknown key 'mod'", 22);
	assert_memory_equal(errors.lines[3], "f:4: size", 9);
}

static void a_wrong_default_is_not_silent(void **state)
{
	(void)state;
	static const struct sp_option wrong[] = {
	    {"port", SP_OPTION_INT, "many", 0, 0, offsetof(struct conf, port), NULL, "Port"},
	    {.key = NULL},
	};
	assert_int_equal(sp_options_apply(wrong, NULL, NULL, NULL, &conf, &errors), -EINVAL);
	assert_string_equal(errors.lines[0], "defaults: port = many: is not a whole number");
}

static void a_driver_without_options_takes_none(void **state)
{
	(void)state;
	const char *text = "[a]\nb = 1\n";
	assert_int_equal(sp_config_parse(&config, "f", text, strlen(text), &errors), 0);
	assert_int_equal(sp_options_apply(NULL, NULL, &config, &config.sections[0], NULL, &errors), -EINVAL);
	assert_string_equal(errors.lines[0], "f:2: unknown key 'b' in [a]");
	assert_int_equal(sp_options_apply(NULL, NULL, NULL, NULL, NULL, &errors), 0);
	sp_options_free(NULL, NULL);
}

static void free_leaves_zeros(void **state)
{
	(void)state;
	assert_int_equal(apply("[a]\nhost = h\ntags = a, b\n"), 0);
	sp_options_free(options, &conf);
	assert_null(conf.host);
	assert_null(conf.tags.items);
	assert_int_equal(conf.tags.count, 0);
	sp_options_free(options, &conf);
}

static void a_long_value_is_shown_cut(void **state)
{
	(void)state;
	char line[2000] = "port = ";
	for (int i = 0; i < 300; i++)
		strcat(line, "ữ");
	char text[5000];
	snprintf(text, sizeof(text), "[a]\nhost = h\n%s\n", line);
	assert_int_equal(apply(text), -EINVAL);
	assert_int_equal(strlen(errors.lines[0]),
			 strlen("f:3: port = ") + 26 * 3 + strlen("…: is not a whole number"));
}

static void durations_and_sizes_there_and_back(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t value;
	} durations[] = {{"0ms", 0},      {"300ms", 300},
			 {"2s", 2000},    {"5min", 300000},
			 {"1h", 3600000}, {"7d", 604800000},
			 {"90s", 90000},  {"9223372036854775807ms", INT64_MAX}},
	  sizes[] = {{"0", 0},          {"512", 512},    {"64k", 65536},
		     {"16M", 16 << 20}, {"1G", 1 << 30}, {"1025", 1025}};
	static const char *const bad[] = {"",    "5",    "s",  "-5s",  "+5s",  " 5s", "5 s",
					  "5s ", "1.5s", "5S", "5sec", "0x5s", "5m"};
	static const char *const bad_sizes[] = {"", "k", "-1", "1 k", "1K", "1m", "1kB", "1.5k", "1T"};
	char out[32];
	int64_t value;
	for (size_t i = 0; i < SP_COUNT(durations); i++) {
		assert_int_equal(sp_duration_parse(durations[i].text, &value), 0);
		assert_int_equal(value, durations[i].value);
		assert_string_equal(sp_duration_format(value, out), durations[i].text);
	}
	for (size_t i = 0; i < SP_COUNT(sizes); i++) {
		assert_int_equal(sp_size_parse(sizes[i].text, &value), 0);
		assert_int_equal(value, sizes[i].value);
		assert_string_equal(sp_size_format(value, out), sizes[i].text);
	}
	for (size_t i = 0; i < SP_COUNT(bad); i++)
		assert_int_equal(sp_duration_parse(bad[i], &value), -EINVAL);
	for (size_t i = 0; i < SP_COUNT(bad_sizes); i++)
		assert_int_equal(sp_size_parse(bad_sizes[i], &value), -EINVAL);
	assert_int_equal(sp_duration_parse("9223372036854775808ms", &value), -ERANGE);
	assert_int_equal(sp_duration_parse("9223372036854776s", &value), -ERANGE);
	assert_int_equal(sp_duration_parse("106751991168d", &value), -ERANGE);
	assert_int_equal(sp_size_parse("8589934592G", &value), -ERANGE);
	assert_int_equal(sp_size_parse("99999999999999999999999999999999999999999", &value), -ERANGE);
}

#define CONFIG_TEST(test) cmocka_unit_test_teardown(test, clean_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CONFIG_TEST(defaults_fill_what_is_not_said),
	    CONFIG_TEST(every_type_is_read),
	    CONFIG_TEST(booleans_have_three_ways),
	    CONFIG_TEST(limits_are_inclusive),
	    CONFIG_TEST(every_wrong_value_is_explained),
	    CONFIG_TEST(unknown_keys_are_told_with_what_was_meant),
	    CONFIG_TEST(mandatory_keys_are_asked_for),
	    CONFIG_TEST(a_mandatory_text_without_limits_is_not_empty_either),
	    CONFIG_TEST(all_mistakes_come_in_the_order_of_lines),
	    CONFIG_TEST(a_wrong_default_is_not_silent),
	    CONFIG_TEST(a_driver_without_options_takes_none),
	    CONFIG_TEST(free_leaves_zeros),
	    CONFIG_TEST(a_long_value_is_shown_cut),
	    cmocka_unit_test(durations_and_sizes_there_and_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
