// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Reading members of a record's JSON. Private to fact*.c, which alone know cJSON. What is missing, of another
// type or out of bounds is not there.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "tools/hub/facts/fact.h"

const cJSON *sp_fact_member(const cJSON *object, const char *name);
/// False, and *out untouched, unless it is a number from `min` to 2^53 - 1.
bool sp_fact_integer(const cJSON *object, const char *name, int64_t min, int64_t *out);
/// False, and *out untouched, unless it is a number from 0 to `max`.
bool sp_fact_real(const cJSON *object, const char *name, double max, double *out);
/// [a-z0-9_]{1,32}, else "".
void sp_fact_word(const cJSON *object, const char *name, char out[SP_WORD_MAX + 1]);
/// Clipped to `size` - 1 bytes of whole characters.
void sp_fact_text(const cJSON *object, const char *name, char *out, size_t size);
bool sp_fact_one_of(const cJSON *object, const char *name, const char *const *words, size_t count, int *out);
