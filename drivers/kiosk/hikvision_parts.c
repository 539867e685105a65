// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// multipart/mixed (RFC 2046 §5.1) as terminals write it: lines may end in LF alone, lengths may lie.
#include "hikvision_parts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/// A picture's announced length is believed up to here; beyond it the next boundary is looked for.
#define PICTURE_MAX (INT64_C(16) << 20)
enum { ROOM = SP_HIK_PART_MAX + SP_HIK_BOUNDARY_MAX + 4 };

// ---- the boundary -------------------------------------------------------------------------------

static bool may_bound(char c)
{
	return c > ' ' && c < 0x7f && c != '"' && c != ';' && c != '\\';
}

/// The value of `boundary` among the header's parameters.
static const char *find_boundary(const char *type)
{
	static const char name[] = "boundary=";
	for (const char *at = strchr(type, ';'); at; at = strchr(at, ';')) {
		at++;
		at += strspn(at, " \t");
		if (strncasecmp(at, name, sizeof(name) - 1) == 0)
			return at + sizeof(name) - 1;
	}
	return NULL;
}

int sp_hik_parts_begin(struct sp_hik_parts *parts, const char *content_type)
{
	char *body = parts->body;
	const char *at = find_boundary(content_type);
	size_t length = 0;
	if (strncasecmp(content_type, "multipart/", 10) != 0 || !at)
		return -EPROTO;
	bool quoted = *at == '"';
	at += quoted;
	while (may_bound(at[length]) || (quoted && at[length] == ' '))
		length++;
	if (length == 0 || length > SP_HIK_BOUNDARY_MAX || (quoted && at[length] != '"'))
		return -EPROTO;
	*parts = (struct sp_hik_parts){.body = body, .matched = 1, .announced = -1};
	memcpy(parts->delimiter, "\n--", 3);
	memcpy(parts->delimiter + 3, at, length);
	parts->delimiter_length = length + 3;
	return 0;
}

void sp_hik_parts_end(struct sp_hik_parts *parts)
{
	if (parts->body)
		explicit_bzero(parts->body, ROOM);
	free(parts->body);
	explicit_bzero(parts, sizeof(*parts));
}

// ---- a part's head ------------------------------------------------------------------------------

static const char *field_value(struct sp_hik_parts *parts, const char *name)
{
	size_t length = strlen(name);
	parts->line[parts->line_length] = '\0';
	if (strncasecmp(parts->line, name, length) != 0)
		return NULL;
	return parts->line + length + strspn(parts->line + length, " \t");
}

static void read_field(struct sp_hik_parts *parts)
{
	const char *type = field_value(parts, "Content-Type:");
	const char *length = field_value(parts, "Content-Length:");
	if (type)
		parts->text = strncasecmp(type, "application/json", 16) == 0 ||
			      strncasecmp(type, "text/json", 9) == 0 ||
			      strncasecmp(type, "application/xml", 15) == 0 ||
			      strncasecmp(type, "text/xml", 8) == 0;
	if (!length)
		return;
	char *end;
	errno = 0;
	long long value = strtoll(length, &end, 10);
	parts->announced = end != length && !errno && value >= 0 ? value : -1;
}

static void begin_body(struct sp_hik_parts *parts)
{
	parts->matched = 1; // the empty line's end may be the boundary's beginning
	parts->length = 0;
	parts->told = false;
	if (parts->text) {
		parts->state = SP_HIK_TEXT;
		if (!parts->body)
			parts->body = malloc(ROOM);
		return;
	}
	parts->pictures++;
	parts->left = parts->announced > 0 && parts->announced <= PICTURE_MAX ? parts->announced : 0;
	parts->state = parts->left ? SP_HIK_SKIP : SP_HIK_SEEKING;
}

static void head_byte(struct sp_hik_parts *parts, char c)
{
	if (c != '\n') {
		if (parts->line_length < sizeof(parts->line) - 1)
			parts->line[parts->line_length++] = c;
		return;
	}
	if (parts->line_length > 0 && parts->line[parts->line_length - 1] == '\r')
		parts->line_length--;
	bool empty = parts->line_length == 0;
	if (parts->state == SP_HIK_AFTER) {
		// "--" closes the whole; some begin anew after it.
		bool closed = parts->line_length >= 2 && memcmp(parts->line, "--", 2) == 0;
		parts->state = closed ? SP_HIK_SEEKING : SP_HIK_HEAD;
		parts->matched = 1;
		parts->text = false;
		parts->announced = -1;
	} else if (empty) {
		begin_body(parts);
	} else {
		read_field(parts);
	}
	parts->line_length = 0;
}

// ---- its body -----------------------------------------------------------------------------------

/// True: the boundary is complete.
static bool bounds(struct sp_hik_parts *parts, char c)
{
	if (c != parts->delimiter[parts->matched])
		parts->matched = c == '\n'; // which stands nowhere else in it
	else if (++parts->matched == parts->delimiter_length)
		return true;
	return false;
}

static void close_text(struct sp_hik_parts *parts, sp_hik_part_fn fn, void *arg)
{
	size_t length = parts->length;
	if (length > ROOM || !parts->body) {
		parts->too_long++;
		return;
	}
	// An empty part's boundary began with the line break of its head.
	length -= length < parts->delimiter_length ? length : parts->delimiter_length;
	if (length > 0 && parts->body[length - 1] == '\r')
		length--;
	if (length > SP_HIK_PART_MAX)
		parts->too_long++;
	else if (length > 0)
		fn(arg, parts->body, length, true);
}

static void open_next(struct sp_hik_parts *parts)
{
	if (parts->body)
		explicit_bzero(parts->body, parts->length < ROOM ? parts->length : ROOM);
	parts->state = SP_HIK_AFTER;
	parts->line_length = 0;
	parts->length = 0;
}

static void text_byte(struct sp_hik_parts *parts, char c, sp_hik_part_fn fn, void *arg)
{
	if (parts->length < ROOM && parts->body)
		parts->body[parts->length] = c;
	if (parts->length <= ROOM)
		parts->length++;
	if (bounds(parts, c)) {
		close_text(parts, fn, arg);
		open_next(parts);
	} else if ((int64_t)parts->length == parts->announced && parts->length <= SP_HIK_PART_MAX &&
		   parts->body && !parts->told) {
		// Not to wait for the next part, which may take half a minute to come.
		parts->told = true;
		if (fn(arg, parts->body, parts->length, false)) {
			explicit_bzero(parts->body, parts->length);
			parts->state = SP_HIK_SEEKING;
		}
	}
}

static void passed_over(struct sp_hik_parts *parts, size_t bytes)
{
	if (!parts->text && parts->pictures > 0)
		parts->picture_bytes += (int64_t)bytes;
}

void sp_hik_parts_feed(struct sp_hik_parts *parts, const uint8_t *data, size_t length, sp_hik_part_fn fn,
		       void *arg)
{
	for (size_t i = 0; i < length; i++) {
		char c = (char)data[i];
		switch (parts->state) {
		case SP_HIK_SKIP: {
			size_t here = length - i;
			if ((int64_t)here > parts->left)
				here = (size_t)parts->left;
			parts->left -= (int64_t)here;
			passed_over(parts, here);
			i += here - 1;
			if (parts->left == 0)
				parts->state = SP_HIK_SEEKING;
			parts->matched = 0;
			break;
		}
		case SP_HIK_SEEKING:
			passed_over(parts, 1);
			if (bounds(parts, c))
				open_next(parts);
			break;
		case SP_HIK_TEXT:
			text_byte(parts, c, fn, arg);
			break;
		case SP_HIK_AFTER:
		case SP_HIK_HEAD:
			head_byte(parts, c);
			break;
		}
	}
}
