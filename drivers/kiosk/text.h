// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Text as kiosks send it: any bytes. What may be shown to people is cleaned, what is a number is read whole
// or not at all.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/err.h"

/// Copies what is printable, at most `size` - 1 bytes and never half a character: UTF-8 stays, every byte
/// that is none and every control character becomes '?', white space at both ends goes. Always ends with NUL.
/// Returns the length.
size_t sp_kiosk_text(char *out, size_t size, const void *in, size_t length);

/// A decimal number with nothing around it, '-' allowed. 0, -EINVAL, or -ERANGE outside `least` to `most`.
int sp_kiosk_integer(const char *text, size_t length, int64_t least, int64_t most,
		     int64_t *out) SP_MUST_CHECK;
