// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The school's keys: one per school year, of which pseudonyms are made, and one for the identities of events,
// which never changes. Made on this board, kept in one file of its state folder, on the card before a key is
// first used. A file that cannot be read is never replaced: what was recorded under lost keys could not be
// forgotten any more.
//
// The file: lines of text, "schoolpulse attendance keys 1", "events <64 hex>", one "<year> <64 hex>" per
// school year, rising, and "sum <32 hex>", the digest of the lines before it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/err.h"

enum {
	SP_KEY_LENGTH = 32,
	SP_KEY_YEARS_MAX = 64,
	SP_KEY_YEAR_LEAST = 2000,
	SP_KEY_YEAR_MOST = 2199,
	SP_KEYS_FILE_MAX = 8 * 1024,
	SP_KEYS_WHY = 320,
};
#define SP_KEYS_FILE "attendance.keys"
/// Alone in the file: the old keys are given up, deliberately, and new ones are to be made.
#define SP_KEYS_ANEW "begin anew"

struct sp_year_key {
	int32_t year; ///< in which that school year began
	uint8_t key[SP_KEY_LENGTH];
};

struct sp_key_set {
	uint8_t event[SP_KEY_LENGTH];
	size_t count;
	struct sp_year_key years[SP_KEY_YEARS_MAX]; ///< years rise
};

/// Pure. 0, -EBADMSG for anything but a whole file, -ENODATA for SP_KEYS_ANEW.
int sp_keys_parse(struct sp_key_set *out, const char *text, size_t length) SP_MUST_CHECK;
/// Writes the file's text, at most SP_KEYS_FILE_MAX bytes; its length.
size_t sp_keys_write(const struct sp_key_set *set, char out[SP_KEYS_FILE_MAX]);

/// The school year of a moment, local time (+07:00): the calendar year in which it began.
int32_t sp_school_year(int64_t t_ms, unsigned starts_month, unsigned starts_day);

struct sp_keys;

/// Reads the file in `dir`, or makes it, if this board never had one (`had` false). 0; or -errno and `why`,
/// for people: -ENOKEY (gone), -EBADMSG (broken), -EACCES (others may read it), or the file's own trouble.
int sp_keys_open(struct sp_keys **out, const char *dir, bool had, char why[SP_KEYS_WHY]) SP_MUST_CHECK;
/// Makes the file of these, whatever stands there. 0 or -errno.
int sp_keys_install(struct sp_keys **out, const char *dir, const struct sp_key_set *set) SP_MUST_CHECK;
/// Wipes the memory. NULL is fine.
void sp_keys_free(struct sp_keys *keys);

/// All of them, in memory that no core file holds; valid until the next change.
const struct sp_key_set *sp_keys_set(const struct sp_keys *keys);
/// Eight hex digits that tell these keys from others, and nothing else about them.
void sp_keys_fingerprint(const struct sp_keys *keys, char out[9]);

/// The key of that school year, which is made, and on the card, if it is the first time. 0 or -errno.
int sp_keys_year(struct sp_keys *keys, int32_t year, const uint8_t **out) SP_MUST_CHECK;
/// The same without making one; NULL: there is none.
const uint8_t *sp_keys_find(const struct sp_keys *keys, int32_t year);
/// Deletes the keys of school years before `year`: how many were there, or -errno.
int sp_keys_forget(struct sp_keys *keys, int32_t year) SP_MUST_CHECK;
/// Takes the place of what there is, on the card, too: keys that come back from a back-up. 0 or -errno.
int sp_keys_replace(struct sp_keys *keys, const struct sp_key_set *set) SP_MUST_CHECK;
