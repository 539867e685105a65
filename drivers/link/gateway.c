// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The `gateway` driver: address and default route, by netlink as they change, and whether the first router
// lives. What the router's probing does is in gateway_probe.c.
#include "gateway.h"

#include <stddef.h>
#include <string.h>

#include "../drivers.h"
#include "../outward.h"
#include "schoolpulse/log.h"

enum {
	SOON_MS = 100, ///< network managers take a route away and put it back at once
};

struct gateway {
	struct sp_rtnl *rtnl;
	struct sp_timer *timer;
	struct sp_ping *ping;
	struct sp_gateway_family families[2]; ///< IPv4, IPv6
	char kept[IF_NAMESIZE];               ///< the line's interface, also while no route says so
	bool round;
};

// ---- reports --------------------------------------------------------------------------------

static void tell_route(struct sp_device *dev, struct sp_gateway_family *f)
{
	bool same = f->has_route == f->told_route && strcmp(f->interface, f->told_interface) == 0;
	if (same)
		return;
	struct sp_field fields[] = {
	    SP_TEXT("family", f->family == SP_FAMILY_IPV6 ? "ipv6" : "ipv4"),
	    f->interface[0] ? SP_TEXT("interface", f->interface) : SP_NULL("interface"),
	    SP_BOOL("present", f->has_route),
	};
	if (sp_event(dev, SP_RECORD_FACTS, "gateway", fields, SP_COUNT(fields), NULL, NULL) == 0) {
		f->told_route = f->has_route;
		memcpy(f->told_interface, f->interface, sizeof(f->interface));
	}
}

static bool connected(const struct sp_gateway_family *f)
{
	return f->has_route && f->has_address;
}

struct word {
	const char *reason, *detail;
};

/// What is missing, and why as far as it can be seen from here: who sees a connected cable and got no address
/// was given none. A fixed address that somebody took away looks the same.
static struct word address_word(const struct sp_gateway_family *f)
{
	bool v6 = f->family == SP_FAMILY_IPV6;
	if (connected(f))
		return (struct word){"address_and_route", "address and default route"};
	if (f->has_address)
		return (struct word){"no_default_route", "address, but no default route"};
	if (f->self_assigned)
		return (struct word){"no_dhcp_answer", "no DHCP answer: the board gave itself an address"};
	if (f->has_route)
		return (struct word){"no_address", "default route, but no address"};
	if (f->has_carrier && v6)
		return (struct word){"no_router_advertisement",
				     "no address and no default route: no router advertisement"};
	if (f->has_carrier)
		return (struct word){"no_dhcp_answer", "no address and no default route: no DHCP answer"};
	return (struct word){"no_address", "no address and no default route"};
}

/// A family that never had a route may not be offered here at all: nothing is missing then, unless there is
/// no other.
static enum sp_rung_status address_status(const struct gateway *g, const struct sp_gateway_family *f)
{
	if (connected(f))
		return SP_RUNG_OK;
	bool only = f->family == SP_FAMILY_IPV4 && !connected(&g->families[1]);
	return f->was_connected || only ? SP_RUNG_SILENT : SP_RUNG_UNKNOWN;
}

static void report_address(struct sp_device *dev, struct gateway *g, struct sp_gateway_family *f)
{
	enum sp_rung_status status = address_status(g, f);
	if (status != f->address_status || f->address_since_us == 0) {
		f->address_status = status;
		f->address_since_us = sp_device_now_us(dev);
	}
	struct word word = address_word(f);
	struct sp_rung_report report = {.rung = SP_RUNG_ADDRESS,
					.family = f->family,
					.status = status,
					.since_us = f->address_since_us,
					.rtt_us = -1,
					.detail = word.detail,
					.reason = word.reason,
					.host = f->interface[0] ? f->interface : NULL};
	sp_rung_report(dev, &report);
}

// ---- looking --------------------------------------------------------------------------------

/// True when the family's route or address is another than before. `link` is the line's interface, NULL when
/// there is none.
static bool update(struct sp_gateway_family *f, const struct sp_view *view, const struct sp_nl_link *link,
		   bool is_auto)
{
	int af = f->family == SP_FAMILY_IPV6 ? AF_INET6 : AF_INET;
	const struct sp_nl_route *route =
	    is_auto || link ? sp_view_default(view, af, is_auto ? 0 : link->index) : NULL;
	const struct sp_nl_link *by_route = route ? sp_view_link(view, route->index) : NULL;
	uint32_t index = route ? route->index : link ? link->index : 0;
	bool has_address = index && sp_view_has_address(view, af, index);
	bool same = f->has_route == (route != NULL) && f->has_address == has_address &&
		    (!route || memcmp(&f->route, route, sizeof(*route)) == 0);
	f->has_route = route != NULL;
	f->has_address = has_address;
	f->was_connected |= connected(f);
	if (by_route)
		link = by_route;
	f->has_carrier = link && link->carrier;
	f->self_assigned = af == AF_INET && index && sp_view_self_assigned(view, index);
	if (route)
		f->route = *route;
	memset(f->interface, 0, sizeof(f->interface));
	if (by_route)
		memcpy(f->interface, by_route->name, sizeof(f->interface));
	return !same;
}

static int look(struct sp_device *dev, struct gateway *g)
{
	const struct sp_gateway_conf *conf = sp_device_conf(dev);
	struct sp_view view;
	int result = sp_rtnl_look(&view);
	if (result < 0)
		return result;
	bool is_auto = strcmp(conf->interface, "auto") == 0, changed = false;
	const struct sp_nl_link *link = sp_view_choose(&view, conf->interface, g->kept);
	if (link)
		memcpy(g->kept, link->name, sizeof(g->kept));
	for (size_t i = 0; i < 2; i++) {
		struct sp_gateway_family *f = &g->families[i];
		if (!update(f, &view, link, is_auto))
			continue;
		changed = true;
		sp_gateway_probe_cancel(dev, f);
	}
	for (size_t i = 0; i < 2; i++) {
		tell_route(dev, &g->families[i]);
		report_address(dev, g, &g->families[i]);
	}
	if (changed)
		sp_line_suspect(dev);
	return 0;
}

static void on_timer(struct sp_device *dev, void *arg)
{
	// What the kernel refuses now, the next round asks again.
	if (look(dev, arg) < 0)
		sp_debug("gateway", "the kernel's tables cannot be read now");
}

static void on_change(struct sp_device *dev, const struct sp_nl_event *event, void *arg)
{
	(void)dev, (void)event;
	struct gateway *g = arg;
	sp_timer_start(g->timer, SOON_MS);
}

// ---- the round ------------------------------------------------------------------------------

void sp_gateway_settled(struct sp_device *dev)
{
	struct gateway *g = sp_device_state(dev);
	bool silent = false, any = false;
	for (size_t i = 0; i < 2; i++) {
		if (g->families[i].probing)
			return;
		any |= connected(&g->families[i]);
		silent |= connected(&g->families[i]) && g->families[i].status == SP_RUNG_SILENT;
	}
	if (!g->round)
		return;
	g->round = false;
	if (!any)
		sp_round_failed(dev, "no_route", "no address with a default route");
	else if (silent)
		sp_round_failed(dev, "timeout", "the router does not answer");
	else
		sp_round_ok(dev);
}

static void poll(struct sp_device *dev)
{
	struct gateway *g = sp_device_state(dev);
	int result = look(dev, g);
	if (result < 0) {
		sp_round_failed(dev, "netlink", "the kernel's tables cannot be read: %s", strerror(-result));
		return;
	}
	for (size_t i = 0; i < 2; i++)
		if (connected(&g->families[i]))
			sp_gateway_probe(dev, g->ping, &g->families[i]);
	g->round = true;
	sp_gateway_settled(dev);
}

static int check(const void *of, const char **key, char *why, size_t size)
{
	const struct sp_gateway_conf *conf = of;
	*key = "interface";
	return sp_outward_check_interface(conf->interface, why, size);
}

static int start(struct sp_device *dev)
{
	const struct sp_gateway_conf *conf = sp_device_conf(dev);
	struct gateway *g = sp_device_state(dev);
	g->ping = sp_ping_new(dev, sp_outward_interface(conf->interface));
	if (!g->ping)
		return -ENOMEM;
	g->timer = sp_timer_new(dev, on_timer, g);
	for (size_t i = 0; i < 2; i++)
		sp_gateway_family_init(dev, &g->families[i], i ? SP_FAMILY_IPV6 : SP_FAMILY_IPV4);
	int result = sp_rtnl_listen(dev, on_change, g, &g->rtnl);
	return result < 0 ? result : look(dev, g);
}

static void stop(struct sp_device *dev)
{
	struct gateway *g = sp_device_state(dev);
	sp_rtnl_free(g->rtnl);
	sp_ping_free(g->ping);
	sp_timer_free(g->timer);
	for (size_t i = 0; i < 2; i++)
		sp_gateway_family_free(&g->families[i]);
}

static const struct sp_option options[] = {
    {.key = "interface",
     .type = SP_OPTION_STRING,
     .def = "auto",
     .min = 1,
     .max = IF_NAMESIZE - 1,
     .offset = offsetof(struct sp_gateway_conf, interface),
     .help = "Only default routes over this interface; auto: whichever has the lowest metric"},
    {0},
};

static const struct sp_metric metrics[] = {
    [SP_GATEWAY_RTT] = {"rtt_seconds", "seconds", SP_METRIC_GAUGE,
			"Round trip to the first router, per family"},
    {0},
};

const struct sp_driver sp_driver_gateway = {
    .name = "gateway",
    .summary = "Address, default route and first router of the line",
    .cls = SP_DRIVER_LINK,
    .maturity = SP_MATURITY_BETA,
    .options = options,
    .metrics = metrics,
    .conf_size = sizeof(struct sp_gateway_conf),
    .state_size = sizeof(struct gateway),
    // Nothing of it leaves the school, and who asks so often knows within 5 s.
    .interval_ms = 3 * 1000,
    .deadline_ms = 12 * 1000,
    .check = check,
    .start = start,
    .poll = poll,
    .stop = stop,
};
