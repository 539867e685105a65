// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Tags are told from comments and instructions, and that is all.
#include "hikvision_xml.h"

#include <stdbool.h>
#include <string.h>

struct tag {
	const char *name, *behind; ///< behind its '>'
	size_t length;             ///< of the name, without a prefix
	bool opens;
};

static const char *find(const char *at, const char *end, const char *what)
{
	return memmem(at, (size_t)(end - at), what, strlen(what));
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/// The '>' of a tag; one in an attribute's quotes is none.
static const char *tag_end(const char *at, const char *end)
{
	char quote = '\0';
	for (; at < end; at++) {
		if (quote)
			quote = *at == quote ? '\0' : quote;
		else if (*at == '"' || *at == '\'')
			quote = *at;
		else if (*at == '>')
			return at;
		else if (*at == '<')
			return NULL;
	}
	return NULL;
}

static void name_tag(const char *at, const char *close, struct tag *tag)
{
	const char *name = at;
	while (at < close && !blank(*at) && *at != '/') {
		if (*at == ':')
			name = at + 1;
		at++;
	}
	tag->name = name;
	tag->length = (size_t)(at - name);
	tag->behind = close + 1;
}

/// The next element's tag from `at` on. 1, 0: none, -EINVAL.
static int next_tag(const char *at, const char *end, struct tag *tag)
{
	while ((at = memchr(at, '<', (size_t)(end - at)))) {
		const char *behind;
		at++;
		if (at == end)
			return -EINVAL;
		if (*at == '?') {
			behind = find(at, end, "?>");
			at = behind ? behind + 2 : NULL;
		} else if (end - at >= 3 && memcmp(at, "!--", 3) == 0) {
			behind = find(at + 3, end, "-->");
			at = behind ? behind + 3 : NULL;
		} else if (*at == '!') {
			return -EINVAL;
		} else {
			behind = tag_end(at, end);
			if (!behind)
				return -EINVAL;
			tag->opens = *at != '/';
			name_tag(at + !tag->opens, behind, tag);
			return 1;
		}
		if (!at)
			return -EINVAL;
	}
	return 0;
}

static int copy(const char *from, const char *end, char *out, size_t size)
{
	while (from < end && blank(*from))
		from++;
	while (end > from && blank(end[-1]))
		end--;
	size_t length = (size_t)(end - from);
	if (memchr(from, '&', length) || memchr(from, '\0', length))
		return -EINVAL;
	if (length >= size)
		return -EMSGSIZE;
	memcpy(out, from, length);
	out[length] = '\0';
	return (int)length;
}

static bool named(const struct tag *tag, const char *name)
{
	return tag->length == strlen(name) && memcmp(tag->name, name, tag->length) == 0;
}

int sp_hik_xml_text(const char *xml, size_t length, const char *name, char *out, size_t size)
{
	const char *end = xml + length;
	struct tag tag = {.behind = xml}, close;
	int found;
	out[0] = '\0';
	while ((found = next_tag(tag.behind, end, &tag)) > 0) {
		if (!tag.opens || !named(&tag, name))
			continue;
		if (tag.behind[-2] == '/')
			return 0; // <empty/>
		const char *stop = memchr(tag.behind, '<', (size_t)(end - tag.behind));
		if (!stop || end - stop < 2 || stop[1] != '/' || next_tag(stop, end, &close) != 1 ||
		    !named(&close, name))
			return -EINVAL;
		return copy(tag.behind, stop, out, size);
	}
	return found < 0 ? found : -ENOENT;
}
