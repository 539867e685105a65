// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The two halves of the `gateway` driver: what the tables say, and what the router answers.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "gateway_ask.h"
#include "ping.h"
#include "rtnl.h"
#include "schoolpulse/driver.h"
#include "schoolpulse/io.h"

struct sp_gateway_conf {
	char *interface;
};

enum { SP_GATEWAY_RTT };

struct sp_gateway_family {
	enum sp_family family;
	// ---- by the tables
	bool has_route, has_address, was_connected;
	struct sp_nl_route route;
	char interface[IF_NAMESIZE];
	bool has_carrier;   ///< of the interface that it is, or would be
	bool self_assigned; ///< the host gave itself an address: nobody else did
	bool told_route;
	char told_interface[IF_NAMESIZE];
	enum sp_rung_status address_status;
	int64_t address_since_us;
	// ---- by the router
	bool probing;
	bool echoes;      ///< it has answered echo before: its silence means something
	bool may_echo;    ///< we may send echoes
	bool may_ask;     ///< we may ask by ARP or NDP
	bool spare;       ///< this round may do without an echo
	int64_t echo_us;  ///< when the last one was sent
	unsigned step;    ///< of this round's questions
	unsigned asked;   ///< of them, by ARP or NDP
	int64_t began_us; ///< when the first probe of this round was sent
	struct sp_timer *timer;
	struct sp_ping *ping;
	struct sp_ask *ask; ///< NULL while not listening
	struct sp_exchange *connect;
	enum sp_rung_status status;
	int64_t since_us;
};

void sp_gateway_family_init(struct sp_device *dev, struct sp_gateway_family *f, enum sp_family family);
void sp_gateway_family_free(struct sp_gateway_family *f);

/// Asks the router of a family that has a route; sp_gateway_settled() follows, at once or later.
void sp_gateway_probe(struct sp_device *dev, struct sp_ping *ping, struct sp_gateway_family *f);
/// The route is another: what was known of its router is forgotten.
void sp_gateway_probe_cancel(struct sp_device *dev, struct sp_gateway_family *f);

/// gateway.c: a family has its verdict.
void sp_gateway_settled(struct sp_device *dev);
