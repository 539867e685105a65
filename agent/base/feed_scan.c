// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The strict check of a JSON text (RFC 8259) in one pass without memory, and the walk over text
// that passed it.
#include <string.h>

#include "agent/base/feed_json.h"
#include "agent/base/utf8.h"

enum { NUMBER_MAX = 40 };

struct scan {
	const unsigned char *at, *end;
};

static void space(struct scan *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t'))
		s->at++;
}

static bool take(struct scan *s, unsigned char byte)
{
	if (s->at == s->end || *s->at != byte)
		return false;
	s->at++;
	return true;
}

static bool word(struct scan *s, const char *text, size_t length)
{
	if ((size_t)(s->end - s->at) < length || memcmp(s->at, text, length) != 0)
		return false;
	s->at += length;
	return true;
}

/// The four digits after "\u"; -1 when they are not hex.
static int hex4(struct scan *s)
{
	int value = 0;
	if (s->end - s->at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		unsigned char c = *s->at++;
		if (c >= '0' && c <= '9')
			value = value * 16 + (c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			value = value * 16 + (c - 'A' + 10);
		else
			return -1;
	}
	return value;
}

static bool escaped(struct scan *s)
{
	if (s->at == s->end)
		return false;
	unsigned char c = *s->at++;
	if (c != 'u')
		return c != '\0' && strchr("\"\\/bfnrt", c) != NULL;
	int unit = hex4(s);
	if (unit <= 0 || (unit >= 0xDC00 && unit <= 0xDFFF))
		return false; // NUL would cut a C string short; a lone low surrogate is no character
	if (unit < 0xD800 || unit > 0xDBFF)
		return true;
	if (!word(s, "\\u", 2))
		return false;
	int low = hex4(s);
	return low >= 0xDC00 && low <= 0xDFFF;
}

/// What may stand in a text as it is, of ASCII.
static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static bool string(struct scan *s)
{
	if (!take(s, '"'))
		return false;
	while (s->at < s->end) {
		while (s->at < s->end && is_plain(*s->at))
			s->at++;
		if (s->at == s->end)
			return false;
		unsigned char c = *s->at;
		if (c == '"') {
			s->at++;
			return true;
		}
		if (c < 0x20)
			return false;
		if (c == '\\') {
			s->at++;
			if (!escaped(s))
				return false;
		} else {
			size_t length = sp_utf8_next((const char *)s->at, (size_t)(s->end - s->at), NULL);
			if (!length)
				return false;
			s->at += length;
		}
	}
	return false;
}

static size_t digits(struct scan *s)
{
	const unsigned char *start = s->at;
	while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
		s->at++;
	return (size_t)(s->at - start);
}

static bool number(struct scan *s)
{
	const unsigned char *start = s->at;
	take(s, '-');
	bool zero = s->at < s->end && *s->at == '0';
	size_t whole = digits(s);
	if (whole == 0 || (zero && whole > 1))
		return false;
	if (take(s, '.') && digits(s) == 0)
		return false;
	if (take(s, 'e') || take(s, 'E')) {
		bool negative = take(s, '-');
		if (!negative)
			take(s, '+');
		const unsigned char *exponent = s->at;
		size_t length = digits(s);
		if (length == 0 || length > 3)
			return false;
		size_t value = 0;
		for (size_t i = 0; i < length; i++)
			value = value * 10 + (size_t)(exponent[i] - '0');
		if (!negative && whole + value > 308)
			return false; // might be infinite as a double
	}
	return s->at - start <= NUMBER_MAX;
}

static bool value(struct scan *s, unsigned depth);

static bool members(struct scan *s, unsigned char close, unsigned depth)
{
	s->at++;
	space(s);
	if (take(s, close))
		return true;
	if (depth >= SP_JSON_DEPTH_MAX)
		return false;
	for (;;) {
		space(s);
		if (close == '}') {
			if (!string(s))
				return false;
			space(s);
			if (!take(s, ':'))
				return false;
			space(s);
		}
		if (!value(s, depth + 1))
			return false;
		space(s);
		if (take(s, close))
			return true;
		if (!take(s, ','))
			return false;
	}
}

static bool value(struct scan *s, unsigned depth)
{
	if (s->at == s->end)
		return false;
	switch (*s->at) {
	case '{':
		return members(s, '}', depth);
	case '[':
		return members(s, ']', depth);
	case '"':
		return string(s);
	case 't':
		return word(s, "true", 4);
	case 'f':
		return word(s, "false", 5);
	case 'n':
		return word(s, "null", 4);
	default:
		return number(s);
	}
}

bool sp_json_valid(const char *text, size_t length)
{
	struct scan s = {(const unsigned char *)text, (const unsigned char *)text + length};
	space(&s);
	if (!value(&s, 0))
		return false;
	space(&s);
	return s.at == s.end;
}

const char *sp_json_space(const char *at)
{
	while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')
		at++;
	return at;
}

static const char *skip_string(const char *at)
{
	for (at++; *at != '"'; at++) {
		if (*at == '\\')
			at++;
	}
	return at + 1;
}

/// A number, true, false or null. In text that is whole something ends it, unless it is all of the text.
static const char *skip_word(const char *at)
{
	while (*at > ' ' && *at != ',' && *at != ']' && *at != '}')
		at++;
	return at;
}

/// Up to a quote, a bracket or a brace; these four, and few other bytes, share the bits that are looked at.
static const char *skip_inside(const char *at)
{
	while (*at != '"' && (*at & 0xd9) != 0x59)
		at++;
	return at;
}

const char *sp_json_skip(const char *at)
{
	if (*at == '"')
		return skip_string(at);
	if (*at != '{' && *at != '[')
		return skip_word(at);
	size_t depth = 0;
	for (;;) {
		at = skip_inside(at);
		switch (*at) {
		case '"':
			at = skip_string(at);
			continue;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			if (--depth == 0)
				return at + 1;
			break;
		default:
			break;
		}
		at++;
	}
}
