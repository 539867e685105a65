// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Cleaning what kiosks say (text.h).
#include "text.h"

/// Bytes of the UTF-8 character that begins here: 0 if there is none, or an overlong, surrogate or control
/// one.
static size_t character(const uint8_t *in, size_t length)
{
	static const struct {
		uint8_t mask, lead;
		uint32_t least;
	} forms[] = {{0x80, 0x00, 0x20}, {0xe0, 0xc0, 0xa0}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
	for (size_t more = 0; more < SP_COUNT(forms) && more < length; more++) {
		if ((in[0] & forms[more].mask) != forms[more].lead)
			continue;
		uint32_t point = in[0] & (uint8_t)~forms[more].mask;
		for (size_t i = 1; i <= more; i++) {
			if ((in[i] & 0xc0) != 0x80)
				return 0;
			point = point << 6 | (in[i] & 0x3f);
		}
		bool good = point >= forms[more].least && point != 0x7f &&
			    (point < 0xd800 || point > 0xdfff) && point <= 0x10ffff;
		return good ? more + 1 : 0;
	}
	return 0;
}

static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0';
}

size_t sp_kiosk_text(char *out, size_t size, const void *in, size_t length)
{
	const uint8_t *at = in;
	size_t used = 0;
	if (size == 0)
		return 0;
	while (length > 0 && is_space(at[length - 1]))
		length--;
	while (length > 0 && is_space(*at)) {
		at++;
		length--;
	}
	while (length > 0) {
		size_t whole = character(at, length), step = whole ? whole : 1;
		if (used + step >= size)
			break;
		for (size_t i = 0; i < step; i++)
			out[used++] = whole ? (char)at[i] : '?';
		at += step;
		length -= step;
	}
	out[used] = '\0';
	return used;
}

int sp_kiosk_integer(const char *text, size_t length, int64_t least, int64_t most, int64_t *out)
{
	bool negative = length > 0 && *text == '-';
	int64_t value = 0;
	if (length == (size_t)negative)
		return -EINVAL;
	for (size_t i = negative; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		// Counted downwards, where there is one more number than upwards.
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_sub_overflow(value, text[i] - '0', &value))
			return -ERANGE;
	}
	if (!negative && __builtin_sub_overflow(INT64_C(0), value, &value))
		return -ERANGE;
	if (value < least || value > most)
		return -ERANGE;
	*out = value;
	return 0;
}
