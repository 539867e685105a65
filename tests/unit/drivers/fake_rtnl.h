// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// drivers/link/rtnl.h and ethtool.h without a kernel: a test sets the tables and tells of changes.
#pragma once

#include "drivers/link/ethtool.h"
#include "drivers/link/rtnl.h"

/// The tables as the next look finds them.
extern struct fake_tables {
	struct sp_view view;
	int result;           ///< of a look
	int neighbour_result; ///< of sp_rtnl_neighbour()
	struct sp_nl_neighbour neighbour;
	struct sp_link_mode mode;
	unsigned looks;
} fake_tables;

void fake_rtnl_reset(void);
struct sp_nl_link *fake_link(uint32_t index, const char *name, bool carrier);
void fake_unlink(uint32_t index);
void fake_address(uint32_t index, int family);
/// `gateway` as text, NULL: on-link.
void fake_route(uint32_t index, int family, uint32_t metric, const char *gateway);
/// Tells the listening driver; NULL: an overrun.
void fake_change(const struct sp_nl_event *event);
/// "this link is now so", as the kernel tells it.
void fake_link_event(const struct sp_nl_link *link, bool gone);
