// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// UTF-8 as RFC 3629 has it, byte by byte from its table in section 4.
#include "agent/base/utf8.h"

static bool is_tail(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

/// The second byte carries what excludes overlong forms, surrogates and numbers above U+10FFFF.
static bool second_fits(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xe0:
		return second >= 0xa0 && second <= 0xbf;
	case 0xed:
		return second >= 0x80 && second <= 0x9f;
	case 0xf0:
		return second >= 0x90 && second <= 0xbf;
	case 0xf4:
		return second >= 0x80 && second <= 0x8f;
	default:
		return is_tail(second);
	}
}

size_t sp_utf8_next(const char *text, size_t left, uint32_t *character)
{
	if (left == 0)
		return 0;
	const unsigned char *bytes = (const unsigned char *)text;
	unsigned char first = bytes[0];
	size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	if (length == 0 || first > 0xf4 || length > left)
		return 0;
	uint32_t value = length == 1 ? first : first & (0x7fU >> length);
	for (size_t i = 1; i < length; i++) {
		if (i == 1 ? !second_fits(first, bytes[1]) : !is_tail(bytes[i]))
			return 0;
		value = value << 6 | (bytes[i] & 0x3f);
	}
	if (character)
		*character = value;
	return length;
}

bool sp_utf8_valid(const char *text, size_t length)
{
	while (length > 0) {
		size_t step = sp_utf8_next(text, length, NULL);
		if (step == 0)
			return false;
		text += step;
		length -= step;
	}
	return true;
}

size_t sp_utf8_clip(const char *text, size_t length, size_t max)
{
	if (length <= max)
		return length;
	while (max > 0 && is_tail((unsigned char)text[max]))
		max--;
	return max;
}

bool sp_utf8_is_control(uint32_t character)
{
	return character < 0x20 || (character >= 0x7f && character < 0xa0) ||
	       (character >= 0x2028 && character <= 0x202e) || (character >= 0x2066 && character <= 0x2069) ||
	       character == 0xfeff;
}
