// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The world around a simulated board: the line from the socket to the hub, and what is broken when. Time is
// true time in milliseconds of Unix time, which nobody on the board knows for certain.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/sim/rng.h"

enum sim_fault_kind {
	SIM_CABLE,   ///< no carrier
	SIM_ADDRESS, ///< the lease ran out and nobody gives another
	SIM_ROUTER,  ///< the school's router is dead
	SIM_ACCESS,  ///< nothing beyond the router answers
	SIM_CORE,    ///< the provider's first hop answers, nothing beyond does
	SIM_ABROAD,
	SIM_DNS,
	SIM_PORTAL, ///< a captive portal answers in everybody's place
	SIM_IPV4,   ///< this family alone, beyond the router
	SIM_IPV6,
	SIM_HUB,    ///< broker and hub are not there
	SIM_LOSS,   ///< `value`: packets lost in a million, each way
	SIM_ANCHOR, ///< `value`: this anchor is dead
	SIM_POWER,  ///< the board has no power
	SIM_AGENT,  ///< the agent died, and is started again at the end
	SIM_STOP,   ///< the agent was stopped cleanly, and is started again at the end, `value` 1: after a
		    ///< reboot
	SIM_NTP,    ///< no time server answers
	SIM_STEP,   ///< somebody sets the clock wrong by `value` ms; at the end NTP sets it right
};
#define SIM_FAULTS 18
extern const char *const sim_fault_names[SIM_FAULTS];

struct sim_fault {
	enum sim_fault_kind kind;
	int64_t from_ms, to_ms; ///< [from, to)
	int64_t value;
};

/// What a school is like, all month long.
struct sim_school {
	bool ipv6;
	bool router_deaf; ///< the router ignores echoes
	bool keeps_lease; ///< addresses and routes outlive the carrier
	bool portal_echo; ///< a captive portal lets echoes through
	bool chip;        ///< the board's chip remembers why it was reset
	bool hub_time;    ///< the hub tells the time with its acknowledgements
	bool may_ask;     ///< the agent may ask by ARP and NDP itself
	unsigned loss;    ///< packets in a million, each way, on every day
	int64_t drift_ppm;
	bool switched; ///< the main switch is turned off every evening
};

/// What works at one moment.
struct sim_state {
	bool carrier, address, router, access, core, abroad, dns, portal, family[3], hub, ntp;
	bool board, agent; ///< has power; runs
	unsigned loss;     ///< in a million, each way
	uint32_t dead_anchors;
	int64_t step_ms;
};

enum { SIM_FAULTS_MAX = 4096 };

struct sim_world {
	struct sim_school school;
	struct sim_fault *faults; ///< by the time of their beginning
	size_t count;
	int64_t from_ms, to_ms; ///< of the simulation
	// ---- private
	struct sim_state state;
	int64_t state_from_ms, state_to_ms; ///< for which `state` holds
};

void sim_world_add(struct sim_world *world, struct sim_fault fault);
/// Sorts; after the last sim_world_add().
void sim_world_ready(struct sim_world *world);
void sim_world_free(struct sim_world *world);

const struct sim_state *sim_world_at(struct sim_world *world, int64_t t_ms);
/// When anything changes next, after `t_ms`; the simulation's end if nothing does.
int64_t sim_world_next(struct sim_world *world, int64_t t_ms);

/// Where a packet is sent.
enum sim_place { SIM_AT_ROUTER, SIM_AT_ACCESS, SIM_AT_HOME, SIM_AT_ABROAD, SIM_AT_HUB };
/// Does the path there work, router's own ears apart? `family`: 4 or 6.
bool sim_path(const struct sim_state *state, enum sim_place place, int family);

// ---- addresses ------------------------------------------------------------------------------------

#define SIM_ROUTER4 "192.168.1.1"
#define SIM_ROUTER6 "fe80::1"
/// As the router calls itself in ICMP errors.
#define SIM_ROUTER6_WIDE "2001:db8:c::1"
#define SIM_ACCESS4      "192.0.2.1"
#define SIM_ACCESS6      "2001:db8:1::1"
#define SIM_PORTAL_HOST  "203.0.113.80"
enum { SIM_HOME_ANCHORS = 3, SIM_ABROAD_ANCHORS = 3, SIM_FAMILY_ANCHORS = 2 };
#define SIM_HOME4   "203.0.113.1", "203.0.113.2", "203.0.113.3"
#define SIM_HOME6   "2001:db8:a::1", "2001:db8:a::2"
#define SIM_ABROAD4 "198.51.100.1", "198.51.100.2", "198.51.100.3"
#define SIM_ABROAD6 "2001:db8:b::1", "2001:db8:b::2"
/// Who is it? `anchor`: the bit in `dead_anchors`, 0 for none. False: nobody.
bool sim_who(const char *address, enum sim_place *place, uint32_t *anchor);
