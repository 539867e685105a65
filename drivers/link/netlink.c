// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From rtnetlink messages to events (netlink.h). No byte is read before its length was checked, and none
// through a pointer that might be misaligned.
#include "netlink.h"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct sink {
	sp_nl_fn fn;
	void *arg;
	struct sp_nl_event event;
};

static void emit(struct sink *sink, enum sp_nl_kind kind)
{
	sink->event.kind = kind;
	sink->fn(&sink->event, sink->arg);
}

struct attr {
	unsigned type;
	const uint8_t *data;
	size_t size;
};

/// The bytes that are still to be read.
struct rest {
	const uint8_t *at;
	size_t left;
};

static void advance(struct rest *rest, size_t length)
{
	size_t step = NLMSG_ALIGN(length);
	step = step < rest->left ? step : rest->left;
	rest->at += step;
	rest->left -= step;
}

static bool next_attr(struct rest *rest, struct attr *out)
{
	struct nlattr head;
	if (rest->left < sizeof(head))
		return false;
	memcpy(&head, rest->at, sizeof(head));
	if (head.nla_len < sizeof(head) || head.nla_len > rest->left)
		return false;
	*out = (struct attr){head.nla_type & NLA_TYPE_MASK, rest->at + sizeof(head),
			     head.nla_len - sizeof(head)};
	advance(rest, head.nla_len);
	return true;
}

/// The family's header of a message, copied; `rest` is left at its attributes.
static bool get_info(struct rest *rest, void *out, size_t size)
{
	if (rest->left < size)
		return false;
	memcpy(out, rest->at, size);
	advance(rest, size);
	return true;
}

static size_t address_size(int family)
{
	return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
}

static bool get_u32(const struct attr *attr, uint32_t *out)
{
	if (attr->size < sizeof(*out))
		return false;
	memcpy(out, attr->data, sizeof(*out));
	return true;
}

static bool get_address(const struct attr *attr, int family, uint8_t out[16])
{
	size_t size = address_size(family);
	if (size == 0 || attr->size != size)
		return false;
	memcpy(out, attr->data, size);
	return true;
}

static void get_counters(const struct attr *attr, struct sp_nl_link *link)
{
	struct rtnl_link_stats64 stats = {0};
	size_t size = attr->size;
	memcpy(&stats, attr->data, size < sizeof(stats) ? size : sizeof(stats));
	link->has_counters = size >= 8 * sizeof(uint64_t);
	link->rx_bytes = stats.rx_bytes;
	link->tx_bytes = stats.tx_bytes;
	link->rx_errors = stats.rx_errors;
	link->tx_errors = stats.tx_errors;
}

static void parse_link(uint16_t type, struct rest rest, struct sink *sink)
{
	struct ifinfomsg info;
	if (!get_info(&rest, &info, sizeof(info)))
		return;
	struct sp_nl_link *link = &sink->event.link;
	*link = (struct sp_nl_link){
	    .index = (uint32_t)info.ifi_index,
	    .up = info.ifi_flags & IFF_UP,
	    .carrier = info.ifi_flags & IFF_LOWER_UP,
	    .loopback = info.ifi_flags & IFF_LOOPBACK,
	    .physical = info.ifi_type == ARPHRD_ETHER,
	};
	struct attr attr;
	while (next_attr(&rest, &attr)) {
		size_t size = attr.size;
		switch (attr.type) {
		case IFLA_IFNAME:
			if (size && size <= sizeof(link->name))
				memcpy(link->name, attr.data, size);
			link->name[sizeof(link->name) - 1] = '\0';
			break;
		case IFLA_LINKINFO:
			link->physical = false; // only software devices describe themselves
			break;
		case IFLA_STATS64:
			get_counters(&attr, link);
			break;
		}
	}
	// Messages of other families speak of a bridge's port, not of the link.
	if (info.ifi_family == AF_UNSPEC && link->index && link->name[0])
		emit(sink, type == RTM_DELLINK ? SP_NL_LINK_GONE : SP_NL_LINK);
}

static void parse_address(uint16_t type, struct rest rest, struct sink *sink)
{
	if (type == RTM_DELADDR) {
		emit(sink, SP_NL_CHANGED);
		return;
	}
	struct ifaddrmsg info;
	if (!get_info(&rest, &info, sizeof(info)))
		return;
	uint32_t flags = info.ifa_flags;
	uint8_t bytes[16] = {0};
	bool known = false;
	struct attr attr;
	while (next_attr(&rest, &attr)) {
		if (attr.type == IFA_FLAGS)
			(void)get_u32(&attr, &flags);
		else if (attr.type == IFA_LOCAL || (attr.type == IFA_ADDRESS && !known))
			known |= get_address(&attr, info.ifa_family, bytes);
	}
	if (!known)
		return;
	bool link_local = info.ifa_family == AF_INET ? bytes[0] == 169 && bytes[1] == 254
						     : bytes[0] == 0xfe && bytes[1] >> 6 == 2;
	sink->event.address = (struct sp_nl_address){
	    .index = info.ifa_index,
	    .family = info.ifa_family,
	    .link_local = link_local,
	    .usable = info.ifa_scope == RT_SCOPE_UNIVERSE && !link_local &&
		      !(flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)),
	};
	emit(sink, SP_NL_ADDRESS);
}

static void get_via(const struct attr *attr, struct sp_nl_route *route)
{
	struct rtvia via;
	size_t size = attr->size;
	if (size < sizeof(via))
		return;
	const uint8_t *payload = attr->data;
	memcpy(&via, payload, sizeof(via));
	size_t bytes = address_size(via.rtvia_family);
	if (bytes == 0 || size < offsetof(struct rtvia, rtvia_addr) + bytes)
		return;
	route->gateway_family = via.rtvia_family;
	memcpy(route->gateway, payload + offsetof(struct rtvia, rtvia_addr), bytes);
}

static void route_attribute(const struct attr *attr, struct sp_nl_route *route)
{
	switch (attr->type) {
	case RTA_OIF:
		(void)get_u32(attr, &route->index);
		break;
	case RTA_PRIORITY:
		(void)get_u32(attr, &route->metric);
		break;
	case RTA_GATEWAY:
		if (get_address(attr, route->family, route->gateway))
			route->gateway_family = route->family;
		break;
	case RTA_VIA:
		get_via(attr, route);
		break;
	}
}

/// Each hop of a multipath route is a default route of its own: whichever is alive.
static void parse_hops(const struct attr *hops, struct sink *sink)
{
	const struct sp_nl_route base = sink->event.route;
	struct rest rest = {hops->data, hops->size};
	struct rtnexthop hop;
	while (rest.left >= sizeof(hop)) {
		memcpy(&hop, rest.at, sizeof(hop));
		if (hop.rtnh_len < sizeof(hop) || hop.rtnh_len > rest.left)
			return;
		struct sp_nl_route *route = &sink->event.route;
		*route = base;
		route->index = (uint32_t)hop.rtnh_ifindex;
		struct rest attrs = {rest.at + sizeof(hop), hop.rtnh_len - sizeof(hop)};
		struct attr attr;
		while (next_attr(&attrs, &attr))
			route_attribute(&attr, route);
		if (!(hop.rtnh_flags & RTNH_F_DEAD) && route->index)
			emit(sink, SP_NL_ROUTE);
		advance(&rest, hop.rtnh_len);
	}
}

static void parse_route(uint16_t type, struct rest rest, struct sink *sink)
{
	struct rtmsg info;
	if (!get_info(&rest, &info, sizeof(info)))
		return;
	if (info.rtm_dst_len != 0 || info.rtm_type != RTN_UNICAST || !address_size(info.rtm_family) ||
	    info.rtm_flags & RTM_F_CLONED)
		return;
	if (type == RTM_DELROUTE) {
		emit(sink, SP_NL_CHANGED);
		return;
	}
	struct sp_nl_route *route = &sink->event.route;
	*route = (struct sp_nl_route){.family = info.rtm_family};
	uint32_t table = info.rtm_table;
	struct attr attr, hops = {0};
	while (next_attr(&rest, &attr)) {
		if (attr.type == RTA_TABLE)
			(void)get_u32(&attr, &table);
		else if (attr.type == RTA_MULTIPATH)
			hops = attr;
		else
			route_attribute(&attr, route);
	}
	if (table != RT_TABLE_MAIN)
		return;
	if (hops.data)
		parse_hops(&hops, sink);
	else if (route->index && !(info.rtm_flags & RTNH_F_DEAD))
		emit(sink, SP_NL_ROUTE);
}

static void parse_neighbour(struct rest rest, struct sink *sink)
{
	struct ndmsg info;
	if (!get_info(&rest, &info, sizeof(info)))
		return;
	struct sp_nl_neighbour *neighbour = &sink->event.neighbour;
	*neighbour = (struct sp_nl_neighbour){
	    .index = (uint32_t)info.ndm_ifindex,
	    .family = info.ndm_family,
	    .state = info.ndm_state,
	};
	bool known = false;
	struct attr attr;
	while (next_attr(&rest, &attr)) {
		struct nda_cacheinfo ages;
		if (attr.type == NDA_DST) {
			known = get_address(&attr, info.ndm_family, neighbour->address);
		} else if (attr.type == NDA_LLADDR && attr.size == sizeof(neighbour->mac)) {
			neighbour->has_mac = true;
			memcpy(neighbour->mac, attr.data, sizeof(neighbour->mac));
		} else if (attr.type == NDA_CACHEINFO && attr.size >= sizeof(ages)) {
			memcpy(&ages, attr.data, sizeof(ages));
			long ticks = sysconf(_SC_CLK_TCK);
			neighbour->has_age = ticks > 0;
			neighbour->confirmed_ms = ticks > 0 ? (int64_t)ages.ndm_confirmed * 1000 / ticks : 0;
		}
	}
	if (known)
		emit(sink, SP_NL_NEIGHBOUR);
}

static void parse_end(uint16_t type, struct rest rest, struct sink *sink)
{
	bool done = type == NLMSG_DONE;
	if (get_info(&rest, &sink->event.error, sizeof(int)) || done)
		emit(sink, done ? SP_NL_DONE : SP_NL_ERROR);
}

static void parse_message(const struct nlmsghdr *head, struct rest rest, struct sink *sink)
{
	memset(&sink->event, 0, sizeof(sink->event));
	sink->event.seq = head->nlmsg_seq;
	sink->event.interrupted = head->nlmsg_flags & NLM_F_DUMP_INTR;
	switch (head->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		parse_link(head->nlmsg_type, rest, sink);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		parse_address(head->nlmsg_type, rest, sink);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		parse_route(head->nlmsg_type, rest, sink);
		break;
	case RTM_NEWNEIGH:
		parse_neighbour(rest, sink);
		break;
	case NLMSG_DONE:
	case NLMSG_ERROR:
		parse_end(head->nlmsg_type, rest, sink);
		break;
	}
}

int sp_nl_parse(const void *data, size_t length, sp_nl_fn fn, void *arg)
{
	struct sink sink = {.fn = fn, .arg = arg};
	struct rest rest = {data, length};
	struct nlmsghdr head;
	while (rest.left >= sizeof(head)) {
		memcpy(&head, rest.at, sizeof(head));
		if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > rest.left)
			return -EBADMSG;
		parse_message(&head, (struct rest){rest.at + sizeof(head), head.nlmsg_len - sizeof(head)},
			      &sink);
		advance(&rest, head.nlmsg_len);
	}
	return rest.left ? -EBADMSG : 0;
}
