// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// IPv4 and IPv6 apart, then both together: one of them lost is a degraded line, both are a line that is down.
#include "agent/core/ledger/family.h"

enum { TOGETHER_US = 5 * 1000 * 1000 }; ///< both families broke at once

static bool fine(const struct sp_ledger_family *family)
{
	return family->verdict.state == SP_LINE_UP || family->verdict.state == SP_LINE_DEGRADED;
}

static bool measured(const struct sp_ledger_family *family)
{
	return family->verdict.state != SP_LINE_UNKNOWN || family->verdict.trouble;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/// Both families are offered, and both are measured.
static struct sp_verdict both(const struct sp_ledger_family *v4, const struct sp_ledger_family *v6)
{
	if (fine(v4) != fine(v6)) {
		const struct sp_ledger_family *bad = fine(v4) ? v6 : v4;
		struct sp_verdict verdict = bad->verdict;
		verdict.state = SP_LINE_DEGRADED;
		verdict.cause = bad == v4 ? SP_CAUSE_IPV4 : SP_CAUSE_IPV6;
		// Until the other one came back, it was more than this.
		const struct sp_ledger_family *good = bad == v4 ? v6 : v4;
		verdict.cause_us = later(verdict.cause_us, good->verdict.since_us);
		return verdict;
	}
	const struct sp_ledger_family *decides = v4, *other = v6;
	if (fine(v4) ? (v6->verdict.state > v4->verdict.state ||
			(v6->verdict.state == v4->verdict.state && v4->verdict.cause == SP_CAUSE_NONE))
		     : v6->reach > v4->reach) {
		decides = v6;
		other = v4;
	}
	struct sp_verdict verdict = decides->verdict;
	if (fine(v4)) {
		verdict.pending |= other->verdict.pending;
		if (verdict.state == SP_LINE_UP)
			verdict.since_us = verdict.cause_us =
			    later(v4->verdict.since_us, v6->verdict.since_us);
		return verdict;
	}
	// The line was lost with the second family; one cause that took both took them at once.
	int64_t a = v4->verdict.since_us, b = v6->verdict.since_us;
	bool together = a - b < TOGETHER_US && b - a < TOGETHER_US;
	verdict.since_us = together ? (a < b ? a : b) : later(a, b);
	verdict.before_us = later(v4->verdict.before_us, v6->verdict.before_us);
	if (verdict.before_us > verdict.since_us)
		verdict.before_us = verdict.since_us;
	verdict.settle_us = later(verdict.settle_us, other->verdict.settle_us);
	verdict.healed_us = later(verdict.healed_us, other->verdict.healed_us);
	verdict.cause_us = later(verdict.cause_us, verdict.since_us);
	return verdict;
}

/// What was measured in this family, or else without regard to one.
static const struct sp_rung_view *speaker(const struct sp_rung_view views[SP_FAMILIES], int family)
{
	const struct sp_rung_view *any = &views[SP_FAMILY_ANY];
	bool silent = views[family].status == SP_RUNG_UNKNOWN && any->status != SP_RUNG_UNKNOWN;
	return silent ? any : &views[family];
}

static void judge_families(const struct sp_rung_view views[SP_RUNGS][SP_FAMILIES], bool apart,
			   struct sp_ledger_family families[SP_FAMILIES])
{
	for (int f = SP_FAMILY_IPV4; f <= SP_FAMILY_IPV6; f++) {
		for (int rung = 0; rung < SP_RUNGS; rung++) {
			families[f].rungs[rung] = *speaker(views[rung], f);
			families[f].shared[rung] = apart &&
						   (rung == SP_RUNG_PORTAL || rung == SP_RUNG_SERVICE) &&
						   views[rung][f].status == SP_RUNG_UNKNOWN;
		}
		sp_ledger_judge_family(&families[f]);
	}
}

void sp_ledger_judge_rungs(const struct sp_rung_view views[SP_RUNGS][SP_FAMILIES],
			   const bool worked[SP_FAMILIES], struct sp_verdict *out)
{
	struct sp_ledger_family families[SP_FAMILIES];
	bool two = worked[SP_FAMILY_IPV4] && worked[SP_FAMILY_IPV6];
	judge_families(views, two, families);
	// A page came by one of them, nobody knows which: at least the line as a whole is not lost.
	if (two && families[SP_FAMILY_IPV4].verdict.state == SP_LINE_DOWN &&
	    families[SP_FAMILY_IPV6].verdict.state == SP_LINE_DOWN)
		judge_families(views, false, families);
	const struct sp_ledger_family *v4 = &families[SP_FAMILY_IPV4], *v6 = &families[SP_FAMILY_IPV6];
	// None has worked yet, or one is not measured: whichever gets farther speaks.
	bool six = measured(v6) && (!measured(v4) || v6->reach > v4->reach);
	if (two && measured(v4) && measured(v6)) {
		*out = both(v4, v6);
	} else if (worked[SP_FAMILY_IPV4] != worked[SP_FAMILY_IPV6]) {
		*out = worked[SP_FAMILY_IPV4] ? v4->verdict : v6->verdict;
	} else {
		*out = six ? v6->verdict : v4->verdict;
	}
	for (int f = SP_FAMILY_IPV4; f <= SP_FAMILY_IPV6; f++) {
		out->family[f] = families[f].verdict.state;
		out->offered[f] = worked[f];
	}
	// Where nothing ever worked, whichever speaks is the one that is missed.
	if (!worked[SP_FAMILY_IPV4] && !worked[SP_FAMILY_IPV6] && out->trouble)
		out->offered[six ? SP_FAMILY_IPV6 : SP_FAMILY_IPV4] = true;
	out->family[SP_FAMILY_ANY] = SP_LINE_UNKNOWN;
	out->offered[SP_FAMILY_ANY] = false;
}
