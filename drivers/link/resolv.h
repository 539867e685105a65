// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// resolv.conf (resolv.conf(5)): the system's resolvers, as a pure function over its text.
#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>

enum { SP_RESOLVERS = 3 }; ///< as many as libc asks

struct sp_resolver {
	int family;
	union {
		struct in_addr v4;
		struct in6_addr v6;
	};
	char zone[IF_NAMESIZE]; ///< the interface of a link-local address, "" otherwise
};

/// How many of the first SP_RESOLVERS `nameserver` lines are addresses; others are passed over.
size_t sp_resolv_parse(const char *text, size_t length, struct sp_resolver out[SP_RESOLVERS]);
