// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From the words of a section to a typed struct, by an option table.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/config.h"
#include "agent/base/mem.h"
#include "agent/base/utf8.h"

/// One value on its way into `conf`, and where to complain about it.
struct setting {
	const struct sp_option *option;
	const char *value;
	void *conf;
	bool from_file; ///< else the default
	const char *file;
	unsigned line;
	struct sp_config_errors *errors;
};

static const struct sp_option no_options[] = {{.key = NULL}};

enum { SHOWN_MAX = 80 }; ///< bytes of a value in a message

static int refuse(const struct setting *set, const char *what)
{
	size_t length = strlen(set->value), shown = sp_utf8_clip(set->value, length, SHOWN_MAX);
	sp_config_error(set->errors, set->file, set->line, "%s = %.*s%s: %s", set->option->key, (int)shown,
			set->value, shown < length ? "…" : "", what);
	return -EINVAL;
}

static void *member(const struct setting *set)
{
	return (char *)set->conf + set->option->offset;
}

// ---- limits -----------------------------------------------------------------------------------

static const char *limit_text(const struct sp_option *option, int64_t limit, char out[32])
{
	if (option->type == SP_OPTION_DURATION)
		return sp_duration_format(limit, out);
	if (option->type == SP_OPTION_SIZE)
		return sp_size_format(limit, out);
	snprintf(out, 32, "%" PRId64, limit);
	return out;
}

static bool is_limited(const struct sp_option *option)
{
	return option->min != 0 || option->max != 0;
}

/// The value is what the type counts: itself, bytes of a string, items of a list.
static int limited(const struct setting *set, int64_t value)
{
	const struct sp_option *option = set->option;
	if (!set->from_file || !is_limited(option) || (value >= option->min && value <= option->max))
		return 0;
	const char *what = "must be", *unit = "";
	if (option->type == SP_OPTION_STRING) {
		what = "must have";
		unit = " bytes";
	} else if (option->type == SP_OPTION_LIST) {
		what = "must have";
		unit = " items";
	}
	char text[128], min[32], max[32];
	limit_text(option, option->min, min);
	if (option->max == INT64_MAX)
		snprintf(text, sizeof(text), "%s at least %s%s", what, min, unit);
	else
		snprintf(text, sizeof(text), "%s %s to %s%s", what, min, limit_text(option, option->max, max),
			 unit);
	return refuse(set, text);
}

// ---- one function per type ----------------------------------------------------------------------

static int set_string(const struct setting *set)
{
	int result = limited(set, (int64_t)strlen(set->value));
	if (result == 0 && set->from_file && !set->option->def && !*set->value)
		result = refuse(set, "must not be empty");
	if (result == 0)
		*(char **)member(set) = sp_strdup(set->value);
	return result;
}

static int set_number(const struct setting *set, int parsed, int64_t value, const char *form)
{
	int result = 0;
	if (parsed == -EINVAL)
		return refuse(set, form);
	if (parsed == -ERANGE) { // better told by its limits, when it has any
		result = limited(set, set->value[0] == '-' ? INT64_MIN : INT64_MAX);
		return result ? result : refuse(set, "does not fit in 64 bits");
	}
	result = limited(set, value);
	if (result == 0)
		*(int64_t *)member(set) = value;
	return result;
}

static int set_int(const struct setting *set)
{
	const char *digits = set->value + (set->value[0] == '-');
	if (!*digits || digits[strspn(digits, "0123456789")])
		return set_number(set, -EINVAL, 0, "is not a whole number");
	errno = 0;
	int64_t value = strtoll(set->value, NULL, 10);
	return set_number(set, errno ? -ERANGE : 0, value, NULL);
}

static int set_duration(const struct setting *set)
{
	int64_t ms = 0;
	int parsed = sp_duration_parse(set->value, &ms);
	return set_number(set, parsed, ms,
			  "is not a duration: a whole number with ms, s, min, h or d, as in 5min");
}

static int set_size(const struct setting *set)
{
	int64_t bytes = 0;
	int parsed = sp_size_parse(set->value, &bytes);
	return set_number(set, parsed, bytes,
			  "is not a size: a whole number of bytes, or with k, M or G, as in 16M");
}

static int set_bool(const struct setting *set)
{
	static const char *const words[] = {"no", "yes", "false", "true", "off", "on"};
	for (size_t i = 0; i < SP_COUNT(words); i++)
		if (strcmp(set->value, words[i]) == 0) {
			*(bool *)member(set) = i % 2 == 1;
			return 0;
		}
	return refuse(set, "must be yes or no (also true/false, on/off)");
}

static int set_enum(const struct setting *set)
{
	const char *word = set->option->choices;
	size_t length = strlen(set->value);
	for (int index = 0; *word; index++) {
		size_t next = strcspn(word, " ");
		if (next == length && memcmp(word, set->value, length) == 0) {
			*(int *)member(set) = index;
			return 0;
		}
		word += next + (word[next] == ' ');
	}
	char *text = sp_asprintf("must be one of: %s", set->option->choices);
	int result = refuse(set, text);
	free(text);
	return result;
}

static void strings_free(struct sp_strings *strings)
{
	for (size_t i = 0; i < strings->count; i++)
		free(strings->items[i]);
	free(strings->items);
	*strings = (struct sp_strings){0};
}

static int set_list(const struct setting *set)
{
	struct sp_strings list = {0};
	const char *at = set->value + strspn(set->value, " \t");
	int result = 0;
	while (result == 0 && (*at || list.count > 0)) {
		at += strspn(at, " \t");
		const char *stop = at + strcspn(at, ",");
		size_t length = (size_t)(stop - at);
		while (length > 0 && (at[length - 1] == ' ' || at[length - 1] == '\t'))
			length--;
		if (length == 0) {
			result = refuse(set, "an item of the list is empty");
			break;
		}
		list.items = sp_realloc(list.items, (list.count + 1) * sizeof(*list.items));
		list.items[list.count++] = sp_strndup(at, length);
		if (!*stop)
			break;
		at = stop + 1;
	}
	if (result == 0)
		result = limited(set, (int64_t)list.count);
	if (result == 0 && set->from_file && !set->option->def && list.count == 0)
		result = refuse(set, "must not be empty");
	if (result == 0)
		*(struct sp_strings *)member(set) = list;
	else
		strings_free(&list);
	return result;
}

static int set_value(const struct setting *set)
{
	switch (set->option->type) {
	case SP_OPTION_STRING:
		return set_string(set);
	case SP_OPTION_INT:
		return set_int(set);
	case SP_OPTION_DURATION:
		return set_duration(set);
	case SP_OPTION_SIZE:
		return set_size(set);
	case SP_OPTION_BOOL:
		return set_bool(set);
	case SP_OPTION_ENUM:
		return set_enum(set);
	case SP_OPTION_LIST:
		return set_list(set);
	}
	return refuse(set, "has an option of unknown type");
}

// ---- a whole section ------------------------------------------------------------------------------

static const struct sp_config_entry *find_entry(const struct sp_config_section *section, const char *key)
{
	for (size_t i = 0; section && i < section->count; i++)
		if (strcmp(section->entries[i].key, key) == 0)
			return &section->entries[i];
	return NULL;
}

static const struct sp_option *find_option(const struct sp_option *options, const char *key)
{
	for (; options->key; options++)
		if (strcmp(options->key, key) == 0)
			return options;
	return NULL;
}

/// Every key of both tables, for suggestions; free() the array only.
static const char **all_keys(const struct sp_option *const tables[2], size_t *count)
{
	const char **keys = NULL;
	*count = 0;
	for (size_t i = 0; i < 2; i++)
		for (const struct sp_option *option = tables[i]; option->key; option++) {
			keys = sp_realloc(keys, (*count + 1) * sizeof(*keys));
			keys[(*count)++] = option->key;
		}
	return keys;
}

static int unknown(const struct sp_option *const tables[2], const char *file,
		   const struct sp_config_section *section, const struct sp_config_entry *entry,
		   struct sp_config_errors *errors)
{
	size_t count;
	const char **keys = all_keys(tables, &count);
	const char *meant = sp_config_suggest(entry->key, keys, count);
	free(keys);
	if (meant)
		sp_config_error(errors, file, entry->line, "unknown key '%s' in [%s]; did you mean '%s'?",
				entry->key, section->name, meant);
	else
		sp_config_error(errors, file, entry->line, "unknown key '%s' in [%s]", entry->key,
				section->name);
	return -EINVAL;
}

static int missing(const struct sp_option *option, const char *file, const struct sp_config_section *section,
		   struct sp_config_errors *errors)
{
	const char *help = option->help ? option->help : "mandatory";
	if (section)
		sp_config_error(errors, file, section->line, "[%s] lacks '%s' (%s)", section->name,
				option->key, help);
	else
		sp_config_error(errors, file, 0, "'%s' is missing (%s)", option->key, help);
	return -EINVAL;
}

/// First what the section does not say, told at its header's line, then line by line what it says.
int sp_options_apply(const struct sp_option *options, const struct sp_option *known_elsewhere,
		     const struct sp_config *config, const struct sp_config_section *section, void *conf,
		     struct sp_config_errors *errors)
{
	const char *file = config ? config->file : "defaults";
	const struct sp_option *const tables[] = {options ? options : no_options,
						  known_elsewhere ? known_elsewhere : no_options};
	struct setting set = {
	    .conf = conf, .file = file, .line = section ? section->line : 0, .errors = errors};
	int result = 0;
	for (set.option = tables[0]; set.option->key; set.option++) {
		set.value = set.option->def;
		if (find_entry(section, set.option->key))
			continue;
		if ((set.value ? set_value(&set) : missing(set.option, file, section, errors)) < 0)
			result = -EINVAL;
	}
	set.from_file = true;
	for (size_t i = 0; section && i < section->count; i++) {
		const struct sp_config_entry *entry = &section->entries[i];
		set.option = find_option(tables[0], entry->key);
		set.value = entry->value;
		set.line = entry->line;
		if (set.option && set_value(&set) < 0)
			result = -EINVAL;
		else if (!set.option && !find_option(tables[1], entry->key))
			result = unknown(tables, file, section, entry, errors);
	}
	return result;
}

void sp_options_free(const struct sp_option *options, void *conf)
{
	for (options = options ? options : no_options; options->key; options++) {
		char *at = (char *)conf + options->offset;
		if (options->type == SP_OPTION_STRING) {
			free(*(char **)at);
			*(char **)at = NULL;
		} else if (options->type == SP_OPTION_LIST)
			strings_free((struct sp_strings *)at);
	}
}
