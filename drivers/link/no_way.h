// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Which results say that the kernel had no way to ask. Nothing was sent then, and nothing is known of the
// line.
#pragma once

#include <stdbool.h>

/// Of an exchange: no route, no source address, no such interface or family. Not -EHOSTUNREACH: a router's
/// word brings that to a handshake, too, and so does a neighbour who is gone.
bool sp_no_way(int result);
/// Of a call that the kernel alone answers, as sendto() or a datagram socket's connect(): routes of the types
/// `unreachable` and `prohibit` as well (ip-route(8)).
bool sp_no_way_out(int result);
