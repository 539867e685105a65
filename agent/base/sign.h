// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Ed25519 keys in PEM files, signatures by them (RFC 8032).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/buf.h"

struct sp_sign_key;

enum { SP_SIGNATURE_LENGTH = 64, SP_SIGN_WHY = 256 };

/// A public key; a private one in its place is refused: it does not belong there. NULL: `why` says so.
struct sp_sign_key *sp_sign_public(const char *file, char why[SP_SIGN_WHY]);
/// A private key, whose file nobody else may read.
struct sp_sign_key *sp_sign_private(const char *file, char why[SP_SIGN_WHY]);
/// NULL is fine.
void sp_sign_free(struct sp_sign_key *key);
/// Makes a key pair: the private key into a new file that only its owner may read, the public one as PEM to
/// `out`. -EEXIST: there is such a file, and it is left alone; or another -errno. `why` says so.
int sp_sign_generate(const char *file, struct sp_buf *out, char why[SP_SIGN_WHY]) SP_MUST_CHECK;

/// 0, or -EIO.
int sp_sign_make(const struct sp_sign_key *key, const void *data, size_t length,
		 uint8_t out[SP_SIGNATURE_LENGTH]) SP_MUST_CHECK;
bool sp_sign_good(const struct sp_sign_key *key, const void *data, size_t length,
		  const uint8_t signature[SP_SIGNATURE_LENGTH]);

/// The 88 characters of a signature in base64 (RFC 4648 §4), and back; false: it is none.
void sp_sign_to_text(const uint8_t signature[SP_SIGNATURE_LENGTH], char out[89]);
bool sp_sign_from_text(const char *text, uint8_t out[SP_SIGNATURE_LENGTH]);
