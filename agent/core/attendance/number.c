// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Reading a person's number (number.h).
#include "agent/core/attendance/number.h"

#include <stdint.h>
#include <string.h>

#include "agent/base/utf8.h"

bool sp_number_kind(const char *word, enum sp_person_kind *out)
{
	static const char *const words[] = {[SP_PERSON_PIN] = "pin",
					    [SP_PERSON_CARD] = "card",
					    [SP_PERSON_CODE] = "code",
					    [SP_PERSON_OTHER] = "other"};
	for (size_t i = 0; i < SP_COUNT(words); i++) {
		if (strcmp(words[i], word) != 0)
			continue;
		*out = (enum sp_person_kind)i;
		return true;
	}
	return false;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool plain(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return true;
}

static bool printable(const char *text, size_t length)
{
	for (size_t at = 0; at < length;) {
		uint32_t character;
		size_t bytes = sp_utf8_next(text + at, length - at, &character);
		if (bytes == 0 || sp_utf8_is_control(character))
			return false;
		at += bytes;
	}
	return true;
}

size_t sp_number_read(enum sp_person_kind kind, const char *text, size_t length, char out[SP_PERSON_MAX + 1])
{
	bool good = false;
	while (length > 0 && blank(text[length - 1]))
		length--;
	while (length > 0 && blank(text[0])) {
		text++;
		length--;
	}
	switch (kind) {
	case SP_PERSON_PIN:
		good = plain(text, length);
		break;
	case SP_PERSON_CARD:
		good = true;
		for (size_t i = 0; i < length; i++)
			good = good && text[i] >= '0' && text[i] <= '9';
		while (length > 1 && text[0] == '0') {
			text++;
			length--;
		}
		break;
	case SP_PERSON_CODE:
	case SP_PERSON_OTHER:
		good = printable(text, length);
		break;
	}
	if (!good || length == 0 || length > SP_PERSON_MAX)
		length = 0;
	memcpy(out, text, length);
	out[length] = '\0';
	return length;
}
