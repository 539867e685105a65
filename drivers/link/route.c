// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A UDP socket that is connected and never written to tells source address and path MTU (ip(7), IP_MTU).
#include "route.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "no_way.h"

static int look(int fd, const struct sockaddr_storage *to, const char *interface, struct sp_route *out)
{
	bool v6 = to->ss_family == AF_INET6;
	socklen_t size = v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	if (interface[0] &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)) < 0)
		return -errno;
	struct sockaddr_storage peer = *to;
	((struct sockaddr_in *)&peer)->sin_port =
	    htons(53); // in the same place in both families; any will do
	if (connect(fd, (struct sockaddr *)&peer, size) < 0)
		return -errno;
	socklen_t length = sizeof(out->source);
	int mtu = 0;
	socklen_t mtu_size = sizeof(mtu);
	if (getsockname(fd, (struct sockaddr *)&out->source, &length) < 0 ||
	    getsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MTU : IP_MTU, &mtu, &mtu_size) < 0)
		return -errno;
	out->mtu = mtu > 0 ? (unsigned)mtu : 0;
	return 0;
}

int sp_route_look(const struct sockaddr_storage *to, const char *interface, struct sp_route *out)
{
	memset(out, 0, sizeof(*out));
	int fd = socket(to->ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return sp_no_way_out(-errno) ? -ENETUNREACH : -errno;
	int result = look(fd, to, interface, out);
	close(fd);
	return sp_no_way_out(result) ? -ENETUNREACH : result;
}
