// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Faults as intervals, and what is left working in between.
#include "tests/sim/world.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"

const char *const sim_fault_names[SIM_FAULTS] = {
    [SIM_CABLE] = "cable",   [SIM_ADDRESS] = "address", [SIM_ROUTER] = "router", [SIM_ACCESS] = "access",
    [SIM_CORE] = "core",     [SIM_ABROAD] = "abroad",   [SIM_DNS] = "dns",       [SIM_PORTAL] = "portal",
    [SIM_IPV4] = "ipv4",     [SIM_IPV6] = "ipv6",       [SIM_HUB] = "hub",       [SIM_LOSS] = "loss",
    [SIM_ANCHOR] = "anchor", [SIM_POWER] = "power",     [SIM_AGENT] = "agent",   [SIM_STOP] = "stop",
    [SIM_NTP] = "ntp",       [SIM_STEP] = "step",
};

void sim_world_add(struct sim_world *world, struct sim_fault fault)
{
	if (fault.to_ms > world->to_ms)
		fault.to_ms = world->to_ms;
	if (fault.from_ms >= fault.to_ms || world->count >= SIM_FAULTS_MAX)
		return;
	world->faults = sp_realloc(world->faults, (world->count + 1) * sizeof(*world->faults));
	world->faults[world->count++] = fault;
}

static int64_t order(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int by_time(const void *a, const void *b)
{
	const struct sim_fault *x = a, *y = b;
	int64_t result = order(x->from_ms, y->from_ms);
	if (result == 0)
		result = order(x->to_ms, y->to_ms);
	if (result == 0)
		result = order(x->kind, y->kind);
	return (int)(result ? result : order(x->value, y->value));
}

void sim_world_ready(struct sim_world *world)
{
	if (world->count > 0)
		qsort(world->faults, world->count, sizeof(*world->faults), by_time);
	world->state_from_ms = world->state_to_ms = INT64_MIN;
}

void sim_world_free(struct sim_world *world)
{
	free(world->faults);
	world->faults = NULL;
	world->count = 0;
}

static void apply(struct sim_state *state, const struct sim_fault *fault)
{
	switch (fault->kind) {
	case SIM_CABLE:
		state->carrier = false;
		break;
	case SIM_ADDRESS:
		state->address = false;
		break;
	case SIM_ROUTER:
		state->router = false;
		break;
	case SIM_ACCESS:
		state->access = false;
		break;
	case SIM_CORE:
		state->core = false;
		break;
	case SIM_ABROAD:
		state->abroad = false;
		break;
	case SIM_DNS:
		state->dns = false;
		break;
	case SIM_PORTAL:
		state->portal = true;
		break;
	case SIM_IPV4:
		state->family[1] = false;
		break;
	case SIM_IPV6:
		state->family[2] = false;
		break;
	case SIM_HUB:
		state->hub = false;
		break;
	case SIM_LOSS:
		state->loss += (unsigned)fault->value;
		break;
	case SIM_ANCHOR:
		state->dead_anchors |= 1u << (fault->value & 31);
		break;
	case SIM_POWER:
		state->board = state->agent = false;
		break;
	case SIM_AGENT:
	case SIM_STOP:
		state->agent = false;
		break;
	case SIM_NTP:
		state->ntp = false;
		break;
	case SIM_STEP:
		state->step_ms += fault->value;
		break;
	}
}

static void look(struct sim_world *world, int64_t t_ms)
{
	struct sim_state *state = &world->state;
	*state = (struct sim_state){.carrier = true,
				    .address = true,
				    .router = true,
				    .access = true,
				    .core = true,
				    .abroad = true,
				    .dns = true,
				    .family = {true, true, true},
				    .hub = true,
				    .ntp = true,
				    .board = true,
				    .agent = true,
				    .loss = world->school.loss};
	world->state_from_ms = INT64_MIN;
	world->state_to_ms = INT64_MAX;
	for (size_t i = 0; i < world->count; i++) {
		const struct sim_fault *fault = &world->faults[i];
		int64_t edge_ms =
		    fault->from_ms <= t_ms && t_ms < fault->to_ms ? fault->to_ms : fault->from_ms;
		if (fault->from_ms <= t_ms && t_ms < fault->to_ms)
			apply(state, fault);
		if (edge_ms > t_ms && edge_ms < world->state_to_ms)
			world->state_to_ms = edge_ms;
		if (fault->from_ms <= t_ms && fault->from_ms > world->state_from_ms)
			world->state_from_ms = fault->from_ms;
		if (fault->to_ms <= t_ms && fault->to_ms > world->state_from_ms)
			world->state_from_ms = fault->to_ms;
	}
	if (!world->school.ipv6)
		state->family[2] = false;
}

const struct sim_state *sim_world_at(struct sim_world *world, int64_t t_ms)
{
	if (t_ms < world->state_from_ms || t_ms >= world->state_to_ms)
		look(world, t_ms);
	return &world->state;
}

int64_t sim_world_next(struct sim_world *world, int64_t t_ms)
{
	(void)sim_world_at(world, t_ms);
	return world->state_to_ms < world->to_ms ? world->state_to_ms : world->to_ms;
}

bool sim_path(const struct sim_state *state, enum sim_place place, int family)
{
	if (!state->board || !state->carrier || !state->address || !state->router)
		return false;
	if (place == SIM_AT_ROUTER)
		return true;
	if (!state->access || !state->family[family == 6 ? 2 : 1])
		return false;
	if (place == SIM_AT_ACCESS)
		return true;
	if (!state->core || state->portal)
		return false;
	if (place == SIM_AT_HUB)
		return state->hub;
	return place == SIM_AT_HOME || state->abroad;
}

static bool is_one_of(const char *address, const char *const *list, size_t count, uint32_t first,
		      uint32_t *anchor)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(address, list[i]) != 0)
			continue;
		*anchor = 1u << (first + i);
		return true;
	}
	return false;
}

bool sim_who(const char *address, enum sim_place *place, uint32_t *anchor)
{
	static const char *const routers[] = {SIM_ROUTER4, SIM_ROUTER6},
				 *const hops[] = {SIM_ACCESS4, SIM_ACCESS6}, *const home4[] = {SIM_HOME4},
				 *const home6[] = {SIM_HOME6}, *const abroad4[] = {SIM_ABROAD4},
				 *const abroad6[] = {SIM_ABROAD6};
	uint32_t ignored;
	*anchor = 0;
	*place = SIM_AT_ROUTER;
	if (is_one_of(address, routers, SP_COUNT(routers), 0, &ignored))
		return true;
	*place = SIM_AT_ACCESS;
	if (is_one_of(address, hops, SP_COUNT(hops), 0, &ignored))
		return true;
	*place = SIM_AT_HOME;
	if (is_one_of(address, home4, SP_COUNT(home4), 0, anchor) ||
	    is_one_of(address, home6, SP_COUNT(home6), SIM_HOME_ANCHORS, anchor) ||
	    strcmp(address, SIM_PORTAL_HOST) == 0)
		return true;
	*place = SIM_AT_ABROAD;
	return is_one_of(address, abroad4, SP_COUNT(abroad4), 8, anchor) ||
	       is_one_of(address, abroad6, SP_COUNT(abroad6), 8 + SIM_ABROAD_ANCHORS, anchor);
}
