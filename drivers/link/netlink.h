// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// rtnetlink as a pure function over bytes: links, addresses, default routes and neighbours, each with just
// the attributes that the line's near end is judged by.
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/err.h"

struct sp_nl_link {
	uint32_t index;
	char name[IF_NAMESIZE];
	bool up;      ///< switched on (IFF_UP)
	bool carrier; ///< and connected (IFF_LOWER_UP)
	bool loopback;
	bool physical; ///< Ethernet or radio hardware; not a bridge, VLAN, tunnel, veth, …
	bool has_counters;
	uint64_t rx_bytes, tx_bytes, rx_errors, tx_errors;
};

struct sp_nl_address {
	uint32_t index;
	int family;
	bool usable;     ///< global scope, not tentative, not a failed duplicate, not link-local
	bool link_local; ///< 169.254/16: of a host that no DHCP server answered; fe80::/10: of every one
};

/// A default route of the main table. Without a gateway it is on-link or point-to-point.
struct sp_nl_route {
	int family;
	uint32_t index;
	uint32_t metric;
	int gateway_family; ///< AF_UNSPEC without one; may differ from `family` (RFC 8950)
	uint8_t gateway[16];
};

struct sp_nl_neighbour {
	uint32_t index;
	int family;
	uint16_t state; ///< NUD_*
	uint8_t address[16];
	bool has_mac;
	uint8_t mac[6];
	bool has_age;
	int64_t confirmed_ms; ///< how long ago it last proved alive
};

enum sp_nl_kind {
	SP_NL_LINK,
	SP_NL_LINK_GONE,
	SP_NL_ADDRESS,
	SP_NL_ROUTE, ///< a default route
	SP_NL_NEIGHBOUR,
	SP_NL_CHANGED, ///< something of an address or route went or came: only worth a fresh look
	SP_NL_DONE,    ///< end of a dump, `error` 0 or -errno
	SP_NL_ERROR,   ///< `error`: -errno, or 0 for an acknowledgement
};

struct sp_nl_event {
	enum sp_nl_kind kind;
	uint32_t seq;
	bool interrupted; ///< the table changed during the dump
	union {
		struct sp_nl_link link;
		struct sp_nl_address address;
		struct sp_nl_route route;
		struct sp_nl_neighbour neighbour;
		int error;
	};
};

typedef void (*sp_nl_fn)(const struct sp_nl_event *event, void *arg);

/// Reads one datagram of netlink messages. Messages that are broken or do not concern us
/// are passed over. 0, or -EBADMSG when the framing is broken.
int sp_nl_parse(const void *data, size_t length, sp_nl_fn fn, void *arg) SP_MUST_CHECK;
