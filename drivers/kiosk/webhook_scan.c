// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// JSON, value by value (webhook_scan.h).
#include "webhook_scan.h"

#include <string.h>

#include "schoolpulse/err.h"

enum { NAME_MAX_BYTES = 23 };

bool webhook_wrong(struct webhook_scan *scan, const char *what)
{
	if (!scan->what)
		scan->what = what;
	return false;
}

bool webhook_broken(struct webhook_scan *scan)
{
	if (!scan->what)
		scan->grammar = true;
	return webhook_wrong(scan, "not JSON");
}

static void pass_space(struct webhook_scan *scan)
{
	while (scan->at < scan->end &&
	       (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\n' || *scan->at == '\r'))
		scan->at++;
}

static bool is_digit(const struct webhook_scan *scan)
{
	return scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9';
}

enum webhook_type webhook_type(struct webhook_scan *scan)
{
	pass_space(scan);
	switch (scan->at < scan->end ? *scan->at : '\0') {
	case '{':
		return WEBHOOK_OBJECT;
	case '[':
		return WEBHOOK_LIST;
	case '"':
		return WEBHOOK_STRING;
	case 't':
	case 'f':
		return WEBHOOK_BOOL;
	case 'n':
		return WEBHOOK_NULL;
	case '-':
		return WEBHOOK_NUMBER;
	default:
		if (is_digit(scan))
			return WEBHOOK_NUMBER;
		webhook_broken(scan);
		return WEBHOOK_NOTHING;
	}
}

bool webhook_take(struct webhook_scan *scan, char c)
{
	pass_space(scan);
	if (scan->at == scan->end || *scan->at != c)
		return false;
	scan->at++;
	return true;
}

static bool word(struct webhook_scan *scan, const char *text)
{
	size_t length = strlen(text);
	if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, text, length) != 0)
		return false;
	scan->at += length;
	return true;
}

bool webhook_bool(struct webhook_scan *scan, bool *out)
{
	pass_space(scan);
	*out = word(scan, "true");
	return *out || word(scan, "false") || webhook_broken(scan);
}

bool webhook_null(struct webhook_scan *scan)
{
	pass_space(scan);
	return word(scan, "null") || webhook_broken(scan);
}

// ---- numbers ------------------------------------------------------------------------------------------

static bool digits(struct webhook_scan *scan)
{
	const char *from = scan->at;
	while (is_digit(scan))
		scan->at++;
	return scan->at > from || webhook_broken(scan);
}

bool webhook_number(struct webhook_scan *scan, const char **text, size_t *length)
{
	pass_space(scan);
	*text = scan->at;
	if (scan->at < scan->end && *scan->at == '-')
		scan->at++;
	if (scan->at < scan->end && *scan->at == '0')
		scan->at++;
	else if (!digits(scan))
		return false;
	if (scan->at < scan->end && *scan->at == '.') {
		scan->at++;
		if (!digits(scan))
			return false;
	}
	if (scan->at < scan->end && (*scan->at == 'e' || *scan->at == 'E')) {
		scan->at++;
		if (scan->at < scan->end && (*scan->at == '+' || *scan->at == '-'))
			scan->at++;
		if (!digits(scan))
			return false;
	}
	*length = (size_t)(scan->at - *text);
	return true;
}

// ---- strings ------------------------------------------------------------------------------------------

struct sink {
	char *out;
	size_t size, length;
};

static void put(struct sink *sink, unsigned byte)
{
	if (sink->length < sink->size)
		sink->out[sink->length] = (char)byte;
	if (sink->length <= sink->size)
		sink->length++;
}

static void put_code(struct sink *sink, uint32_t code)
{
	if (code < 0x80) {
		put(sink, code);
	} else if (code < 0x800) {
		put(sink, 0xc0 | code >> 6);
		put(sink, 0x80 | (code & 0x3f));
	} else if (code < 0x10000) {
		put(sink, 0xe0 | code >> 12);
		put(sink, 0x80 | (code >> 6 & 0x3f));
		put(sink, 0x80 | (code & 0x3f));
	} else {
		put(sink, 0xf0 | code >> 18);
		put(sink, 0x80 | (code >> 12 & 0x3f));
		put(sink, 0x80 | (code >> 6 & 0x3f));
		put(sink, 0x80 | (code & 0x3f));
	}
}

/// Four hexadecimal digits.
static bool unit(struct webhook_scan *scan, uint32_t *out)
{
	*out = 0;
	if (scan->end - scan->at < 4)
		return webhook_broken(scan);
	for (int i = 0; i < 4; i++) {
		char c = *scan->at++;
		uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
				 : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
				 : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
							: 16;
		if (digit == 16)
			return webhook_broken(scan);
		*out = *out << 4 | digit;
	}
	return true;
}

static bool escape(struct webhook_scan *scan, struct sink *sink)
{
	static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
	uint32_t code, low;
	if (scan->at == scan->end)
		return webhook_broken(scan);
	char c = *scan->at++;
	const char *name = c ? strchr(names, c) : NULL;
	if (name) {
		put(sink, (unsigned char)bytes[name - names]);
		return true;
	}
	if (c != 'u' || !unit(scan, &code))
		return webhook_broken(scan);
	if (code >= 0xd800 && code < 0xdc00) {
		if (!word(scan, "\\u") || !unit(scan, &low) || low < 0xdc00 || low > 0xdfff)
			return webhook_broken(scan);
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	} else if (code >= 0xdc00 && code < 0xe000) {
		return webhook_broken(scan);
	}
	put_code(sink, code);
	return true;
}

bool webhook_string(struct webhook_scan *scan, char *out, size_t size, size_t *length)
{
	struct sink sink = {out, size, 0};
	if (!webhook_take(scan, '"'))
		return webhook_broken(scan);
	while (scan->at < scan->end) {
		unsigned char c = (unsigned char)*scan->at++;
		if (c == '"') {
			*length = sink.length;
			return true;
		}
		if (c < 0x20)
			break;
		if (c != '\\')
			put(&sink, c);
		else if (!escape(scan, &sink))
			return false;
	}
	return webhook_broken(scan);
}

// ---- objects and lists --------------------------------------------------------------------------------

static bool each(struct webhook_scan *scan, bool named,
		 bool (*member)(struct webhook_scan *, const char *name, void *arg), void *arg)
{
	char close = named ? '}' : ']', name[NAME_MAX_BYTES + 1];
	if (!webhook_take(scan, named ? '{' : '['))
		return webhook_broken(scan);
	if (webhook_take(scan, close))
		return true;
	do {
		size_t length = 0;
		if (named &&
		    (!webhook_string(scan, name, NAME_MAX_BYTES, &length) || !webhook_take(scan, ':')))
			return webhook_broken(scan);
		if (length > NAME_MAX_BYTES || (length > 0 && memchr(name, '\0', length)))
			length = 0;
		name[length] = '\0';
		if (!member(scan, name, arg))
			return false;
	} while (webhook_take(scan, ','));
	return webhook_take(scan, close) || webhook_broken(scan);
}

bool webhook_object(struct webhook_scan *scan,
		    bool (*member)(struct webhook_scan *, const char *name, void *arg), void *arg)
{
	return each(scan, true, member, arg);
}

bool webhook_list(struct webhook_scan *scan, bool (*item)(struct webhook_scan *, const char *none, void *arg),
		  void *arg)
{
	return each(scan, false, item, arg);
}

static bool skip_member(struct webhook_scan *scan, const char *name, void *arg)
{
	(void)name;
	return webhook_skip(scan, *(unsigned *)arg - 1);
}

bool webhook_skip(struct webhook_scan *scan, unsigned depth)
{
	const char *text;
	size_t length;
	bool value;
	switch (webhook_type(scan)) {
	case WEBHOOK_OBJECT:
	case WEBHOOK_LIST:
		if (depth == 0)
			return webhook_wrong(scan, "nested too deeply");
		return each(scan, *scan->at == '{', skip_member, &depth);
	case WEBHOOK_STRING:
		return webhook_string(scan, NULL, 0, &length);
	case WEBHOOK_NUMBER:
		return webhook_number(scan, &text, &length);
	case WEBHOOK_BOOL:
		return webhook_bool(scan, &value);
	case WEBHOOK_NULL:
		return webhook_null(scan);
	case WEBHOOK_NOTHING:
		break;
	}
	return webhook_broken(scan);
}

bool webhook_end(struct webhook_scan *scan)
{
	pass_space(scan);
	return scan->at == scan->end || webhook_broken(scan);
}
