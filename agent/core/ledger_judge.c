// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The rules of the ledger, one family at a time, then both together.
//
//  - A rung that is silent while a farther one has answered since is deaf, not broken.
//  - A symptom (international, DNS, portal, hub) that was measured while a nearer rung was broken says
//  nothing
//    of itself: it counts once it was measured again over a working path.
//  - The provider is blamed only when the gateway is known to answer. Not measured is not broken.
//  - Trouble begins with the first probe lost on any rung that it silenced.
#include "agent/core/ledger_judge.h"

#include <string.h>

enum {
	SETTLE_US = 4 * 1000 * 1000,     ///< how long a verdict waits for rungs that have not spoken since
	HUB_GRACE_US = 15 * 1000 * 1000, ///< after the path came back, the session needs a moment
	TOGETHER_US = 5 * 1000 * 1000,   ///< both families broke at once
};

/// One family's rungs, and what is made of them.
struct family {
	struct sp_rung_view rungs[SP_RUNGS];
	bool shared_portal; ///< the portal rung was measured without regard to a family, and there are two
	struct sp_verdict verdict;
	int reach; ///< the first rung that does not answer; SP_RUNGS: all do; -1: nothing is measured
};

static bool broken(const struct sp_rung_view *view)
{
	return view->status == SP_RUNG_SILENT || view->status == SP_RUNG_WRONG;
}

/// The path: what a packet crosses, near to far. A right answer to the portal check came all the way.
static bool on_path(int rung)
{
	return rung <= SP_RUNG_INTERNATIONAL || rung == SP_RUNG_PORTAL;
}

/// An answer from here proves the nearer rungs. That there is an address proves no cable: a configured
/// one, or an unexpired lease, outlives it.
static bool crossed(const struct family *family, int rung)
{
	return on_path(rung) && rung >= SP_RUNG_GATEWAY && !(rung == SP_RUNG_PORTAL && family->shared_portal);
}

static bool deaf(const struct family *family, int rung)
{
	for (int far = rung + 1; far < SP_RUNGS; far++)
		if (crossed(family, far) && family->rungs[far].status == SP_RUNG_OK &&
		    family->rungs[far].last_ok_us >= family->rungs[rung].since_us)
			return true;
	return false;
}

/// It never answered while others beyond it did: its silence tells nothing.
static bool mute(const struct family *family, int rung)
{
	if (family->rungs[rung].last_ok_us != SP_NEVER_US)
		return false;
	for (int far = rung + 1; far < SP_RUNGS; far++)
		if (crossed(family, far) && family->rungs[far].last_ok_us != SP_NEVER_US)
			return true;
	return false;
}

/// Broken, and nothing beyond it answered since.
static bool cut(const struct family *family, int rung)
{
	return broken(&family->rungs[rung]) && !deaf(family, rung) && !mute(family, rung);
}

static bool answers(const struct family *family, int rung)
{
	return family->rungs[rung].status == SP_RUNG_OK ||
	       (broken(&family->rungs[rung]) && deaf(family, rung));
}

/// When the trouble at `rung` began: the first loss among what it silenced, after the last answer from there
/// or beyond.
static void place_trouble(struct family *family, int rung)
{
	struct sp_verdict *verdict = &family->verdict;
	int64_t last_ok = SP_NEVER_US;
	for (int far = rung; far < SP_RUNGS; far++)
		if ((far == rung || crossed(family, far)) && family->rungs[far].last_ok_us > last_ok)
			last_ok = family->rungs[far].last_ok_us;
	int64_t since = family->rungs[rung].since_us;
	for (int far = rung; far < SP_RUNGS; far++) {
		const struct sp_rung_view *view = &family->rungs[far];
		if (on_path(far) && broken(view) && view->since_us >= last_ok && view->since_us < since)
			since = view->since_us;
	}
	verdict->since_us = since;
	verdict->before_us = last_ok;
	// The kernel tells these as they happen.
	if (rung <= SP_RUNG_ADDRESS)
		verdict->before_us = since = verdict->since_us = family->rungs[rung].since_us;
	for (int other = 0; other <= SP_RUNG_INTERNATIONAL; other++)
		if (family->rungs[other].status == SP_RUNG_OK && family->rungs[other].heard_us < since)
			verdict->settle_us = since + SETTLE_US;
}

static void set(struct family *family, enum sp_line_state state, enum sp_cause cause, enum sp_whose whose)
{
	family->verdict.state = state;
	family->verdict.cause = cause;
	family->verdict.whose = whose;
	family->verdict.trouble = state != SP_LINE_UP;
}

/// Silent since before something nearer came back: that was the nearer one's doing, until `rung` is asked
/// again.
static void excuse(struct family *family, int rung)
{
	for (int near = SP_RUNG_CABLE; near < rung && near <= SP_RUNG_GATEWAY; near++) {
		const struct sp_rung_view *view = &family->rungs[near];
		int64_t settle_us = view->since_us + SETTLE_US;
		if (view->status == SP_RUNG_OK && view->since_us > family->rungs[rung].since_us &&
		    family->verdict.settle_us < settle_us)
			family->verdict.settle_us = settle_us;
	}
}

/// Something between the board and the gateway.
static bool near_trouble(struct family *family)
{
	static const enum sp_cause causes[] = {SP_CAUSE_CABLE, SP_CAUSE_ADDRESS, SP_CAUSE_GATEWAY};
	for (int rung = SP_RUNG_CABLE; rung <= SP_RUNG_GATEWAY; rung++) {
		if (!cut(family, rung))
			continue;
		set(family, SP_LINE_UNKNOWN, causes[rung], SP_WHOSE_SCHOOL);
		family->reach = rung;
		place_trouble(family, rung);
		excuse(family, rung);
		return true;
	}
	return false;
}

static enum sp_cause provider_cause(const struct family *family, int rung)
{
	const struct sp_rung_view *access = &family->rungs[SP_RUNG_ISP_ACCESS];
	if (access->status == SP_RUNG_OK && access->heard_us >= family->rungs[rung].since_us)
		return SP_CAUSE_ISP_CORE;
	// A hop that never answers tells nothing by its silence.
	if (access->status == SP_RUNG_SILENT && access->last_ok_us != SP_NEVER_US)
		return SP_CAUSE_ISP_ACCESS;
	return SP_CAUSE_ISP;
}

/// Nothing beyond the gateway answers; `rung` is the one that says so.
static void far_trouble(struct family *family, int rung)
{
	const struct sp_rung_view *portal = &family->rungs[SP_RUNG_PORTAL];
	family->reach = rung;
	if (portal->status == SP_RUNG_WRONG && portal->heard_us >= family->rungs[rung].since_us)
		set(family, SP_LINE_DOWN, SP_CAUSE_CAPTIVE_PORTAL, SP_WHOSE_ACCOUNT);
	else if (answers(family, SP_RUNG_GATEWAY) || family->rungs[SP_RUNG_ISP_ACCESS].status == SP_RUNG_OK)
		set(family, SP_LINE_DOWN, provider_cause(family, rung), SP_WHOSE_PROVIDER);
	else
		set(family, SP_LINE_UNKNOWN, SP_CAUSE_NONE, SP_WHOSE_UNRESOLVED);
	place_trouble(family, rung);
	excuse(family, rung);
}

static bool symptom(const struct family *family, int rung, int64_t path_since)
{
	return broken(&family->rungs[rung]) && family->rungs[rung].heard_us >= path_since;
}

static void place_symptom(struct family *family, int rung, int64_t path_since)
{
	const struct sp_rung_view *view = &family->rungs[rung];
	struct sp_verdict *verdict = &family->verdict;
	verdict->since_us = view->since_us > path_since ? view->since_us : path_since;
	bool answered = view->last_ok_us != SP_NEVER_US;
	// Before the path worked, this could not be told.
	verdict->before_us = answered && view->last_ok_us < path_since ? path_since : view->last_ok_us;
}

/// When the path began to work in full: the last of its rungs to answer.
static void place_up(struct family *family, int64_t path_since)
{
	int64_t since = path_since;
	for (int rung = SP_RUNG_INTERNATIONAL; rung <= SP_RUNG_PORTAL; rung++)
		if (family->rungs[rung].status == SP_RUNG_OK && family->rungs[rung].since_us > since)
			since = family->rungs[rung].since_us;
	family->verdict.since_us = since;
	family->verdict.before_us = SP_NEVER_US;
}

/// The path works since `path_since`: what may still be wrong on top of it.
static void upper(struct family *family, int64_t path_since)
{
	family->reach = SP_RUNGS;
	// The kernel told when these came back; nothing came through before.
	for (int near = SP_RUNG_CABLE; near <= SP_RUNG_ADDRESS; near++)
		if (family->rungs[near].status == SP_RUNG_OK && family->rungs[near].since_us > path_since)
			path_since = family->rungs[near].since_us;
	if (symptom(family, SP_RUNG_PORTAL, path_since) &&
	    family->rungs[SP_RUNG_PORTAL].status == SP_RUNG_WRONG) {
		set(family, SP_LINE_DOWN, SP_CAUSE_CAPTIVE_PORTAL, SP_WHOSE_ACCOUNT);
		place_symptom(family, SP_RUNG_PORTAL, path_since);
	} else if (symptom(family, SP_RUNG_INTERNATIONAL, path_since)) {
		set(family, SP_LINE_DEGRADED, SP_CAUSE_INTERNATIONAL, SP_WHOSE_PROVIDER);
		place_symptom(family, SP_RUNG_INTERNATIONAL, path_since);
	} else if (symptom(family, SP_RUNG_DNS, path_since)) {
		set(family, SP_LINE_DEGRADED, SP_CAUSE_DNS, SP_WHOSE_RESOLVER);
		place_symptom(family, SP_RUNG_DNS, path_since);
	} else if (symptom(family, SP_RUNG_HUB, path_since + HUB_GRACE_US)) {
		set(family, SP_LINE_UP, SP_CAUSE_HUB, SP_WHOSE_OURS);
		place_symptom(family, SP_RUNG_HUB, path_since);
	} else {
		set(family, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
		place_up(family, path_since);
	}
}

/// An answer from before the school's own part came back is old news.
static bool current(const struct family *family, int rung)
{
	if (family->rungs[rung].status != SP_RUNG_OK)
		return false;
	for (int near = SP_RUNG_CABLE; near <= SP_RUNG_GATEWAY; near++)
		if (family->rungs[near].status == SP_RUNG_OK &&
		    family->rungs[near].since_us > family->rungs[rung].last_ok_us)
			return false;
	return true;
}

/// No domestic anchor has a word to say.
static void without_core(struct family *family)
{
	const struct sp_rung_view *abroad = &family->rungs[SP_RUNG_INTERNATIONAL];
	const struct sp_rung_view *portal = &family->rungs[SP_RUNG_PORTAL];
	const struct sp_rung_view *dns = &family->rungs[SP_RUNG_DNS];
	bool checked = current(family, SP_RUNG_PORTAL);
	if (current(family, SP_RUNG_INTERNATIONAL)) {
		upper(family, abroad->since_us);
	} else if (checked && (!broken(abroad) || portal->last_ok_us >= abroad->since_us)) {
		upper(family, portal->since_us);
	} else if (broken(abroad)) {
		far_trouble(family, SP_RUNG_INTERNATIONAL);
		// A resolver answers: something beyond us lives, and what is silent is abroad.
		if (family->verdict.state == SP_LINE_DOWN && family->verdict.cause == SP_CAUSE_ISP &&
		    dns->status == SP_RUNG_OK && dns->last_ok_us >= abroad->since_us)
			set(family, SP_LINE_DEGRADED, SP_CAUSE_INTERNATIONAL, SP_WHOSE_PROVIDER);
	} else if (portal->status == SP_RUNG_WRONG) {
		far_trouble(family, SP_RUNG_PORTAL);
	}
}

static int64_t core_since(const struct family *family)
{
	if (family->rungs[SP_RUNG_ISP_CORE].status == SP_RUNG_OK)
		return family->rungs[SP_RUNG_ISP_CORE].since_us;
	// Deaf anchors: the path is as old as the farther answer.
	const struct sp_rung_view *abroad = &family->rungs[SP_RUNG_INTERNATIONAL];
	return abroad->status == SP_RUNG_OK ? abroad->since_us : family->rungs[SP_RUNG_PORTAL].since_us;
}

static void judge_family(struct family *family)
{
	family->verdict = (struct sp_verdict){.state = SP_LINE_UNKNOWN,
					      .cause = SP_CAUSE_NONE,
					      .whose = SP_WHOSE_UNRESOLVED,
					      .before_us = SP_NEVER_US};
	family->reach = -1;
	if (near_trouble(family))
		return;
	if (cut(family, SP_RUNG_ISP_CORE))
		far_trouble(family, SP_RUNG_ISP_CORE);
	else if (answers(family, SP_RUNG_ISP_CORE))
		upper(family, core_since(family));
	else
		without_core(family);
}

static bool fine(const struct family *family)
{
	return family->verdict.state == SP_LINE_UP || family->verdict.state == SP_LINE_DEGRADED;
}

static bool measured(const struct family *family)
{
	return family->verdict.state != SP_LINE_UNKNOWN || family->verdict.trouble;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/// Both families are offered, and both are measured.
static struct sp_verdict both(const struct family *v4, const struct family *v6)
{
	if (fine(v4) != fine(v6)) {
		const struct family *bad = fine(v4) ? v6 : v4;
		struct sp_verdict verdict = bad->verdict;
		verdict.state = SP_LINE_DEGRADED;
		verdict.cause = bad == v4 ? SP_CAUSE_IPV4 : SP_CAUSE_IPV6;
		return verdict;
	}
	const struct family *decides = v4, *other = v6;
	if (fine(v4) ? (v6->verdict.state > v4->verdict.state ||
			(v6->verdict.state == v4->verdict.state && v4->verdict.cause == SP_CAUSE_NONE))
		     : v6->reach > v4->reach) {
		decides = v6;
		other = v4;
	}
	struct sp_verdict verdict = decides->verdict;
	int64_t a = v4->verdict.since_us, b = v6->verdict.since_us;
	if (!fine(v4)) {
		// The line was lost with the second family; one cause that took both took them at once.
		bool together = a - b < TOGETHER_US && b - a < TOGETHER_US;
		verdict.since_us = together ? (a < b ? a : b) : later(a, b);
		verdict.before_us = later(v4->verdict.before_us, v6->verdict.before_us);
		if (verdict.before_us > verdict.since_us)
			verdict.before_us = verdict.since_us;
		verdict.settle_us = later(verdict.settle_us, other->verdict.settle_us);
	} else if (verdict.state == SP_LINE_UP && verdict.cause == SP_CAUSE_NONE) {
		verdict.since_us = later(a, b);
	}
	return verdict;
}

/// What was measured in this family, or else without regard to one.
static const struct sp_rung_view *speaker(const struct sp_rung_view views[SP_FAMILIES], int family)
{
	const struct sp_rung_view *any = &views[SP_FAMILY_ANY];
	bool silent = views[family].status == SP_RUNG_UNKNOWN && any->status != SP_RUNG_UNKNOWN;
	return silent ? any : &views[family];
}

void sp_ledger_judge_rungs(const struct sp_rung_view views[SP_RUNGS][SP_FAMILIES],
			   const bool worked[SP_FAMILIES], struct sp_verdict *out)
{
	struct family families[SP_FAMILIES];
	for (int f = SP_FAMILY_IPV4; f <= SP_FAMILY_IPV6; f++) {
		for (int rung = 0; rung < SP_RUNGS; rung++)
			families[f].rungs[rung] = *speaker(views[rung], f);
		// The page came by one of the families, and says nothing of the other's path.
		families[f].shared_portal = worked[SP_FAMILY_IPV4] && worked[SP_FAMILY_IPV6] &&
					    views[SP_RUNG_PORTAL][f].status == SP_RUNG_UNKNOWN;
		judge_family(&families[f]);
	}
	const struct family *v4 = &families[SP_FAMILY_IPV4], *v6 = &families[SP_FAMILY_IPV6];
	// None has worked yet, or one is not measured: whichever gets farther speaks.
	bool six = measured(v6) && (!measured(v4) || v6->reach > v4->reach);
	if (worked[SP_FAMILY_IPV4] && worked[SP_FAMILY_IPV6] && measured(v4) && measured(v6)) {
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
