// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Lines for people, for collectors of JSON, and for those of logfmt. Texts are made clean first, so that what
// is left to escape are quotes and backslashes; nothing here can outgrow its buffer.
#include "agent/base/log_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/base/utf8.h"

bool sp_log_clean(char *to, size_t *length, size_t room, const char *from)
{
	for (size_t left = strlen(from), step; left > 0; from += step, left -= step) {
		uint32_t character = 0;
		step = sp_utf8_next(from, left, &character);
		bool good = step > 0 && !sp_utf8_is_control(character);
		step = step ? step : 1;
		if (*length + (good ? step : 4 * step) > room)
			return false;
		if (good)
			memcpy(to + *length, from, step);
		for (size_t i = 0; !good && i < step; i++)
			snprintf(to + *length + 4 * i, 5, "\\x%02x", (unsigned char)from[i]);
		*length += good ? step : 4 * step;
	}
	return true;
}

/// Between quotes, as JSON and logfmt have it. False when `room` was too little.
static bool add_quoted(char *to, size_t *length, size_t room, const char *text)
{
	size_t at = *length;
	if (at + 2 > room)
		return false;
	to[at++] = '"';
	for (; *text; text++) {
		if (at + 3 > room) // with the quote that ends it
			return false;
		if (*text == '"' || *text == '\\')
			to[at++] = '\\';
		to[at++] = *text;
	}
	to[at++] = '"';
	*length = at;
	return true;
}

static bool add(char *to, size_t *length, size_t room, const char *text)
{
	size_t more = strlen(text);
	if (*length + more > room)
		return false;
	while (*text)
		to[(*length)++] = *text++;
	return true;
}

/// logfmt leaves quotes away where nothing asks for them.
static bool add_value(char *to, size_t *length, size_t room, enum sp_log_format format, const char *text)
{
	bool bare = format == SP_LOG_LOGFMT && text[0] && !strpbrk(text, " =\"\\");
	return bare ? add(to, length, room, text) : add_quoted(to, length, room, text);
}

static bool add_name(char *to, size_t *length, size_t room, enum sp_log_format format, const char *name)
{
	if (format == SP_LOG_LOGFMT)
		return add(to, length, room, " ") && add(to, length, room, name) &&
		       add(to, length, room, "=");
	return add(to, length, room, ",\"") && add(to, length, room, name) && add(to, length, room, "\":");
}

static void add_field(struct sp_log_entry *entry, size_t *length, size_t *who, enum sp_log_format format,
		      const struct sp_log_field *field)
{
	char value[sizeof(entry->who) / 2], number[24];
	size_t all = *length, room = sizeof(entry->fields) - 1, used = 0;
	bool fits = add_name(entry->fields, &all, room, format, field->name);
	if (field->text) {
		sp_log_clean(value, &used, sizeof(value) - 1, field->text); // too long: its beginning
		value[used] = '\0';
		fits = fits && add_value(entry->fields, &all, room, format, value);
		size_t so_far = *who;
		if (add_quoted(entry->who, &so_far, sizeof(entry->who) - 1, value))
			*who = so_far;
	} else {
		snprintf(number, sizeof(number), "%" PRId64, field->number);
		fits = fits && add(entry->fields, &all, room, number);
	}
	if (fits)
		*length = all;
}

void sp_log_fields(struct sp_log_entry *entry, enum sp_log_format format, const struct sp_log_field *fields,
		   size_t count)
{
	size_t length = 0, who = 0;
	for (size_t i = 0; format != SP_LOG_PLAIN && i < count; i++)
		add_field(entry, &length, &who, format, &fields[i]);
	entry->fields[length] = '\0';
	entry->who[who] = '\0';
}

static size_t write_plain(char *to, size_t room, const struct sp_log_entry *entry, unsigned repeats)
{
	char suffix[40] = "";
	if (repeats > 0)
		snprintf(suffix, sizeof(suffix), " (repeated %u time%s)", repeats, repeats == 1 ? "" : "s");
	return (size_t)snprintf(to, room, "%s%s\n", entry->line, suffix);
}

/// RFC 3339, in UTC.
static void time_text(char out[40], int64_t t_ms)
{
	time_t seconds = (time_t)(t_ms / 1000);
	struct tm tm;
	char date[24];
	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, 40, "%s.%03dZ", date, (int)(t_ms % 1000));
}

static void add_member(char *to, size_t *length, size_t room, enum sp_log_format format, const char *name,
		       const char *text)
{
	if (*length > 1 || format == SP_LOG_LOGFMT) {
		add_name(to, length, room, format, name);
	} else { // behind the brace
		add(to, length, room, "\"");
		add(to, length, room, name);
		add(to, length, room, "\":");
	}
	add_value(to, length, room, format, text);
}

size_t sp_log_write(char *to, size_t room, enum sp_log_format format, const struct sp_log_entry *entry,
		    int64_t t_ms, unsigned repeats)
{
	char text[40];
	size_t length = 0;
	if (format == SP_LOG_PLAIN)
		return write_plain(to, room, entry, repeats);
	if (format == SP_LOG_JSON)
		to[length++] = '{';
	if (t_ms >= 0) {
		time_text(text, t_ms);
		add_member(to, &length, room, format, "time", text);
	}
	add_member(to, &length, room, format, "level", entry->level);
	add_member(to, &length, room, format, "module", entry->module);
	add_member(to, &length, room, format, "text", entry->line + entry->text);
	add(to, &length, room, entry->fields);
	if (repeats > 0) {
		snprintf(text, sizeof(text), "%u", repeats);
		add_name(to, &length, room, format, "repeated");
		add(to, &length, room, text);
	}
	add(to, &length, room, format == SP_LOG_JSON ? "}\n" : "\n");
	if (format == SP_LOG_LOGFMT) // the first name has no blank before it
		memmove(to, to + 1, --length);
	return length;
}
