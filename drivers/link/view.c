// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Choosing the line's interface and routes from one look at the tables (view.h).
#include "view.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

void sp_view_add(struct sp_view *view, const struct sp_nl_event *event)
{
	switch (event->kind) {
	case SP_NL_LINK:
		if (view->link_count < SP_VIEW_LINKS)
			view->links[view->link_count++] = event->link;
		break;
	case SP_NL_ADDRESS:
		// Every IPv6 link has a link-local one: it says nothing.
		if (view->address_count < SP_VIEW_ADDRESSES &&
		    (event->address.usable ||
		     (event->address.link_local && event->address.family == AF_INET)))
			view->addresses[view->address_count++] = event->address;
		break;
	case SP_NL_ROUTE:
		if (view->route_count < SP_VIEW_ROUTES)
			view->routes[view->route_count++] = event->route;
		break;
	case SP_NL_LINK_GONE:
	case SP_NL_NEIGHBOUR:
	case SP_NL_CHANGED:
	case SP_NL_DONE:
	case SP_NL_ERROR:
		break;
	}
}

const struct sp_nl_link *sp_view_link(const struct sp_view *view, uint32_t index)
{
	for (size_t i = 0; i < view->link_count; i++)
		if (view->links[i].index == index)
			return &view->links[i];
	return NULL;
}

const struct sp_nl_link *sp_view_link_named(const struct sp_view *view, const char *name)
{
	for (size_t i = 0; i < view->link_count; i++)
		if (strcmp(view->links[i].name, name) == 0)
			return &view->links[i];
	return NULL;
}

bool sp_view_has_address(const struct sp_view *view, int family, uint32_t index)
{
	for (size_t i = 0; i < view->address_count; i++)
		if (view->addresses[i].family == family && view->addresses[i].index == index &&
		    view->addresses[i].usable)
			return true;
	return false;
}

bool sp_view_self_assigned(const struct sp_view *view, uint32_t index)
{
	for (size_t i = 0; i < view->address_count; i++)
		if (view->addresses[i].index == index && view->addresses[i].link_local)
			return true;
	return false;
}

const struct sp_nl_route *sp_view_default(const struct sp_view *view, int family, uint32_t index)
{
	const struct sp_nl_route *best = NULL;
	for (size_t i = 0; i < view->route_count; i++) {
		const struct sp_nl_route *route = &view->routes[i];
		if (route->family != family || (index && route->index != index))
			continue;
		if (!best || route->metric < best->metric)
			best = route;
	}
	return best;
}

/// The only one of the physical links that is switched on; with several, the only one that is connected.
static const struct sp_nl_link *only_physical(const struct sp_view *view)
{
	const struct sp_nl_link *up = NULL, *connected = NULL;
	unsigned up_count = 0, connected_count = 0;
	for (size_t i = 0; i < view->link_count; i++) {
		const struct sp_nl_link *link = &view->links[i];
		if (link->loopback || !link->physical || !link->up)
			continue;
		up = link;
		up_count++;
		if (link->carrier) {
			connected = link;
			connected_count++;
		}
	}
	if (up_count == 1)
		return up;
	return connected_count == 1 ? connected : NULL;
}

const struct sp_nl_link *sp_view_choose(const struct sp_view *view, const char *wanted, const char *kept)
{
	if (strcmp(wanted, "auto") != 0)
		return sp_view_link_named(view, wanted);
	const struct sp_nl_route *route = sp_view_default(view, AF_INET, 0);
	if (!route)
		route = sp_view_default(view, AF_INET6, 0);
	if (route)
		return sp_view_link(view, route->index);
	return kept[0] ? sp_view_link_named(view, kept) : only_physical(view);
}
