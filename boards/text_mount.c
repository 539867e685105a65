// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// /proc/self/mountinfo (text.h): which mount holds a path, and may it be written to.
// "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue"
#include "text.h"

#include <string.h>

/// A stretch of the file; fields are cut at single spaces.
struct span {
	const char *at, *end;
};

static bool next_field(struct span *line, struct span *field)
{
	if (line->at >= line->end)
		return false;
	const char *space = memchr(line->at, ' ', (size_t)(line->end - line->at));
	field->at = line->at;
	field->end = space ? space : line->end;
	line->at = space ? space + 1 : line->end;
	return true;
}

/// One byte of an escaped path: the kernel writes blank, tab, newline and backslash as \ooo.
static char unescape(const char **at, const char *end)
{
	const char *p = *at;
	if (p[0] == '\\' && end - p >= 4 && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' &&
	    p[3] >= '0' && p[3] <= '7') {
		*at += 4;
		return (char)(unsigned char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
	}
	*at += 1;
	return p[0];
}

static void copy(struct span field, char *out, size_t size)
{
	size_t length = 0;
	while (field.at < field.end) {
		char c = unescape(&field.at, field.end);
		if (length + 1 >= size) {
			out[0] = '\0';
			return;
		}
		out[length++] = c;
	}
	out[length] = '\0';
}

/// How many bytes of `path` the mount point covers, 0 when it is not above it.
static size_t covers(struct span point, const char *path)
{
	size_t length = 0;
	while (point.at < point.end) {
		char c = unescape(&point.at, point.end);
		if (!path[length] || path[length] != c)
			return 0;
		length++;
	}
	if (length == 0 || path[0] != '/')
		return 0;
	return length == 1 || !path[length] || path[length] == '/' ? length : 0;
}

/// The option `name` of "rw,a=b,c": its value, or an empty span when it has none.
static bool option(struct span list, const char *name, struct span *value)
{
	size_t length = strlen(name);
	while (list.at < list.end) {
		const char *comma = memchr(list.at, ',', (size_t)(list.end - list.at));
		const char *end = comma ? comma : list.end;
		size_t size = (size_t)(end - list.at);
		if (size >= length && memcmp(list.at, name, length) == 0 &&
		    (size == length || list.at[length] == '=')) {
			value->at = size == length ? end : list.at + length + 1;
			value->end = end;
			return true;
		}
		list.at = comma ? comma + 1 : list.end;
	}
	return false;
}

static bool number(const char **at, const char *end, unsigned *out)
{
	const char *start = *at;
	unsigned value = 0;
	for (; *at < end && **at >= '0' && **at <= '9'; ++*at) {
		value = value * 10 + (unsigned)(**at - '0');
		if (value > 1u << 24)
			return false;
	}
	*out = value;
	return *at > start;
}

static bool device_number(struct span field, struct sp_text_mount *out)
{
	return number(&field.at, field.end, &out->major) && field.at < field.end && *field.at++ == ':' &&
	       number(&field.at, field.end, &out->minor) && field.at == field.end;
}

static size_t parse_line(struct span line, const char *path, struct sp_text_mount *out)
{
	struct span id, parent, device, root, point, options, field, type, source, super, value;
	if (!next_field(&line, &id) || !next_field(&line, &parent) || !next_field(&line, &device) ||
	    !next_field(&line, &root) || !next_field(&line, &point) || !next_field(&line, &options))
		return 0;
	size_t length = covers(point, path);
	if (length == 0)
		return 0;
	do {
		if (!next_field(&line, &field))
			return 0;
	} while (field.end - field.at != 1 || *field.at != '-');
	if (!next_field(&line, &type) || !next_field(&line, &source) || !next_field(&line, &super) ||
	    !device_number(device, out))
		return 0;
	copy(type, out->type, sizeof(out->type));
	copy(source, out->source, sizeof(out->source));
	out->read_only = option(options, "ro", &value) || option(super, "ro", &value);
	out->upper[0] = '\0';
	if (option(super, "upperdir", &value))
		copy(value, out->upper, sizeof(out->upper));
	return length;
}

int sp_text_mount_of(const char *mountinfo, const char *path, struct sp_text_mount *out)
{
	size_t best = 0;
	for (const char *at = mountinfo; *at;) {
		const char *end = strchr(at, '\n');
		struct span line = {at, end ? end : at + strlen(at)};
		struct sp_text_mount mount;
		size_t length = parse_line(line, path, &mount);
		if (length && length >= best) {
			best = length;
			*out = mount;
		}
		at = end ? end + 1 : line.end;
	}
	return best ? 0 : -ENOENT;
}
