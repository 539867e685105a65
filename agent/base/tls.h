// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The client side of TLS as a ready SSL_CTX: files read and checked before the first connection,
// the peer's chain and name verified by OpenSSL, and a failure told in words.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "schoolpulse/err.h"

struct sp_tls;
struct ssl_ctx_st;

/// `cert_file` and `key_file` both or none. `host` is the name (or address literal) that the peer's
/// certificate must bear. NULL and errno with `why` when a file cannot be read or does not fit.
struct sp_tls *sp_tls_new(const char *ca_file, const char *cert_file, const char *key_file, const char *host,
			  char why[256]);
void sp_tls_free(struct sp_tls *tls);
/// Stays owned by `tls`.
struct ssl_ctx_st *sp_tls_context(struct sp_tls *tls);
/// Why the last handshake did not trust the peer; "" when it did or has not come so far.
const char *sp_tls_problem(const struct sp_tls *tls);
void sp_tls_forget_problem(struct sp_tls *tls);

// Of a connection (SSL *) that somebody else drives; NULL means there is none.
bool sp_tls_handshaking(void *ssl);
bool sp_tls_wants_write(void *ssl);
/// True when decrypted bytes wait inside, of which poll() knows nothing.
bool sp_tls_pending(void *ssl);
