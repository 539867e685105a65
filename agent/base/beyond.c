// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Compares an address with the subnets of our interfaces.
#include "agent/base/beyond.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

/// The bytes of an address, IPv4 in IPv6 as IPv4. NULL: another family.
static const uint8_t *bytes_of(const struct sockaddr *address, size_t *length)
{
	if (address->sa_family == AF_INET) {
		*length = 4;
		return (const uint8_t *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
	}
	if (address->sa_family != AF_INET6)
		return NULL;
	const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
	bool mapped = IN6_IS_ADDR_V4MAPPED(six);
	*length = mapped ? 4 : 16;
	return six->s6_addr + (mapped ? 12 : 0);
}

static bool never_beyond(const uint8_t *bytes, size_t length)
{
	static const uint8_t loopback[16] = {[15] = 1}, none[16] = {0};
	if (length == 4)
		return bytes[0] == 127 || bytes[0] == 0 || (bytes[0] == 169 && bytes[1] == 254);
	return memcmp(bytes, loopback, 16) == 0 || memcmp(bytes, none, 16) == 0 ||
	       (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80);
}

static bool within(const uint8_t *a, size_t length, const struct ifaddrs *interface)
{
	size_t own_length, mask_length;
	if (!interface->ifa_addr || !interface->ifa_netmask)
		return false;
	const uint8_t *own = bytes_of(interface->ifa_addr, &own_length),
		      *mask = own ? bytes_of(interface->ifa_netmask, &mask_length) : NULL;
	if (!mask || own_length != length || mask_length != length)
		return false;
	for (size_t i = 0; i < length; i++)
		if ((a[i] ^ own[i]) & mask[i])
			return false;
	return true;
}

bool sp_beyond_address(const struct sockaddr *address)
{
	size_t length;
	const uint8_t *bytes = bytes_of(address, &length);
	struct ifaddrs *interfaces;
	if (!bytes || never_beyond(bytes, length) || getifaddrs(&interfaces) < 0)
		return false;
	bool near = false;
	for (const struct ifaddrs *it = interfaces; it && !near; it = it->ifa_next)
		near = within(bytes, length, it);
	freeifaddrs(interfaces);
	return !near;
}

bool sp_beyond_peer(int fd)
{
	struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
	socklen_t size = sizeof(peer);
	return getpeername(fd, (struct sockaddr *)&peer, &size) == 0 &&
	       sp_beyond_address((const struct sockaddr *)&peer);
}
