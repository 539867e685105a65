// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// JSON read where it lies: values are taken out one by one, and what is passed over (names, card numbers,
// faces) is copied nowhere.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/err.h"

enum { SP_HIK_DEPTH = 32, SP_HIK_KEY_MAX = 32 };

struct sp_hik_json {
	const char *at, *end;
	bool bad; ///< it is no JSON; every further call fails
};

/// The text must outlive the reader.
struct sp_hik_json sp_hik_json_begin(const char *text, size_t length);
/// '{' or '[' next, white space apart; not taken. 0: the end.
char sp_hik_json_peek(struct sp_hik_json *json);
/// Takes an opening '{' or '['.
bool sp_hik_json_enter(struct sp_hik_json *json, char bracket);
/// The next member's key, cut to what a key of ours may have, or false after the closing '}'. `first` is the
/// caller's, true before the first call.
bool sp_hik_json_member(struct sp_hik_json *json, bool *first, char key[SP_HIK_KEY_MAX]);
/// True before the next element, false after the closing ']'.
bool sp_hik_json_element(struct sp_hik_json *json, bool *first);
/// Passes over any value.
void sp_hik_json_skip(struct sp_hik_json *json);
/// A string, decoded, or a number or word as it stands. Returns the length, NUL added; -EMSGSIZE when it does
/// not fit, -EINVAL for another value or one that is no UTF-16; either way it was passed over.
int sp_hik_json_text(struct sp_hik_json *json, char *out, size_t size);
/// A whole number, also one in quotes. -EINVAL when it is none.
int sp_hik_json_int(struct sp_hik_json *json, int64_t *out);
/// Nothing but white space is left, and all was well.
bool sp_hik_json_over(struct sp_hik_json *json);
/// The first scalar of that key, at any depth. As _text(); -ENOENT: there is none.
int sp_hik_json_find(const char *text, size_t length, const char *key, char *out, size_t size);
