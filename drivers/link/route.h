// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the kernel would do with a packet to some address: source and size. Nothing is sent.
#pragma once

#include <sys/socket.h>

#include "schoolpulse/err.h"

struct sp_route {
	struct sockaddr_storage source;
	unsigned mtu; ///< of the whole IP packet, by the interface and by what routers have said on the way
};

/// `interface` as in sp_endpoint. 0, -ENETUNREACH without a route, address or interface, or -errno.
int sp_route_look(const struct sockaddr_storage *to, const char *interface,
		  struct sp_route *out) SP_MUST_CHECK;
