// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A pull reader of JSON (RFC 8259). Strings may hold bytes that are no UTF-8: terminals cut names in halves.
#include "hikvision_json.h"

#include <string.h>

#include "text.h"

struct sp_hik_json sp_hik_json_begin(const char *text, size_t length)
{
	return (struct sp_hik_json){.at = text, .end = text + length};
}

static bool fail(struct sp_hik_json *json)
{
	json->bad = true;
	json->at = json->end;
	return false;
}

char sp_hik_json_peek(struct sp_hik_json *json)
{
	while (json->at < json->end &&
	       (*json->at == ' ' || *json->at == '\t' || *json->at == '\r' || *json->at == '\n'))
		json->at++;
	return json->at < json->end ? *json->at : '\0';
}

static bool take(struct sp_hik_json *json, char c)
{
	if (sp_hik_json_peek(json) != c || json->at == json->end)
		return fail(json);
	json->at++;
	return true;
}

bool sp_hik_json_enter(struct sp_hik_json *json, char bracket)
{
	return take(json, bracket);
}

// ---- scalars ------------------------------------------------------------------------------------

/// Where the string that begins at the reader's '"' ends: its closing '"'; NULL: nowhere.
static const char *string_end(const struct sp_hik_json *json)
{
	for (const char *c = json->at + 1; c < json->end; c++) {
		if (*c == '"')
			return c;
		if (*c == '\\')
			c++;
		else if ((unsigned char)*c < 0x20)
			return NULL;
	}
	return NULL;
}

static bool in_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '+' || c == '.' ||
	       c == 'E';
}

static const char *word_end(const struct sp_hik_json *json)
{
	const char *c = json->at;
	while (c < json->end && in_word(*c))
		c++;
	return c;
}

static int hex4(const char *at, const char *end)
{
	int value = 0;
	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = at[i], low = (char)(c | 0x20);
		int digit = c >= '0' && c <= '9' ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
		if (digit < 0)
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

static size_t utf8(int32_t code, char out[4])
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3f));
		out[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3f));
	out[2] = (char)(0x80 | (code >> 6 & 0x3f));
	out[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

/// What follows a backslash; moves *at behind it. Bytes, 0: no such thing.
static size_t unescape(const char **at, const char *end, char out[4])
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *known = **at ? strchr(from, **at) : NULL;
	if (known) {
		out[0] = to[known - from];
		++*at;
		return 1;
	}
	if (**at != 'u')
		return 0;
	int32_t code = hex4(*at + 1, end);
	*at += 5;
	if (code >= 0xd800 && code < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u') {
		int32_t low = hex4(*at + 2, end);
		if (low < 0xdc00 || low > 0xdfff)
			return 0;
		code = 0x10000 + ((code - 0xd800) << 10 | (low - 0xdc00));
		*at += 6;
	}
	// A NUL would end our copy before its time; half a pair is nothing.
	return code <= 0 || (code >= 0xd800 && code < 0xe000) ? 0 : utf8(code, out);
}

static int decode(const char *at, const char *end, char *out, size_t size)
{
	size_t used = 0;
	while (at < end) {
		char piece[4];
		size_t length = 1;
		if (*at == '\\') {
			at++;
			length = at < end ? unescape(&at, end, piece) : 0;
		} else {
			piece[0] = *at++;
		}
		if (length == 0)
			return -EINVAL;
		if (used + length >= size)
			return -EMSGSIZE;
		memcpy(out + used, piece, length);
		used += length;
	}
	return (int)used;
}

int sp_hik_json_text(struct sp_hik_json *json, char *out, size_t size)
{
	char first = sp_hik_json_peek(json);
	int length;
	out[0] = '\0';
	if (first == '{' || first == '[') {
		sp_hik_json_skip(json);
		return -EINVAL;
	}
	const char *from = json->at, *end;
	if (first == '"') {
		end = string_end(json);
		if (!end) {
			fail(json);
			return -EINVAL;
		}
		json->at = end + 1;
		length = decode(from + 1, end, out, size);
	} else {
		end = word_end(json);
		if (end == from) {
			fail(json);
			return -EINVAL;
		}
		json->at = end;
		length = decode(from, end, out, size);
	}
	out[length > 0 ? length : 0] = '\0';
	return length;
}

int sp_hik_json_int(struct sp_hik_json *json, int64_t *out)
{
	char text[24];
	int length = sp_hik_json_text(json, text, sizeof(text));
	if (length < 0)
		return -EINVAL;
	return sp_kiosk_integer(text, (size_t)length, INT64_MIN, INT64_MAX, out) < 0 ? -EINVAL : 0;
}

// ---- structure ----------------------------------------------------------------------------------

/// A ',' or the closing bracket. False: it was that, or nothing that belongs here.
static bool next(struct sp_hik_json *json, bool *first, char close)
{
	bool begins = *first;
	*first = false;
	if (sp_hik_json_peek(json) == close && json->at < json->end) {
		json->at++;
		return false;
	}
	return !json->bad && (begins || take(json, ','));
}

bool sp_hik_json_member(struct sp_hik_json *json, bool *first, char key[SP_HIK_KEY_MAX])
{
	if (!next(json, first, '}'))
		return false;
	if (sp_hik_json_peek(json) != '"')
		return fail(json);
	if (sp_hik_json_text(json, key, SP_HIK_KEY_MAX) < 0)
		key[0] = '\0'; // none of ours
	return !json->bad && take(json, ':');
}

bool sp_hik_json_element(struct sp_hik_json *json, bool *first)
{
	return next(json, first, ']') && (sp_hik_json_peek(json) != '\0' || fail(json));
}

/// Past a string, a number or a word.
static void skip_scalar(struct sp_hik_json *json)
{
	bool string = *json->at == '"';
	const char *end = string ? string_end(json) : word_end(json);
	if (!end || end == json->at)
		fail(json);
	else
		json->at = end + string;
}

void sp_hik_json_skip(struct sp_hik_json *json)
{
	char open[SP_HIK_DEPTH];
	size_t depth = 0;
	do {
		char c = sp_hik_json_peek(json);
		if (c == '{' || c == '[') {
			if (depth == SP_HIK_DEPTH) {
				fail(json);
				return;
			}
			open[depth++] = c == '{' ? '}' : ']';
			json->at++;
		} else if (depth > 0 && c == open[depth - 1] && json->at < json->end) {
			depth--;
			json->at++;
		} else if (depth > 0 && (c == ',' || c == ':')) {
			json->at++;
		} else if (json->at < json->end) {
			skip_scalar(json);
		} else {
			fail(json);
		}
	} while (depth > 0 && !json->bad);
}

bool sp_hik_json_over(struct sp_hik_json *json)
{
	return sp_hik_json_peek(json) == '\0' && json->at == json->end && !json->bad;
}

int sp_hik_json_find(const char *text, size_t length, const char *key, char *out, size_t size)
{
	struct sp_hik_json json = sp_hik_json_begin(text, length);
	char found[SP_HIK_KEY_MAX];
	// What is no string is passed over byte by byte: any depth costs nothing.
	while (sp_hik_json_peek(&json) != '\0') {
		if (*json.at != '"') {
			json.at++;
			continue;
		}
		bool ours = sp_hik_json_text(&json, found, sizeof(found)) >= 0 && strcmp(found, key) == 0;
		if (!ours || sp_hik_json_peek(&json) != ':')
			continue;
		json.at++;
		char c = sp_hik_json_peek(&json);
		if (c != '{' && c != '[')
			return sp_hik_json_text(&json, out, size);
	}
	return -ENOENT;
}
