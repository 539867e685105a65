// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The `reach` driver: how far does the line reach? Each round is one sentinel probe to a domestic anchor; the
// other scopes, the resolver and the portal check come along when they are due. The first loss anywhere
// bursts on every path.
#include "reach.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "../drivers.h"
#include "anchors.h"
#include "schoolpulse/log.h"

enum {
	SLACK_US = 200 * 1000, ///< what is due this soon is done now
	EARLY = 5, ///< part of the scope interval by which a question may come early: a round of 2 s in 10 s
	SECOND_US = 1000 * 1000,
	NOT_OK_S = 4, ///< a silent path is asked this often
	FULL_GAP_S = 30,
	// A frugal line: some 3 MB a month in all.
	FRUGAL_SENTINEL_S = 300,
	FRUGAL_SCOPE_S = 900,
	FRUGAL_SILENT_S = 30,
	FRUGAL_PORTAL_S = 3 * 3600,
};

static bool is_sentinel(const struct sp_path *path)
{
	return path->rung == SP_RUNG_ISP_CORE;
}

void sp_reach_count(struct sp_reach *reach, size_t bytes)
{
	if (bytes == 0)
		return;
	reach->bytes += (double)bytes;
	sp_sample(reach->dev, SP_REACH_BYTES, NULL, reach->bytes);
	sp_line_spent(reach->dev, SP_SPENT_PROBES, (int64_t)bytes);
}

int64_t sp_reach_wait_us(const struct sp_reach *reach, const struct sp_path *path)
{
	int64_t usual = reach->conf->scope_interval_ms * 1000, silent = NOT_OK_S * (int64_t)SECOND_US;
	if (sp_line_frugal(reach->dev)) {
		// One family stands for the line.
		const struct sp_path *v4 = &reach->paths[SP_REACH_DOMESTIC4];
		bool first = is_sentinel(path) && (path == v4 || v4->scope.status != SP_RUNG_OK);
		usual = (first ? FRUGAL_SENTINEL_S : FRUGAL_SCOPE_S) * (int64_t)SECOND_US;
		silent = FRUGAL_SILENT_S * (int64_t)SECOND_US;
	}
	return path->scope.status == SP_RUNG_SILENT && silent < usual ? silent : usual;
}

bool sp_reach_alive_since(const struct sp_reach *reach, int64_t since_us)
{
	bool fine = false;
	for (size_t i = 0; i < SP_REACH_PATHS; i++) {
		const struct sp_path *path = &reach->paths[i];
		if (!is_sentinel(path) || path->scope.status != SP_RUNG_OK)
			continue;
		fine = true;
		if (path->scope.answered_us > since_us)
			return true;
	}
	return !fine;
}

bool sp_reach_all_silent(const struct sp_reach *reach)
{
	bool any = false;
	for (size_t i = 0; i < SP_REACH_PATHS; i++) {
		if (reach->paths[i].scope.anchors == 0 || reach->paths[i].scope.status == SP_RUNG_UNKNOWN)
			continue;
		if (reach->paths[i].scope.status == SP_RUNG_OK)
			return false;
		any = true;
	}
	return any;
}

void sp_reach_suspect(struct sp_reach *reach, int64_t lost_us)
{
	sp_line_suspect(reach->dev);
	for (size_t i = 0; i < SP_REACH_PATHS; i++)
		sp_path_burst(&reach->paths[i], lost_us);
	int64_t now = sp_device_now_us(reach->dev);
	if (sp_line_frugal(reach->dev) || now - reach->full_us < FULL_GAP_S * (int64_t)SECOND_US)
		return;
	reach->full_us = now;
	for (size_t i = 0; i < SP_COUNT(reach->full); i++)
		sp_reach_full_begin(&reach->full[i]);
}

// ---- the round --------------------------------------------------------------------------------

static bool measurable(const struct sp_reach *reach)
{
	for (size_t i = 0; i < SP_REACH_PATHS; i++)
		if (reach->paths[i].scope.anchors && reach->paths[i].scope.status != SP_RUNG_UNKNOWN)
			return true;
	return false;
}

/// A line that is silent was still measured: the round is good. It fails only when there was no way to ask.
static void end_round(struct sp_reach *reach)
{
	if (!reach->round)
		return;
	for (size_t i = 0; i < SP_REACH_PATHS; i++)
		if (is_sentinel(&reach->paths[i]) && reach->paths[i].phase != SP_PATH_IDLE)
			return;
	reach->round = false;
	if (measurable(reach))
		sp_round_ok(reach->dev);
	else
		sp_round_failed(reach->dev, "no_route", "there is no route to any anchor");
}

static void ask_others(struct sp_reach *reach, const struct sp_path *path)
{
	for (size_t i = 0; i < SP_REACH_PATHS; i++)
		if (&reach->paths[i] != path)
			sp_path_again(&reach->paths[i]);
	sp_reach_dns_again(&reach->dns);
	sp_reach_portal_again(&reach->portal);
}

void sp_reach_settled(struct sp_reach *reach, struct sp_path *path, bool changed)
{
	// An edge of the line concerns all that lies beyond, and a portal shows only when the anchors are
	// silent.
	if (changed && is_sentinel(path) && path->scope.status != SP_RUNG_UNKNOWN)
		ask_others(reach, path);
	end_round(reach);
}

/// One family is the sentinel's, which gives its place to the other one when that is due; both are asked
/// while either cannot speak for the line.
static void begin_sentinel(struct sp_reach *reach, int64_t soon)
{
	struct sp_path *v4 = &reach->paths[SP_REACH_DOMESTIC4], *v6 = &reach->paths[SP_REACH_DOMESTIC6];
	bool fine4 = v4->scope.anchors && v4->scope.status == SP_RUNG_OK;
	bool fine6 = v6->scope.anchors && v6->scope.status == SP_RUNG_OK;
	bool turn6 = v6->due_us <= soon;
	// A sweep that is under way is cut short only for news.
	void (*ask)(struct sp_path *) = sp_line_suspected(reach->dev) ? sp_path_again : sp_path_begin;
	if (!(fine6 && turn6))
		ask(v4);
	if (!fine4 || (fine6 && turn6))
		ask(v6);
}

/// The resolver and the portal keep their own time; a frugal line asks them less while they are fine.
static bool is_due(const struct sp_reach *reach, enum sp_rung_status status, int64_t due_us, int64_t asked_us,
		   int64_t frugal_s)
{
	int64_t soon = sp_device_now_us(reach->dev) + SLACK_US;
	bool thrift = sp_line_frugal(reach->dev) && status == SP_RUNG_OK;
	return due_us <= soon && (!thrift || asked_us + frugal_s * SECOND_US <= soon);
}

static void begin_due(struct sp_reach *reach, int64_t soon)
{
	for (size_t i = 0; i < SP_REACH_PATHS; i++) {
		struct sp_path *path = &reach->paths[i];
		// The line has been frugal, and is no more.
		if (path->due_us <= soon || path->due_us - soon > sp_reach_wait_us(reach, path))
			sp_path_begin(path);
	}
	const struct sp_reach_dns *dns = &reach->dns;
	if (is_due(reach, dns->status, dns->due_us, dns->began_us, FRUGAL_SCOPE_S))
		sp_reach_dns_begin(&reach->dns);
	const struct sp_reach_portal *portal = &reach->portal;
	if (is_due(reach, portal->status, portal->due_us, portal->asked_us, FRUGAL_PORTAL_S))
		sp_reach_portal_begin(&reach->portal);
	for (size_t i = 0; i < SP_COUNT(reach->full); i++)
		if (reach->full[i].due_us <= soon && !sp_line_frugal(reach->dev))
			sp_reach_full_begin(&reach->full[i]);
}

static void poll(struct sp_device *dev)
{
	struct sp_reach *reach = sp_device_state(dev);
	int64_t soon = sp_device_now_us(dev) + SLACK_US;
	if (!sp_line_frugal(dev) || sp_line_suspected(dev))
		begin_sentinel(reach, soon);
	// The next round may be one interval away: what would be late by then is asked now, so that the gap
	// between two questions, and with it an edge's error, stays below the interval that is promised.
	begin_due(reach, sp_device_now_us(dev) + reach->conf->scope_interval_ms * 1000 / EARLY);
	reach->round = true;
	end_round(reach);
}

// ---- start and stop -----------------------------------------------------------------------------

static int check_expect(const struct sp_strings *list, char *why, size_t size)
{
	for (size_t i = 0; i < list->count; i++) {
		uint8_t bytes[16];
		if (inet_pton(AF_INET, list->items[i], bytes) != 1 &&
		    inet_pton(AF_INET6, list->items[i], bytes) != 1) {
			snprintf(why, size, "\"%s\" is no address", list->items[i]);
			return -EINVAL;
		}
	}
	return 0;
}

static int check_name(const char *name, char *why, size_t size)
{
	struct sp_dns_question question = {.type = SP_DNS_A};
	uint8_t message[SP_DNS_QUESTION];
	size_t length = strnlen(name, sizeof(question.name));
	if (length < sizeof(question.name) - 8) {
		memcpy(question.name, name, length);
		if (sp_dns_encode(message, &question) > 0)
			return 0;
	}
	snprintf(why, size, "\"%s\" is no domain name", name);
	return -EINVAL;
}

static int check(const void *of, const char **key, char *why, size_t size)
{
	const struct sp_reach_conf *conf = of;
	*key = "domestic";
	int result = sp_anchors_check(&conf->domestic, why, size);
	if (result == 0) {
		*key = "international";
		result = sp_anchors_check(&conf->international, why, size);
	}
	if (result == 0) {
		*key = "dns_direct";
		result = sp_anchors_check(&conf->dns_direct, why, size);
	}
	if (result == 0) {
		*key = "dns_expect";
		result = check_expect(&conf->dns_expect, why, size);
	}
	if (result == 0) {
		*key = "dns_name";
		result = check_name(conf->dns_name, why, size);
	}
	return result;
}

static int start(struct sp_device *dev)
{
	struct sp_reach *reach = sp_device_state(dev);
	reach->dev = dev;
	reach->conf = sp_device_conf(dev);
	if (strcmp(reach->conf->interface, "auto") != 0)
		memcpy(reach->interface, reach->conf->interface, strlen(reach->conf->interface));
	reach->ping = sp_ping_new(dev, reach->interface);
	if (!reach->ping)
		return -ENOMEM;
	for (unsigned i = 0; i < SP_REACH_PATHS; i++)
		sp_path_init(reach, &reach->paths[i],
			     i < SP_REACH_INTERNATIONAL4 ? SP_RUNG_ISP_CORE : SP_RUNG_INTERNATIONAL,
			     i % 2 ? SP_FAMILY_IPV6 : SP_FAMILY_IPV4);
	sp_reach_dns_init(reach, &reach->dns);
	reach->portal.reach = reach;
	const struct sp_path *v4 = &reach->paths[SP_REACH_DOMESTIC4], *v6 = &reach->paths[SP_REACH_DOMESTIC6];
	unsigned families = (v4->scope.anchors > 0) + (v6->scope.anchors > 0);
	for (unsigned i = 0; i < SP_COUNT(reach->full); i++)
		sp_reach_full_init(reach, &reach->full[i], &reach->paths[SP_REACH_DOMESTIC4 + i], families,
				   sp_device_now_us(dev) + (i + 1) * FULL_GAP_S * (int64_t)SECOND_US);
	return 0;
}

static void stop(struct sp_device *dev)
{
	struct sp_reach *reach = sp_device_state(dev);
	for (size_t i = 0; i < SP_REACH_PATHS; i++)
		sp_path_free(&reach->paths[i]);
	sp_http_cancel(reach->portal.http);
	sp_ping_free(reach->ping);
}

// ---- tables -------------------------------------------------------------------------------------

#define CONF(member) offsetof(struct sp_reach_conf, member)

static const struct sp_option options[] = {
    SP_ANCHORS_OPTION_INTERFACE(CONF(interface)),
    SP_ANCHORS_OPTION_DOMESTIC(
	CONF(domestic), 2 * SP_SCOPE_ANCHORS,
	"Domestic anchors: addresses of hosts of at least two operators, with :port for TCP if not 53"),
    {.key = "international",
     .type = SP_OPTION_LIST,
     .def = SP_ANCHORS_INTERNATIONAL,
     .max = 2 * SP_SCOPE_ANCHORS,
     .offset = CONF(international),
     .help = "Anchors abroad: addresses, with :port for TCP if not 53"},
    {.key = "timeout",
     .type = SP_OPTION_DURATION,
     .def = "1s",
     .min = 100,
     .max = 5000,
     .offset = CONF(timeout_ms),
     .help = "A probe without answer for so long raises a suspicion"},
    {.key = "scope_interval",
     .type = SP_OPTION_DURATION,
     .def = "10s",
     .min = 1000,
     .max = 3600 * 1000,
     .offset = CONF(scope_interval_ms),
     .help = "Time between questions to everything but the domestic sentinel and the portal check"},
    {.key = "dns_name",
     .type = SP_OPTION_STRING,
     .def = "vnnic.vn",
     .min = 1,
     .max = 240,
     .offset = CONF(dns_name),
     .help = "Name to ask the resolver for; a first * becomes eight random letters, for a zone of one's own"},
    {.key = "dns_expect",
     .type = SP_OPTION_LIST,
     .def = "",
     .max = 16,
     .offset = CONF(dns_expect),
     .help = "Addresses of which the answer must hold one; empty: any public address"},
    {.key = "dns_direct",
     .type = SP_OPTION_LIST,
     .def = "203.162.4.191, 1.1.1.1, 8.8.8.8",
     .max = SP_DNS_SERVERS - SP_RESOLVERS,
     .offset = CONF(dns_direct),
     .help = "Name servers to ask directly, beside the system's resolver"},
    {.key = "resolv_conf",
     .type = SP_OPTION_STRING,
     .def = "/etc/resolv.conf",
     .min = 1,
     .max = 4095,
     .offset = CONF(resolv_conf),
     .help = "File that names the system's resolver"},
    {.key = "portal_url",
     .type = SP_OPTION_STRING,
     .def = "http://connectivitycheck.gstatic.com/generate_204",
     .max = 1024,
     .offset = CONF(portal_url),
     .help = "Page by which a captive portal is recognised, http only; empty: no check"},
    {.key = "portal_resolve",
     .type = SP_OPTION_STRING,
     .def = "",
     .max = 64,
     .offset = CONF(portal_resolve),
     .help = "Address of that page's host, so that the check needs no DNS; empty: ask DNS"},
    {.key = "portal_status",
     .type = SP_OPTION_INT,
     .def = "204",
     .min = 200,
     .max = 299,
     .offset = CONF(portal_status),
     .help = "HTTP status of that page"},
    {.key = "portal_body",
     .type = SP_OPTION_STRING,
     .def = "",
     .max = 1024,
     .offset = CONF(portal_body),
     .help = "Whole text of that page; empty: not looked at"},
    {.key = "portal_interval",
     .type = SP_OPTION_DURATION,
     .def = "55s",
     .min = 5000,
     .max = 24 * 3600 * 1000,
     .offset = CONF(portal_interval_ms),
     .help = "Time between portal checks"},
    {.key = "full_size_interval",
     .type = SP_OPTION_DURATION,
     .def = "10min",
     .max = 24 * 3600 * 1000,
     .offset = CONF(full_interval_ms),
     .help = "Time between full-size packets, the families in turn; 0s: none are sent"},
    {0},
};

static const struct sp_metric metrics[] = {
    [SP_REACH_RTT] = {"rtt_seconds", "seconds", SP_METRIC_GAUGE,
		      "Round trip to the anchors, per scope and family"},
    [SP_REACH_LOSS] = {"loss_ratio", "ratio", SP_METRIC_GAUGE, "Lost probes, per scope and family"},
    [SP_REACH_DNS] = {"dns_seconds", "seconds", SP_METRIC_GAUGE,
		      "Time to a DNS answer, from resolver and direct"},
    [SP_REACH_HTTP] = {"http_seconds", "seconds", SP_METRIC_GAUGE, "Time to the portal check's page"},
    [SP_REACH_BYTES] = {"probe_bytes", "bytes", SP_METRIC_COUNTER,
			"IP bytes of all questions since start, both ways"},
    {0},
};

const struct sp_driver sp_driver_reach = {
    .name = "reach",
    .summary = "How far the line reaches: domestic and foreign anchors, DNS, captive portal",
    .cls = SP_DRIVER_LINK,
    .maturity = SP_MATURITY_BETA,
    .options = options,
    .metrics = metrics,
    .conf_size = sizeof(struct sp_reach_conf),
    .state_size = sizeof(struct sp_reach),
    // The core's jitter makes it 2 s on average.
    .interval_ms = 2000,
    .deadline_ms = 8000,
    .check = check,
    .start = start,
    .poll = poll,
    .stop = stop,
};
