// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// drivers/link/rtnl.h and ethtool.h in the simulated world: one interface, and its router as a neighbour.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <string.h>

#include "agent/base/mem.h"
#include "drivers/link/ethtool.h"
#include "drivers/link/route.h"
#include "drivers/link/rtnl.h"
#include "tests/sim/net.h"

enum {
	INDEX = 2,
	HOPE_MS = 5000, ///< a neighbour that fell silent is believed for so long
	FAILED_MS = 8000,
};

struct sp_rtnl {
	struct sp_rtnl *next;
	struct sp_device *dev;
	sp_rtnl_fn fn;
	void *arg;
};

static struct sp_rtnl *listeners;
static bool told_carrier, told_route[2];

static struct sp_nl_link link_now(void)
{
	return (struct sp_nl_link){.index = INDEX,
				   .name = "eth0",
				   .up = true,
				   .carrier = sim_net_state()->carrier,
				   .physical = true,
				   .has_counters = true,
				   .rx_bytes = (uint64_t)sim_net->packets * 60,
				   .tx_bytes = (uint64_t)sim_net->packets * 60};
}

static bool routed(int v6)
{
	return sim_net_has_route(v6 ? 6 : 4);
}

int sp_rtnl_listen(struct sp_device *dev, sp_rtnl_fn fn, void *arg, struct sp_rtnl **out)
{
	struct sp_rtnl *rtnl = sp_alloc(sizeof(*rtnl));
	*rtnl = (struct sp_rtnl){listeners, dev, fn, arg};
	*out = listeners = rtnl;
	told_carrier = sim_net_state()->carrier;
	told_route[0] = routed(0);
	told_route[1] = routed(1);
	return 0;
}

void sp_rtnl_free(struct sp_rtnl *rtnl)
{
	if (!rtnl)
		return;
	struct sp_rtnl **at = &listeners;
	while (*at != rtnl)
		at = &(*at)->next;
	*at = rtnl->next;
	free(rtnl);
}

static void tell(const struct sp_nl_event *event)
{
	for (struct sp_rtnl *rtnl = listeners; rtnl; rtnl = rtnl->next)
		rtnl->fn(rtnl->dev, event, rtnl->arg);
}

void sim_net_changed(void)
{
	bool carrier = sim_net_state()->carrier;
	if (carrier != told_carrier) {
		struct sp_nl_event event = {.kind = SP_NL_LINK, .link = link_now()};
		told_carrier = carrier;
		tell(&event);
	}
	if (routed(0) != told_route[0] || routed(1) != told_route[1]) {
		struct sp_nl_event event = {.kind = SP_NL_CHANGED};
		told_route[0] = routed(0);
		told_route[1] = routed(1);
		tell(&event);
	}
}

static void add_family(struct sp_view *view, int family, const char *router)
{
	struct sp_nl_event address = {.kind = SP_NL_ADDRESS,
				      .address = {.index = INDEX, .family = family, .usable = true}};
	struct sp_nl_event route = {
	    .kind = SP_NL_ROUTE,
	    .route = {.family = family, .index = INDEX, .metric = 100, .gateway_family = family}};
	inet_pton(family, router, route.route.gateway);
	sp_view_add(view, &address);
	sp_view_add(view, &route);
}

int sp_rtnl_look(struct sp_view *out)
{
	struct sp_nl_event link = {.kind = SP_NL_LINK, .link = link_now()};
	memset(out, 0, sizeof(*out));
	sp_view_add(out, &link);
	if (routed(0))
		add_family(out, AF_INET, SIM_ROUTER4);
	if (routed(1))
		add_family(out, AF_INET6, SIM_ROUTER6);
	return 0;
}

/// The kernel hopes for a while, then asks, then gives up.
int sp_rtnl_neighbour(uint32_t index, int family, const uint8_t address[16], struct sp_nl_neighbour *out)
{
	*out = (struct sp_nl_neighbour){.index = index, .family = family, .has_age = true};
	memcpy(out->address, address, 16);
	const struct sim_state *state = sim_net_state();
	if (state->router && state->carrier) {
		out->state = NUD_REACHABLE;
		return 0;
	}
	int64_t silent_ms = sim_clock_true_ms(sim_net->clock) - sim_net->world->state_from_ms;
	out->confirmed_ms = silent_ms;
	out->state = silent_ms < HOPE_MS ? NUD_DELAY : silent_ms < FAILED_MS ? NUD_PROBE : NUD_FAILED;
	return 0;
}

struct sp_link_mode sp_ethtool_mode(const char *interface)
{
	(void)interface;
	return (struct sp_link_mode){1000, "full"};
}

int sp_route_look(const struct sockaddr_storage *to, const char *interface, struct sp_route *out)
{
	bool v6 = to->ss_family == AF_INET6;
	(void)interface;
	*out = (struct sp_route){.mtu = 1500};
	if (!sim_net_has_route(v6 ? 6 : 4))
		return -ENETUNREACH;
	out->source.ss_family = to->ss_family;
	if (v6)
		inet_pton(AF_INET6, "2001:db8:c::9", &((struct sockaddr_in6 *)&out->source)->sin6_addr);
	else
		inet_pton(AF_INET, "192.168.1.9", &((struct sockaddr_in *)&out->source)->sin_addr);
	return 0;
}
