// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Encoding a question to a neighbour, recognising its answer (gateway_wire.h).
#include "gateway_wire.h"

#include <string.h>

enum {
	ARP_SENDER = 8, // hardware address, then the protocol's
	ARP_TARGET = 18,
	SOLICITATION = 135,
	ADVERTISEMENT = 136,
	NDP_TARGET = 8,
	NDP_OPTIONS = 24,
	SOURCE_LINK_ADDRESS = 1,
	SOLICITED = 0x40,
};

/// Ethernet, IPv4, six bytes and four: the only kind that we ask.
static const uint8_t arp_head[6] = {0, 1, 8, 0, SP_MAC, 4};

/// What may stand for one machine's link address.
static bool is_machine(const uint8_t mac[SP_MAC])
{
	static const uint8_t zeros[SP_MAC];
	return !(mac[0] & 1) && memcmp(mac, zeros, SP_MAC) != 0;
}

void sp_arp_encode(uint8_t out[SP_ARP_SIZE], const struct sp_neighbour_query *query)
{
	memset(out, 0, SP_ARP_SIZE);
	memcpy(out, arp_head, sizeof(arp_head));
	out[7] = 1;
	memcpy(out + ARP_SENDER, query->own_mac, SP_MAC);
	memcpy(out + ARP_SENDER + SP_MAC, query->own, 4);
	memcpy(out + ARP_TARGET + SP_MAC, query->target, 4);
}

bool sp_arp_answers(const uint8_t *data, size_t length, const struct sp_neighbour_query *query,
		    const struct sp_neighbour_way *way)
{
	// Frames are padded: what follows the message is nobody's.
	if (length < SP_ARP_SIZE || memcmp(data, arp_head, sizeof(arp_head)) != 0)
		return false;
	const uint8_t *sender = data + ARP_SENDER, *target = data + ARP_TARGET;
	return data[6] == 0 && data[7] == 2 && way->to_us && is_machine(sender) &&
	       memcmp(sender, way->from_mac, SP_MAC) == 0 && memcmp(sender, query->own_mac, SP_MAC) != 0 &&
	       memcmp(sender + SP_MAC, query->target, 4) == 0 &&
	       memcmp(target, query->own_mac, SP_MAC) == 0 && memcmp(target + SP_MAC, query->own, 4) == 0;
}

void sp_ndp_encode(uint8_t out[SP_NDP_SIZE], const struct sp_neighbour_query *query)
{
	memset(out, 0, SP_NDP_SIZE);
	out[0] = SOLICITATION;
	memcpy(out + NDP_TARGET, query->target, 16);
	out[NDP_OPTIONS] = SOURCE_LINK_ADDRESS;
	out[NDP_OPTIONS + 1] = 1; // units of eight bytes
	memcpy(out + NDP_OPTIONS + 2, query->own_mac, SP_MAC);
}

/// No option may be empty or reach beyond the message.
static bool good_options(const uint8_t *data, size_t length)
{
	size_t at = NDP_OPTIONS;
	while (at < length) {
		size_t size = length - at >= 2 ? (size_t)data[at + 1] * 8 : 0;
		if (size == 0 || size > length - at)
			return false;
		at += size;
	}
	return true;
}

bool sp_ndp_answers(const uint8_t *data, size_t length, const struct sp_neighbour_query *query,
		    const struct sp_neighbour_way *way)
{
	return length >= NDP_OPTIONS && data[0] == ADVERTISEMENT && data[1] == 0 && (data[4] & SOLICITED) &&
	       way->to_us && way->hops == SP_NDP_HOPS && memcmp(way->to, query->own, 16) == 0 &&
	       memcmp(data + NDP_TARGET, query->target, 16) == 0 && good_options(data, length);
}

void sp_ndp_group(uint8_t out[16], const uint8_t target[16])
{
	static const uint8_t prefix[13] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
	memcpy(out, prefix, sizeof(prefix));
	memcpy(out + 13, target + 13, 3);
}
