// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Ping sockets (icmp(7), ping_group_range) need no privilege; where they are switched off, CAP_NET_RAW
// serves.
#include "ping_socket.h"

#include <linux/errqueue.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "no_way.h"

enum {
	PACKET = 2048,
	FILTER = 1, ///< ICMP_FILTER of linux/icmp.h, which cannot stand beside net/if.h
};

static bool denied(int error)
{
	return error == EPERM || error == EACCES || error == EPROTONOSUPPORT;
}

static int open_either(struct sp_ping_socket *out)
{
	int domain = out->ipv6 ? AF_INET6 : AF_INET, protocol = out->ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	out->raw = false;
	out->fd = socket(domain, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	if (out->fd < 0 && denied(errno)) {
		out->raw = true;
		out->fd = socket(domain, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	}
	if (out->fd >= 0)
		return 0;
	return denied(errno) ? -EPERM : -errno;
}

/// A ping socket's id is its port.
static int learn_id(struct sp_ping_socket *s)
{
	if (s->raw)
		return getrandom(&s->id, sizeof(s->id), 0) == sizeof(s->id) ? 0 : -EIO;
	struct sockaddr_storage any = {.ss_family = s->ipv6 ? AF_INET6 : AF_INET};
	socklen_t size = s->ipv6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	if (bind(s->fd, (struct sockaddr *)&any, size) < 0 ||
	    getsockname(s->fd, (struct sockaddr *)&any, &size) < 0)
		return -errno;
	// sin_port and sin6_port stand in the same place.
	// NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): the kernel has filled it
	s->id = ntohs(((struct sockaddr_in *)&any)->sin_port);
	return 0;
}

/// A raw socket hears every ICMP message of the machine: let the kernel keep away what is not for us.
static int set_filter(const struct sp_ping_socket *s)
{
	if (!s->raw) {
		int on = 1;
		return s->ipv6 ? setsockopt(s->fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on))
			       : setsockopt(s->fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
	}
	if (!s->ipv6) {
		uint32_t blocked =
		    ~(1u << ICMP_ECHOREPLY | 1u << ICMP_DEST_UNREACH | 1u << ICMP_TIME_EXCEEDED);
		return setsockopt(s->fd, SOL_RAW, FILTER, &blocked, sizeof(blocked));
	}
	struct icmp6_filter filter;
	ICMP6_FILTER_SETBLOCKALL(&filter);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
	ICMP6_FILTER_SETPASS(ICMP6_DST_UNREACH, &filter);
	ICMP6_FILTER_SETPASS(ICMP6_PACKET_TOO_BIG, &filter);
	ICMP6_FILTER_SETPASS(ICMP6_TIME_EXCEEDED, &filter);
	return setsockopt(s->fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter));
}

/// Fragments would hide a black hole; what does not fit is to fail here or at the router that says so.
static int set_whole(const struct sp_ping_socket *s)
{
	int whole = s->ipv6 ? IPV6_PMTUDISC_DO : IP_PMTUDISC_DO, on = 1;
	if (!s->ipv6)
		return setsockopt(s->fd, IPPROTO_IP, IP_MTU_DISCOVER, &whole, sizeof(whole));
	if (setsockopt(s->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &whole, sizeof(whole)) < 0)
		return -1;
	return setsockopt(s->fd, IPPROTO_IPV6, IPV6_DONTFRAG, &on, sizeof(on));
}

int sp_ping_socket_open(struct sp_ping_socket *out, bool ipv6, const char *interface)
{
	*out = (struct sp_ping_socket){.fd = -1, .ipv6 = ipv6, .ttl = -1};
	if (interface[0]) {
		out->interface = if_nametoindex(interface);
		if (!out->interface)
			return -ENETUNREACH;
	}
	int result = open_either(out);
	if (result == 0 && interface[0] &&
	    setsockopt(out->fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)) < 0)
		result = -errno;
	if (result == 0)
		result = learn_id(out);
	if (result == 0 && (set_filter(out) < 0 || set_whole(out) < 0))
		result = -errno;
	if (result < 0)
		sp_ping_socket_close(out);
	return result;
}

void sp_ping_socket_close(struct sp_ping_socket *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static int set_ttl(struct sp_ping_socket *s, unsigned wanted)
{
	int ttl = wanted ? (int)wanted : -1; // -1: the kernel's own, in both families
	if (ttl == s->ttl)
		return 0;
	int result = s->ipv6 ? setsockopt(s->fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &ttl, sizeof(ttl))
			     : setsockopt(s->fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
	if (result < 0)
		return -errno;
	s->ttl = ttl;
	return 0;
}

int sp_ping_socket_send(struct sp_ping_socket *s, const struct sockaddr_storage *to, size_t bytes,
			unsigned ttl, struct sp_icmp_echo *echo)
{
	uint8_t probe[SP_ICMP_MOST];
	echo->id = s->id;
	sp_icmp_encode(probe, bytes, s->ipv6, echo);
	int result = set_ttl(s, ttl);
	if (result < 0)
		return result;
	struct sockaddr_storage peer = *to;
	((struct sockaddr_in *)&peer)->sin_port = 0; // a raw socket takes it for a protocol
	socklen_t size = s->ipv6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	for (int attempt = 0; attempt < 2; attempt++) {
		ssize_t n = sendto(s->fd, probe, bytes, 0, (struct sockaddr *)&peer, size);
		if (n >= 0)
			return 0;
		// An error that an earlier probe brought back is reported to the next one that is sent: ask
		// for it, try again.
		int error = errno, pending = 0;
		socklen_t length = sizeof(pending);
		if (sp_no_way_out(-error) && attempt)
			return -ENETUNREACH;
		if (attempt || getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &pending, &length) < 0)
			return -error;
	}
	return -EIO;
}

static ssize_t receive(const struct sp_ping_socket *s, uint8_t data[PACKET], struct sockaddr_storage *from,
		       int flags, struct msghdr *message)
{
	struct iovec iov = {data, PACKET};
	message->msg_name = from;
	message->msg_namelen = sizeof(*from);
	message->msg_iov = &iov;
	message->msg_iovlen = 1;
	ssize_t n;
	do
		n = recvmsg(s->fd, message, flags | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n;
}

/// The router that sent a queued error stands behind the error's own data, unless the kernel had no room.
static void read_offender(const struct cmsghdr *c, bool ipv6, struct sockaddr_storage *from)
{
	size_t size = ipv6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	if (c->cmsg_len < CMSG_LEN(sizeof(struct sock_extended_err) + size))
		return;
	memcpy(from, CMSG_DATA(c) + sizeof(struct sock_extended_err), size);
	if (from->ss_family != (ipv6 ? AF_INET6 : AF_INET))
		memset(from, 0, sizeof(*from));
}

/// A queued error: the kernel tells which of our probes it was, where that was going, and who sent it back.
static bool read_queue(const struct sp_ping_socket *s, struct sp_icmp_message *out,
		       struct sockaddr_storage *from)
{
	uint8_t data[PACKET], control[512] __attribute__((aligned(8)));
	struct sockaddr_storage target = {0};
	struct msghdr message = {.msg_control = control, .msg_controllen = sizeof(control)};
	ssize_t n = receive(s, data, &target, MSG_ERRQUEUE, &message);
	if (n < 0)
		return false;
	memset(out, 0, sizeof(*out));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		struct sock_extended_err error;
		bool ours = (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
			    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR);
		if (!ours || c->cmsg_len < CMSG_LEN(sizeof(error)))
			continue;
		memcpy(&error, CMSG_DATA(c), sizeof(error));
		if (error.ee_origin != SO_EE_ORIGIN_ICMP && error.ee_origin != SO_EE_ORIGIN_ICMP6)
			continue;
		if (!sp_icmp_parse_quoted(data, (size_t)n, s->ipv6, out))
			continue;
		out->kind = sp_icmp_kind_of(s->ipv6, error.ee_type, error.ee_code);
		out->code = error.ee_code;
		out->mtu = out->kind == SP_ICMP_TOO_BIG ? error.ee_info : 0;
		read_offender(c, s->ipv6, from);
		if (s->ipv6)
			memcpy(out->target, &((struct sockaddr_in6 *)&target)->sin6_addr, 16);
		else
			memcpy(out->target, &((struct sockaddr_in *)&target)->sin_addr, 4);
	}
	return true;
}

int sp_ping_socket_receive(const struct sp_ping_socket *s, struct sp_icmp_message *out,
			   struct sockaddr_storage *from)
{
	uint8_t data[PACKET];
	memset(from, 0, sizeof(*from));
	struct msghdr message = {0};
	ssize_t n = receive(s, data, from, 0, &message);
	if (n < 0 && !s->raw && read_queue(s, out, from))
		return 1;
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	const uint8_t *icmp = data;
	size_t length = (size_t)n;
	memset(out, 0, sizeof(*out));
	if (!s->raw || s->ipv6 || sp_icmp_strip_ipv4(&icmp, &length))
		sp_icmp_parse(icmp, length, s->ipv6, out);
	return 1;
}
