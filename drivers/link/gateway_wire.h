// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// ARP (RFC 826) and neighbour discovery (RFC 4861) as pure functions over bytes: "who has this address?", and
// whether something that came back is the answer to it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SP_MAC = 6,
	SP_ARP_SIZE = 28,
	SP_NDP_SIZE = 32, ///< a solicitation with the option that names our link address
	SP_NDP_HOPS = 255,
};

/// Who asks, and for whom. IPv4 addresses are the first four bytes.
struct sp_neighbour_query {
	uint8_t own_mac[SP_MAC];
	uint8_t own[16], target[16];
};

/// How a message reached us, as the kernel tells.
struct sp_neighbour_way {
	bool to_us;               ///< unicast, to this machine
	uint8_t from_mac[SP_MAC]; ///< ARP: of the frame
	uint8_t to[16];           ///< NDP: destination address
	int hops;                 ///< NDP: hop limit as it arrived
};

/// An ARP request without its link header.
void sp_arp_encode(uint8_t out[SP_ARP_SIZE], const struct sp_neighbour_query *query);
/// True for a reply of the target to us: not one that nobody asked for, not one for another or about another,
/// not one whose frame says another sender.
bool sp_arp_answers(const uint8_t *data, size_t length, const struct sp_neighbour_query *query,
		    const struct sp_neighbour_way *way);

/// A neighbour solicitation, without its IPv6 header; the checksum is left to the kernel.
void sp_ndp_encode(uint8_t out[SP_NDP_SIZE], const struct sp_neighbour_query *query);
/// The same of a solicited neighbour advertisement, from its ICMPv6 header on; the kernel has verified the
/// checksum (RFC 4861 §7.1.2).
bool sp_ndp_answers(const uint8_t *data, size_t length, const struct sp_neighbour_query *query,
		    const struct sp_neighbour_way *way);
/// The group that the owner of `target` listens to (RFC 4291 §2.7.1).
void sp_ndp_group(uint8_t out[16], const uint8_t target[16]);
