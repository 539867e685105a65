// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The client side of TLS: files read and checked before the first connection, the peer's chain and name
// verified by OpenSSL, nothing that blocks, and a failure told in words.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "schoolpulse/err.h"

struct sp_tls;
struct ssl_st;

/// Kept by its owner across connections and attempts; zeroed at first.
struct sp_tls_trust {
	/// The certificate of a peer that turned out to be out of date by the time that was then learnt.
	bool refused;
	unsigned char leaf[32];
};

/// `cert_file` and `key_file` both or none. `host` is the name (or address literal) that the peer's
/// certificate must bear. NULL and errno with `why` when a file cannot be read or does not fit.
struct sp_tls *sp_tls_new(const char *ca_file, const char *cert_file, const char *key_file, const char *host,
			  char why[256]);
void sp_tls_free(struct sp_tls *tls);
/// Lets this machine, which may not know the time yet, reach a peer from which it can learn it: while
/// sp_clock_now() is not synchronised, a chain is verified in everything but its dates (issuers, purpose,
/// name), and the connection is provisional until sp_tls_verify(). Once time is known, its own or learnt, the
/// dates count as well, by that time and not by the system's clock. `trust` must outlive `tls`. Without this
/// call, dates always count, by the system's clock.
void sp_tls_undated(struct sp_tls *tls, struct sp_tls_trust *trust);
/// Why a handshake or a connection failed last; "" when it did not, or not for TLS's sake.
const char *sp_tls_problem(const struct sp_tls *tls);

// One connection at a time over a socket that does not block and stays the caller's. What these return:
// -EAGAIN, with the poll() events to wait for in *wants; -EPROTO, with a problem; another -errno, the
// socket's. None raises SIGPIPE.

/// NULL: no memory.
struct ssl_st *sp_tls_open(struct sp_tls *tls, int fd);
/// Frees it; the peer is told nothing.
void sp_tls_close(struct ssl_st *ssl);
/// Tells the peer that nothing more comes, if that can be done without waiting.
void sp_tls_farewell(struct ssl_st *ssl);
/// 0: the peer is who it should be. -ECONNRESET also when it closed the connection.
int sp_tls_handshake(struct ssl_st *ssl, short *wants) SP_MUST_CHECK;
/// True from the handshake until sp_tls_verify(), when dates were left out.
bool sp_tls_provisional(const struct ssl_st *ssl);
/// Verifies a provisional connection again in full, as of `t_ms`: 0, and it is an ordinary one. -EPROTO with
/// a problem: it must be closed, and its certificate is refused until the clock is synchronised.
int sp_tls_verify(struct ssl_st *ssl, int64_t t_ms) SP_MUST_CHECK;
/// Bytes, 0 at the end (with the peer's farewell or without).
ssize_t sp_tls_read(struct ssl_st *ssl, void *out, size_t size, short *wants) SP_MUST_CHECK;
/// Bytes; after -EAGAIN the same ones must be given again.
ssize_t sp_tls_write(struct ssl_st *ssl, const void *bytes, size_t length, short *wants) SP_MUST_CHECK;
/// True when decrypted bytes wait inside, of which poll() knows nothing. NULL: never.
bool sp_tls_pending(struct ssl_st *ssl);
