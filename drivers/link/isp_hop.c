// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The `isp_hop` driver: does the provider's first router answer, and by which door does the line leave? Both
// families are asked in each round; the province's anchor tells our public address now and then.
#include "isp_hop.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "../drivers.h"
#include "anchors.h"
#include "egress.h"

enum { EGRESS_TIMEOUT_MS = 10000 };

static const int64_t SECOND_US = 1000 * 1000;
static const int64_t FRUGAL_US = 3600 * SECOND_US;

void sp_isp_hop_count(struct sp_isp_hop *hop, size_t bytes)
{
	if (bytes == 0)
		return;
	hop->bytes += (double)bytes;
	sp_sample(hop->dev, SP_ISP_HOP_BYTES, NULL, hop->bytes);
	sp_line_spent(hop->dev, SP_SPENT_PROBES, (int64_t)bytes);
}

// ---- our address ------------------------------------------------------------------------------

static void take_address(struct sp_isp_hop *hop, const struct sockaddr_storage *address)
{
	struct sp_hop_path *path = &hop->paths[address->ss_family == AF_INET6];
	struct sp_endpoint endpoint = {.address = *address};
	char text[INET6_ADDRSTRLEN];
	(void)sp_endpoint_host(&endpoint, text, sizeof(text));
	bool changed = path->public_address[0] && strcmp(path->public_address, text) != 0;
	memcpy(path->public_address, text, sizeof(text));
	path->address_old = false;
	// Dialled anew, or by another line: the hop may be another, too, and the one heard before is no news.
	path->relearn |= changed;
	path->hop_old |= changed;
	sp_hop_path_egress(path, hop->asked_us);
	if (changed && sp_hop_path_rests(path))
		sp_hop_path_begin(path);
}

static void on_egress(struct sp_device *dev, const struct sp_http_answer *answer, void *arg)
{
	struct sp_isp_hop *hop = arg;
	struct sockaddr_storage address;
	hop->http = NULL;
	sp_isp_hop_count(hop, (size_t)answer->bytes);
	bool good = answer->result == 0 && answer->status == 200 &&
		    sp_egress_parse(answer->body, answer->length, &address) == 0;
	int64_t wait_us = good ? hop->conf->egress_interval_ms * 1000 : 300 * SECOND_US;
	hop->egress_due_us = sp_device_now_us(dev) + wait_us;
	if (good)
		take_address(hop, &address);
}

static void ask_egress(struct sp_isp_hop *hop)
{
	if (hop->http || !hop->conf->egress_url[0])
		return;
	struct sp_http_request request = {.url = hop->conf->egress_url,
					  .interface = hop->interface,
					  .timeout_ms = EGRESS_TIMEOUT_MS,
					  .max_bytes = SP_EGRESS_BODY};
	hop->asked_us = sp_device_now_us(hop->dev);
	hop->http = sp_http_get(hop->dev, &request, on_egress, hop);
}

// ---- the round --------------------------------------------------------------------------------

static bool is_offered(const struct sp_hop_path *path)
{
	return path->scope.anchors > 0;
}

/// A silent hop was measured as well; one that cannot be found says nothing of this device.
static void end_round(struct sp_isp_hop *hop)
{
	bool measured = false, sent = false;
	if (!hop->round)
		return;
	for (size_t i = 0; i < SP_COUNT(hop->paths); i++) {
		const struct sp_hop_path *path = &hop->paths[i];
		if (!sp_hop_path_rests(path))
			return;
		measured |= is_offered(path) && path->scope.status != SP_RUNG_UNKNOWN;
		sent |= is_offered(path) && path->source.ss_family != 0;
	}
	hop->round = false;
	if (measured)
		sp_round_ok(hop->dev);
	else if (!sent)
		sp_round_failed(hop->dev, "no_route", "there is no route to any anchor");
	else
		sp_round_unmeasured(hop->dev, "hop_not_found", "the provider's first hop is not known");
}

void sp_isp_hop_settled(struct sp_isp_hop *hop, bool back)
{
	if (back)
		ask_egress(hop);
	end_round(hop);
}

static bool is_silent(const struct sp_isp_hop *hop)
{
	for (size_t i = 0; i < SP_COUNT(hop->paths); i++)
		if (hop->paths[i].scope.status == SP_RUNG_SILENT)
			return true;
	return false;
}

static void poll(struct sp_device *dev)
{
	struct sp_isp_hop *hop = sp_device_state(dev);
	int64_t now = sp_device_now_us(dev);
	bool skip = sp_line_frugal(dev) && !sp_line_suspected(dev) && !is_silent(hop) && hop->asked_last_us &&
		    now - hop->asked_last_us < FRUGAL_US;
	hop->round = true;
	if (!skip) {
		hop->asked_last_us = now;
		for (size_t i = 0; i < SP_COUNT(hop->paths); i++)
			sp_hop_path_begin(&hop->paths[i]);
		if (now >= hop->egress_due_us)
			ask_egress(hop);
	}
	end_round(hop);
}

// ---- start and stop -----------------------------------------------------------------------------

static int check(const void *of, const char **key, char *why, size_t size)
{
	const struct sp_isp_hop_conf *conf = of;
	*key = "domestic";
	int result = sp_anchors_check(&conf->domestic, why, size);
	if (result == 0) {
		*key = "address";
		result = sp_anchors_check(&conf->address, why, size);
	}
	const char *url = conf->egress_url;
	if (result == 0 && url[0] && strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) {
		*key = "egress_url";
		snprintf(why, size, "\"%s\" is no http or https URL", url);
		result = -EINVAL;
	}
	return result;
}

static int start(struct sp_device *dev)
{
	struct sp_isp_hop *hop = sp_device_state(dev);
	hop->dev = dev;
	hop->conf = sp_device_conf(dev);
	if (strcmp(hop->conf->interface, "auto") != 0)
		memcpy(hop->interface, hop->conf->interface, strlen(hop->conf->interface));
	hop->ping = sp_ping_new(dev, hop->interface);
	if (!hop->ping)
		return -ENOMEM;
	sp_hop_path_init(hop, &hop->paths[0], SP_FAMILY_IPV4);
	sp_hop_path_init(hop, &hop->paths[1], SP_FAMILY_IPV6);
	return 0;
}

static void stop(struct sp_device *dev)
{
	struct sp_isp_hop *hop = sp_device_state(dev);
	for (size_t i = 0; i < SP_COUNT(hop->paths); i++)
		sp_hop_path_free(&hop->paths[i]);
	sp_http_cancel(hop->http);
	sp_ping_free(hop->ping);
}

// ---- tables -------------------------------------------------------------------------------------

#define CONF(member) offsetof(struct sp_isp_hop_conf, member)

static const struct sp_option options[] = {
    SP_ANCHORS_OPTION_INTERFACE(CONF(interface)),
    SP_ANCHORS_OPTION_DOMESTIC(CONF(domestic), 2 * SP_SCOPE_ANCHORS,
			       "Addresses towards which the hop lies: the domestic anchors, as in reach"),
    {.key = "position",
     .type = SP_OPTION_INT,
     .def = "0",
     .max = SP_HOP_MOST,
     .offset = CONF(position),
     .help = "How many hops away the provider's first one is by IPv4; 0: find it"},
    {.key = "position_ipv6",
     .type = SP_OPTION_INT,
     .def = "0",
     .max = SP_HOP_MOST,
     .offset = CONF(position_ipv6),
     .help = "The same by IPv6"},
    {.key = "address",
     .type = SP_OPTION_LIST,
     .def = "",
     .max = 2,
     .offset = CONF(address),
     .help = "Address of the hop, one per family, asked directly; empty: find it"},
    {.key = "timeout",
     .type = SP_OPTION_DURATION,
     .def = "1s",
     .min = 100,
     .max = 3000,
     .offset = CONF(timeout_ms),
     .help = "So long an answer is waited for"},
    {.key = "egress_url",
     .type = SP_OPTION_STRING,
     .def = "",
     .max = 1024,
     .offset = CONF(egress_url),
     .help = "Page of the province's anchor that answers with our public address; empty: nobody is asked"},
    {.key = "egress_interval",
     .type = SP_OPTION_DURATION,
     .def = "6h",
     .min = 60 * 1000,
     .max = INT64_C(7) * 24 * 3600 * 1000,
     .offset = CONF(egress_interval_ms),
     .help = "Time between questions for the public address; one more follows each silence"},
    {0},
};

static const struct sp_metric metrics[] = {
    [SP_ISP_HOP_RTT] = {"rtt_seconds", "seconds", SP_METRIC_GAUGE,
			"Round trip to the provider's first hop, per family"},
    [SP_ISP_HOP_BYTES] = {"probe_bytes", "bytes", SP_METRIC_COUNTER,
			  "IP bytes of all questions since start, both ways"},
    {0},
};

const struct sp_driver sp_driver_isp_hop = {
    .name = "isp_hop",
    .summary = "The provider's first router beyond all NATs, and by which door the line leaves",
    .cls = SP_DRIVER_LINK,
    .maturity = SP_MATURITY_BETA,
    .options = options,
    .metrics = metrics,
    .conf_size = sizeof(struct sp_isp_hop_conf),
    .state_size = sizeof(struct sp_isp_hop),
    .interval_ms = 45000,
    .deadline_ms = 8000,
    .check = check,
    .start = start,
    .poll = poll,
    .stop = stop,
};
