// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a TCP connection costs its line, as the kernel counted it.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct sp_wire {
	/// Of IP, both ways, repeated segments included, and those of the connection's end that is to come.
	/// Segments are taken to have time stamps and no further options, so the two SYNs are 8 bytes longer
	/// each than counted.
	int64_t bytes;
	int64_t sent, repeated; ///< of TCP's payload by us; `repeated` is a part of `sent`
};

/// False, and nothing counted, for what is no TCP socket.
bool sp_wire_read(int fd, struct sp_wire *out);
/// Its `bytes`; 0 for what is no TCP socket.
int64_t sp_wire_bytes(int fd);
/// Bytes of TCP's payload since the connection began: those of ours that the peer's kernel has, and those
/// that came. Zeros for what is no TCP socket.
void sp_wire_moved(int fd, int64_t *acked, int64_t *received);
/// Bytes that the kernel took from us and the peer has not acknowledged; -1 for what is no TCP socket.
int64_t sp_wire_unacked(int fd);
/// Name of the interface that holds the connection's own address; "" when there is none.
void sp_wire_interface(int fd, char out[16]);
