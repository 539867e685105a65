// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The portal's rung: a small page is fetched now and then. A bad finding is believed when the next question,
// at once, says the same.
#include "portal.h"
#include "reach.h"

enum {
	TIMEOUT_MS = 5000,
	BODY_MAX = 4096,
	BELIEVED = 2,
	WRONG_US = 8 * 1000 * 1000,
	SILENT_US = 15 * 1000 * 1000,
};

static void on_page(struct sp_device *dev, const struct sp_http_answer *answer, void *arg);

static int64_t wait_us(const struct sp_reach_portal *portal)
{
	int64_t normal = portal->reach->conf->portal_interval_ms * 1000;
	int64_t most = normal;
	if (portal->status == SP_RUNG_WRONG)
		most = WRONG_US;
	else if (portal->status == SP_RUNG_SILENT)
		most = SILENT_US;
	return most < normal ? most : normal;
}

static void tell(struct sp_reach_portal *portal, enum sp_family family, enum sp_rung_status status,
		 int64_t rtt_us, const struct sp_portal_finding *finding)
{
	struct sp_rung_report report = {.rung = SP_RUNG_PORTAL,
					.family = family,
					.status = status,
					.since_us = portal->since_us,
					.rtt_us = rtt_us,
					.detail = finding->detail,
					.reason = finding->reason,
					.host = finding->host[0] ? finding->host : NULL};
	sp_rung_report(portal->reach->dev, &report);
}

/// The page came by one family, and is proof of that one's path alone: what the other one brought the last
/// time is no news any more.
static void tell_families(struct sp_reach_portal *portal, enum sp_family by, int64_t rtt_us,
			  const struct sp_portal_finding *finding)
{
	static const struct sp_portal_finding other = {.reason = "other_family",
						       .detail = "the page came by the other family"};
	tell(portal, SP_FAMILY_ANY, portal->status, rtt_us, finding);
	for (enum sp_family f = SP_FAMILY_IPV4; f <= SP_FAMILY_IPV6; f++) {
		bool here = f == by;
		if (here)
			tell(portal, f, portal->status, rtt_us, finding);
		else if (portal->told[f])
			tell(portal, f, SP_RUNG_UNKNOWN, -1, by == SP_FAMILY_ANY ? finding : &other);
		portal->told[f] = here;
	}
}

static void conclude(struct sp_reach_portal *portal, enum sp_family by, int64_t rtt_us,
		     const struct sp_portal_finding *finding)
{
	if (finding->status != portal->status || portal->since_us == 0) {
		portal->status = finding->status;
		portal->since_us = portal->first_us;
	}
	portal->doubts = 0;
	portal->due_us = sp_device_now_us(portal->reach->dev) + wait_us(portal);
	tell_families(portal, by, rtt_us, finding);
}

static void ask(struct sp_reach_portal *portal)
{
	const struct sp_reach_conf *conf = portal->reach->conf;
	struct sp_http_request request = {
	    .url = conf->portal_url,
	    .resolve = conf->portal_resolve[0] ? conf->portal_resolve : NULL,
	    .interface = portal->reach->interface,
	    .timeout_ms = TIMEOUT_MS,
	    .max_bytes = BODY_MAX,
	};
	portal->asked_us = sp_device_now_us(portal->reach->dev);
	if (portal->doubts == 0)
		portal->first_us = portal->asked_us;
	portal->http = sp_http_get(portal->reach->dev, &request, on_page, portal);
}

static void on_page(struct sp_device *dev, const struct sp_http_answer *answer, void *arg)
{
	struct sp_reach_portal *portal = arg;
	const struct sp_reach_conf *conf = portal->reach->conf;
	struct sp_portal_expect expect = {(long)conf->portal_status, conf->portal_body};
	struct sp_portal_finding finding;
	portal->http = NULL;
	sp_reach_count(portal->reach, (size_t)answer->bytes);
	sp_portal_judge(answer, &expect, &finding);
	bool good = finding.status == SP_RUNG_OK;
	bool bad = finding.status == SP_RUNG_WRONG || finding.status == SP_RUNG_SILENT;
	if (good)
		sp_sample(dev, SP_REACH_HTTP, NULL, (double)answer->elapsed_us / 1e6);
	if (bad && finding.status != portal->status && ++portal->doubts < BELIEVED) {
		ask(portal);
		return;
	}
	if (portal->doubts == 0)
		portal->first_us = portal->asked_us;
	conclude(portal, answer->status > 0 ? answer->family : SP_FAMILY_ANY, good ? answer->elapsed_us : -1,
		 &finding);
}

void sp_reach_portal_begin(struct sp_reach_portal *portal)
{
	if (portal->http || !portal->reach->conf->portal_url[0])
		return;
	portal->doubts = 0;
	ask(portal);
}

void sp_reach_portal_again(struct sp_reach_portal *portal)
{
	sp_http_cancel(portal->http);
	portal->http = NULL;
	sp_reach_portal_begin(portal);
}
