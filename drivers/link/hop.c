// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Whose is a hop, which is the first one of the provider, and are these its usual addresses (hop.h).
#include "hop.h"

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

static const uint8_t *bytes_of(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET6)
		return ((const struct sockaddr_in6 *)address)->sin6_addr.s6_addr;
	return (const uint8_t *)&((const struct sockaddr_in *)address)->sin_addr;
}

static size_t size_of(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET6 ? 16 : 4;
}

static enum sp_hop_owner owner4(const uint8_t a[4])
{
	if (a[0] == 0 || a[0] >= 224)
		return SP_HOP_NOBODY;
	bool school = a[0] == 10 || a[0] == 127 || (a[0] == 172 && a[1] >> 4 == 1) ||
		      (a[0] == 192 && a[1] == 168) || (a[0] == 169 && a[1] == 254);
	return school ? SP_HOP_SCHOOL : SP_HOP_PROVIDER;
}

static enum sp_hop_owner owner6(const uint8_t a[16], const struct sockaddr_storage *own)
{
	static const uint8_t zero[15];
	bool unspecified = memcmp(a, zero, 15) == 0;
	if (a[0] == 0xff || (unspecified && a[15] == 0))
		return SP_HOP_NOBODY;
	if (unspecified || (a[0] & 0xfe) == 0xfc || (a[0] == 0xfe && a[1] >= 0x80))
		return SP_HOP_SCHOOL;
	// The provider's own link to the school is not out of what it delegates to it.
	if (own->ss_family == AF_INET6 && memcmp(a, bytes_of(own), 6) == 0)
		return SP_HOP_SCHOOL;
	return SP_HOP_PROVIDER;
}

enum sp_hop_owner sp_hop_owner(const struct sockaddr_storage *address, const struct sockaddr_storage *own)
{
	if (address->ss_family == AF_INET)
		return owner4(bytes_of(address));
	if (address->ss_family == AF_INET6)
		return owner6(bytes_of(address), own);
	return SP_HOP_NOBODY;
}

bool sp_hop_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family || (a->ss_family != AF_INET && a->ss_family != AF_INET6))
		return a->ss_family == b->ss_family;
	return memcmp(bytes_of(a), bytes_of(b), size_of(a)) == 0;
}

// ---- the search -------------------------------------------------------------------------------

void sp_hop_heard(struct sp_hop_search *search, unsigned ttl, enum sp_hop_owner owner)
{
	if (ttl < 1 || ttl > SP_HOP_MOST || owner == SP_HOP_NOBODY)
		return;
	// Two answers at one hop limit: one of the school's there says that the provider begins farther on.
	if (search->at[ttl] != SP_HOP_SCHOOL)
		search->at[ttl] = owner;
}

void sp_hop_arrived(struct sp_hop_search *search, unsigned ttl)
{
	if (ttl >= 1 && ttl <= SP_HOP_MOST && (search->target == 0 || ttl < search->target))
		search->target = ttl;
}

unsigned sp_hop_found(const struct sp_hop_search *search)
{
	unsigned end = search->target ? search->target : SP_HOP_MOST + 1;
	for (unsigned ttl = 1; ttl < end; ttl++)
		if (search->at[ttl] == SP_HOP_PROVIDER)
			return ttl;
	return 0;
}

bool sp_hop_wanted(const struct sp_hop_search *search, unsigned ttl)
{
	unsigned found = sp_hop_found(search);
	unsigned end = search->target ? search->target : SP_HOP_MOST + 1;
	if (found && found < end)
		end = found;
	return ttl >= 1 && ttl < end && search->at[ttl] == SP_HOP_NOBODY;
}

// ---- the set ----------------------------------------------------------------------------------

bool sp_hop_set_has(const struct sp_hop_set *set, const struct sockaddr_storage *address)
{
	for (size_t i = 0; i < set->count; i++)
		if (sp_hop_same(&set->address[i], address))
			return true;
	return false;
}

void sp_hop_set_add(struct sp_hop_set *set, const struct sockaddr_storage *address)
{
	if (sp_hop_set_has(set, address))
		return;
	if (set->count < SP_HOP_SET)
		set->count++;
	set->address[set->count - 1] = *address;
}

bool sp_hop_set_settle(struct sp_hop_set *known, const struct sp_hop_set *heard)
{
	bool same = false;
	for (size_t i = 0; i < heard->count; i++)
		same |= sp_hop_set_has(known, &heard->address[i]);
	if (heard->count == 0 || same) {
		for (size_t i = 0; i < heard->count; i++)
			sp_hop_set_add(known, &heard->address[i]);
		return false;
	}
	*known = *heard;
	for (size_t i = 1; i < known->count; i++) {
		struct sockaddr_storage first = known->address[0];
		if (memcmp(bytes_of(&known->address[i]), bytes_of(&first), size_of(&first)) < 0) {
			known->address[0] = known->address[i];
			known->address[i] = first;
		}
	}
	return true;
}
