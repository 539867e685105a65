// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A UDP socket that knows when packets came.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/err.h"
#include "schoolpulse/io.h"

struct sp_stamp_socket {
	int fd; ///< -1: closed
};

/// From a port of the kernel's choice to this peer alone. 0 or -errno.
int sp_stamp_socket_open(struct sp_stamp_socket *out, const struct sp_endpoint *peer) SP_MUST_CHECK;
void sp_stamp_socket_close(struct sp_stamp_socket *socket);
/// Wall time now, 32.32 seconds since 1900. What a clock cannot tell below a nanosecond is random.
uint64_t sp_stamp_socket_time(const struct sp_stamp_socket *socket);
int sp_stamp_socket_send(struct sp_stamp_socket *socket, const uint8_t *data, size_t length) SP_MUST_CHECK;

struct sp_stamp_arrival {
	uint64_t time;  ///< when it came, wall time
	int64_t age_us; ///< how long ago that was
	size_t length;  ///< of the packet, which may be more than there was room for
};
/// 1, 0 when there is none, or -errno (-ECONNREFUSED: nobody listens there).
int sp_stamp_socket_receive(struct sp_stamp_socket *socket, uint8_t *data, size_t size,
			    struct sp_stamp_arrival *out) SP_MUST_CHECK;
