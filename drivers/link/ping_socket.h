// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One family's ICMP socket: opening the kind that is permitted, sending, and reading messages and errors
// alike.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "icmp.h"
#include "schoolpulse/err.h"

struct sp_ping_socket {
	int fd; ///< -1: closed
	bool ipv6, raw;
	uint16_t id;        ///< the kernel's with a ping socket, ours with a raw one
	unsigned interface; ///< index it is bound to, 0: none
	int ttl;            ///< as last set, -1: the kernel's
};

/// 0 or -errno; -EPERM when neither kind is permitted.
int sp_ping_socket_open(struct sp_ping_socket *out, bool ipv6, const char *interface) SP_MUST_CHECK;
void sp_ping_socket_close(struct sp_ping_socket *socket);

/// `size` and `ttl` (0: the kernel's) as in struct sp_ping_question; nothing is ever fragmented. 0 or -errno
/// as sp_ping_ask().
int sp_ping_socket_send(struct sp_ping_socket *socket, const struct sockaddr_storage *to, size_t size,
			unsigned ttl, struct sp_icmp_echo *echo) SP_MUST_CHECK;

/// The next message; `from` is who sent it, of an error the router. 1, 0 when there is none, or -errno.
int sp_ping_socket_receive(const struct sp_ping_socket *socket, struct sp_icmp_message *out,
			   struct sockaddr_storage *from) SP_MUST_CHECK;
