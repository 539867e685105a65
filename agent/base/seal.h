// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A sealed back-up: what a board seals can be opened with a code that stands on paper, and by nobody else,
// not by the board. The code is 140 random bits; an X25519 key pair follows from it (HKDF-SHA-256: so many
// random bits need no slow hash), and the board keeps the public half alone. A blob is
//   "SPKB" 1 recipient(32) ephemeral(32) ciphertext tag(16)
// with AES-256-GCM under HKDF-SHA-256(X25519(ephemeral, recipient), salt: both public keys); the bytes before
// the ciphertext are authenticated, too. OpenSSL's second home beside ids.c, sign.c and tls.c.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/buf.h"

enum {
	SP_SEAL_KEY = 32,
	SP_SEAL_GROUPS = 7, ///< of five characters, the last of which is a check
	SP_SEAL_CODE_TEXT = 41,
	SP_SEAL_MARK_TEXT = 9,
	SP_SEAL_OVERHEAD = 85,        ///< a blob's length beyond that of what is in it
	SP_SEAL_DATA_MAX = 11 * 1024, ///< so that it is a record also in base64
};

/// 28 characters of 5 bits. Whoever holds one wipes it (explicit_bzero) when done.
struct sp_seal_code {
	uint8_t symbols[4 * SP_SEAL_GROUPS];
};

/// A fresh one.
void sp_seal_code_new(struct sp_seal_code *out);
/// "XXXXX-XXXXX-…", of Crockford's base32: no I, L, O, U.
void sp_seal_code_text(const struct sp_seal_code *code, char out[SP_SEAL_CODE_TEXT + 1]);
/// Reads what a person typed: upper or lower case, blanks and dashes anywhere or nowhere, O for 0, I and L
/// for
/// 1. 0; -EINVAL: a character of group `*group` (1…) is wrong, or two are exchanged there; -EMSGSIZE: too few
/// or too many characters, in that group if it is not 0.
int sp_seal_code_parse(struct sp_seal_code *out, const char *text, unsigned *group) SP_MUST_CHECK;

/// What the board keeps of a code.
void sp_seal_public(const struct sp_seal_code *code, uint8_t out[SP_SEAL_KEY]);
/// "1A2B-3C4D": which code a blob needs, printed beside the code. Tells nothing about it.
void sp_seal_mark(const uint8_t key[SP_SEAL_KEY], char out[SP_SEAL_MARK_TEXT + 1]);

/// Appends the blob in base64. 0; -EMSGSIZE above SP_SEAL_DATA_MAX; -EINVAL: `key` is no public key.
int sp_seal_make(struct sp_buf *out, const uint8_t key[SP_SEAL_KEY], const void *data,
		 size_t length) SP_MUST_CHECK;
/// Whose blob it is (base64, blanks and line breaks allowed); false: it is none.
bool sp_seal_recipient(const char *blob, size_t length, uint8_t out[SP_SEAL_KEY]);
/// What was sealed, `*size` bytes; the caller wipes it. 0; -EBADMSG: not a blob, cut off or changed;
/// -EKEYREJECTED: sealed for another code.
int sp_seal_open(uint8_t out[SP_SEAL_DATA_MAX], size_t *size, const struct sp_seal_code *code,
		 const char *blob, size_t length) SP_MUST_CHECK;
