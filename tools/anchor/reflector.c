// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Packets in and out, many at a time; the kernel says when each arrived, to which of our addresses, and with
// which hop limit.
#include "tools/anchor/reflector.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "schoolpulse/clock.h"
#include "schoolpulse/log.h"
#include "tools/anchor/stamp_wire.h"

enum {
	BATCH = 64,
	PACKET = 2048,
	CONTROL = 256,
	QUEUE_BYTES = 4 * 1024 * 1024, ///< of packets that wait, as far as net.core.rmem_max allows
	HOPS = 255,                    ///< RFC 8762 §4.1: the other side reads the distance from it
	CLOCK_EACH_US = 1000 * 1000,   ///< how often the clock's error is looked up
};

struct packet {
	uint8_t data[PACKET];
	uint8_t control[CONTROL] __attribute__((aligned(8)));
	struct sockaddr_storage from;
	struct iovec iov;
};

struct sp_reflector {
	int fd, stop_fd;
	bool ipv6;
	uint16_t port;
	pthread_t thread;
	struct sp_stamp_rules *rules;
	atomic_uint_least64_t packets[SP_STAMP_VERDICTS], sessions;
	uint16_t error;
	int64_t error_us; ///< when it was looked up
	struct packet in[BATCH];
	struct mmsghdr messages[BATCH], answers[BATCH];
};

/// What the kernel says beside a packet.
struct aside {
	struct timespec at;
	uint8_t ttl;
	struct cmsghdr *to; ///< which of our addresses it came to: the answer goes out from that
};

static struct aside read_aside(struct msghdr *message)
{
	struct aside aside = {0};
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		int value = 0;
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
			memcpy(&aside.at, CMSG_DATA(c), sizeof(aside.at));
		} else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) ||
			   (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT)) {
			memcpy(&value, CMSG_DATA(c), sizeof(value));
			aside.ttl = (uint8_t)value;
		} else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) ||
			   (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)) {
			aside.to = c;
		}
	}
	return aside;
}

/// Only the address that was asked may answer; by which interface is the routing's to say.
static void keep_source(struct msghdr *message, struct cmsghdr *to)
{
	union {
		struct cmsghdr head;
		uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} out = {.bytes = {0}};
	if (!to) {
		message->msg_controllen = 0;
		return;
	}
	size_t size = to->cmsg_level == IPPROTO_IP ? sizeof(struct in_pktinfo) : sizeof(struct in6_pktinfo);
	out.head.cmsg_level = to->cmsg_level;
	out.head.cmsg_type = to->cmsg_type;
	out.head.cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(&out.head), CMSG_DATA(to), size);
	if (to->cmsg_level == IPPROTO_IP) {
		struct in_pktinfo *info = (struct in_pktinfo *)CMSG_DATA(&out.head);
		info->ipi_ifindex = 0;
	} else {
		struct in6_pktinfo *info = (struct in6_pktinfo *)CMSG_DATA(&out.head);
		if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr))
			info->ipi6_ifindex = 0;
	}
	memcpy(message->msg_control, &out, CMSG_SPACE(size));
	message->msg_controllen = CMSG_SPACE(size);
}

/// IPv4 as IPv6 writes it, so that there is one kind of key.
static struct sockaddr_in6 as_ipv6(const struct sockaddr_storage *from)
{
	struct sockaddr_in6 out = {.sin6_family = AF_INET6};
	if (from->ss_family == AF_INET6) {
		memcpy(&out, from, sizeof(out));
	} else {
		const struct sockaddr_in *in = (const struct sockaddr_in *)from;
		out.sin6_port = in->sin_port;
		out.sin6_addr.s6_addr[10] = out.sin6_addr.s6_addr[11] = 0xff;
		memcpy(out.sin6_addr.s6_addr + 12, &in->sin_addr, 4);
	}
	return out;
}

static void look_up_error(struct sp_reflector *reflector, int64_t now_us)
{
	if (reflector->error && now_us - reflector->error_us < CLOCK_EACH_US)
		return;
	struct sp_clock_reading now = sp_clock_now();
	reflector->error_us = now_us;
	reflector->error = sp_stamp_error(now.synced ? now.err_ms * 1000 : -1, now.synced);
}

/// True when there is an answer, in the packet's own place.
static bool answer(struct sp_reflector *reflector, unsigned number, int64_t now_us)
{
	struct mmsghdr *message = &reflector->messages[number];
	struct packet *packet = &reflector->in[number];
	if (message->msg_hdr.msg_flags & MSG_TRUNC)
		return false;
	struct sockaddr_in6 from = as_ipv6(&packet->from);
	struct sp_stamp_reflection with = {.error = reflector->error};
	enum sp_stamp_verdict verdict =
	    sp_stamp_judge(reflector->rules, &from, sp_stamp_ssid(packet->data, message->msg_len),
			   message->msg_len, now_us, &with.sequence);
	atomic_fetch_add_explicit(&reflector->packets[verdict], 1, memory_order_relaxed);
	if (verdict != SP_STAMP_ANSWER)
		return false;
	struct aside aside = read_aside(&message->msg_hdr);
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (aside.at.tv_sec == 0)
		aside.at = now;
	with.received = sp_stamp_time(aside.at.tv_sec, aside.at.tv_nsec);
	with.sent = sp_stamp_time(now.tv_sec, now.tv_nsec);
	with.ttl = aside.ttl;
	packet->iov.iov_len = message->msg_len;
	keep_source(&message->msg_hdr, aside.to);
	return sp_stamp_reflect(packet->data, message->msg_len, &with) == 0;
}

static void prepare(struct sp_reflector *reflector)
{
	for (size_t i = 0; i < BATCH; i++) {
		struct packet *packet = &reflector->in[i];
		packet->iov = (struct iovec){packet->data, PACKET};
		reflector->messages[i].msg_hdr = (struct msghdr){.msg_name = &packet->from,
								 .msg_namelen = sizeof(packet->from),
								 .msg_iov = &packet->iov,
								 .msg_iovlen = 1,
								 .msg_control = packet->control,
								 .msg_controllen = CONTROL};
	}
}

static void turn(struct sp_reflector *reflector)
{
	unsigned count = 0, sent = 0;
	prepare(reflector);
	int got = recvmmsg(reflector->fd, reflector->messages, BATCH, MSG_DONTWAIT, NULL);
	if (got <= 0)
		return;
	int64_t now_us = sp_clock_mono_us();
	look_up_error(reflector, now_us);
	for (unsigned i = 0; i < (unsigned)got; i++) {
		if (answer(reflector, i, now_us))
			reflector->answers[count++].msg_hdr = reflector->messages[i].msg_hdr;
	}
	while (sent < count) {
		int done = sendmmsg(reflector->fd, reflector->answers + sent, count - sent, MSG_DONTWAIT);
		sent += done > 0 ? (unsigned)done : 1; // one that cannot go is lost, as any packet may be
	}
	atomic_store_explicit(&reflector->sessions, sp_stamp_sessions(reflector->rules),
			      memory_order_relaxed);
}

static void *run(void *arg)
{
	struct sp_reflector *reflector = arg;
	struct pollfd fds[2] = {{.fd = reflector->fd, .events = POLLIN},
				{.fd = reflector->stop_fd, .events = POLLIN}};
	while (!fds[1].revents) {
		if (poll(fds, 2, -1) > 0 && fds[0].revents)
			turn(reflector);
	}
	return NULL;
}

// ---- start ----------------------------------------------------------------------------------------------

static int set_up(int fd, bool ipv6)
{
	int on = 1, off = 0, hops = HOPS, bytes = QUEUE_BYTES;
	// Smaller than wished is good enough.
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_TTL, &hops, sizeof(hops)) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0)
		return -errno;
	if (ipv6 && (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0 ||
		     setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof(hops)) < 0 ||
		     setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof(on)) < 0 ||
		     setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) < 0))
		return -errno;
	return 0;
}

static int open_socket(struct sp_reflector *reflector, const char *address, uint16_t port)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	reflector->fd = -1;
	reflector->ipv6 = inet_pton(AF_INET6, address, &v6.sin6_addr) == 1;
	if (!reflector->ipv6 && inet_pton(AF_INET, address, &v4.sin_addr) != 1)
		return -EADDRNOTAVAIL;
	const struct sockaddr *any = reflector->ipv6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
	socklen_t size = reflector->ipv6 ? sizeof(v6) : sizeof(v4);
	reflector->fd = socket(any->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (reflector->fd < 0)
		return -errno;
	int result = set_up(reflector->fd, reflector->ipv6);
	if (result == 0 && bind(reflector->fd, any, size) < 0)
		result = -errno;
	if (result == 0 && getsockname(reflector->fd, (struct sockaddr *)&v6, &size) == 0)
		reflector->port = ntohs(v6.sin6_port); // sin_port stands in the same place
	return result;
}

/// Signals are the main thread's.
static int start_thread(struct sp_reflector *reflector)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	int result = pthread_create(&reflector->thread, NULL, run, reflector);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -result;
}

struct sp_reflector *sp_reflector_new(const char *address, const struct sp_stamp_rules_config *config,
				      char why[256])
{
	struct sp_reflector *reflector = sp_alloc(sizeof(*reflector));
	struct sp_stamp_rules_config here = *config;
	int result = open_socket(reflector, address, config->port);
	if (result == -EAFNOSUPPORT && strcmp(address, "::") == 0) // a kernel without IPv6
		result = open_socket(reflector, "0.0.0.0", config->port);
	here.port = reflector->port;
	reflector->rules = sp_stamp_rules_new(&here);
	reflector->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (result == 0 && reflector->stop_fd < 0)
		result = -errno;
	if (result == 0)
		result = start_thread(reflector);
	if (result == 0)
		return reflector;
	snprintf(why, 256, "cannot reflect on %s UDP port %u: %s%s", address, config->port, strerror(-result),
		 result == -EACCES
		     ? " (ports below 1024 need root or CAP_NET_BIND_SERVICE; or set stamp_port)"
		     : "");
	if (reflector->fd >= 0)
		close(reflector->fd);
	if (reflector->stop_fd >= 0)
		close(reflector->stop_fd);
	sp_stamp_rules_free(reflector->rules);
	free(reflector);
	return NULL;
}

void sp_reflector_free(struct sp_reflector *reflector)
{
	if (!reflector)
		return;
	if (eventfd_write(reflector->stop_fd, 1) == 0)
		pthread_join(reflector->thread, NULL);
	close(reflector->stop_fd);
	close(reflector->fd);
	sp_stamp_rules_free(reflector->rules);
	free(reflector);
}

uint16_t sp_reflector_port(const struct sp_reflector *reflector)
{
	return reflector->port;
}

void sp_reflector_state(struct sp_reflector *reflector, struct sp_reflector_state *out)
{
	for (size_t i = 0; i < SP_STAMP_VERDICTS; i++)
		out->packets[i] = atomic_load_explicit(&reflector->packets[i], memory_order_relaxed);
	out->sessions = atomic_load_explicit(&reflector->sessions, memory_order_relaxed);
}
