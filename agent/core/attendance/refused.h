// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Whom this board must forget: persons whose later events are dropped, and what of an erasure is still to be
// done. A file of its own beside the keys, since it must outlive the journal: on the card before anything is
// erased, so that no power cut leaves somebody half forgotten.
//
// The file: lines of text, "schoolpulse forgotten 1", one "refused <32 hex>" per person: the first 128 bits
// of an HMAC under the key that never changes, over kind and number; "pending <request> <kept|once> <32 hex>
// …": the pseudonyms of somebody who is being erased; and "sum <32 hex>", the digest of the lines before it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/ids.h"
#include "agent/core/attendance/keys.h"
#include "agent/core/attendance/person.h"

#define SP_REFUSED_FILE "attendance.forgotten"
enum {
	SP_REFUSED_MAX = 4096,
	SP_REFUSED_FILE_MAX = 256 * 1024,
	SP_REFUSED_DIGEST = 16,
};

struct sp_refused_pending {
	char request[SP_ID_LENGTH + 1]; ///< "": none
	bool once;
	size_t count;
	char persons[SP_KEY_YEARS_MAX][SP_PSEUDONYM_LENGTH + 1];
};

struct sp_refused {
	uint8_t (*persons)[SP_REFUSED_DIGEST]; ///< in the order of asking
	size_t count;
	struct sp_refused_pending pending;
};

/// Pure. 0 or -EBADMSG; free in either case.
int sp_refused_parse(struct sp_refused *out, const char *text, size_t length) SP_MUST_CHECK;
/// 0, also when there is no file; or -errno.
int sp_refused_load(struct sp_refused *out, const char *dir) SP_MUST_CHECK;
/// On the card when it returns 0, whole or not at all.
int sp_refused_save(const struct sp_refused *refused, const char *dir) SP_MUST_CHECK;
void sp_refused_free(struct sp_refused *refused);

void sp_refused_digest(const uint8_t *event_key, enum sp_person_kind kind, const char *person, size_t length,
		       uint8_t out[SP_REFUSED_DIGEST]);
bool sp_refused_has(const struct sp_refused *refused, const uint8_t digest[SP_REFUSED_DIGEST]);
/// 0, also if he was there; -ENOSPC.
int sp_refused_add(struct sp_refused *refused, const uint8_t digest[SP_REFUSED_DIGEST]) SP_MUST_CHECK;
/// False: he was not there.
bool sp_refused_remove(struct sp_refused *refused, const uint8_t digest[SP_REFUSED_DIGEST]);
