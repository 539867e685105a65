// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a TCP handshake costs in bytes of IP, both ways: reckoned, since nobody counts a socket's packets.
#pragma once

#include <stdbool.h>
#include <stddef.h>

/// A handshake and its end. `result` as of sp_tcp_connect().
size_t sp_cost_connect(bool ipv6, int result);
