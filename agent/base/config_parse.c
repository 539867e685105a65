// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The INI tokenizer: one line at a time, and a mistake in one line hides none in the next.
#include <stdio.h>
#include <string.h>

#include "agent/base/config.h"
#include "agent/base/mem.h"
#include "agent/base/utf8.h"

struct parser {
	struct sp_config *config;
	struct sp_config_errors *errors;
	unsigned line;
	bool wrong; ///< something was added to errors
	/// Where keys go. After a header that cannot be taken they are read, checked and dropped:
	/// they belong neither to it nor to the section before.
	enum { NOWHERE, SECTION, DROPPED } place;
};

#define mistake(parser, ...)     \
	((parser)->wrong = true, \
	 sp_config_error((parser)->errors, (parser)->config->file, (parser)->line, __VA_ARGS__))

/// A stretch of the line, never NUL-terminated.
struct span {
	const char *at;
	size_t length;
};

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static struct span trim(struct span span)
{
	while (span.length > 0 && is_blank(*span.at)) {
		span.at++;
		span.length--;
	}
	while (span.length > 0 && is_blank(span.at[span.length - 1]))
		span.length--;
	return span;
}

/// What stands at the front up to something that no name may hold.
static struct span name_of(struct span span)
{
	size_t length = 0;
	while (length < span.length && span.at[length] &&
	       strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.", span.at[length]))
		length++;
	return (struct span){span.at, length};
}

/// For messages: a long word is cut.
#define SHOWN(span) (int)sp_utf8_clip((span).at, (span).length, 80), (span).at

static bool name_fits(struct parser *parser, const char *what, struct span name)
{
	if (name.length <= SP_CONFIG_NAME_MAX)
		return true;
	mistake(parser, "%s '%.*s…' is longer than %d bytes", what, SHOWN(name), SP_CONFIG_NAME_MAX);
	return false;
}

/// Reads "…" at the front of `span` and moves behind it. `out` has room for the whole span.
static bool unquote(struct parser *parser, struct span *span, char *out)
{
	for (size_t i = 1; i < span->length; i++) {
		char byte = span->at[i];
		if (byte == '"') {
			*out = '\0';
			span->at += i + 1;
			span->length -= i + 1;
			return true;
		}
		if (byte == '\\') {
			char escaped = ++i < span->length ? span->at[i] : '\0';
			if (escaped != '\\' && escaped != '"' && escaped != 'n') {
				mistake(
				    parser,
				    "unknown escape in a quoted value: only \\\\, \\\" and \\n are known");
				return false;
			}
			byte = escaped == 'n' ? '\n' : escaped;
		}
		*out++ = byte;
	}
	mistake(parser, "a quote is opened and not closed");
	return false;
}

// ---- sections ---------------------------------------------------------------------------------

static bool instance_good(struct parser *parser, const char *instance)
{
	if (!*instance)
		mistake(parser, "the name in quotes is empty");
	else if (strchr(instance, '\n'))
		mistake(parser, "the name in quotes holds a line break");
	else
		return name_fits(parser, "the name", (struct span){instance, strlen(instance)});
	return false;
}

/// [name] or [name "instance"]; `instance` has room for the whole line.
static bool header(struct parser *parser, struct span text, struct span *name, char *instance)
{
	struct span rest = trim((struct span){text.at + 1, text.length - 1});
	*name = name_of(rest);
	*instance = '\0';
	rest = trim((struct span){rest.at + name->length, rest.length - name->length});
	if (name->length == 0) {
		mistake(parser, "'[' must be followed by a name of letters, digits, '_', '-' or '.'");
		return false;
	}
	if (!name_fits(parser, "section name", *name))
		return false;
	if (rest.length > 0 && *rest.at == '"') {
		if (!unquote(parser, &rest, instance) || !instance_good(parser, instance))
			return false;
		rest = trim(rest);
	} else if (rest.length > 0 && *rest.at != ']' && memchr(rest.at, ']', rest.length)) {
		mistake(parser,
			"[%.*s …]: a name after the first word stands in quotes, as in [%.*s \"name\"]",
			SHOWN(*name), SHOWN(*name));
		return false;
	}
	if (rest.length == 0 || *rest.at != ']') {
		mistake(parser, "']' is missing after [%.*s", SHOWN(*name));
		return false;
	}
	if (rest.length > 1) {
		mistake(parser, "text after ']': a comment needs a line of its own");
		return false;
	}
	return true;
}

static void section_line(struct parser *parser, struct span text)
{
	struct sp_config *config = parser->config;
	struct span span;
	char instance[SP_CONFIG_LINE_MAX + 1];
	parser->place = DROPPED;
	if (!header(parser, text, &span, instance))
		return;
	char *name = sp_strndup(span.at, span.length);
	const struct sp_config_section *first = sp_config_find(config, name, instance);
	if (first && *instance)
		mistake(parser, "[%s \"%s\"] was already opened in line %u", name, instance, first->line);
	else if (first)
		mistake(parser, "[%s] was already opened in line %u", name, first->line);
	else if (config->count == SP_CONFIG_SECTIONS_MAX)
		mistake(parser, "more than %d sections", SP_CONFIG_SECTIONS_MAX);
	else {
		config->sections =
		    sp_realloc(config->sections, (config->count + 1) * sizeof(*config->sections));
		config->sections[config->count++] = (struct sp_config_section){
		    .name = name, .instance = sp_strdup(instance), .line = parser->line};
		parser->place = SECTION;
		return;
	}
	free(name);
}

// ---- keys -------------------------------------------------------------------------------------

static void keep(struct parser *parser, struct span key, const char *value)
{
	struct sp_config_section *section = &parser->config->sections[parser->config->count - 1];
	for (size_t i = 0; i < section->count; i++)
		if (strncmp(section->entries[i].key, key.at, key.length) == 0 &&
		    section->entries[i].key[key.length] == '\0') {
			mistake(parser, "'%s' was already set in line %u", section->entries[i].key,
				section->entries[i].line);
			return;
		}
	if (section->count == SP_CONFIG_KEYS_MAX) {
		mistake(parser, "more than %d keys in [%s]", SP_CONFIG_KEYS_MAX, section->name);
		return;
	}
	section->entries = sp_realloc(section->entries, (section->count + 1) * sizeof(*section->entries));
	section->entries[section->count++] = (struct sp_config_entry){
	    .key = sp_strndup(key.at, key.length), .value = sp_strdup(value), .line = parser->line};
}

static bool value_of(struct parser *parser, struct span text, char *out)
{
	if (text.length == 0 || *text.at != '"') {
		memcpy(out, text.at, text.length);
		out[text.length] = '\0';
		return true;
	}
	if (!unquote(parser, &text, out))
		return false;
	if (trim(text).length == 0)
		return true;
	mistake(parser,
		"text after the closing quote: a comment needs a line of its own, and a quote inside a "
		"value is written \\\"");
	return false;
}

static void key_line(struct parser *parser, struct span text)
{
	const char *equals = memchr(text.at, '=', text.length);
	if (!equals) {
		mistake(parser, "'%.*s' is neither [section] nor key = value", SHOWN(text));
		return;
	}
	struct span key = trim((struct span){text.at, (size_t)(equals - text.at)});
	struct span rest = trim((struct span){equals + 1, (size_t)(text.at + text.length - equals) - 1});
	char value[SP_CONFIG_LINE_MAX + 1];
	if (key.length == 0)
		mistake(parser, "there is no key before '='");
	else if (name_of(key).length != key.length)
		mistake(parser, "'%.*s' is no key: keys are of letters, digits, '_', '-' and '.'",
			SHOWN(key));
	else if (name_fits(parser, "key", key) && value_of(parser, rest, value)) {
		if (parser->place == NOWHERE)
			mistake(parser, "'%.*s' stands before the first [section]", SHOWN(key));
		else if (parser->place == SECTION)
			keep(parser, key, value);
	}
}

// ---- lines ------------------------------------------------------------------------------------

static bool line_good(struct parser *parser, struct span text)
{
	if (text.length > SP_CONFIG_LINE_MAX) {
		mistake(parser, "the line is longer than %d bytes", SP_CONFIG_LINE_MAX);
		return false;
	}
	for (size_t i = 0; i < text.length;) {
		uint32_t character;
		size_t step = sp_utf8_next(text.at + i, text.length - i, &character);
		if (step == 0)
			mistake(parser, "byte %zu (0x%02x) is not UTF-8: save the file as UTF-8", i + 1,
				(unsigned char)text.at[i]);
		else if (character == 0)
			mistake(parser, "byte %zu is NUL: this is not a text file", i + 1);
		else if (sp_utf8_is_control(character) && character != '\t')
			mistake(parser, "byte %zu begins a control character (U+%04X)", i + 1,
				(unsigned)character);
		else {
			i += step;
			continue;
		}
		return false;
	}
	return true;
}

static void one_line(struct parser *parser, struct span text)
{
	if (text.length > 0 && text.at[text.length - 1] == '\r')
		text.length--;
	struct span inner = trim(text);
	bool is_header = inner.length > 0 && *inner.at == '[';
	if (!line_good(parser, text)) {
		if (is_header)
			parser->place = DROPPED;
		return;
	}
	if (inner.length == 0 || *inner.at == '#' || *inner.at == ';')
		return;
	if (is_header)
		section_line(parser, inner);
	else
		key_line(parser, inner);
}

int sp_config_parse(struct sp_config *out, const char *file, const char *text, size_t length,
		    struct sp_config_errors *errors)
{
	*out = (struct sp_config){.file = sp_strdup(file)};
	if (length > SP_CONFIG_FILE_MAX) {
		sp_config_error(errors, file, 0, "is larger than %d KiB", SP_CONFIG_FILE_MAX / 1024);
		return -EINVAL;
	}
	struct parser parser = {.config = out, .errors = errors};
	const char *end = text + length;
	if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		struct span line = {text, (size_t)((stop ? stop : end) - text)};
		parser.line++;
		one_line(&parser, line);
		text = stop ? stop + 1 : end;
	}
	return parser.wrong ? -EINVAL : 0;
}
