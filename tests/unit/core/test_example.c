// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The example of a configuration keeps its word: what is commented out stands for its default, and the
// sections that are commented out as a whole work as they stand.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/core/settings.h"

enum { LINE = 512, CONF = 4096, VALUES_LEAST = 30 };

static const char example[] = EXAMPLE;

/// "#key = value" of a section, or "##key = value" of one that is commented out itself.
struct commented {
	char section[LINE], key[LINE], value[LINE];
	unsigned line;
};

static bool take_option(const char *text, struct commented *out)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
	const char *rest = text + length;
	if (length == 0 || strncmp(rest, " =", 2) != 0)
		return false;
	snprintf(out->key, sizeof(out->key), "%.*s", (int)length, text);
	rest += 2;
	while (*rest == ' ')
		rest++;
	snprintf(out->value, sizeof(out->value), "%s", rest);
	return true;
}

/// "[line "main"]" → "line"
static bool take_section(const char *text, char out[LINE])
{
	return sscanf(text, "[%[a-z0-9_]", out) == 1;
}

static void find_option(const struct commented *at, struct sp_option *out)
{
	static char interval[24];
	struct sp_option common[4];
	const struct sp_option *tables[2] = {NULL, NULL};
	for (const struct sp_core_section *core = sp_core_sections; core->name; core++)
		if (strcmp(core->name, at->section) == 0)
			tables[0] = core->options;
	for (size_t i = 0; sp_driver_registry[i]; i++) {
		if (strcmp(sp_driver_registry[i]->name, at->section) != 0)
			continue;
		sp_common_options(sp_driver_registry[i], common, interval);
		tables[0] = common;
		tables[1] = sp_driver_registry[i]->options;
	}
	for (size_t i = 0; i < SP_COUNT(tables); i++) {
		for (const struct sp_option *option = tables[i]; option && option->key; option++) {
			if (strcmp(option->key, at->key) != 0)
				continue;
			*out = *option;
			return;
		}
	}
	fail_msg("line %u: [%s] has no key %s", at->line, at->section, at->key);
}

static void apply(const struct sp_option *table, const struct commented *at, void *conf)
{
	char text[2 * LINE + 16];
	struct sp_config config = {0};
	struct sp_config_errors errors = {0};
	snprintf(text, sizeof(text), "[x]\n%s = %s\n", at->key, at->value);
	int result = sp_config_parse(&config, "example", text, strlen(text), &errors);
	if (result == 0)
		result = sp_options_apply(table, NULL, &config, &config.sections[0], conf, &errors);
	if (result)
		fail_msg("line %u: %s", at->line, errors.count ? errors.lines[0] : "?");
	sp_config_free(&config);
	sp_config_errors_free(&errors);
}

static bool is_same(const struct sp_option *option, const char *a, const char *b)
{
	a += option->offset;
	b += option->offset;
	switch (option->type) {
	case SP_OPTION_STRING:
		return strcmp(*(char *const *)a, *(char *const *)b) == 0;
	case SP_OPTION_BOOL:
		return *(const bool *)a == *(const bool *)b;
	case SP_OPTION_ENUM:
		return *(const int *)a == *(const int *)b;
	case SP_OPTION_INT:
	case SP_OPTION_DURATION:
	case SP_OPTION_SIZE:
		return *(const int64_t *)a == *(const int64_t *)b;
	case SP_OPTION_LIST:
		break;
	}
	const struct sp_strings *left = (const struct sp_strings *)a, *right = (const struct sp_strings *)b;
	bool same = left->count == right->count;
	for (size_t i = 0; same && i < left->count; i++)
		same = strcmp(left->items[i], right->items[i]) == 0;
	return same;
}

/// Where the default is nothing, any value that is allowed may stand as an example.
static void check_default(const struct commented *at)
{
	struct sp_option table[2] = {{0}};
	char *given = calloc(1, CONF), *usual = calloc(1, CONF);
	find_option(at, &table[0]);
	assert_true(table[0].offset < CONF - sizeof(struct sp_strings));
	apply(table, at, given);
	if (table[0].def && table[0].def[0]) {
		struct commented def = *at;
		snprintf(def.value, sizeof(def.value), "%s", table[0].def);
		apply(table, &def, usual);
		if (!is_same(&table[0], given, usual))
			fail_msg("line %u: %s = %s, but the default is %s", at->line, at->key, at->value,
				 table[0].def);
		sp_options_free(table, usual);
	}
	sp_options_free(table, given);
	free(given);
	free(usual);
}

static void test_what_is_commented_out_is_the_default(void **state)
{
	(void)state;
	char text[LINE];
	unsigned line = 0, found = 0;
	bool block = false;
	struct commented at = {0};
	FILE *file = fopen(example, "r");
	assert_non_null(file);
	while (fgets(text, sizeof(text), file)) {
		line++;
		text[strcspn(text, "\n")] = '\0';
		block &= text[0] != '\0';
		const char *content = text + (text[0] == '#');
		if (take_section(content, at.section)) {
			block = text[0] == '#';
			continue;
		}
		const char *mark = block ? "##" : "#";
		at.line = line;
		if (strncmp(text, mark, strlen(mark)) != 0 || !take_option(text + strlen(mark), &at))
			continue;
		check_default(&at);
		found++;
	}
	fclose(file);
	assert_true(found >= VALUES_LEAST);
}

static void test_sections_that_are_commented_out_work(void **state)
{
	(void)state;
	char text[LINE], path[] = "/tmp/sp-example-XXXXXX";
	unsigned blocks = 0;
	bool block = false;
	FILE *file = fopen(example, "r");
	int fd = mkstemp(path);
	FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
	assert_true(file && out);
	while (fgets(text, sizeof(text), file)) {
		bool begins = strncmp(text, "#[", 2) == 0;
		blocks += begins;
		block = (block || begins) && text[0] == '#';
		// "# text" stays a comment. Files that a kiosk needs are missed before the start: here is
		// one.
		if (block && strncmp(text, "#secret_file = ", 15) == 0)
			fprintf(out, "secret_file = %s\n", path);
		else
			fputs(block && text[1] != ' ' ? text + 1 : text, out);
		// Kiosks record nothing before somebody says by what right.
		if (strcmp(text, "[attendance]\n") == 0)
			fputs("legal_basis = Decision 12/QD-SGDDT of 2026-08-01\n", out);
	}
	fclose(file);
	fclose(out);
	struct sp_settings settings;
	struct sp_config_errors errors = {0}, warnings = {0};
	int result = sp_settings_read(&settings, path, sp_driver_registry, &errors, &warnings);
	unlink(path);
	if (errors.count + warnings.count > 0)
		fail_msg("%s", errors.count ? errors.lines[0] : warnings.lines[0]);
	assert_int_equal(result, 0);
	assert_true(blocks >= 4);
	assert_int_equal(settings.line_count, 2);
	assert_string_equal(settings.lines[1].shares, settings.lines[0].name);
	sp_settings_free(&settings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_commented_out_is_the_default),
	    cmocka_unit_test(test_sections_that_are_commented_out_work),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
