// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Before the helper of `capture` starts: what the options say, and the router's MAC where they do not.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "../outward.h"
#include "capture.h"
#include "rtnl.h"

static bool is_auto(const struct sp_capture_conf *conf)
{
	return conf->router_mac.count == 1 && strcmp(conf->router_mac.items[0], "auto") == 0;
}

static int refuse(const char **key, const char *which, char *why, size_t size, const char *text)
{
	*key = which;
	snprintf(why, size, "%s", text);
	return -EINVAL;
}

int sp_capture_check(const void *conf, const char **key, char *why, size_t size)
{
	const struct sp_capture_conf *capture = conf;
	uint8_t mac[SP_FRAME_MAC];
	struct sp_capture_prefix prefix;
	if (strcmp(capture->interface, "auto") == 0)
		return refuse(key, "interface", why, size, "the interface must be named");
	if (sp_outward_check_interface(capture->interface, why, size)) {
		*key = "interface";
		return -EINVAL;
	}
	for (size_t i = 0; i < capture->router_mac.count && !is_auto(capture); i++)
		if (sp_capture_mac(capture->router_mac.items[i], mac))
			return refuse(key, "router_mac", why, size,
				      "no MAC as in 00:00:5e:00:53:01, and not auto");
	for (size_t i = 0; i < capture->inside.count; i++)
		if (sp_capture_prefix_parse(capture->inside.items[i], &prefix))
			return refuse(key, "inside", why, size, "no network as in 192.168.0.0/16");
	if (capture->side == SP_CAPTURE_WAN && is_auto(capture) && capture->inside.count == 0)
		return refuse(key, "router_mac", why, size,
			      "on the provider's side the router's MAC cannot be found: it must be given");
	return 0;
}

/// Of the default gateway of one family, as the kernel knows it.
static void add_gateway(const struct sp_view *view, int family, struct sp_capture_sides *out)
{
	const struct sp_nl_route *route = sp_view_default(view, family, 0);
	struct sp_nl_neighbour neighbour;
	if (!route || route->gateway_family == AF_UNSPEC ||
	    sp_rtnl_neighbour(route->index, route->gateway_family, route->gateway, &neighbour) ||
	    !neighbour.has_mac)
		return;
	for (size_t i = 0; i < out->mac_count; i++)
		if (memcmp(out->macs[i], neighbour.mac, SP_FRAME_MAC) == 0)
			return;
	memcpy(out->macs[out->mac_count++], neighbour.mac, SP_FRAME_MAC);
}

int sp_capture_sides_now(const struct sp_capture_conf *conf, struct sp_capture_sides *out)
{
	*out = (struct sp_capture_sides){.wan = conf->side == SP_CAPTURE_WAN};
	for (size_t i = 0; i < conf->inside.count; i++)
		if (sp_capture_prefix_parse(conf->inside.items[i], &out->inside[out->prefix_count]) == 0)
			out->prefix_count++;
	if (out->prefix_count > 0)
		return 0;
	for (size_t i = 0; i < conf->router_mac.count && !is_auto(conf); i++)
		if (sp_capture_mac(conf->router_mac.items[i], out->macs[out->mac_count]) == 0)
			out->mac_count++;
	if (is_auto(conf)) {
		struct sp_view view;
		if (sp_rtnl_look(&view))
			return -ENOENT;
		add_gateway(&view, AF_INET, out);
		add_gateway(&view, AF_INET6, out);
	}
	return out->mac_count > 0 ? 0 : -ENOENT;
}

void sp_capture_command(const struct sp_capture_conf *conf, const struct sp_capture_sides *sides,
			struct sp_capture_command *out)
{
	size_t count = 0;
	*out = (struct sp_capture_command){0};
	out->argv[count++] = "schoolpulse-capture";
	out->argv[count++] = "--interface";
	out->argv[count++] = conf->interface;
	if (sides->wan)
		out->argv[count++] = "--wan";
	for (size_t i = 0; i < sides->mac_count; i++) {
		const uint8_t *mac = sides->macs[i];
		snprintf(out->macs[i], sizeof(out->macs[i]), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
			 mac[2], mac[3], mac[4], mac[5]);
		out->argv[count++] = "--mac";
		out->argv[count++] = out->macs[i];
	}
	for (size_t i = 0; i < sides->prefix_count; i++) {
		out->argv[count++] = "--inside";
		out->argv[count++] = conf->inside.items[i];
	}
}
