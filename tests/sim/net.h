// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The world as the real drivers meet it, in place of the kernel: the exchanges of io.h, the echoes of
// drivers/link/ping.h, the tables of drivers/link/rtnl.h. What is defined in net_*.c is not pulled out of the
// libraries; everything above it is the product's own.
#pragma once

#include <sys/socket.h>

#include "tests/sim/clock.h"
#include "tests/sim/world.h"

struct sim_net {
	struct sim_world *world;
	struct sim_clock *clock;
	struct sim_rng rng;
	int64_t packets; ///< sent, for the figures
};

/// From now on the process's network. One at a time.
void sim_net_use(struct sim_net *net);
/// The world may have changed: tells who listens to the kernel's tables.
void sim_net_changed(void);

// ---- between the files of the net ---------------------------------------------------------------------

extern struct sim_net *sim_net;

const struct sim_state *sim_net_state(void);
/// There is an address and a route of that family: a packet can be sent, wherever it ends.
bool sim_net_has_route(int family);

struct sim_trip {
	bool back;    ///< the answer comes
	bool expired; ///< it is a router's word that the hop limit was used up
	int64_t rtt_ms;
	struct sockaddr_storage from;
};
/// One datagram to `address`, not an echo, and its answer.
struct sim_trip sim_net_datagram(const struct sockaddr_storage *address);
/// An echo; `ttl` and `size` as in struct sp_ping_question.
struct sim_trip sim_net_trip(const struct sockaddr_storage *address, unsigned ttl, size_t size);
