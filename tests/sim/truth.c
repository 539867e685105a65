// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From the world's state to the verdict that it deserves.
#include "tests/sim/truth.h"

#include <stdlib.h>

#include "agent/base/mem.h"

enum {
	LOSSY = 10000,
	GRAIN_MS = 1000, ///< what is asked every 10 s is asked with the next round of 2 s
};
#define CAUSE(name) (1u << SP_CAUSE_##name)

static bool reaches_home(const struct sim_state *state, int family)
{
	return sim_path(state, SIM_AT_HOME, family);
}

/// Nothing beyond the router answers in any family.
static void all_lost(const struct sim_world *world, const struct sim_state *state, struct sim_stretch *out)
{
	bool access = sim_path(state, SIM_AT_ACCESS, 4) || sim_path(state, SIM_AT_ACCESS, 6);
	out->state = SP_LINE_DOWN;
	out->portal = access && state->portal;
	if (out->portal)
		out->causes = CAUSE(CAPTIVE_PORTAL);
	else if (access)
		out->causes = CAUSE(ISP_CORE) | CAUSE(ISP);
	else
		out->causes = CAUSE(ISP_ACCESS) | CAUSE(ISP);
	// One family beyond the hop and the other before it: either is to blame.
	if (world->school.ipv6 && state->family[1] != state->family[2])
		out->causes |= CAUSE(ISP_ACCESS) | CAUSE(ISP_CORE) | CAUSE(ISP);
}

static void beyond_router(const struct sim_world *world, const struct sim_state *state,
			  struct sim_stretch *out)
{
	struct sim_state path = *state;
	if (state->portal && world->school.portal_echo)
		path.portal = false;
	bool v4 = reaches_home(&path, 4), v6 = reaches_home(&path, 6);
	if (!v4 && !v6) {
		all_lost(world, state, out);
	} else if (state->portal) {
		out->state = SP_LINE_DOWN;
		// The resolver's questions go to the portal, too.
		out->causes = CAUSE(CAPTIVE_PORTAL) | CAUSE(DNS);
		out->portal = true;
	} else if (world->school.ipv6 && v4 != v6) {
		out->state = SP_LINE_DEGRADED;
		out->causes = v4 ? CAUSE(IPV6) : CAUSE(IPV4);
	} else if (!state->abroad) {
		out->state = SP_LINE_DEGRADED;
		out->causes = CAUSE(INTERNATIONAL);
	} else if (!state->dns) {
		out->state = SP_LINE_DEGRADED;
		out->causes = CAUSE(DNS);
	}
}

static struct sim_stretch classify(const struct sim_world *world, const struct sim_state *state)
{
	struct sim_stretch out = {.state = SP_LINE_UP,
				  .causes = CAUSE(NONE),
				  .watched = state->agent,
				  .lossy = state->loss >= LOSSY};
	if (!state->carrier) {
		out.state = SP_LINE_UNKNOWN;
		out.causes = CAUSE(CABLE);
	} else if (!state->address) {
		out.state = SP_LINE_UNKNOWN;
		out.causes = CAUSE(ADDRESS);
	} else if (!state->router) {
		out.state = SP_LINE_UNKNOWN;
		out.causes = CAUSE(GATEWAY);
	} else {
		beyond_router(world, state, &out);
	}
	return out;
}

static bool same(const struct sim_stretch *a, const struct sim_stretch *b)
{
	return a->state == b->state && a->causes == b->causes && a->watched == b->watched;
}

struct sim_stretch *sim_truth(struct sim_world *world, size_t *count)
{
	struct sim_stretch *list = NULL;
	size_t room = 0;
	*count = 0;
	for (int64_t t = world->from_ms; t < world->to_ms; t = sim_world_next(world, t)) {
		struct sim_stretch now = classify(world, sim_world_at(world, t));
		if (*count > 0 && same(&list[*count - 1], &now))
			continue;
		if (*count == room) {
			room = room ? 2 * room : 64;
			list = sp_realloc(list, room * sizeof(*list));
		}
		now.from_ms = t;
		if (*count > 0)
			list[*count - 1].to_ms = t;
		list[(*count)++] = now;
	}
	if (*count > 0)
		list[*count - 1].to_ms = world->to_ms;
	return list;
}

static bool is_partial(const struct sim_stretch *stretch)
{
	return stretch->state == SP_LINE_DEGRADED;
}

int64_t sim_detect_ms(const struct sim_stretch *stretch)
{
	if (stretch->portal)
		return 60 * 1000;
	// That it is the router, and not the provider, the kernel tells after nine seconds.
	if (is_partial(stretch) || (stretch->causes & CAUSE(GATEWAY)))
		return (stretch->lossy ? 25 : 15) * 1000;
	return (stretch->lossy ? 8 : 5) * 1000;
}

int64_t sim_edge_ms(const struct sim_stretch *stretch)
{
	if (stretch->portal)
		return 60 * 1000;
	// Where the answer that would have told is lost, the next one tells.
	if (is_partial(stretch))
		return (stretch->lossy ? 15 * 1000 : 5 * 1000) + GRAIN_MS;
	return stretch->lossy ? 3000 : 1000;
}
