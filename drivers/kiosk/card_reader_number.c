// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// See the header. No number is in a log or an error: what is refused is told by the error alone.
#include "card_reader_number.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { UID_BYTES = 4, RANDOM_UID = 0x08 };

static int digit_of(char c, unsigned base)
{
	int value = c >= '0' && c <= '9'   ? c - '0'
		    : c >= 'a' && c <= 'f' ? c - 'a' + 10
		    : c >= 'A' && c <= 'F' ? c - 'A' + 10
					   : 16;
	return value < (int)base ? value : -1;
}

static int number_of(const char *text, size_t length, unsigned base, uint64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < length; i++) {
		int digit = digit_of(text[i], base);
		if (digit < 0 || __builtin_mul_overflow(*out, (uint64_t)base, out) ||
		    __builtin_add_overflow(*out, (uint64_t)digit, out))
			return -EBADMSG;
	}
	return length ? 0 : -EBADMSG;
}

static uint64_t reversed(uint64_t number, size_t bytes)
{
	return __builtin_bswap64(number) >> (64 - 8 * bytes);
}

static int decimal(const char *text, size_t length, bool reverse, uint64_t *number, size_t *bytes)
{
	int result = number_of(text, length, 10, number);
	*bytes = result == 0 && *number > UINT32_MAX ? 8 : UID_BYTES;
	if (result < 0 || !reverse)
		return result;
	if (*bytes != UID_BYTES)
		return -EBADMSG;
	*number = reversed(*number, UID_BYTES);
	return 0;
}

static int hex(const char *text, size_t length, bool reverse, uint64_t *number, size_t *bytes)
{
	if (length % 2 || length > 16)
		return -EBADMSG;
	*bytes = length / 2;
	int result = number_of(text, length, 16, number);
	if (result == 0 && reverse)
		*number = reversed(*number, *bytes);
	return result;
}

/// Three digits and five, with or without something between them.
static int facility(const char *text, size_t length, uint64_t *number, size_t *bytes)
{
	uint64_t place, id;
	bool parted = length == 9 && (text[3] == ',' || text[3] == '-' || text[3] == ':' || text[3] == ' ');
	if ((length != 8 && !parted) || number_of(text, 3, 10, &place) < 0 ||
	    number_of(text + length - 5, 5, 10, &id) < 0 || place > 0xff || id > 0xffff)
		return -EBADMSG;
	*number = place << 16 | id;
	*bytes = 3;
	return 0;
}

static int code(const char *text, size_t length, struct sp_card *out)
{
	if (!length || length > SP_PERSON_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return -EBADMSG;
	out->kind = SP_PERSON_CODE;
	out->length = length;
	memcpy(out->text, text, length);
	return 0;
}

int sp_card_number(uint64_t number, size_t bytes, const struct sp_card_rules *rules, struct sp_card *out)
{
	memset(out, 0, sizeof(*out));
	if (rules->drop_random && bytes == UID_BYTES && number >> 24 == RANDOM_UID)
		return -EADDRNOTAVAIL;
	if (rules->keep_bits < 64)
		number &= (UINT64_C(1) << rules->keep_bits) - 1;
	// All zeros are what a reader says that has not read.
	if (!number)
		return -EBADMSG;
	char text[24];
	int length = snprintf(text, sizeof(text), "%" PRIu64, number);
	out->kind = SP_PERSON_CARD;
	out->length = (size_t)length;
	memcpy(out->text, text, out->length);
	explicit_bzero(text, sizeof(text));
	return 0;
}

int sp_card_parse(const char *text, size_t length, const struct sp_card_rules *rules, struct sp_card *out)
{
	uint64_t number = 0;
	size_t bytes = 0;
	int result = -EBADMSG;
	memset(out, 0, sizeof(*out));
	switch (rules->form) {
	case SP_CARD_DECIMAL:
	case SP_CARD_DECIMAL_REVERSED:
		result = decimal(text, length, rules->form == SP_CARD_DECIMAL_REVERSED, &number, &bytes);
		break;
	case SP_CARD_HEX:
	case SP_CARD_HEX_REVERSED:
		result = hex(text, length, rules->form == SP_CARD_HEX_REVERSED, &number, &bytes);
		break;
	case SP_CARD_FACILITY:
		result = facility(text, length, &number, &bytes);
		break;
	case SP_CARD_TEXT:
		return code(text, length, out);
	}
	return result < 0 ? result : sp_card_number(number, bytes, rules, out);
}
