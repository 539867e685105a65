// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Looking for the provider's first hop: a probe per hop limit, and twice more to those that kept silent.
#include <string.h>

#include "isp_hop.h"

enum { WAVES = 3, MARGIN_MS = 50 };

static const int64_t SECOND_US = 1000 * 1000;

static void on_ttl(struct sp_device *dev, const struct sp_ping_result *result, void *arg)
{
	(void)dev;
	struct sp_hop_ask *ask = arg;
	sp_isp_hop_count(ask->path->hop, result->bytes);
	if (ask->path->phase == SP_HOP_SEARCH && result->sent_us >= ask->path->began_us)
		sp_hop_search_result(ask->path, ask->number, result);
}

void sp_hop_search_result(struct sp_hop_path *path, unsigned ttl, const struct sp_ping_result *result)
{
	switch (result->outcome) {
	case SP_PING_EXPIRED:
		sp_hop_heard(&path->search, ttl, sp_hop_owner(&result->from, &path->source));
		break;
	case SP_PING_ANSWER:
		sp_hop_arrived(&path->search, ttl);
		break;
	case SP_PING_REFUSED:
	case SP_PING_TOO_BIG:
	case SP_PING_LOST:
		break;
	}
}

/// The next search only after so long: soon while nothing beyond the school answers, hardly ever where the
/// provider's hops keep silent on purpose.
static void put_off(struct sp_hop_path *path, int64_t first_us, int64_t most_us)
{
	int64_t wait = 2 * path->search_wait_us;
	wait = wait < first_us ? first_us : wait;
	path->search_wait_us = wait < most_us ? wait : most_us;
	path->search_due_us = sp_device_now_us(path->hop->dev) + path->search_wait_us;
}

static void take(struct sp_hop_path *path, unsigned position)
{
	// Not again at once, should it turn out to answer searches only.
	path->search_wait_us = 0;
	path->search_due_us = sp_device_now_us(path->hop->dev) + 60 * SECOND_US;
	if (position != path->position) {
		path->position = position;
		path->position_us = sp_device_now_us(path->hop->dev);
	}
	sp_hop_path_check(path);
}

static void finish(struct sp_hop_path *path)
{
	unsigned found = sp_hop_found(&path->search);
	path->relearn = false;
	if (found) {
		take(path, found);
		return;
	}
	if (!path->search.target) {
		put_off(path, 10 * SECOND_US, 600 * SECOND_US);
		if (path->position)
			sp_hop_path_ask(path); // is it lost as well?
		else
			sp_hop_path_unknown(path, "hop_not_found", "nothing beyond the school answers");
		return;
	}
	put_off(path, 300 * SECOND_US, 3600 * SECOND_US);
	if (path->off)
		path->position = 0;
	if (path->position)
		sp_hop_path_unknown(path, "hop_deaf", "the hop keeps silent while what lies beyond answers");
	else
		sp_hop_path_unknown(path, "hop_not_found",
				    "no hop before the anchor is surely the provider's");
}

void sp_hop_search_step(struct sp_hop_path *path)
{
	unsigned sent = 0;
	if (path->wave < WAVES) {
		unsigned target = path->turn++ % path->scope.anchors;
		for (unsigned ttl = 1; ttl <= SP_HOP_MOST; ttl++) {
			if (!sp_hop_wanted(&path->search, ttl))
				continue;
			int result = sp_hop_path_send(path, target, ttl, &path->by_ttl[ttl], on_ttl);
			if (result == -EPERM || result == -ENETUNREACH) {
				bool denied = result == -EPERM;
				sp_hop_path_unknown(path, denied ? "no_echo_permitted" : "no_route",
						    denied ? "echo is not permitted" : "no route");
				return;
			}
			sent += result == 0;
		}
	}
	path->wave++;
	if (sent == 0)
		finish(path);
	else
		sp_timer_start(path->timer, path->hop->conf->timeout_ms + MARGIN_MS);
}

void sp_hop_search_begin(struct sp_hop_path *path)
{
	path->phase = SP_HOP_SEARCH;
	path->began_us = sp_device_now_us(path->hop->dev);
	memset(&path->search, 0, sizeof(path->search));
	path->wave = 0;
	sp_hop_search_step(path);
}
