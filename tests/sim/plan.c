// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A month's misfortune out of a seed.
#include "tests/sim/plan.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

static int64_t any(struct sim_rng *rng, int64_t from, int64_t to)
{
	return sim_rng_between(rng, from, to);
}

static void plan_school(struct sim_world *world, struct sim_rng *rng)
{
	world->school = (struct sim_school){
	    .ipv6 = sim_rng_chance(rng, 600000),
	    .router_deaf = sim_rng_chance(rng, 200000),
	    .keeps_lease = sim_rng_chance(rng, 500000),
	    .portal_echo = sim_rng_chance(rng, 300000),
	    .chip = sim_rng_chance(rng, 500000),
	    .hub_time = sim_rng_chance(rng, 500000),
	    .may_ask = sim_rng_chance(rng, 800000),
	    .loss = sim_rng_chance(rng, 500000) ? (unsigned)any(rng, 0, 3000) : 0,
	    .drift_ppm = any(rng, -50, 50),
	    .switched = sim_rng_chance(rng, 750000),
	};
}

static void add(struct sim_world *world, enum sim_fault_kind kind, int64_t from_ms, int64_t length_ms,
		int64_t value)
{
	sim_world_add(world, (struct sim_fault){kind, from_ms, from_ms + length_ms, value});
}

/// The main switch: off in the evening, on in the morning, off on Saturday afternoon until Monday.
static void plan_nights(struct sim_world *world, struct sim_rng *rng)
{
	for (int64_t day = world->from_ms, index = 0; day < world->to_ms; day += DAY, index++) {
		int64_t on = day + 6 * HOUR + any(rng, 15 * MINUTE, 50 * MINUTE);
		int64_t off = day + (index % 7 == 5 ? 12 : 17) * HOUR + any(rng, 0, 30 * MINUTE);
		if (index % 7 == 6) {
			add(world, SIM_POWER, day, DAY, 0);
			continue;
		}
		add(world, SIM_POWER, day, on - day, 0);
		add(world, SIM_POWER, off, day + DAY - off, 0);
	}
}

/// From a flap to an afternoon.
static int64_t length(struct sim_rng *rng)
{
	switch (any(rng, 0, 3)) {
	case 0:
		return any(rng, 1 * SECOND, 20 * SECOND);
	case 1:
		return any(rng, 20 * SECOND, 5 * MINUTE);
	case 2:
		return any(rng, 5 * MINUTE, 40 * MINUTE);
	}
	return any(rng, 40 * MINUTE, 5 * HOUR);
}

static enum sim_fault_kind line_fault(struct sim_rng *rng)
{
	static const enum sim_fault_kind kinds[] = {SIM_CABLE,  SIM_ADDRESS, SIM_ROUTER, SIM_ACCESS,
						    SIM_ACCESS, SIM_CORE,    SIM_ABROAD, SIM_DNS,
						    SIM_PORTAL, SIM_IPV4,    SIM_IPV6};
	return kinds[any(rng, 0, (int64_t)(sizeof(kinds) / sizeof(kinds[0])) - 1)];
}

static void plan_flaps(struct sim_world *world, struct sim_rng *rng, int64_t at)
{
	enum sim_fault_kind kind = line_fault(rng);
	int64_t flaps = any(rng, 3, 20);
	for (int64_t i = 0; i < flaps; i++) {
		int64_t down = any(rng, 1 * SECOND, 40 * SECOND);
		add(world, kind, at, down, 0);
		at += down + any(rng, 1 * SECOND, 60 * SECOND);
	}
}

static void plan_line(struct sim_world *world, struct sim_rng *rng)
{
	int64_t span = world->to_ms - world->from_ms, days = span / DAY > 0 ? span / DAY : 1;
	for (int64_t i = any(rng, days / 2, 2 * days + 1); i > 0; i--) {
		int64_t at = world->from_ms + any(rng, 0, span);
		add(world, line_fault(rng), at, length(rng), 0);
		if (sim_rng_chance(rng, 200000)) // and another on top of it
			add(world, line_fault(rng), at + any(rng, 0, 10 * MINUTE), length(rng), 0);
		if (sim_rng_chance(rng, 100000))
			plan_flaps(world, rng, at + any(rng, -HOUR, HOUR));
	}
	for (int64_t i = any(rng, 0, 1 + days / 10); i > 0; i--)
		add(world, SIM_LOSS, world->from_ms + any(rng, 0, span), DAY, 30000);
	for (int64_t i = any(rng, 0, 3); i > 0; i--)
		add(world, SIM_ANCHOR, world->from_ms + any(rng, 0, span), any(rng, HOUR, 3 * DAY),
		    any(rng, 0, SIM_HOME_ANCHORS + SIM_FAMILY_ANCHORS - 1));
}

static void plan_board(struct sim_world *world, struct sim_rng *rng)
{
	int64_t span = world->to_ms - world->from_ms, days = span / DAY > 0 ? span / DAY : 1;
	for (int64_t i = any(rng, 0, 1 + days / 4); i > 0; i--)
		add(world, SIM_POWER, world->from_ms + any(rng, 0, span), any(rng, 2 * SECOND, 3 * HOUR), 0);
	for (int64_t i = any(rng, 0, 1 + days / 5); i > 0; i--)
		add(world, SIM_AGENT, world->from_ms + any(rng, 0, span), any(rng, 1 * SECOND, 2 * MINUTE),
		    0);
	for (int64_t i = any(rng, 0, 1 + days / 10); i > 0; i--)
		add(world, SIM_STOP, world->from_ms + any(rng, 0, span), any(rng, 2 * SECOND, 5 * MINUTE),
		    any(rng, 0, 1));
	for (int64_t i = any(rng, 0, 1 + days / 10); i > 0; i--)
		add(world, SIM_HUB, world->from_ms + any(rng, 0, span), any(rng, MINUTE, 4 * DAY), 0);
	for (int64_t i = any(rng, 0, 1 + days / 10); i > 0; i--)
		add(world, SIM_NTP, world->from_ms + any(rng, 0, span), any(rng, MINUTE, 30 * HOUR), 0);
	for (int64_t i = any(rng, 0, 1 + days / 10); i > 0; i--)
		add(world, SIM_STEP, world->from_ms + any(rng, 0, span), any(rng, MINUTE, HOUR),
		    any(rng, -40 * INT64_C(1) * DAY, 40 * INT64_C(1) * DAY));
}

/// The last hour is quiet, so that everything can end and arrive.
static void quieten(struct sim_world *world)
{
	int64_t quiet_ms = world->to_ms - HOUR;
	for (size_t i = 0; i < world->count; i++) {
		struct sim_fault *fault = &world->faults[i];
		if (fault->from_ms >= quiet_ms)
			fault->from_ms = fault->to_ms = world->from_ms;
		else if (fault->to_ms > quiet_ms)
			fault->to_ms = quiet_ms;
	}
}

void sim_plan_seed(struct sim_world *world, uint64_t seed)
{
	struct sim_rng rng = sim_rng_fork(seed, 'p');
	plan_school(world, &rng);
	if (world->school.switched)
		plan_nights(world, &rng);
	plan_line(world, &rng);
	plan_board(world, &rng);
	quieten(world);
	sim_world_ready(world);
}
