// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A person's number as people write it, made into what kiosks say (kiosk.h). Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "schoolpulse/kiosk.h"

/// "pin", "card", "code", "other"; false for another word.
bool sp_number_kind(const char *word, enum sp_person_kind *out);
/// Without the blanks around it; a PIN as it stands, leading zeros included, of ASCII without blanks; a
/// card's number in decimal, without leading zeros; a code or another system's word of UTF-8 without control
/// characters. 1 to SP_PERSON_MAX bytes. The length; 0: it is none. Nobody but the caller holds it: wipe
/// `out`.
size_t sp_number_read(enum sp_person_kind kind, const char *text, size_t length, char out[SP_PERSON_MAX + 1]);
