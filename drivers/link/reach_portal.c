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

static void conclude(struct sp_reach_portal *portal, enum sp_rung_status status, int64_t rtt_us,
		     const char *why)
{
	if (status != portal->status || portal->since_us == 0) {
		portal->status = status;
		portal->since_us = portal->first_us;
	}
	portal->doubts = 0;
	portal->due_us = sp_device_now_us(portal->reach->dev) + wait_us(portal);
	struct sp_rung_report report = {.rung = SP_RUNG_PORTAL,
					.family = SP_FAMILY_ANY,
					.status = status,
					.since_us = portal->since_us,
					.rtt_us = rtt_us,
					.detail = why};
	sp_rung_report(portal->reach->dev, &report);
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
	char why[160];
	portal->http = NULL;
	enum sp_rung_status status = sp_portal_judge(answer, &expect, why, sizeof(why));
	bool bad = status == SP_RUNG_WRONG || status == SP_RUNG_SILENT;
	if (status == SP_RUNG_OK)
		sp_sample(dev, SP_REACH_HTTP, NULL, (double)answer->elapsed_us / 1e6);
	if (bad && status != portal->status && ++portal->doubts < BELIEVED) {
		ask(portal);
		return;
	}
	if (portal->doubts == 0)
		portal->first_us = portal->asked_us;
	conclude(portal, status, status == SP_RUNG_OK ? answer->elapsed_us : -1, why);
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
