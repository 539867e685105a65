// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Which router on the way is the provider's first? Pure logic over what answered at which hop limit.
//
// A hop with a private address (RFC 1918, link-local, ULA) or one in the board's own IPv6 /48 is taken for
// the school's: there may be any number of NATs. 100.64/10 (RFC 6598) is the provider's. A provider that
// numbers its access privately is only recognised by its first public hop; when there is none before the
// anchor, the hop is not known: whether the last private one stands beyond the last NAT cannot be told from
// here.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum { SP_HOP_MOST = 10, SP_HOP_SET = 8 };

enum sp_hop_owner {
	SP_HOP_NOBODY, ///< no address that a router can have
	SP_HOP_SCHOOL,
	SP_HOP_PROVIDER,
};

/// `own` is the board's address in the same family; ss_family 0: not known.
enum sp_hop_owner sp_hop_owner(const struct sockaddr_storage *address, const struct sockaddr_storage *own);
bool sp_hop_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

/// One search: a probe per hop limit, several times over. Zeroed at its beginning.
struct sp_hop_search {
	enum sp_hop_owner at[SP_HOP_MOST + 1]; ///< by hop limit, from 1
	unsigned target;                       ///< lowest hop limit at which the target answered; 0: none
};

void sp_hop_heard(struct sp_hop_search *search, unsigned ttl, enum sp_hop_owner owner);
void sp_hop_arrived(struct sp_hop_search *search, unsigned ttl);
/// The position of the provider's first hop as far as is known; 0: none.
unsigned sp_hop_found(const struct sp_hop_search *search);
/// Nothing has answered at this hop limit, and the answer would matter.
bool sp_hop_wanted(const struct sp_hop_search *search, unsigned ttl);

/// The addresses that answer at the held position: with several paths of equal cost there are several. They
/// are one door as long as any of those known is among those that answer.
struct sp_hop_set {
	size_t count;
	struct sockaddr_storage address[SP_HOP_SET]; ///< the first one names the door
};

bool sp_hop_set_has(const struct sp_hop_set *set, const struct sockaddr_storage *address);
/// When it is full, the last one makes room.
void sp_hop_set_add(struct sp_hop_set *set, const struct sockaddr_storage *address);
/// All that answered just now: known ones keep the door, and the others join it; else it is another door,
/// named after its lowest address, so that a restart finds the same name. True when the door is another.
bool sp_hop_set_settle(struct sp_hop_set *known, const struct sp_hop_set *heard);
