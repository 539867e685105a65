// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Scripted kernel tables (fake_rtnl.h).
#include "fake_rtnl.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

struct sp_rtnl {
	struct sp_device *dev;
	sp_rtnl_fn fn;
	void *arg;
};

struct fake_tables fake_tables;
static struct sp_rtnl *listener;

void fake_rtnl_reset(void)
{
	memset(&fake_tables, 0, sizeof(fake_tables));
	fake_tables.mode = (struct sp_link_mode){1000, "full"};
	fake_tables.neighbour_result = -ENOENT;
}

static void add(const struct sp_nl_event *event)
{
	sp_view_add(&fake_tables.view, event);
}

struct sp_nl_link *fake_link(uint32_t index, const char *name, bool carrier)
{
	struct sp_nl_event event = {.kind = SP_NL_LINK};
	event.link = (struct sp_nl_link){.index = index,
					 .up = true,
					 .carrier = carrier,
					 .physical = true,
					 .has_counters = true,
					 .rx_bytes = 7};
	strncpy(event.link.name, name, sizeof(event.link.name) - 1);
	add(&event);
	return &fake_tables.view.links[fake_tables.view.link_count - 1];
}

void fake_unlink(uint32_t index)
{
	struct sp_view *view = &fake_tables.view;
	size_t kept = 0;
	for (size_t i = 0; i < view->link_count; i++)
		if (view->links[i].index != index)
			view->links[kept++] = view->links[i];
	view->link_count = kept;
}

void fake_address(uint32_t index, int family)
{
	struct sp_nl_event event = {.kind = SP_NL_ADDRESS};
	event.address = (struct sp_nl_address){.index = index, .family = family, .usable = true};
	add(&event);
}

void fake_route(uint32_t index, int family, uint32_t metric, const char *gateway)
{
	struct sp_nl_event event = {.kind = SP_NL_ROUTE};
	event.route = (struct sp_nl_route){.family = family, .index = index, .metric = metric};
	if (gateway) {
		event.route.gateway_family = family;
		inet_pton(family, gateway, event.route.gateway);
	}
	add(&event);
}

void fake_change(const struct sp_nl_event *event)
{
	listener->fn(listener->dev, event, listener->arg);
}

void fake_link_event(const struct sp_nl_link *link, bool gone)
{
	struct sp_nl_event event = {.kind = gone ? SP_NL_LINK_GONE : SP_NL_LINK, .link = *link};
	fake_change(&event);
}

int sp_rtnl_listen(struct sp_device *dev, sp_rtnl_fn fn, void *arg, struct sp_rtnl **out)
{
	*out = listener = calloc(1, sizeof(*listener));
	*listener = (struct sp_rtnl){dev, fn, arg};
	return 0;
}

void sp_rtnl_free(struct sp_rtnl *rtnl)
{
	free(rtnl);
}

int sp_rtnl_look(struct sp_view *out)
{
	fake_tables.looks++;
	*out = fake_tables.view;
	return fake_tables.result;
}

int sp_rtnl_neighbour(uint32_t index, int family, const uint8_t address[16], struct sp_nl_neighbour *out)
{
	(void)index, (void)family, (void)address;
	*out = fake_tables.neighbour;
	return fake_tables.neighbour_result;
}

struct sp_link_mode sp_ethtool_mode(const char *interface)
{
	(void)interface;
	return fake_tables.mode;
}
