// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Who punched, without saying who: pseudonyms of persons and identities of events. Pure.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/kiosk.h"

enum {
	SP_PSEUDONYM_LENGTH = 32, ///< the first 128 bits of an HMAC-SHA-256, in hex
	SP_EVENT_KEY_LENGTH = 16, ///< the same 128 bits
};

/// "pin", "card", "code", "other"
const char *sp_person_kind_name(enum sp_person_kind kind);

/// HMAC-SHA-256 under a school year's key over length and name of the kind, and the number: 1 to
/// SP_PERSON_MAX bytes.
void sp_person_pseudonym(const uint8_t *year_key, enum sp_person_kind kind, const char *person, size_t length,
			 char out[SP_PSEUDONYM_LENGTH + 1]);

/// What is the same for an event whenever it is sent: HMAC-SHA-256 under the events' key over length and name
/// of the kiosk, and the protocol's identity, at most SP_PUNCH_KEY_MAX bytes.
void sp_event_key(const uint8_t *event_key, const char *kiosk, const void *key, size_t length,
		  uint8_t out[SP_EVENT_KEY_LENGTH]);
void sp_event_id(const uint8_t key[SP_EVENT_KEY_LENGTH], char out[SP_PSEUDONYM_LENGTH + 1]);
