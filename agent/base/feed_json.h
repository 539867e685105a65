// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// JSON text, written without a tree and checked without leniency. What cJSON reads loosely (raw
// control characters, broken UTF-8, "01", 1e999, \u0000) is refused here before cJSON sees it, so
// that a stored record is JSON for every later reader.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/buf.h"
#include "schoolpulse/record.h"

enum { SP_JSON_DEPTH_MAX = 32 };

/// 2^53 - 1: beyond it a double, and so JSON, is no longer exact.
#define SP_JSON_INT_MAX INT64_C(9007199254740991)

/// Quoted and escaped; bytes that are not UTF-8 become U+FFFD. NULL is written as null.
void sp_json_text(struct sp_buf *out, const char *text);
/// The shortest of 15…17 digits that reads back the same, whatever the locale; null unless
/// |value| < 1e308.
void sp_json_real(struct sp_buf *out, double value);
/// `"name":value` of each field, separated by commas, without the braces. 0 or -EINVAL: integer beyond
/// SP_JSON_INT_MAX, member without a name, deeper than SP_JSON_DEPTH_MAX.
int sp_json_members(struct sp_buf *out, const struct sp_field *fields, size_t count) SP_MUST_CHECK;

/// One whole JSON text (RFC 8259): UTF-8, no NUL in any text, finite numbers of at most 40
/// characters, at most SP_JSON_DEPTH_MAX deep.
bool sp_json_valid(const char *text, size_t length);
/// Past white space; past one value. Only in text that sp_json_valid() accepted.
const char *sp_json_space(const char *at);
const char *sp_json_skip(const char *at);
