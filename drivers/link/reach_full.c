// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Do packets as large as the route takes come through? One echo of that size and a small one go to the same
// anchor together. A router that says "too big" is obeyed: that is no black hole. A loss counts only by way
// of an anchor that has answered such a size before, and only while the small one is answered.
#include <stdio.h>
#include <string.h>

#include "reach.h"
#include "route.h"

enum {
	FULL = 1, ///< bits of `open`
	SMALL = 2,
	LARGEST = 1500,
	LEAST_V4 = 576, ///< a router that asks for less is not believed (RFC 791, RFC 8200)
	LEAST_V6 = 1280,
	LOSSES = 6, ///< of a verdict, by way of
	ANCHORS = 2,
	ATTEMPTS = 12, ///< of one series
	SHRINKS = 4,
	MISSES = 3,       ///< then an anchor that never answered is left out
	FORGIVE = 36,     ///< series, until it gets another chance
	SILENT_S = 30,    ///< a black hole is looked at this often at least
	REMEMBER_S = 600, ///< what a router said; as long as the kernel's own memory
};

static void next(struct sp_reach_full *full);

static int64_t now_us(const struct sp_reach_full *full)
{
	return sp_device_now_us(full->reach->dev);
}

// ---- verdicts ---------------------------------------------------------------------------------

static void rest(struct sp_reach_full *full)
{
	int64_t wait_us = full->reach->conf->full_interval_ms * 1000 * full->families;
	if (full->status == SP_RUNG_SILENT && wait_us > SILENT_S * INT64_C(1000000))
		wait_us = SILENT_S * INT64_C(1000000);
	full->open = 0;
	full->busy = false;
	full->due_us = now_us(full) + wait_us;
}

static void settle(struct sp_reach_full *full, enum sp_rung_status status, int64_t since_us, int64_t rtt_us,
		   const char *reason, const char *host, const char *detail)
{
	if (status != full->status || full->since_us == 0) {
		full->status = status;
		full->since_us = since_us;
	}
	struct sp_rung_report report = {.rung = SP_RUNG_FULL_SIZE,
					.family = full->path->family,
					.status = status,
					.since_us = full->since_us,
					.rtt_us = rtt_us,
					.detail = detail,
					.reason = reason,
					.host = host};
	sp_rung_report(full->reach->dev, &report);
	rest(full);
}

static void answered(struct sp_full_anchor *anchor, const struct sp_ping_result *result)
{
	struct sp_reach_full *full = anchor->full;
	const char *host = full->path->anchors[anchor->index].host;
	char text[96];
	anchor->ever = true;
	anchor->misses = 0;
	if (!full->busy && full->status == SP_RUNG_OK)
		return; // late, and known already
	snprintf(text, sizeof(text), "%s answered %u bytes", host, anchor->size);
	settle(full, SP_RUNG_OK, result->sent_us, result->rtt_us, "answered", host, text);
}

static void vanished(struct sp_reach_full *full)
{
	char text[128];
	snprintf(text, sizeof(text), "%u packets of %u bytes vanished on the way, small ones are answered",
		 full->losses, full->asked->size);
	settle(full, SP_RUNG_SILENT, full->first_lost_us, -1, "full_size_lost",
	       full->path->anchors[full->asked->index].host, text);
}

/// Neither proven nor refuted. What a verdict stood on before is not withdrawn by that.
static void unproven(struct sp_reach_full *full, const char *reason, const char *detail)
{
	if (full->status == SP_RUNG_SILENT)
		rest(full);
	else
		settle(full, SP_RUNG_UNKNOWN, now_us(full), -1, reason, NULL, detail);
}

// ---- one try ----------------------------------------------------------------------------------

static void lost(struct sp_reach_full *full)
{
	struct sp_full_anchor *anchor = full->asked;
	anchor->misses++;
	if (anchor->ever) {
		if (full->losses++ == 0)
			full->first_lost_us = full->sent_us;
		full->by |= 1u << anchor->index;
	}
	if (full->losses >= LOSSES && __builtin_popcount(full->by) >= ANCHORS)
		vanished(full);
	else
		next(full);
}

static void conclude(struct sp_reach_full *full)
{
	if (full->shrunk && ++full->shrinks <= SHRINKS)
		next(full);
	else if (full->shrunk)
		unproven(full, "too_big", "routers ask for ever smaller packets");
	else if (!full->small || full->refused)
		rest(full); // nothing comes through there, or is let through
	else
		lost(full);
}

static void over(struct sp_reach_full *full, unsigned which)
{
	full->open &= ~which;
	if (full->open == 0)
		conclude(full);
}

static unsigned least(const struct sp_reach_full *full)
{
	return full->path->family == SP_FAMILY_IPV6 ? LEAST_V6 : LEAST_V4;
}

static void too_big(struct sp_full_anchor *anchor, uint32_t mtu)
{
	struct sp_reach_full *full = anchor->full;
	if (mtu < least(full) || mtu >= anchor->size) {
		full->refused = true;
		return;
	}
	anchor->mtu = mtu;
	anchor->mtu_us = now_us(full);
	full->shrunk = true;
}

/// Of a try before this one: `sent_us` of a try is taken before its probes go out.
static bool is_earlier(const struct sp_reach_full *full, const struct sp_ping_result *result)
{
	return result->sent_us < full->sent_us;
}

static void on_full(struct sp_device *dev, const struct sp_ping_result *result, void *arg)
{
	(void)dev;
	struct sp_full_anchor *anchor = arg;
	struct sp_reach_full *full = anchor->full;
	sp_reach_count(full->reach, result->bytes);
	if (result->outcome == SP_PING_ANSWER) {
		answered(anchor, result);
		return;
	}
	if (!(full->open & FULL) || full->asked != anchor || is_earlier(full, result))
		return;
	if (result->outcome == SP_PING_TOO_BIG)
		too_big(anchor, result->mtu);
	else if (result->outcome != SP_PING_LOST)
		full->refused = true;
	over(full, FULL);
}

static void on_small(struct sp_device *dev, const struct sp_ping_result *result, void *arg)
{
	(void)dev;
	struct sp_full_anchor *anchor = arg;
	struct sp_reach_full *full = anchor->full;
	sp_reach_count(full->reach, result->bytes);
	if (!(full->open & SMALL) || full->asked != anchor || is_earlier(full, result))
		return;
	full->small = result->outcome == SP_PING_ANSWER;
	over(full, SMALL);
}

/// As large as interface, kernel and routers allow; 0: no route.
static unsigned size_for(struct sp_full_anchor *anchor)
{
	struct sp_reach_full *full = anchor->full;
	struct sp_route route;
	const struct sp_anchor *target = &full->path->anchors[anchor->index];
	if (sp_route_look(&target->endpoint.address, full->reach->interface, &route) < 0)
		return 0;
	unsigned size = route.mtu < LARGEST ? route.mtu : LARGEST;
	bool remembered = anchor->mtu && now_us(full) - anchor->mtu_us < REMEMBER_S * INT64_C(1000000);
	return remembered && anchor->mtu < size ? anchor->mtu : size;
}

static int send_one(struct sp_full_anchor *anchor, unsigned size, sp_ping_fn fn)
{
	struct sp_reach_full *full = anchor->full;
	struct sp_ping_question question = {
	    .to = &full->path->anchors[anchor->index].endpoint.address,
	    .timeout_ms = full->reach->conf->timeout_ms,
	    .size = size,
	};
	return sp_ping_ask(full->reach->ping, &question, fn, anchor);
}

static bool try(struct sp_full_anchor *anchor)
{
	struct sp_reach_full *full = anchor->full;
	unsigned size = size_for(anchor);
	if (size < least(full))
		return false;
	anchor->size = size;
	full->asked = anchor;
	full->sent_us = now_us(full);
	full->small = full->shrunk = full->refused = false;
	full->open = 0;
	if (send_one(anchor, size, on_full) < 0)
		return false;
	full->open = FULL;
	if (send_one(anchor, 0, on_small) == 0)
		full->open |= SMALL;
	return true;
}

// ---- a series ---------------------------------------------------------------------------------

/// In turn; once a loss is to be judged, those first whose word counts.
static struct sp_full_anchor *pick(struct sp_reach_full *full)
{
	unsigned count = full->path->scope.anchors, proven = 0;
	for (unsigned i = 0; i < count; i++)
		proven += full->anchors[i].ever;
	bool only_proven = full->losses > 0 && proven >= ANCHORS;
	for (unsigned i = 0; i < count; i++) {
		struct sp_full_anchor *anchor = &full->anchors[full->turn++ % count];
		if (anchor->ever || (!only_proven && anchor->misses < MISSES))
			return anchor;
	}
	return NULL;
}

static void next(struct sp_reach_full *full)
{
	struct sp_full_anchor *anchor = full->shrunk ? full->asked : pick(full);
	if (!anchor || full->attempts++ >= ATTEMPTS)
		unproven(full, "full_size_unproven", "too few anchors have ever answered a full-size packet");
	else if (!try(anchor))
		rest(full);
}

void sp_reach_full_begin(struct sp_reach_full *full)
{
	// While small packets do not come through either, there is nothing to compare with.
	if (full->busy || full->path->scope.anchors == 0 || full->path->scope.status != SP_RUNG_OK ||
	    full->reach->conf->full_interval_ms == 0)
		return;
	full->busy = true;
	full->attempts = full->losses = full->by = full->shrinks = 0;
	full->shrunk = false;
	if (++full->begun % FORGIVE == 0)
		for (unsigned i = 0; i < SP_SCOPE_ANCHORS; i++)
			full->anchors[i].misses = 0;
	next(full);
}

void sp_reach_full_init(struct sp_reach *reach, struct sp_reach_full *full, struct sp_path *path,
			unsigned families, int64_t due_us)
{
	full->reach = reach;
	full->path = path;
	full->families = families;
	full->due_us = due_us;
	for (unsigned i = 0; i < SP_SCOPE_ANCHORS; i++)
		full->anchors[i] = (struct sp_full_anchor){.full = full, .index = i};
}
