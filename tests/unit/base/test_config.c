// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Configuration files: what is read, and what is said about every kind of mistake.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/config.h"
#include "agent/base/mem.h"

static struct sp_config config;
static struct sp_config_errors errors;

static int clean_up(void **state)
{
	(void)state;
	sp_config_free(&config);
	sp_config_errors_free(&errors);
	return 0;
}

static int parse_bytes(const char *text, size_t length)
{
	clean_up(NULL);
	char *exact = malloc(length ? length : 1); // so that a sanitizer sees a byte too far
	memcpy(exact, text, length);
	int result = sp_config_parse(&config, "f.conf", exact, length, &errors);
	free(exact);
	assert_int_equal(result, errors.count ? -EINVAL : 0);
	return result;
}

static int parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static const char *value(const char *name, const char *instance, const char *key)
{
	const struct sp_config_section *section = sp_config_find(&config, name, instance);
	for (size_t i = 0; section && i < section->count; i++)
		if (strcmp(section->entries[i].key, key) == 0)
			return section->entries[i].value;
	return NULL;
}

/// Exactly this one mistake.
static void assert_mistake(const char *text, const char *expected)
{
	assert_int_equal(parse(text), -EINVAL);
	assert_string_equal(errors.lines[0], expected);
	assert_int_equal(errors.count, 1);
}

// ---- what is read -------------------------------------------------------------------------------

static void sections_keys_and_comments(void **state)
{
	(void)state;
	assert_int_equal(parse("# a comment\n"
			       "\n"
			       "  ; another\n"
			       "[mqtt]\n"
			       "host = broker.example\n"
			       "\tport=1883  \n"
			       "  [ pjlink \t\"phòng 101\" ]  \n"
			       "address = 192.0.2.7\n"
			       "[pjlink \"phòng 102\"]\n"
			       "empty =\n"),
			 0);
	assert_int_equal(config.count, 3);
	assert_string_equal(config.file, "f.conf");
	assert_string_equal(config.sections[0].name, "mqtt");
	assert_string_equal(config.sections[0].instance, "");
	assert_int_equal(config.sections[0].line, 4);
	assert_int_equal(config.sections[0].count, 2);
	assert_int_equal(config.sections[0].entries[1].line, 6);
	assert_string_equal(value("mqtt", "", "host"), "broker.example");
	assert_string_equal(value("mqtt", NULL, "port"), "1883");
	assert_string_equal(value("pjlink", "phòng 101", "address"), "192.0.2.7");
	assert_string_equal(value("pjlink", "phòng 102", "empty"), "");
	assert_null(sp_config_find(&config, "pjlink", ""));
	assert_null(sp_config_find(&config, "pjlink", "phòng 103"));
}

static void values_keep_what_looks_like_a_comment(void **state)
{
	(void)state;
	assert_int_equal(parse("[a]\n"
			       "b = x ; y # z\n"
			       "c = #fff\n"
			       "d = a=b [c] \"d\"\n"
			       "e = back\\slash\n"),
			 0);
	assert_string_equal(value("a", "", "b"), "x ; y # z");
	assert_string_equal(value("a", "", "c"), "#fff");
	assert_string_equal(value("a", "", "d"), "a=b [c] \"d\"");
	assert_string_equal(value("a", "", "e"), "back\\slash");
}

static void quotes_keep_blanks_and_know_escapes(void **state)
{
	(void)state;
	assert_int_equal(parse("[a]\n"
			       "b = \"  two  \"  \n"
			       "c = \"\\\"q\\\" \\\\ \\n\"\n"
			       "d = \"\"\n"
			       "[p \"a \\\"b\\\" \\\\\"]\n"),
			 0);
	assert_string_equal(value("a", "", "b"), "  two  ");
	assert_string_equal(value("a", "", "c"), "\"q\" \\ \n");
	assert_string_equal(value("a", "", "d"), "");
	assert_non_null(sp_config_find(&config, "p", "a \"b\" \\"));
}

static void what_other_systems_write_is_read(void **state)
{
	(void)state;
	assert_int_equal(parse(""), 0);
	assert_int_equal(config.count, 0);
	assert_int_equal(parse("\xef\xbb\xbf[a]\r\nb = c\r\n"), 0);
	assert_string_equal(value("a", "", "b"), "c");
	assert_int_equal(parse("\xef\xbb\xbf"), 0);
	assert_int_equal(parse("[a]\nb = c"), 0);
	assert_string_equal(value("a", "", "b"), "c");
	assert_int_equal(parse("[a]"), 0);
	assert_int_equal(config.count, 1);
	assert_int_equal(parse("\n\n\n"), 0);
}

static void names_of_64_bytes_are_whole(void **state)
{
	(void)state;
	char name[65], text[300];
	memset(name, 'n', 64);
	name[64] = '\0';
	snprintf(text, sizeof(text), "[%s \"%s\"]\n%s = 1\n", name, name, name);
	assert_int_equal(parse(text), 0);
	assert_string_equal(value(name, name, name), "1");
	snprintf(text, sizeof(text), "[%sn]\n", name);
	assert_mistake(
	    text,
	    "f.conf:1: section name 'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn…' "
	    "is longer than 64 bytes");
	snprintf(text, sizeof(text), "[a]\n%sn = 1\n", name);
	assert_int_equal(parse(text), -EINVAL);
	assert_null(value("a", "", name));
	snprintf(text, sizeof(text), "[a \"%sn\"]\n", name);
	assert_int_equal(parse(text), -EINVAL);
	assert_int_equal(config.count, 0);
}

// ---- mistakes -----------------------------------------------------------------------------------

static void every_mistake_has_its_line_and_words(void **state)
{
	(void)state;
	assert_mistake("a = 1\n", "f.conf:1: 'a' stands before the first [section]");
	assert_mistake("[a\n", "f.conf:1: ']' is missing after [a");
	assert_mistake("\n[a \"b\"\n", "f.conf:2: ']' is missing after [a");
	assert_mistake("[a \"b]\n", "f.conf:1: a quote is opened and not closed");
	assert_mistake("[a \"\"]\n", "f.conf:1: the name in quotes is empty");
	assert_mistake("[a \"x\\ny\"]\n", "f.conf:1: the name in quotes holds a line break");
	assert_mistake("[a b]\n",
		       "f.conf:1: [a …]: a name after the first word stands in quotes, as in [a \"name\"]");
	assert_mistake("[]\n",
		       "f.conf:1: '[' must be followed by a name of letters, digits, '_', '-' or '.'");
	assert_mistake("[", "f.conf:1: '[' must be followed by a name of letters, digits, '_', '-' or '.'");
	assert_mistake("[a] # no\n", "f.conf:1: text after ']': a comment needs a line of its own");
	assert_mistake("[a]\nhost\n", "f.conf:2: 'host' is neither [section] nor key = value");
	assert_mistake("[a]\n = 1\n", "f.conf:2: there is no key before '='");
	assert_mistake("[a]\nb c = 1\n",
		       "f.conf:2: 'b c' is no key: keys are of letters, digits, '_', '-' and '.'");
	assert_mistake("[a]\nb = \"c\n", "f.conf:2: a quote is opened and not closed");
	assert_mistake("[a]\nb = \"c\\\n",
		       "f.conf:2: unknown escape in a quoted value: only \\\\, \\\" and \\n are known");
	assert_mistake("[a]\nb = \"\\t\"\n",
		       "f.conf:2: unknown escape in a quoted value: only \\\\, \\\" and \\n are known");
	assert_mistake("[a]\nb = \"c\" d\n",
		       "f.conf:2: text after the closing quote: a comment needs a line of its own, "
		       "and a quote inside a value is written \\\"");
	assert_mistake("[a]\nb = 1\nc = 2\nb = 3\n", "f.conf:4: 'b' was already set in line 2");
	assert_mistake("[a]\n[b]\n[a]\n", "f.conf:3: [a] was already opened in line 1");
	assert_mistake("[a \"x\"]\n[a]\n[a \"x\"]\n", "f.conf:3: [a \"x\"] was already opened in line 1");
	assert_mistake("[a]\nb = caf\xe9\n", "f.conf:2: byte 8 (0xe9) is not UTF-8: save the file as UTF-8");
	assert_mistake("[a]\nb = \x1b[2J\n", "f.conf:2: byte 5 begins a control character (U+001B)");
	assert_mistake("[a]\rb = c\n", "f.conf:1: byte 4 begins a control character (U+000D)");
	assert_int_equal(parse_bytes("[a]\nb = c\0d\n", 12), -EINVAL);
	assert_string_equal(errors.lines[0], "f.conf:2: byte 6 is NUL: this is not a text file");
}

static void the_first_of_two_stays(void **state)
{
	(void)state;
	assert_int_equal(parse("[a]\nb = 1\nb = 2\n[a]\nc = 3\n"), -EINVAL);
	assert_int_equal(errors.count, 2);
	assert_string_equal(value("a", "", "b"), "1");
	assert_null(value("a", "", "c"));
}

static void keys_after_a_bad_header_belong_nowhere(void **state)
{
	(void)state;
	static const char *const headers[] = {"[b", "[b c]", "[b \"\xff\"]", "[]", "[a]"};
	for (size_t i = 0; i < SP_COUNT(headers); i++) {
		char text[100];
		snprintf(text, sizeof(text), "[a]\nx = 1\n%s\ny = 2\n", headers[i]);
		assert_int_equal(parse(text), -EINVAL);
		assert_int_equal(errors.count, 1);
		assert_null(value("a", "", "y"));
	}
	assert_int_equal(parse("[b\ny = \"2\n"), -EINVAL); // their own mistakes are told all the same
	assert_int_equal(errors.count, 2);
}

static void a_bad_line_hides_no_other(void **state)
{
	(void)state;
	assert_int_equal(parse("[a]\nb\nc = 1\nd\ne = 2\n"), -EINVAL);
	assert_int_equal(errors.count, 2);
	assert_string_equal(errors.lines[1], "f.conf:4: 'd' is neither [section] nor key = value");
	assert_string_equal(value("a", "", "c"), "1");
	assert_string_equal(value("a", "", "e"), "2");
}

static void long_lines_are_refused_never_cut(void **state)
{
	(void)state;
	char text[SP_CONFIG_LINE_MAX + 100] = "[a]\nb = ";
	size_t head = strlen(text);
	memset(text + head, 'x', SP_CONFIG_LINE_MAX - 4);
	strcpy(text + head + SP_CONFIG_LINE_MAX - 4, "\nc = 1\n");
	assert_int_equal(parse(text), 0);
	assert_int_equal(strlen(value("a", "", "b")), SP_CONFIG_LINE_MAX - 4);
	strcpy(text + head + SP_CONFIG_LINE_MAX - 4, "x\nc = 1\n");
	assert_mistake(text, "f.conf:2: the line is longer than 4096 bytes");
	assert_null(value("a", "", "b"));
	assert_string_equal(value("a", "", "c"), "1");
}

static void the_number_of_things_is_bounded(void **state)
{
	(void)state;
	char *text = sp_alloc(SP_CONFIG_FILE_MAX + 2), *at = text;
	at += sprintf(at, "[a]\n");
	for (int i = 0; i <= SP_CONFIG_KEYS_MAX; i++)
		at += sprintf(at, "k%d=\n", i);
	assert_mistake(text, "f.conf:258: more than 256 keys in [a]");
	at = text;
	for (int i = 0; i <= SP_CONFIG_SECTIONS_MAX; i++)
		at += sprintf(at, "[s%d]\n", i);
	assert_mistake(text, "f.conf:1025: more than 1024 sections");
	memset(text, '\n', SP_CONFIG_FILE_MAX + 1);
	assert_int_equal(parse_bytes(text, SP_CONFIG_FILE_MAX), 0);
	assert_int_equal(parse_bytes(text, SP_CONFIG_FILE_MAX + 1), -EINVAL);
	assert_string_equal(errors.lines[0], "f.conf: is larger than 256 KiB");
	free(text);
}

static void fifty_mistakes_are_kept_the_rest_counted(void **state)
{
	(void)state;
	char text[1000] = "[a]\n";
	for (int i = 0; i < 50; i++)
		strcat(text, "wrong\n");
	parse(text);
	assert_int_equal(errors.count, 50);
	assert_string_equal(errors.lines[49], "f.conf:51: 'wrong' is neither [section] nor key = value");
	for (int i = 0; i < 70; i++)
		strcat(text, "wrong\n");
	parse(text);
	assert_int_equal(errors.count, 50);
	assert_string_equal(errors.lines[48], "f.conf:50: 'wrong' is neither [section] nor key = value");
	assert_string_equal(errors.lines[49], "f.conf: and 71 more mistakes"); // 49 + 71 = 120
}

static void a_mistake_is_one_line(void **state)
{
	(void)state;
	char many[3000];
	memset(many, 'x', sizeof(many) - 1);
	many[sizeof(many) - 1] = '\0';
	sp_config_error(&errors, "f", 3, "two\nlines");
	sp_config_error(&errors, "f", 0, "%s", many);
	assert_string_equal(errors.lines[1], "f:3: two lines");
	assert_true(strlen(errors.lines[0]) < 1100);
}

static void mistakes_come_in_the_order_of_the_file(void **state)
{
	(void)state;
	sp_config_error(&errors, "f", 12, "late");
	sp_config_error(&errors, "f", 3, "early");
	sp_config_error(&errors, "f", 12, "late, too");
	sp_config_error(&errors, "f", 9, "between");
	assert_string_equal(errors.lines[0], "f:3: early");
	assert_string_equal(errors.lines[1], "f:9: between");
	assert_string_equal(errors.lines[2], "f:12: late");
	assert_string_equal(errors.lines[3], "f:12: late, too");
}

// ---- files --------------------------------------------------------------------------------------

static char folder[] = "/tmp/sp-test-config-XXXXXX";

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static char *write_file(const char *text, size_t size)
{
	char *path = sp_asprintf("%s/f", folder);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
	return path;
}

static void a_file_is_read(void **state)
{
	(void)state;
	char *path = write_file("[a]\nb = c\nd\n", 12);
	assert_int_equal(sp_config_read(&config, path, &errors), -EINVAL);
	assert_string_equal(value("a", "", "b"), "c");
	assert_int_equal(errors.count, 1);
	assert_memory_equal(errors.lines[0], path, strlen(path));
	assert_memory_equal(errors.lines[0] + strlen(path), ":3: ", 4);
	clean_up(NULL);
	free(write_file("", 0));
	assert_int_equal(sp_config_read(&config, path, &errors), 0);
	unlink(path);
	free(path);
}

static void assert_unreadable(const char *path, int result, const char *text)
{
	clean_up(NULL);
	assert_int_equal(sp_config_read(&config, path, &errors), result);
	assert_int_equal(errors.count, 1);
	assert_memory_equal(errors.lines[0], path, strlen(path));
	assert_string_equal(errors.lines[0] + strlen(path), text);
	assert_int_equal(config.count, 0);
}

static void what_is_no_file_is_said_so(void **state)
{
	(void)state;
	char *path = sp_asprintf("%s/f", folder);
	assert_unreadable(path, -ENOENT, ": cannot be read: No such file or directory");
	assert_unreadable(folder, -EISDIR, ": is a directory, not a file");
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_unreadable(path, -EINVAL, ": is not a regular file"); // and does not wait for a writer
	unlink(path);
	assert_int_equal(symlink(path, path), 0);
	assert_unreadable(path, -ELOOP, ": cannot be read: Too many levels of symbolic links");
	unlink(path);
	char *text = sp_alloc(SP_CONFIG_FILE_MAX + 1);
	memset(text, '\n', SP_CONFIG_FILE_MAX + 1);
	free(write_file(text, SP_CONFIG_FILE_MAX + 1));
	assert_unreadable(path, -EINVAL, ": is larger than 256 KiB");
	unlink(path);
	free(text);
	free(path);
}

static void a_forbidden_file_is_said_so(void **state)
{
	(void)state;
	char *path = write_file("[a]\n", 4);
	assert_int_equal(chmod(path, 0), 0);
	bool is_root = geteuid() == 0; // who may read everything
	if (is_root)
		assert_int_equal(seteuid(65534), 0);
	assert_unreadable(path, -EACCES, ": cannot be read: Permission denied");
	if (is_root)
		assert_int_equal(seteuid(0), 0);
	unlink(path);
	free(path);
}

// ---- suggestions ----------------------------------------------------------------------------------

static void a_mistyped_word_is_recognised(void **state)
{
	(void)state;
	static const char *const words[] = {"interval",           "host", "port", "ca_file", "anchors", "qos",
					    "wait_at_most_for_it"};
	static const struct {
		const char *word, *meant;
	} cases[] = {
	    {"intervall", "interval"},
	    {"intreval", "interval"},
	    {"Interval", "interval"},
	    {"inteval", "interval"},
	    {"hots", "host"},
	    {"hosts", "host"},
	    {"prot", "port"},
	    {"ca-file", "ca_file"},
	    {"cafile", "ca_file"},
	    {"anchor", "anchors"},
	    {"qso", "qos"},
	    {"x", NULL},
	    {"wait-at-most-for-it", "wait_at_most_for_it"},
	    {"banana", NULL},
	    {"", NULL},
	    {"zz", NULL},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		const char *meant = sp_config_suggest(cases[i].word, words, SP_COUNT(words));
		if (cases[i].meant)
			assert_string_equal(meant, cases[i].meant);
		else
			assert_null(meant);
	}
	assert_null(sp_config_suggest("host", NULL, 0));
	char many[300];
	memset(many, 'h', sizeof(many) - 1);
	many[sizeof(many) - 1] = '\0';
	assert_null(sp_config_suggest(many, words, SP_COUNT(words)));
	const char *const huge[] = {many, "host"};
	assert_string_equal(sp_config_suggest("hosst", huge, 2), "host");
}

static void unknown_sections_are_told(void **state)
{
	(void)state;
	static const char *const known[] = {"mqtt", "gateway"};
	assert_int_equal(parse("[gatway]\n[zebra]\n"), 0);
	for (size_t i = 0; i < config.count; i++)
		sp_config_unknown_section(&config, &config.sections[i], known, 2, &errors);
	assert_string_equal(errors.lines[0], "f.conf:1: unknown section [gatway]; did you mean [gateway]?");
	assert_string_equal(errors.lines[1], "f.conf:2: unknown section [zebra]");
}

#define CONFIG_TEST(test) cmocka_unit_test_teardown(test, clean_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CONFIG_TEST(sections_keys_and_comments),
	    CONFIG_TEST(values_keep_what_looks_like_a_comment),
	    CONFIG_TEST(quotes_keep_blanks_and_know_escapes),
	    CONFIG_TEST(what_other_systems_write_is_read),
	    CONFIG_TEST(names_of_64_bytes_are_whole),
	    CONFIG_TEST(every_mistake_has_its_line_and_words),
	    CONFIG_TEST(the_first_of_two_stays),
	    CONFIG_TEST(keys_after_a_bad_header_belong_nowhere),
	    CONFIG_TEST(a_bad_line_hides_no_other),
	    CONFIG_TEST(long_lines_are_refused_never_cut),
	    CONFIG_TEST(the_number_of_things_is_bounded),
	    CONFIG_TEST(fifty_mistakes_are_kept_the_rest_counted),
	    CONFIG_TEST(a_mistake_is_one_line),
	    CONFIG_TEST(mistakes_come_in_the_order_of_the_file),
	    CONFIG_TEST(a_file_is_read),
	    CONFIG_TEST(what_is_no_file_is_said_so),
	    CONFIG_TEST(a_forbidden_file_is_said_so),
	    CONFIG_TEST(a_mistyped_word_is_recognised),
	    CONFIG_TEST(unknown_sections_are_told),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
