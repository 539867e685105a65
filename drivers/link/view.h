// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One look at the kernel's tables: links, usable addresses, default routes; and which of them are the line's.
#pragma once

#include "netlink.h"

enum { SP_VIEW_LINKS = 64, SP_VIEW_ADDRESSES = 128, SP_VIEW_ROUTES = 32 };

/// What does not fit is left out: physical links come first in the kernel's order.
struct sp_view {
	size_t link_count, address_count, route_count;
	struct sp_nl_link links[SP_VIEW_LINKS];
	struct sp_nl_address addresses[SP_VIEW_ADDRESSES];
	struct sp_nl_route routes[SP_VIEW_ROUTES];
};

void sp_view_add(struct sp_view *view, const struct sp_nl_event *event);

const struct sp_nl_link *sp_view_link(const struct sp_view *view, uint32_t index);
const struct sp_nl_link *sp_view_link_named(const struct sp_view *view, const char *name);
/// A usable address of the family on that link.
bool sp_view_has_address(const struct sp_view *view, int family, uint32_t index);
/// The link gave itself an IPv4 address (RFC 3927), because no DHCP server gave it one.
bool sp_view_self_assigned(const struct sp_view *view, uint32_t index);
/// The default route with the lowest metric; index 0: over any link. NULL without one.
const struct sp_nl_route *sp_view_default(const struct sp_view *view, int family, uint32_t index);

/// The line's interface. `wanted` names it, or is "auto": that of the lowest default route (IPv4 before
/// IPv6), or while there is none the one that it was (`kept`, "" for none), or the only physical link that is
/// up. NULL: unknown.
const struct sp_nl_link *sp_view_choose(const struct sp_view *view, const char *wanted, const char *kept);
