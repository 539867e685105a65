// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The rtnetlink socket: listening for changes, and looking at the tables. A look is never put together from
// changes: the kernel does not tell all of them (IPv4 routes that go with their link), so a change only says
// when to look again.
#pragma once

#include "netlink.h"
#include "view.h"

struct sp_device;
struct sp_rtnl;

/// `event` is a change of a link, address or default route; NULL: changes were lost, look afresh. May not
/// free the socket.
typedef void (*sp_rtnl_fn)(struct sp_device *dev, const struct sp_nl_event *event, void *arg);

/// 0 or -errno.
int sp_rtnl_listen(struct sp_device *dev, sp_rtnl_fn fn, void *arg, struct sp_rtnl **out) SP_MUST_CHECK;
void sp_rtnl_free(struct sp_rtnl *rtnl); ///< NULL is fine

/// All tables at this moment. Does not wait: the kernel answers in the same breath. 0 or -errno.
int sp_rtnl_look(struct sp_view *out) SP_MUST_CHECK;
/// What the kernel knows of one neighbour. 0, -ENOENT when it knows none, or -errno.
int sp_rtnl_neighbour(uint32_t index, int family, const uint8_t address[16],
		      struct sp_nl_neighbour *out) SP_MUST_CHECK;
