// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What is text: one look at UTF-8 for everything that comes from outside.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Bytes of the character that `text` begins with (1…4), its number in *character (may be NULL);
/// 0 when these bytes are no UTF-8 (RFC 3629: overlong, surrogates, cut off) or `left` is 0.
size_t sp_utf8_next(const char *text, size_t left, uint32_t *character);
bool sp_utf8_valid(const char *text, size_t length);
/// The longest beginning of at most `max` bytes that cuts no character of valid text in two.
size_t sp_utf8_clip(const char *text, size_t length, size_t max);
/// C0, DEL, C1, and what reorders or breaks a line on a screen (U+2028…202E, U+2066…2069, BOM).
bool sp_utf8_is_control(uint32_t character);
