// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// TCP_INFO, and the interface by its address.
#include "agent/base/wire.h"

#include <ifaddrs.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum {
	// Of one segment: IP, TCP and its time stamps.
	SEGMENT_V4 = 20 + 20 + 12,
	SEGMENT_V6 = 40 + 20 + 12,
	FAREWELL = 3, ///< segments after the count
};

static bool is_ipv6(int fd)
{
	struct sockaddr_storage own = {0};
	socklen_t size = sizeof(own);
	return getsockname(fd, (struct sockaddr *)&own, &size) == 0 && own.ss_family == AF_INET6;
}

bool sp_wire_read(int fd, struct sp_wire *out)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);
	*out = (struct sp_wire){0};
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return false;
	int64_t segments = (int64_t)info.tcpi_segs_in + info.tcpi_segs_out + FAREWELL;
	out->bytes = (int64_t)info.tcpi_bytes_sent + (int64_t)info.tcpi_bytes_received +
		     segments * (is_ipv6(fd) ? SEGMENT_V6 : SEGMENT_V4);
	out->sent = (int64_t)info.tcpi_bytes_sent;
	out->repeated = (int64_t)info.tcpi_bytes_retrans;
	return true;
}

int64_t sp_wire_bytes(int fd)
{
	struct sp_wire wire;
	(void)sp_wire_read(fd, &wire);
	return wire.bytes;
}

int64_t sp_wire_unacked(int fd)
{
	int unacked = 0;
	return ioctl(fd, SIOCOUTQ, &unacked) < 0 ? -1 : unacked;
}

void sp_wire_moved(int fd, int64_t *acked, int64_t *received)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		memset(&info, 0, sizeof(info));
	*acked = (int64_t)info.tcpi_bytes_acked;
	*received = (int64_t)info.tcpi_bytes_received;
}

static bool same_address(const struct sockaddr *a, const struct sockaddr *b)
{
	if (!a || a->sa_family != b->sa_family)
		return false;
	if (a->sa_family == AF_INET)
		return memcmp(&((const struct sockaddr_in *)a)->sin_addr,
			      &((const struct sockaddr_in *)b)->sin_addr, sizeof(struct in_addr)) == 0;
	if (a->sa_family == AF_INET6)
		return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
			      &((const struct sockaddr_in6 *)b)->sin6_addr, sizeof(struct in6_addr)) == 0;
	return false;
}

void sp_wire_interface(int fd, char out[16])
{
	union {
		struct sockaddr any;
		struct sockaddr_storage room;
	} own = {.room = {0}};
	socklen_t size = sizeof(own);
	struct ifaddrs *list = NULL;
	out[0] = '\0';
	if (getsockname(fd, &own.any, &size) < 0 || getifaddrs(&list) < 0)
		return;
	for (const struct ifaddrs *it = list; it; it = it->ifa_next) {
		if (same_address(it->ifa_addr, &own.any)) {
			snprintf(out, 16, "%s", it->ifa_name);
			break;
		}
	}
	freeifaddrs(list);
}
