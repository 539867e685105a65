// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a TCP connection costs its line, as the kernel counted it.
#pragma once

#include <stdint.h>

/// Bytes of IP, both ways, repeated segments included, and those of the connection's end that is to come; 0
/// for what is no TCP socket. Segments are taken to have time stamps and no further options, so the two SYNs
/// are 8 bytes longer each than counted.
int64_t sp_wire_bytes(int fd);
/// Bytes of TCP's payload since the connection began: those of ours that the peer's kernel has, and those
/// that came. Zeros for what is no TCP socket.
void sp_wire_moved(int fd, int64_t *acked, int64_t *received);
/// Name of the interface that holds the connection's own address; "" when there is none.
void sp_wire_interface(int fd, char out[16]);
