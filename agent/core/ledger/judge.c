// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The rules of the ledger, one family at a time.
//
//  - A rung that is silent while a farther one has answered since is deaf, not broken.
//  - A symptom (international, DNS, portal, full size, hub) that was measured while a nearer rung was broken
//    says nothing of itself: it counts once it was measured again over a working path.
//  - A page or a platform that answers proves the path, and that is all: its silence is its own.
//  - The first hop of the provider parts isp_access from isp_core, if it ever answers, and had not fallen
//    silent while all was well. A router that hijacks everything while that hop is dead is no portal.
//  - The provider is blamed only when the gateway is known to answer. Not measured is not broken.
//  - Trouble begins with the first probe lost on any rung that it silenced.
#include "agent/core/ledger/family.h"

enum {
	SETTLE_US = 4 * 1000 * 1000,     ///< how long a verdict waits for rungs that have not spoken since
	ASKED_US = 2 * 1000 * 1000,      ///< what is told to be silent was asked some time before
	RETURN_US = 2 * 1000 * 1000,     ///< half of the longest pause between questions to what is silent
	HUB_GRACE_US = 15 * 1000 * 1000, ///< after the path came back, the session needs a moment
	SLACK_US = 5 * 1000 * 1000,      ///< an answer is reported later than it was asked for
};

static bool broken(const struct sp_rung_view *view)
{
	return view->status == SP_RUNG_SILENT || view->status == SP_RUNG_WRONG;
}

/// The path: what a packet crosses, near to far. A right answer to the portal check came all the way, as did
/// a platform's, and that to a full-size packet.
static bool on_path(int rung)
{
	return rung <= SP_RUNG_INTERNATIONAL || rung == SP_RUNG_PORTAL || rung == SP_RUNG_SERVICE ||
	       rung == SP_RUNG_FULL_SIZE;
}

/// An answer from here proves the nearer rungs. That there is an address proves no cable: a configured
/// one, or an unexpired lease, outlives it.
static bool crossed(const struct sp_ledger_family *family, int rung)
{
	return on_path(rung) && rung >= SP_RUNG_GATEWAY && !family->shared[rung];
}

static bool deaf(const struct sp_ledger_family *family, int rung)
{
	for (int far = rung + 1; far < SP_RUNGS; far++)
		if (crossed(family, far) && family->rungs[far].status == SP_RUNG_OK &&
		    family->rungs[far].last_ok_us >= family->rungs[rung].since_us)
			return true;
	return false;
}

/// It never answered while others beyond it did: its silence tells nothing.
static bool mute(const struct sp_ledger_family *family, int rung)
{
	if (family->rungs[rung].last_ok_us != SP_NEVER_US)
		return false;
	for (int far = rung + 1; far < SP_RUNGS; far++)
		if (crossed(family, far) && family->rungs[far].last_ok_us != SP_NEVER_US)
			return true;
	return false;
}

/// Broken, and nothing beyond it answered since.
static bool cut(const struct sp_ledger_family *family, int rung)
{
	return broken(&family->rungs[rung]) && !deaf(family, rung) && !mute(family, rung);
}

static bool answers(const struct sp_ledger_family *family, int rung)
{
	return family->rungs[rung].status == SP_RUNG_OK ||
	       (broken(&family->rungs[rung]) && deaf(family, rung));
}

/// When the trouble at `rung` began: the first loss among what it silenced, after the last answer from there
/// or beyond.
static void place_trouble(struct sp_ledger_family *family, int rung)
{
	struct sp_verdict *verdict = &family->verdict;
	int64_t last_ok = SP_NEVER_US;
	for (int far = rung; far < SP_RUNGS; far++)
		if ((far == rung || crossed(family, far)) && family->rungs[far].last_ok_us > last_ok)
			last_ok = family->rungs[far].last_ok_us;
	int64_t since = family->rungs[rung].since_us;
	for (int far = rung; far < SP_RUNGS; far++) {
		const struct sp_rung_view *view = &family->rungs[far];
		if (on_path(far) && far < SP_RUNG_SERVICE && broken(view) && view->since_us >= last_ok &&
		    view->since_us < since)
			since = view->since_us;
	}
	verdict->since_us = since;
	verdict->before_us = last_ok;
	verdict->cause_us = since;
	// The kernel tells these as they happen.
	if (rung <= SP_RUNG_ADDRESS)
		verdict->before_us = since = verdict->cause_us = verdict->since_us =
		    family->rungs[rung].since_us;
	for (int other = 0; other <= SP_RUNG_INTERNATIONAL; other++)
		if (family->rungs[other].status == SP_RUNG_OK && family->rungs[other].heard_us < since)
			verdict->settle_us = since + SETTLE_US;
}

static void set(struct sp_ledger_family *family, enum sp_line_state state, enum sp_cause cause,
		enum sp_whose whose)
{
	family->verdict.state = state;
	family->verdict.cause = cause;
	family->verdict.whose = whose;
	family->verdict.trouble = state != SP_LINE_UP;
}

/// Silent since before something nearer came back: that was the nearer one's doing, until `rung` is asked
/// again.
static void excuse(struct sp_ledger_family *family, int rung)
{
	for (int near = SP_RUNG_CABLE; near < rung && near <= SP_RUNG_GATEWAY; near++) {
		const struct sp_rung_view *view = &family->rungs[near];
		struct sp_verdict *verdict = &family->verdict;
		int64_t settle_us = view->since_us + SETTLE_US;
		if (view->status != SP_RUNG_OK || view->since_us <= family->rungs[rung].since_us)
			continue;
		if (verdict->settle_us < settle_us)
			verdict->settle_us = settle_us;
		if (verdict->cause_us < view->since_us)
			verdict->cause_us = view->since_us;
		if (verdict->healed_us < view->since_us)
			verdict->healed_us = view->since_us;
	}
}

/// Something between the board and the gateway.
static bool near_trouble(struct sp_ledger_family *family)
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

/// What the provider's first hop says of the silence at `rung`, which lies beyond it.
enum hop { HOP_SAYS_NOTHING, HOP_ANSWERS, HOP_SILENT };

static enum hop ask_hop(const struct sp_ledger_family *family, int rung)
{
	const struct sp_rung_view *access = &family->rungs[SP_RUNG_ISP_ACCESS];
	if (access->status == SP_RUNG_OK && access->heard_us >= family->rungs[rung].since_us)
		return HOP_ANSWERS;
	if (access->status != SP_RUNG_SILENT || access->last_ok_us == SP_NEVER_US)
		return HOP_SAYS_NOTHING;
	// It had gone deaf while all was well.
	for (int far = SP_RUNG_ISP_ACCESS + 1; far < SP_RUNGS; far++)
		if (crossed(family, far) && family->rungs[far].last_ok_us != SP_NEVER_US &&
		    family->rungs[far].last_ok_us > access->since_us + SLACK_US)
			return HOP_SAYS_NOTHING;
	return HOP_SILENT;
}

/// The cause hangs on this rung, too: if that said otherwise since the trouble began, it turned then.
static void turn_with(struct sp_ledger_family *family, int rung)
{
	const struct sp_rung_view *view = &family->rungs[rung];
	struct sp_verdict *verdict = &family->verdict;
	if (view->other_us > verdict->since_us + SLACK_US && view->since_us > verdict->cause_us)
		verdict->cause_us = view->since_us;
}

/// Nothing beyond the gateway answers; `rung` is the one that says so.
static void far_trouble(struct sp_ledger_family *family, int rung)
{
	const struct sp_rung_view *portal = &family->rungs[SP_RUNG_PORTAL];
	enum hop hop = ask_hop(family, rung);
	bool hijacked = portal->status == SP_RUNG_WRONG && portal->heard_us >= family->rungs[rung].since_us;
	family->reach = rung;
	place_trouble(family, hop == HOP_SILENT ? SP_RUNG_ISP_ACCESS : rung);
	if (hop == HOP_SILENT && answers(family, SP_RUNG_GATEWAY)) {
		set(family, SP_LINE_DOWN, SP_CAUSE_ISP_ACCESS, SP_WHOSE_PROVIDER);
		turn_with(family, SP_RUNG_ISP_ACCESS);
	} else if (hijacked) {
		set(family, SP_LINE_DOWN, SP_CAUSE_CAPTIVE_PORTAL, SP_WHOSE_ACCOUNT);
		turn_with(family, SP_RUNG_PORTAL);
	} else if (hop == HOP_ANSWERS) {
		set(family, SP_LINE_DOWN, SP_CAUSE_ISP_CORE, SP_WHOSE_PROVIDER);
		turn_with(family, SP_RUNG_ISP_ACCESS);
	} else if (answers(family, SP_RUNG_GATEWAY)) {
		set(family, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	} else {
		set(family, SP_LINE_UNKNOWN, SP_CAUSE_NONE, SP_WHOSE_UNRESOLVED);
	}
	excuse(family, rung);
}

/// Was it asked since the path works? A burst that began before may end, and be told, a little later.
static bool asked_since(const struct sp_rung_view *view, int64_t path_since)
{
	return view->heard_us >= path_since + (view->since_us < path_since ? ASKED_US : 0);
}

static bool symptom(const struct sp_ledger_family *family, int rung, int64_t path_since)
{
	return broken(&family->rungs[rung]) && asked_since(&family->rungs[rung], path_since);
}

static void place_symptom(struct sp_ledger_family *family, int rung, int64_t path_since)
{
	const struct sp_rung_view *view = &family->rungs[rung];
	struct sp_verdict *verdict = &family->verdict;
	verdict->since_us = view->since_us > path_since ? view->since_us : path_since;
	bool answered = view->last_ok_us != SP_NEVER_US;
	// Before the path worked, this could not be told.
	verdict->before_us = answered && view->last_ok_us < path_since ? path_since : view->last_ok_us;
	verdict->cause_us = verdict->since_us;
	// The anchors have not spoken since: perhaps they are silent, too, and just not told to be.
	const struct sp_rung_view *core = &family->rungs[SP_RUNG_ISP_CORE];
	if (core->status == SP_RUNG_OK && core->heard_us < verdict->since_us)
		verdict->settle_us = verdict->since_us + SETTLE_US;
}

/// What runs over the path.
static bool above_path(int rung)
{
	return (rung >= SP_RUNG_INTERNATIONAL && rung <= SP_RUNG_PORTAL) || rung == SP_RUNG_FULL_SIZE;
}

/// When the path began to work in full: the last of what runs over it to answer. What was silent only until
/// the path came back was so because of it, and answers since then.
static void place_up(struct sp_ledger_family *family, int64_t path_since)
{
	struct sp_verdict *verdict = &family->verdict;
	verdict->since_us = path_since;
	for (int rung = SP_RUNG_ISP_CORE; rung < SP_RUNGS; rung++) {
		const struct sp_rung_view *view = &family->rungs[rung];
		if (view->status != SP_RUNG_OK || !(above_path(rung) || rung == SP_RUNG_ISP_CORE))
			continue;
		// What was never otherwise was only not asked meanwhile, unless nothing was.
		int64_t other_us = view->other_us != SP_NEVER_US                             ? view->other_us
				   : family->rungs[SP_RUNG_ISP_CORE].other_us == SP_NEVER_US ? INT64_MAX
											     : SP_NEVER_US;
		bool late = other_us > path_since + ASKED_US;
		if (late && view->since_us > verdict->since_us)
			verdict->since_us = view->since_us;
		if (view->other_us > verdict->before_us)
			verdict->before_us = view->other_us;
	}
	verdict->cause_us = verdict->since_us;
	const struct sp_rung_view *hub = &family->rungs[SP_RUNG_HUB];
	if (hub->status != SP_RUNG_UNKNOWN)
		verdict->hub_us = hub->since_us;
}

/// It was broken, and was not asked since the path works.
static bool pending(const struct sp_ledger_family *family, int rung, int64_t path_since)
{
	const struct sp_rung_view *view = &family->rungs[rung];
	bool ever = rung != SP_RUNG_FULL_SIZE || view->last_ok_us != SP_NEVER_US;
	// The anchors at home are asked more often than what has answered in their place, whose return is
	// placed in the middle of a gap of up to twice that slack: they know better since when.
	if (rung == SP_RUNG_ISP_CORE)
		return broken(view) && view->heard_us < path_since + ASKED_US + RETURN_US;
	return above_path(rung) && broken(view) && ever && !asked_since(view, path_since);
}

/// A link that never carried a full-size packet is as it is: something on the way makes do with less.
static bool shrunk(const struct sp_ledger_family *family, int64_t path_since)
{
	const struct sp_rung_view *view = &family->rungs[SP_RUNG_FULL_SIZE];
	return view->status == SP_RUNG_SILENT && view->last_ok_us != SP_NEVER_US &&
	       symptom(family, SP_RUNG_FULL_SIZE, path_since);
}

/// The path works since `path_since`: what may still be wrong on top of it.
static void upper(struct sp_ledger_family *family, int64_t path_since)
{
	family->reach = SP_RUNGS;
	// The kernel told when these came back; nothing came through before.
	for (int near = SP_RUNG_CABLE; near <= SP_RUNG_ADDRESS; near++)
		if (family->rungs[near].status == SP_RUNG_OK && family->rungs[near].since_us > path_since)
			path_since = family->rungs[near].since_us;
	for (int rung = 0; rung < SP_RUNGS; rung++)
		if (pending(family, rung, path_since))
			family->verdict.pending |= 1u << rung;
	if (symptom(family, SP_RUNG_PORTAL, path_since) &&
	    family->rungs[SP_RUNG_PORTAL].status == SP_RUNG_WRONG) {
		set(family, SP_LINE_DOWN, SP_CAUSE_CAPTIVE_PORTAL, SP_WHOSE_ACCOUNT);
		place_symptom(family, SP_RUNG_PORTAL, path_since);
	} else if (shrunk(family, path_since)) {
		set(family, SP_LINE_DEGRADED, SP_CAUSE_MTU, SP_WHOSE_PROVIDER);
		place_symptom(family, SP_RUNG_FULL_SIZE, path_since);
	} else if (symptom(family, SP_RUNG_INTERNATIONAL, path_since)) {
		set(family, SP_LINE_DEGRADED, SP_CAUSE_INTERNATIONAL, SP_WHOSE_PROVIDER);
		place_symptom(family, SP_RUNG_INTERNATIONAL, path_since);
	} else if (symptom(family, SP_RUNG_DNS, path_since)) {
		set(family, SP_LINE_DEGRADED, SP_CAUSE_DNS, SP_WHOSE_RESOLVER);
		place_symptom(family, SP_RUNG_DNS, path_since);
	} else if (broken(&family->rungs[SP_RUNG_HUB]) &&
		   family->rungs[SP_RUNG_HUB].heard_us >= path_since + HUB_GRACE_US) {
		set(family, SP_LINE_UP, SP_CAUSE_HUB, SP_WHOSE_OURS);
		place_up(family, path_since);
	} else {
		set(family, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
		place_up(family, path_since);
	}
}

/// An answer from before the school's own part came back is old news.
static bool current(const struct sp_ledger_family *family, int rung)
{
	if (family->rungs[rung].status != SP_RUNG_OK)
		return false;
	for (int near = SP_RUNG_CABLE; near <= SP_RUNG_GATEWAY; near++)
		if (family->rungs[near].status == SP_RUNG_OK &&
		    family->rungs[near].since_us > family->rungs[rung].last_ok_us)
			return false;
	return true;
}

/// Without any anchor: an answer that came all the way, and no younger silence of anchors abroad.
static const struct sp_rung_view *proof(const struct sp_ledger_family *family)
{
	static const int rungs[] = {SP_RUNG_FULL_SIZE, SP_RUNG_SERVICE, SP_RUNG_PORTAL};
	const struct sp_rung_view *abroad = &family->rungs[SP_RUNG_INTERNATIONAL], *best = NULL;
	if (current(family, SP_RUNG_INTERNATIONAL))
		return abroad;
	for (size_t i = 0; i < sizeof(rungs) / sizeof(rungs[0]); i++) {
		const struct sp_rung_view *view = &family->rungs[rungs[i]];
		if (!current(family, rungs[i]) || family->shared[rungs[i]] ||
		    (broken(abroad) && view->last_ok_us < abroad->since_us))
			continue;
		if (!best || view->since_us < best->since_us)
			best = view;
	}
	return best;
}

/// One server that fell silent may be that server's trouble; all that is asked, names and pages, are not.
static void without_anchors(struct sp_ledger_family *family)
{
	static const int rungs[] = {SP_RUNG_PORTAL, SP_RUNG_SERVICE, SP_RUNG_DNS};
	int silent = 0, first = -1, answering = 0;
	for (size_t i = 0; i < sizeof(rungs) / sizeof(rungs[0]); i++) {
		const struct sp_rung_view *view = &family->rungs[rungs[i]];
		answering += view->status == SP_RUNG_OK;
		if (view->status != SP_RUNG_SILENT || view->last_ok_us == SP_NEVER_US)
			continue;
		silent++;
		if (first < 0)
			first = rungs[i];
	}
	if (first < 0 || family->shared[first])
		return;
	far_trouble(family, first);
	if (silent < 2 || answering > 0)
		set(family, SP_LINE_UNKNOWN, SP_CAUSE_NONE, SP_WHOSE_UNRESOLVED);
}

/// No domestic anchor has a word to say.
static void without_core(struct sp_ledger_family *family)
{
	const struct sp_rung_view *abroad = &family->rungs[SP_RUNG_INTERNATIONAL];
	const struct sp_rung_view *dns = &family->rungs[SP_RUNG_DNS];
	const struct sp_rung_view *lives = proof(family);
	if (lives) {
		upper(family, lives->since_us);
	} else if (broken(abroad)) {
		far_trouble(family, SP_RUNG_INTERNATIONAL);
		// A resolver answers: something beyond us lives, and what is silent is abroad.
		if (family->verdict.state == SP_LINE_DOWN && family->verdict.cause == SP_CAUSE_ISP &&
		    dns->status == SP_RUNG_OK && dns->last_ok_us >= abroad->since_us)
			set(family, SP_LINE_DEGRADED, SP_CAUSE_INTERNATIONAL, SP_WHOSE_PROVIDER);
	} else if (family->rungs[SP_RUNG_PORTAL].status == SP_RUNG_WRONG) {
		far_trouble(family, SP_RUNG_PORTAL);
	} else {
		without_anchors(family);
	}
}

/// Since when the path works that domestic anchors prove, or whatever answers beyond deaf ones.
static int64_t core_since(const struct sp_ledger_family *family)
{
	if (family->rungs[SP_RUNG_ISP_CORE].status == SP_RUNG_OK)
		return family->rungs[SP_RUNG_ISP_CORE].since_us;
	const struct sp_rung_view *lives = proof(family);
	return lives ? lives->since_us : family->rungs[SP_RUNG_ISP_CORE].since_us;
}

void sp_ledger_judge_family(struct sp_ledger_family *family)
{
	family->verdict = (struct sp_verdict){.state = SP_LINE_UNKNOWN,
					      .cause = SP_CAUSE_NONE,
					      .whose = SP_WHOSE_UNRESOLVED,
					      .before_us = SP_NEVER_US,
					      .healed_us = SP_NEVER_US,
					      .hub_us = SP_NEVER_US};
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
