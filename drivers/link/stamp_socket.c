// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The kernel's arrival times (SO_TIMESTAMPNS): a busy board is not taken for a slow line.
#include "stamp_socket.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	HOPS = 255, ///< RFC 8762 §4.1
	CONTROL = 128,
	AGE_MOST_US = 10 * 1000 * 1000, ///< more is a clock that was set meanwhile
};
static const uint64_t NTP_TO_UNIX = UINT64_C(2208988800); ///< seconds from 1900 to 1970

int sp_stamp_socket_open(struct sp_stamp_socket *out, const struct sp_endpoint *peer)
{
	bool ipv6 = peer->address.ss_family == AF_INET6;
	socklen_t size = ipv6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	int on = 1, hops = HOPS, result = 0;
	out->fd = socket(peer->address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (out->fd < 0)
		return -errno;
	size_t name = strlen(peer->interface);
	if (name && setsockopt(out->fd, SOL_SOCKET, SO_BINDTODEVICE, peer->interface, (socklen_t)name) < 0)
		result = -errno;
	if (result == 0 && (setsockopt(out->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0 ||
			    setsockopt(out->fd, ipv6 ? IPPROTO_IPV6 : IPPROTO_IP,
				       ipv6 ? IPV6_UNICAST_HOPS : IP_TTL, &hops, sizeof(hops)) < 0 ||
			    connect(out->fd, (const struct sockaddr *)&peer->address, size) < 0))
		result = -errno;
	if (result < 0)
		sp_stamp_socket_close(out);
	return result;
}

void sp_stamp_socket_close(struct sp_stamp_socket *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static uint64_t to_ntp(const struct timespec *at)
{
	uint64_t fraction = ((uint64_t)at->tv_nsec << 32) / 1000000000;
	return ((uint64_t)at->tv_sec + NTP_TO_UNIX) << 32 | fraction;
}

uint64_t sp_stamp_socket_time(const struct sp_stamp_socket *s)
{
	struct timespec now;
	uint8_t noise = 0;
	(void)s;
	clock_gettime(CLOCK_REALTIME, &now);
	(void)!getrandom(&noise, sizeof(noise), GRND_NONBLOCK);
	return to_ntp(&now) + (noise & 3); // 2^-32 s is a quarter of a nanosecond
}

int sp_stamp_socket_send(struct sp_stamp_socket *s, const uint8_t *data, size_t length)
{
	// An error that an earlier packet brought back is reported to the next one that is sent: try again.
	for (int attempt = 0; attempt < 2; attempt++) {
		if (send(s->fd, data, length, MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno != ECONNREFUSED && errno != EHOSTUNREACH)
			break;
	}
	return -errno;
}

static void read_time(struct msghdr *message, struct sp_stamp_arrival *out)
{
	struct timespec now, at;
	clock_gettime(CLOCK_REALTIME, &now);
	at = now;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS)
			memcpy(&at, CMSG_DATA(c), sizeof(at));
	}
	out->age_us = (int64_t)(now.tv_sec - at.tv_sec) * 1000000 + (now.tv_nsec - at.tv_nsec) / 1000;
	if (out->age_us < 0 || out->age_us > AGE_MOST_US) {
		out->age_us = 0;
		at = now;
	}
	out->time = to_ntp(&at);
}

int sp_stamp_socket_receive(struct sp_stamp_socket *s, uint8_t *data, size_t size,
			    struct sp_stamp_arrival *out)
{
	uint8_t control[CONTROL] __attribute__((aligned(8)));
	struct iovec iov = {data, size};
	struct msghdr message = {
	    .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	ssize_t got;
	do
		got = recvmsg(s->fd, &message, MSG_DONTWAIT | MSG_TRUNC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN ? 0 : -errno;
	out->length = (size_t)got;
	read_time(&message, out);
	return 1;
}
