// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The one file that opens netlink sockets (rtnl.h), by libmnl.
#include "rtnl.h"

#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "schoolpulse/io.h"

enum {
	DATAGRAM = 32768, // the most that the kernel puts into one datagram of a dump
	DATAGRAMS = 4096, // of one dump: a table larger than this is not a board's
	WAKE_LIMIT = 64,  // datagrams read at one go, so that a flood starves nobody
	ATTEMPTS = 3,     // of a look during which the tables changed
};

struct sp_rtnl {
	struct sp_device *dev;
	sp_rtnl_fn fn;
	void *arg;
	struct mnl_socket *socket;
	struct sp_watch *watch;
};

// ---- a dump ---------------------------------------------------------------------------------

struct dump {
	uint32_t seq;
	bool done, interrupted;
	int error;
	sp_nl_fn fn;
	void *arg;
};

static void dump_event(const struct sp_nl_event *event, void *arg)
{
	struct dump *dump = arg;
	if (event->seq != dump->seq)
		return;
	dump->interrupted |= event->interrupted;
	if (event->kind == SP_NL_DONE || event->kind == SP_NL_ERROR) {
		dump->done = true;
		dump->error = event->error;
	} else {
		dump->fn(event, dump->arg);
	}
}

/// One datagram from the kernel itself; others may send to the socket, too. Length, 0 for a stranger's, or
/// -errno.
static ssize_t receive(struct mnl_socket *socket, void *buffer)
{
	struct sockaddr_nl from = {0};
	struct iovec iov = {buffer, DATAGRAM};
	struct msghdr message = {
	    .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;
	do
		n = recvmsg(mnl_socket_get_fd(socket), &message, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (message.msg_flags & MSG_TRUNC)
		return -ENOBUFS;
	return from.nl_pid == 0 ? n : 0;
}

static int read_dump(struct mnl_socket *socket, struct dump *dump)
{
	uint8_t *buffer = malloc(DATAGRAM);
	if (!buffer)
		return -ENOMEM;
	int result = 0;
	for (int i = 0; result == 0 && !dump->done; i++) {
		ssize_t n = i < DATAGRAMS ? receive(socket, buffer) : -EOVERFLOW;
		result = n < 0 ? (int)n : sp_nl_parse(buffer, (size_t)n, dump_event, dump);
	}
	free(buffer);
	return result ? result : dump->error;
}

static int request(struct mnl_socket *socket, uint16_t type, int family, uint32_t index, struct dump *dump)
{
	uint8_t buffer[64] __attribute__((aligned(8))) = {0};
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	message->nlmsg_seq = dump->seq;
	// The headers of all four tables begin with the family.
	size_t size = type == RTM_GETLINK    ? sizeof(struct ifinfomsg)
		      : type == RTM_GETADDR  ? sizeof(struct ifaddrmsg)
		      : type == RTM_GETROUTE ? sizeof(struct rtmsg)
					     : sizeof(struct ndmsg);
	uint8_t *header = mnl_nlmsg_put_extra_header(message, size);
	header[0] = (uint8_t)family;
	if (index)
		mnl_attr_put_u32(message, NDA_IFINDEX, index);
	if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		return -errno;
	return read_dump(socket, dump);
}

static int open_socket(unsigned groups, struct mnl_socket **out)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!socket)
		return -errno;
	if (mnl_socket_bind(socket, groups, MNL_SOCKET_AUTOPID) < 0) {
		int error = errno;
		mnl_socket_close(socket);
		return -error;
	}
	*out = socket;
	return 0;
}

// ---- looking --------------------------------------------------------------------------------

static void add_to_view(const struct sp_nl_event *event, void *arg)
{
	sp_view_add(arg, event);
}

static int look_once(struct mnl_socket *socket, struct sp_view *out, bool *interrupted)
{
	static const struct {
		uint16_t type;
		int family;
	} tables[] = {
	    {RTM_GETLINK, AF_UNSPEC},
	    {RTM_GETADDR, AF_UNSPEC},
	    {RTM_GETROUTE, AF_INET},
	    {RTM_GETROUTE, AF_INET6},
	};
	memset(out, 0, sizeof(*out));
	*interrupted = false;
	for (size_t i = 0; i < SP_COUNT(tables); i++) {
		struct dump dump = {.seq = (uint32_t)i + 1, .fn = add_to_view, .arg = out};
		int result = request(socket, tables[i].type, tables[i].family, 0, &dump);
		// A kernel without IPv6 has no such table.
		if (result < 0 &&
		    !(tables[i].family == AF_INET6 && (result == -EOPNOTSUPP || result == -EAFNOSUPPORT)))
			return result;
		*interrupted |= dump.interrupted;
	}
	return 0;
}

int sp_rtnl_look(struct sp_view *out)
{
	int result = -EAGAIN;
	bool interrupted = true;
	for (int attempt = 0; interrupted && attempt < ATTEMPTS; attempt++) {
		struct mnl_socket *socket = NULL;
		result = open_socket(0, &socket);
		if (result < 0)
			return result;
		result = look_once(socket, out, &interrupted);
		mnl_socket_close(socket);
		if (result < 0)
			return result;
	}
	return interrupted ? -EAGAIN : 0;
}

struct search {
	struct sp_nl_neighbour *out;
	uint32_t index;
	int family;
	const uint8_t *address;
	bool found;
};

static void match_neighbour(const struct sp_nl_event *event, void *arg)
{
	struct search *search = arg;
	const struct sp_nl_neighbour *neighbour = &event->neighbour;
	if (event->kind != SP_NL_NEIGHBOUR || neighbour->index != search->index ||
	    neighbour->family != search->family ||
	    memcmp(neighbour->address, search->address, neighbour->family == AF_INET ? 4 : 16) != 0)
		return;
	*search->out = *neighbour;
	search->found = true;
}

int sp_rtnl_neighbour(uint32_t index, int family, const uint8_t address[16], struct sp_nl_neighbour *out)
{
	struct mnl_socket *socket = NULL;
	int result = open_socket(0, &socket);
	if (result < 0)
		return result;
	struct search search = {out, index, family, address, false};
	struct dump dump = {.seq = 1, .fn = match_neighbour, .arg = &search};
	result = request(socket, RTM_GETNEIGH, family, index, &dump);
	mnl_socket_close(socket);
	if (result < 0)
		return result;
	return search.found ? 0 : -ENOENT;
}

// ---- listening ------------------------------------------------------------------------------

static void on_change(const struct sp_nl_event *event, void *arg)
{
	struct sp_rtnl *rtnl = arg;
	rtnl->fn(rtnl->dev, event, rtnl->arg);
}

static void on_readable(struct sp_device *dev, int fd, unsigned events, void *arg)
{
	(void)fd, (void)events;
	struct sp_rtnl *rtnl = arg;
	uint8_t *buffer = malloc(DATAGRAM);
	if (!buffer)
		return;
	for (int i = 0; i < WAKE_LIMIT; i++) {
		ssize_t n = receive(rtnl->socket, buffer);
		if (n == -EAGAIN)
			break;
		// The kernel had more to tell than fits (ENOBUFS), or we cannot read it: all of it is in the
		// tables.
		if (n < 0 || sp_nl_parse(buffer, (size_t)n, on_change, rtnl) < 0)
			rtnl->fn(dev, NULL, rtnl->arg);
		if (n < 0 && n != -ENOBUFS)
			break;
	}
	free(buffer);
}

int sp_rtnl_listen(struct sp_device *dev, sp_rtnl_fn fn, void *arg, struct sp_rtnl **out)
{
	struct sp_rtnl *rtnl = calloc(1, sizeof(*rtnl));
	if (!rtnl)
		return -ENOMEM;
	*rtnl = (struct sp_rtnl){.dev = dev, .fn = fn, .arg = arg};
	int result = open_socket(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
				     RTMGRP_IPV6_ROUTE,
				 &rtnl->socket);
	if (result == 0) {
		rtnl->watch =
		    sp_watch_new(dev, mnl_socket_get_fd(rtnl->socket), SP_READABLE, on_readable, rtnl);
		if (!rtnl->watch)
			result = errno ? -errno : -EIO;
	}
	if (result < 0) {
		sp_rtnl_free(rtnl);
		return result;
	}
	*out = rtnl;
	return 0;
}

void sp_rtnl_free(struct sp_rtnl *rtnl)
{
	if (!rtnl)
		return;
	sp_watch_free(rtnl->watch);
	if (rtnl->socket)
		mnl_socket_close(rtnl->socket);
	free(rtnl);
}
