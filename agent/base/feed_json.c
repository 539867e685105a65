// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Writes JSON text straight into a buffer: the agent never builds a tree of what it sends.
#include "agent/base/feed_json.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/utf8.h"

static void escape(struct sp_buf *out, unsigned char byte)
{
	switch (byte) {
	case '"':
		sp_buf_add(out, "\\\"", 2);
		break;
	case '\\':
		sp_buf_add(out, "\\\\", 2);
		break;
	case '\n':
		sp_buf_add(out, "\\n", 2);
		break;
	case '\r':
		sp_buf_add(out, "\\r", 2);
		break;
	case '\t':
		sp_buf_add(out, "\\t", 2);
		break;
	default:
		sp_buf_printf(out, "\\u%04x", byte);
	}
}

void sp_json_text(struct sp_buf *out, const char *text)
{
	if (!text) {
		sp_buf_add(out, "null", 4);
		return;
	}
	const char *at = text;
	size_t left = strlen(text), plain = 0;
	sp_buf_add(out, "\"", 1);
	while (left > plain) {
		unsigned char byte = (unsigned char)at[plain];
		size_t length = sp_utf8_next(at + plain, left - plain, NULL);
		if (length && byte >= 0x20 && byte != '"' && byte != '\\') {
			plain += length;
			continue;
		}
		sp_buf_add(out, at, plain);
		if (length)
			escape(out, byte);
		else
			sp_buf_add(out, "\xEF\xBF\xBD", 3);
		at += plain + 1;
		left -= plain + 1;
		plain = 0;
	}
	sp_buf_add(out, at, plain);
	sp_buf_add(out, "\"", 1);
}

static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;
static locale_t c_locale;

static void make_c_locale(void)
{
	c_locale = newlocale(LC_ALL_MASK, "C", NULL);
	if (!c_locale)
		abort(); // glibc answers "C" from constants
}

void sp_json_real(struct sp_buf *out, double value)
{
	if (!isfinite(value) || fabs(value) >= 1e308) {
		sp_buf_add(out, "null", 4);
		return;
	}
	pthread_once(&c_locale_once, make_c_locale);
	locale_t old = uselocale(c_locale);
	char text[32];
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		double back = strtod(text, NULL);
		// Bits, not ==: -0.0 may stay what it is, and no float comparison is needed.
		if (memcmp(&back, &value, sizeof(back)) == 0)
			break;
	}
	uselocale(old);
	sp_buf_text(out, text);
}

static int value_at(struct sp_buf *out, const struct sp_field *field, unsigned depth);

static int members_at(struct sp_buf *out, const struct sp_field *fields, size_t count, bool named,
		      unsigned depth)
{
	if (depth > SP_JSON_DEPTH_MAX)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			sp_buf_add(out, ",", 1);
		if (named) {
			if (!fields[i].name)
				return -EINVAL;
			sp_json_text(out, fields[i].name);
			sp_buf_add(out, ":", 1);
		}
		int result = value_at(out, &fields[i], depth);
		if (result < 0)
			return result;
	}
	return 0;
}

static int value_at(struct sp_buf *out, const struct sp_field *field, unsigned depth)
{
	int result;
	switch (field->type) {
	case SP_FIELD_BOOL:
		sp_buf_text(out, field->boolean ? "true" : "false");
		return 0;
	case SP_FIELD_INT:
		if (field->integer > SP_JSON_INT_MAX || field->integer < -SP_JSON_INT_MAX)
			return -EINVAL;
		sp_buf_printf(out, "%" PRId64, field->integer);
		return 0;
	case SP_FIELD_REAL:
		sp_json_real(out, field->real);
		return 0;
	case SP_FIELD_TEXT:
		sp_json_text(out, field->text);
		return 0;
	case SP_FIELD_NULL:
		sp_buf_add(out, "null", 4);
		return 0;
	case SP_FIELD_OBJECT:
		sp_buf_add(out, "{", 1);
		result = members_at(out, field->fields, field->count, true, depth + 1);
		sp_buf_add(out, "}", 1);
		return result;
	case SP_FIELD_LIST:
		sp_buf_add(out, "[", 1);
		result = members_at(out, field->fields, field->count, false, depth + 1);
		sp_buf_add(out, "]", 1);
		return result;
	}
	return -EINVAL;
}

int sp_json_members(struct sp_buf *out, const struct sp_field *fields, size_t count)
{
	return members_at(out, fields, count, true, 1);
}
