// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Any bytes as what came back to an ARP request or a neighbour solicitation. The first byte says how they
// came.
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/link/gateway_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_neighbour_query query = {
	    .own_mac = {2, 0, 0, 0, 0, 2}, .own = {192, 0, 2, 2}, .target = {192, 0, 2, 1}};
	struct sp_neighbour_way way = {.from_mac = {2, 0, 0, 0, 0, 1}, .hops = SP_NDP_HOPS};
	uint8_t message[SP_NDP_SIZE];
	if (size == 0)
		return 0;
	way.to_us = data[0] & 1;
	way.hops -= data[0] >> 1 & 1;
	way.from_mac[5] = (uint8_t)(way.from_mac[5] + (data[0] >> 2 & 1));
	memcpy(way.to, query.own, 16);
	way.to[15] ^= data[0] >> 3 & 1;
	data++;
	size--;
	bool arp = sp_arp_answers(data, size, &query, &way), ndp = sp_ndp_answers(data, size, &query, &way);
	check(!(arp && ndp) && (way.to_us || (!arp && !ndp)));
	if (arp)
		check(size >= SP_ARP_SIZE && memcmp(data + 8, way.from_mac, SP_MAC) == 0 &&
		      memcmp(data + 14, query.target, 4) == 0 && memcmp(data + 24, query.own, 4) == 0);
	if (ndp)
		check(way.hops == SP_NDP_HOPS && size % 8 == 0 && memcmp(data + 8, query.target, 16) == 0 &&
		      memcmp(way.to, query.own, 16) == 0);
	// Our own questions answer nothing.
	sp_arp_encode(message, &query);
	check(!sp_arp_answers(message, SP_ARP_SIZE, &query, &way));
	sp_ndp_encode(message, &query);
	check(!sp_ndp_answers(message, SP_NDP_SIZE, &query, &way));
	return 0;
}
