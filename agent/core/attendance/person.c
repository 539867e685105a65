// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Keyed hashes of what must not be known (person.h).
#include "agent/core/attendance/person.h"

#include <string.h>

#include "agent/base/hmac.h"
#include "agent/core/attendance/keys.h"

enum { NAME_MAX = 255 };

const char *sp_person_kind_name(enum sp_person_kind kind)
{
	switch (kind) {
	case SP_PERSON_PIN:
		return "pin";
	case SP_PERSON_CARD:
		return "card";
	case SP_PERSON_CODE:
		return "code";
	case SP_PERSON_OTHER:
		return "other";
	}
	return "other";
}

/// The length in front keeps two pairs apart whose texts run into the same one.
static void keyed(const uint8_t *key, const char *word, const void *data, size_t length,
		  uint8_t out[SP_EVENT_KEY_LENGTH])
{
	uint8_t text[1 + NAME_MAX + SP_PUNCH_KEY_MAX], whole[SP_HMAC_LENGTH];
	size_t size = strnlen(word, NAME_MAX);
	text[0] = (uint8_t)size;
	memcpy(text + 1, word, size);
	memcpy(text + 1 + size, data, length);
	sp_hmac(key, SP_KEY_LENGTH, text, 1 + size + length, whole);
	memcpy(out, whole, SP_EVENT_KEY_LENGTH);
	explicit_bzero(text, sizeof(text));
	explicit_bzero(whole, sizeof(whole));
}

void sp_event_id(const uint8_t key[SP_EVENT_KEY_LENGTH], char out[SP_PSEUDONYM_LENGTH + 1])
{
	for (size_t i = 0; i < SP_EVENT_KEY_LENGTH; i++) {
		out[2 * i] = "0123456789abcdef"[key[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[key[i] & 15];
	}
	out[SP_PSEUDONYM_LENGTH] = '\0';
}

void sp_person_pseudonym(const uint8_t *year_key, enum sp_person_kind kind, const char *person, size_t length,
			 char out[SP_PSEUDONYM_LENGTH + 1])
{
	uint8_t bits[SP_EVENT_KEY_LENGTH];
	keyed(year_key, sp_person_kind_name(kind), person, length, bits);
	sp_event_id(bits, out);
}

void sp_event_key(const uint8_t *event_key, const char *kiosk, const void *key, size_t length,
		  uint8_t out[SP_EVENT_KEY_LENGTH])
{
	keyed(event_key, kiosk, key, length, out);
}
