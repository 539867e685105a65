// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One connection to the broker, with TLS or without: it never blocks.
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/base/buf.h"
#include "agent/base/mqtt_check.h"
#include "agent/base/tls.h"

/// Where to, and from which addresses; shared by all.
struct sp_link_way {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} to;
	socklen_t size;
	bool loopback;    ///< 127/8: any address of it may be our own
	unsigned sources; ///< how many of 127.0.0.1 … are in use; 0: the kernel chooses
	unsigned most;    ///< how many may be
	char why[160];    ///< why no more can connect
};

/// Resolves HOST[:PORT]. 0 or -EINVAL with `why`.
int sp_link_resolve(struct sp_link_way *way, const char *broker, uint16_t port, char why[160]) SP_MUST_CHECK;
/// As many descriptors as the system allows; returns how many there are, and in *wanted whether that is
/// enough for `boards`.
int64_t sp_link_raise_limit(int64_t boards, bool *enough);

enum sp_link_phase { SP_LINK_CLOSED, SP_LINK_DIALING, SP_LINK_HANDSHAKE, SP_LINK_OPEN };

struct sp_link {
	int fd;
	enum sp_link_phase phase;
	struct sp_tls *tls; ///< the board's; NULL: none
	struct ssl_st *ssl;
	size_t sent; ///< of the bytes that wait
	short wants; ///< poll() events
	struct sp_mqtt_check check;
};

void sp_link_init(struct sp_link *link);
void sp_link_free(struct sp_link *link);
/// Begins to connect, from the `index`-th board's source address. 0; -EADDRNOTAVAIL: no port is left
/// anywhere; another -errno.
int sp_link_dial(struct sp_link *link, struct sp_link_way *way, size_t index) SP_MUST_CHECK;
void sp_link_close(struct sp_link *link);
/// The socket is ready: goes on until OPEN. 1: it is open now; 0: not yet; -errno with `why`.
int sp_link_advance(struct sp_link *link, char why[160]) SP_MUST_CHECK;
/// Sends what waits in `out`, which shrinks. 0 also when more must wait; -errno.
int sp_link_flush(struct sp_link *link, struct sp_buf *out) SP_MUST_CHECK;
/// Bytes read, 0 for none now; -errno, -EPIPE at the end.
ssize_t sp_link_read(struct sp_link *link, uint8_t *bytes, size_t size) SP_MUST_CHECK;
