// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What moved between two readings of a router's counters (counters_rate.h).
#include "counters_rate.h"

enum {
	/// A router's clock and ours may part by so much between two readings, and an answer may wait.
	SLACK_CS = 300,
	/// So long an unchanged counter is taken for a remembered one; a line whose probes all fail stands
	/// still.
	OLD_US = 60 * 1000 * 1000,
};
/// Where a router does not tell its interface's speed: one that still counts in 32 bits is no faster.
static const uint64_t ASSUMED_WIDE_BPS = 10ull * 1000 * 1000 * 1000;
static const uint64_t ASSUMED_NARROW_BPS = 1000ull * 1000 * 1000;

/// The router's own clock went on as ours did: no reboot in between. The difference of two uptimes is right
/// also across their wrap.
static bool ran_on(const struct sp_counters_reading *a, const struct sp_counters_reading *b)
{
	int64_t ours_cs = (b->at_us - a->at_us) / 10000;
	int64_t its_cs = (uint32_t)(b->uptime_cs - a->uptime_cs);
	int64_t slack = SLACK_CS + ours_cs / 20;
	return ours_cs >= 0 && ours_cs < INT32_MAX && its_cs >= ours_cs - slack && its_cs <= ours_cs + slack;
}

/// Most bytes that the interface can carry meanwhile, with room for a router that reads its counters late.
static uint64_t most(const struct sp_counters_reading *a, const struct sp_counters_reading *b)
{
	uint64_t assumed = b->wide ? ASSUMED_WIDE_BPS : ASSUMED_NARROW_BPS;
	uint64_t bps = b->speed_bps ? b->speed_bps : assumed;
	double seconds = (double)(b->at_us - a->at_us) / 1e6 + (b->wide ? 15 : 5);
	double bytes = (double)bps / 8 * seconds * 1.1;
	return bytes < (double)INT64_MAX ? (uint64_t)bytes : INT64_MAX;
}

static bool difference(const struct sp_counters_reading *a, uint64_t before, uint64_t after, uint64_t limit,
		       uint64_t *out)
{
	// A counter of 64 bits that went back was set back; one of 32 bits has most likely wrapped.
	if (a->wide && after < before)
		return false;
	*out = a->wide ? after - before : (uint32_t)(after - before);
	return *out <= limit;
}

enum sp_counters_news sp_counters_step(struct sp_counters *counters, const struct sp_counters_reading *now,
				       struct sp_counters_moved *out)
{
	const struct sp_counters_reading before = counters->base;
	bool had = counters->has;
	*out = (struct sp_counters_moved){.from_us = before.at_us, .to_us = now->at_us};
	if (had && now->in == before.in && now->out == before.out && now->wide == before.wide &&
	    now->index == before.index && ran_on(&before, now) && now->at_us - before.at_us < OLD_US)
		return SP_COUNTERS_OLD;
	counters->has = true;
	counters->base = *now;
	if (!had)
		return SP_COUNTERS_FIRST;
	uint64_t limit = most(&before, now);
	bool same = now->index == before.index && now->wide == before.wide &&
		    now->discontinuity == before.discontinuity && ran_on(&before, now);
	// Within this time it may have wrapped more than once, unseen; both back at once are a new interface
	// (a line that was dialled again), not two wraps.
	if (!now->wide && (limit > UINT32_MAX || (now->in < before.in && now->out < before.out)))
		same = false;
	if (!same || !difference(&before, before.in, now->in, limit, &out->in) ||
	    !difference(&before, before.out, now->out, limit, &out->out))
		return SP_COUNTERS_RESET;
	return SP_COUNTERS_MOVED;
}
