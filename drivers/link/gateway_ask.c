// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The sockets of sp_ask (gateway_ask.h): a packet socket for ARP, a raw one for ICMPv6, both with filters, so
// that the kernel keeps away what cannot be an answer. Both need CAP_NET_RAW.
#include "gateway_ask.h"

#include <linux/filter.h>
#include <linux/if_arp.h>
#include <linux/if_packet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway_wire.h"
#include "rtnl.h"
#include "schoolpulse/io.h"

enum {
	MESSAGE = 1500,
	WAKE_LIMIT = 32, ///< messages read at one go
	ETH_ARP = 0x0806,
};

struct sp_ask {
	struct sp_device *dev;
	struct sp_ask_whom whom;
	struct sp_neighbour_query query;
	int fd;
	struct sp_watch *watch;
	unsigned sent;
	int64_t sent_us;
	sp_ask_fn fn;
	void *arg;
};

// ---- who we are -------------------------------------------------------------------------------

/// The link's own address; -EOPNOTSUPP where ARP and NDP are not spoken.
static int own_mac(struct sp_ask *ask)
{
	struct ifreq request = {0};
	memcpy(request.ifr_name, ask->whom.interface, sizeof(request.ifr_name) - 1);
	if (ioctl(ask->fd, SIOCGIFFLAGS, &request) < 0)
		return -errno;
	if (request.ifr_flags & (IFF_NOARP | IFF_LOOPBACK | IFF_POINTOPOINT))
		return -EOPNOTSUPP;
	if (ioctl(ask->fd, SIOCGIFHWADDR, &request) < 0)
		return -errno;
	if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return -EOPNOTSUPP;
	memcpy(ask->query.own_mac, request.ifr_hwaddr.sa_data, SP_MAC);
	return 0;
}

static socklen_t make_address(const struct sp_ask *ask, const uint8_t *bytes, uint16_t port,
			      struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (ask->whom.family == AF_INET6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		in6->sin6_scope_id = ask->whom.index;
		memcpy(&in6->sin6_addr, bytes, 16);
		return sizeof(*in6);
	}
	struct sockaddr_in *in = (struct sockaddr_in *)out;
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	memcpy(&in->sin_addr, bytes, 4);
	return sizeof(*in);
}

/// The address that the kernel would speak to the router from. Nothing is sent.
static int own_address(struct sp_ask *ask)
{
	struct sockaddr_storage address;
	socklen_t size = make_address(ask, ask->whom.address, 9, &address);
	const char *interface = ask->whom.interface;
	int fd = socket(ask->whom.family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int result = 0;
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)) < 0 ||
	    connect(fd, (struct sockaddr *)&address, size) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		result = -errno;
	close(fd);
	if (result == 0 && ask->whom.family == AF_INET6)
		memcpy(ask->query.own, &((struct sockaddr_in6 *)&address)->sin6_addr, 16);
	else if (result == 0)
		memcpy(ask->query.own, &((struct sockaddr_in *)&address)->sin_addr, 4);
	return result;
}

// ---- sockets ----------------------------------------------------------------------------------

static int open_arp(struct sp_ask *ask)
{
	// Replies alone: the operation is the fourth half-word of an ARP message.
	static struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 2, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, MESSAGE),
	    BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog filter = {SP_COUNT(code), code};
	const struct sockaddr_ll here = {
	    .sll_family = AF_PACKET, .sll_protocol = htons(ETH_ARP), .sll_ifindex = (int)ask->whom.index};
	// Protocol 0 hears nothing until the filter stands and the interface is chosen.
	ask->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (ask->fd < 0)
		return -errno;
	if (setsockopt(ask->fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0 ||
	    bind(ask->fd, (const struct sockaddr *)&here, sizeof(here)) < 0)
		return -errno;
	return 0;
}

static int open_ndp(struct sp_ask *ask)
{
	struct icmp6_filter filter;
	const char *interface = ask->whom.interface;
	int on = 1, hops = SP_NDP_HOPS;
	ICMP6_FILTER_SETBLOCKALL(&filter);
	ICMP6_FILTER_SETPASS(ND_NEIGHBOR_ADVERT, &filter);
	ask->fd = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMPV6);
	if (ask->fd < 0)
		return -errno;
	if (setsockopt(ask->fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter)) < 0 ||
	    setsockopt(ask->fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)) < 0 ||
	    setsockopt(ask->fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof(hops)) < 0 ||
	    setsockopt(ask->fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)) < 0 ||
	    setsockopt(ask->fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &ask->whom.index, sizeof(uint32_t)) < 0 ||
	    setsockopt(ask->fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof(on)) < 0 ||
	    setsockopt(ask->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) < 0)
		return -errno;
	return 0;
}

/// To the router and to all from the same address: it is what the answer is recognised by.
static int bind_ndp(const struct sp_ask *ask)
{
	struct sockaddr_storage here;
	socklen_t size = make_address(ask, ask->query.own, 0, &here);
	return bind(ask->fd, (struct sockaddr *)&here, size) < 0 ? -errno : 0;
}

// ---- what comes back --------------------------------------------------------------------------

static void read_way(struct msghdr *message, const struct sockaddr_ll *from, bool arp,
		     struct sp_neighbour_way *out)
{
	*out = (struct sp_neighbour_way){.hops = -1};
	if (arp) {
		out->to_us = from->sll_pkttype == PACKET_HOST && from->sll_halen == SP_MAC;
		memcpy(out->from_mac, from->sll_addr, SP_MAC);
		return;
	}
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		struct in6_pktinfo info;
		if (c->cmsg_level != IPPROTO_IPV6)
			continue;
		if (c->cmsg_type == IPV6_HOPLIMIT && c->cmsg_len >= CMSG_LEN(sizeof(int))) {
			memcpy(&out->hops, CMSG_DATA(c), sizeof(int));
		} else if (c->cmsg_type == IPV6_PKTINFO && c->cmsg_len >= CMSG_LEN(sizeof(info))) {
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			memcpy(out->to, &info.ipi6_addr, 16);
			out->to_us = !IN6_IS_ADDR_MULTICAST(&info.ipi6_addr);
		}
	}
}

/// True for an answer; `*more` false when nothing is left to read.
static bool read_one(const struct sp_ask *ask, bool *more)
{
	uint8_t data[MESSAGE], control[256] __attribute__((aligned(8)));
	bool arp = ask->whom.family == AF_INET;
	struct sockaddr_storage from = {0};
	struct iovec iov = {data, sizeof(data)};
	struct msghdr message = {.msg_name = &from,
				 .msg_namelen = sizeof(from),
				 .msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(ask->fd, &message, MSG_DONTWAIT);
	*more = n >= 0 || errno == EINTR;
	if (n < 0)
		return false;
	struct sp_neighbour_way way;
	read_way(&message, (const struct sockaddr_ll *)&from, arp, &way);
	return arp ? sp_arp_answers(data, (size_t)n, &ask->query, &way)
		   : sp_ndp_answers(data, (size_t)n, &ask->query, &way);
}

static void on_readable(struct sp_device *dev, int fd, unsigned events, void *arg)
{
	(void)fd, (void)events;
	struct sp_ask *ask = arg;
	bool more = true;
	for (int i = 0; i < WAKE_LIMIT && more; i++) {
		// Before the first question there is nothing to answer.
		if (!read_one(ask, &more) || ask->sent == 0)
			continue;
		ask->fn(dev, ask->sent == 1 ? sp_device_now_us(dev) - ask->sent_us : -1, ask->arg);
		return; // it may be gone
	}
}

// ---- asking -----------------------------------------------------------------------------------

int sp_ask_open(struct sp_device *dev, const struct sp_ask_whom *whom, sp_ask_fn fn, void *arg,
		struct sp_ask **out)
{
	struct sp_ask *ask = calloc(1, sizeof(*ask));
	if (!ask)
		return -ENOMEM;
	*ask = (struct sp_ask){.dev = dev, .whom = *whom, .fd = -1, .fn = fn, .arg = arg};
	memcpy(ask->query.target, whom->address, sizeof(ask->query.target));
	int result = whom->family == AF_INET6 ? open_ndp(ask) : open_arp(ask);
	if (result == 0)
		result = own_mac(ask);
	if (result == 0)
		result = own_address(ask);
	if (result == 0 && whom->family == AF_INET6)
		result = bind_ndp(ask);
	if (result == 0) {
		ask->watch = sp_watch_new(dev, ask->fd, SP_READABLE, on_readable, ask);
		if (!ask->watch)
			result = errno ? -errno : -EIO;
	}
	if (result < 0) {
		sp_ask_free(ask);
		return result;
	}
	*out = ask;
	return 0;
}

static ssize_t send_arp(const struct sp_ask *ask, bool broad)
{
	uint8_t message[SP_ARP_SIZE];
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_ARP),
				 .sll_ifindex = (int)ask->whom.index,
				 .sll_halen = SP_MAC};
	struct sp_nl_neighbour known = {0};
	int result = broad ? -ENOENT : sp_rtnl_neighbour(ask->whom.index, AF_INET, ask->whom.address, &known);
	if (result == 0 && known.has_mac)
		memcpy(to.sll_addr, known.mac, SP_MAC);
	else
		memset(to.sll_addr, 0xff, SP_MAC);
	sp_arp_encode(message, &ask->query);
	return sendto(ask->fd, message, sizeof(message), 0, (struct sockaddr *)&to, sizeof(to));
}

/// To one address the kernel's own knowledge of the neighbour is used, and refreshed.
static ssize_t send_ndp(const struct sp_ask *ask, bool broad)
{
	uint8_t message[SP_NDP_SIZE], group[16];
	struct sockaddr_storage to;
	sp_ndp_group(group, ask->whom.address);
	socklen_t size = make_address(ask, broad ? group : ask->whom.address, 0, &to);
	sp_ndp_encode(message, &ask->query);
	return sendto(ask->fd, message, sizeof(message), 0, (struct sockaddr *)&to, size);
}

int sp_ask_send(struct sp_ask *ask, bool broad)
{
	int64_t now = sp_device_now_us(ask->dev);
	ssize_t n = ask->whom.family == AF_INET6 ? send_ndp(ask, broad) : send_arp(ask, broad);
	if (n < 0)
		return -errno;
	ask->sent++;
	ask->sent_us = now;
	return 0;
}

void sp_ask_free(struct sp_ask *ask)
{
	if (!ask)
		return;
	sp_watch_free(ask->watch);
	if (ask->fd >= 0)
		close(ask->fd);
	free(ask);
}
