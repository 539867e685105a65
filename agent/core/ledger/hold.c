// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What stands between a verdict and the books: the rungs are asked at different paces, and know nothing of
// other uplinks, of our own load, of bytes that came in meanwhile. Every wait is bounded.
#include "agent/core/ledger/priv.h"

enum {
	SECOND = 1000 * 1000,
	BETTER_US = 6 * SECOND,    ///< a silent rung is asked every 4 s, and may take its time
	SYMPTOM_US = 3 * SECOND,   ///< one above the path has been asked since that works
	REMEMBER_US = 90 * SECOND, ///< for the rung that was in trouble when the last run ended
	HEAL_US = 60 * SECOND,     ///< a router that is back boots on, and dials
	POWERED_US = 120 * SECOND, ///< after a power cut it began from nothing
	PENDING_US = 30 * SECOND,  ///< rungs above the path are asked every 10…30 s at the latest
	CONFIRM_US = 10 * SECOND,  ///< for the first hop to be asked who it is
	NAMELESS_US = 2 * SECOND,  ///< it will not say: so long for our public address to be told
	FAMILY_US = 4 * SECOND,    ///< the other family comes back a moment later
	ASK_AGAIN_US = 6 * SECOND,
	LOADED_US = 5 * SECOND,     ///< after our own load: queues drain, probes return
	LATE_US = 2 * SECOND,       ///< bytes that were under way when the line broke
	VETO_US = 10 * SECOND,      ///< so long incoming bytes contradict a silence …
	VETO_AGAIN_US = 75 * SECOND ///< … and so long if it was contradicted before: the anchors are deaf
};

int sp_ledger_distance(enum sp_cause cause)
{
	static const int distances[SP_CAUSES] = {
	    [SP_CAUSE_NONE] = 9,          [SP_CAUSE_CABLE] = 0,
	    [SP_CAUSE_ADDRESS] = 1,       [SP_CAUSE_GATEWAY] = 2,
	    [SP_CAUSE_ISP_ACCESS] = 3,    [SP_CAUSE_ISP_CORE] = 4,
	    [SP_CAUSE_ISP] = 4,           [SP_CAUSE_CAPTIVE_PORTAL] = 4,
	    [SP_CAUSE_IPV4] = 5,          [SP_CAUSE_IPV6] = 5,
	    [SP_CAUSE_INTERNATIONAL] = 6, [SP_CAUSE_DNS] = 7,
	    [SP_CAUSE_HUB] = 8,           [SP_CAUSE_MTU] = 5,
	    [SP_CAUSE_POWER] = 0,         [SP_CAUSE_REBOOT] = 0,
	    [SP_CAUSE_AGENT] = 0,
	};
	return distances[cause];
}

static bool beyond_gateway(enum sp_cause cause)
{
	return sp_ledger_distance(cause) > sp_ledger_distance(SP_CAUSE_GATEWAY);
}

static void ask(struct sp_ledger *ledger, int64_t now_us)
{
	if (ledger->asked_us && now_us - ledger->asked_us < ASK_AGAIN_US)
		return;
	ledger->asked_us = now_us;
	if (ledger->events->ask)
		ledger->events->ask(ledger->arg);
}

// ---- what the rungs do not know -----------------------------------------------------------------------

/// Behind a router with two uplinks the probes measure whichever it uses.
static bool another_uplink(struct sp_ledger *ledger, struct sp_verdict *verdict, int64_t now_us)
{
	if (ledger->egress != SP_LINE_EGRESS_FOREIGN) {
		// The other one was measured until then.
		if (verdict->since_us < ledger->door_us)
			verdict->since_us = ledger->door_us;
		if (verdict->cause_us < ledger->door_us)
			verdict->cause_us = ledger->door_us;
		if (verdict->before_us != SP_NEVER_US && verdict->before_us < ledger->door_us)
			verdict->before_us = ledger->door_us;
		if (ledger->line.egress == SP_LINE_EGRESS_FOREIGN)
			ask(ledger, now_us);
		return false;
	}
	verdict->state = SP_LINE_UNKNOWN;
	verdict->cause = SP_CAUSE_NONE;
	verdict->whose = SP_WHOSE_UNRESOLVED;
	verdict->trouble = false;
	verdict->since_us = verdict->cause_us = ledger->egress_us;
	for (int family = 0; family < SP_FAMILIES; family++)
		verdict->family[family] = SP_LINE_UNKNOWN;
	return true;
}

/// Bytes from beyond the gateway that came in during the silence. True: the verdict waits; it may also have
/// become "up".
static bool contradicted(struct sp_ledger *ledger, struct sp_verdict *verdict, int64_t now_us,
			 int64_t *until_us)
{
	int64_t came_us = ledger->traffic_us;
	if (came_us == SP_NEVER_US || verdict->state != SP_LINE_DOWN || came_us < verdict->since_us + LATE_US)
		return false;
	if (ledger->vetoed_us != verdict->since_us) {
		ledger->vetoed_us = verdict->since_us;
		ledger->veto_us = VETO_US;
		ledger->veto_came_us = came_us;
	} else if (came_us > ledger->veto_came_us + VETO_US) {
		ledger->veto_us = VETO_AGAIN_US;
	}
	*until_us = came_us + ledger->veto_us;
	if (now_us >= *until_us) {
		// The line lived until then, at least.
		verdict->since_us = verdict->before_us = came_us;
		if (verdict->cause_us < came_us)
			verdict->cause_us = came_us;
		return false;
	}
	if (ledger->line.state == SP_LINE_UP || ledger->line.state == SP_LINE_DEGRADED)
		return true;
	// An outage is not over by bytes alone: the rungs are asked, and tell by which door, too. But anchors
	// that still say nothing while bytes come are deaf.
	if (ledger->has_outage && ledger->veto_us != VETO_AGAIN_US) {
		ask(ledger, now_us);
		return false;
	}
	*verdict = (struct sp_verdict){.state = SP_LINE_UP,
				       .cause = SP_CAUSE_NONE,
				       .whose = SP_WHOSE_NOBODY,
				       .since_us = came_us,
				       .cause_us = came_us,
				       .before_us = verdict->since_us,
				       .healed_us = SP_NEVER_US,
				       .hub_us = SP_NEVER_US};
	for (int family = SP_FAMILY_IPV4; family <= SP_FAMILY_IPV6; family++) {
		verdict->family[family] = ledger->line.family[family];
		verdict->offered[family] = ledger->line.offered[family];
	}
	return true;
}

/// Our own test drowns the probes: beyond the gateway no trouble begins until it is over. What stays silent
/// then has been so since then, by all that can be told.
static int64_t loaded(const struct sp_ledger *ledger, struct sp_verdict *verdict)
{
	if (!verdict->trouble || ledger->has_outage || !beyond_gateway(verdict->cause))
		return 0;
	if (ledger->loading)
		return INT64_MAX;
	if (ledger->loaded_us == 0)
		return 0;
	if (verdict->since_us < ledger->loaded_us) {
		verdict->before_us = SP_NEVER_US;
		verdict->since_us = verdict->cause_us = ledger->loaded_us;
	}
	return ledger->loaded_us + LOADED_US;
}

// ---- worse ------------------------------------------------------------------------------------------

/// The school's part is back, and what lies beyond has not spoken since: it has its time to boot and to dial.
static int64_t healing(const struct sp_ledger *ledger, const struct sp_verdict *verdict)
{
	if (!beyond_gateway(verdict->cause))
		return 0;
	int64_t until = ledger->powered_us ? ledger->powered_us + POWERED_US : 0;
	bool near = ledger->has_outage && !beyond_gateway(ledger->line.cause);
	if (near && verdict->healed_us != SP_NEVER_US && verdict->healed_us + HEAL_US > until)
		until = verdict->healed_us + HEAL_US;
	return until;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

// ---- up ---------------------------------------------------------------------------------------------

/// The rung on which a symptom stands; CABLE: none.
static enum sp_rung rung_of(enum sp_cause cause)
{
	static const enum sp_rung rungs[SP_CAUSES] = {
	    [SP_CAUSE_INTERNATIONAL] = SP_RUNG_INTERNATIONAL,
	    [SP_CAUSE_DNS] = SP_RUNG_DNS,
	    [SP_CAUSE_CAPTIVE_PORTAL] = SP_RUNG_PORTAL,
	    [SP_CAUSE_MTU] = SP_RUNG_FULL_SIZE,
	    [SP_CAUSE_IPV4] = SP_RUNG_ISP_CORE,
	    [SP_CAUSE_IPV6] = SP_RUNG_ISP_CORE,
	};
	return rungs[cause];
}

unsigned sp_ledger_symptoms(const struct sp_outage *outage)
{
	unsigned bits = 0;
	for (size_t i = 0; i < outage->part_count; i++)
		if (rung_of(outage->parts[i].cause) != SP_RUNG_CABLE)
			bits |= 1u << outage->parts[i].cause;
	return bits;
}

/// Has the rung that was in trouble in the last run been asked in this one?
static bool asked_again(const struct sp_rung_view views[SP_RUNGS][SP_FAMILIES], enum sp_cause cause)
{
	enum sp_rung rung = rung_of(cause);
	if (cause == SP_CAUSE_IPV4 || cause == SP_CAUSE_IPV6)
		return views[rung][cause == SP_CAUSE_IPV4 ? SP_FAMILY_IPV4 : SP_FAMILY_IPV6].status !=
		       SP_RUNG_UNKNOWN;
	for (int family = 0; family < SP_FAMILIES; family++)
		if (views[rung][family].status != SP_RUNG_UNKNOWN)
			return true;
	return false;
}

/// After a restart the near rungs answer first; that alone does not end an outage that lay beyond them.
static int64_t remembering(struct sp_ledger *ledger, const struct sp_rung_view views[SP_RUNGS][SP_FAMILIES],
			   int64_t now_us)
{
	for (int cause = 0; cause < SP_CAUSES; cause++)
		if ((ledger->remembered & 1u << cause) && asked_again(views, (enum sp_cause)cause))
			ledger->remembered &= ~(1u << cause);
	if (!ledger->remembered)
		return 0;
	if (ledger->remember_until_us == 0)
		ledger->remember_until_us = now_us + REMEMBER_US;
	if (now_us >= ledger->remember_until_us)
		ledger->remembered = 0;
	return ledger->remembered ? ledger->remember_until_us : 0;
}

/// When the hop was found to say nothing of who it is though the path works since `path_us`; SP_NEVER_US
/// while it may yet, INT64_MAX where it never said anything in this run.
static int64_t nameless_us(const struct sp_rung_view *hop, int64_t path_us)
{
	if (hop->last_ok_us == SP_NEVER_US)
		return INT64_MAX;
	// What is told to be silent was asked some time before.
	int64_t least_us = hop->status == SP_RUNG_SILENT ? path_us + LATE_US : path_us;
	return hop->status != SP_RUNG_OK && hop->heard_us > least_us ? hop->heard_us : SP_NEVER_US;
}

/// The router may have come back by another door, since `path_us`: so long that is waited for. A hop that is
/// asked and keeps silent is deaf, and will not say; 0: no need.
static int64_t unconfirmed(const struct sp_ledger *ledger, int64_t path_us, int64_t wait_us,
			   const struct sp_rung_view views[SP_RUNGS][SP_FAMILIES])
{
	int64_t deaf_us = SP_NEVER_US;
	bool deaf = true, broken = false;
	if (!ledger->egress_known || ledger->confirmed_us >= path_us)
		return 0;
	for (size_t i = 0; i < ledger->outage.part_count; i++)
		broken |= rung_of(ledger->outage.parts[i].cause) == SP_RUNG_CABLE;
	if (!broken)
		return 0;
	for (int family = 0; family < SP_FAMILIES; family++) {
		int64_t at_us = nameless_us(&views[SP_RUNG_ISP_ACCESS][family], path_us);
		deaf &= at_us != SP_NEVER_US;
		if (at_us != INT64_MAX && at_us > deaf_us)
			deaf_us = at_us;
	}
	int64_t until_us = wait_us + CONFIRM_US;
	if (deaf && deaf_us != SP_NEVER_US && deaf_us + NAMELESS_US < until_us)
		until_us = deaf_us + NAMELESS_US;
	return until_us;
}

/// A family that is offered and was not measured since: it is about to be.
static bool unmeasured(const struct sp_verdict *verdict)
{
	for (int family = SP_FAMILY_IPV4; family <= SP_FAMILY_IPV6; family++)
		if (verdict->offered[family] && verdict->family[family] == SP_LINE_UNKNOWN)
			return true;
	return false;
}

static int64_t worse(struct sp_ledger *ledger, const struct sp_rung_view views[SP_RUNGS][SP_FAMILIES],
		     const struct sp_verdict *verdict, int64_t now_us)
{
	int64_t until = later(verdict->settle_us, healing(ledger, verdict));
	// Things get better rung by rung: what is still silent has a moment to answer, too.
	bool farther =
	    ledger->has_outage && sp_ledger_distance(verdict->cause) > sp_ledger_distance(ledger->line.cause);
	if (!farther) {
		ledger->better_us = 0;
		return until;
	}
	if (ledger->better_us == 0)
		ledger->better_us = now_us;
	bool works = verdict->state == SP_LINE_DEGRADED;
	bool family = verdict->cause == SP_CAUSE_IPV4 || verdict->cause == SP_CAUSE_IPV6;
	until = later(until, ledger->better_us + (works && !family ? SYMPTOM_US : BETTER_US));
	if (!works)
		return until;
	until = later(until, unconfirmed(ledger, verdict->cause_us, ledger->better_us, views));
	if (until > now_us)
		ask(ledger, now_us);
	return until;
}

static int64_t better(struct sp_ledger *ledger, const struct sp_rung_view views[SP_RUNGS][SP_FAMILIES],
		      const struct sp_verdict *verdict, int64_t now_us)
{
	int64_t until = remembering(ledger, views, now_us);
	if (ledger->up_us == 0)
		ledger->up_us = now_us;
	if (verdict->pending && ledger->up_us + PENDING_US > until)
		until = ledger->up_us + PENDING_US;
	if (unmeasured(verdict))
		until = later(until, ledger->up_us + FAMILY_US);
	until = later(until, unconfirmed(ledger, verdict->since_us, ledger->up_us, views));
	if (until <= now_us)
		return 0;
	ask(ledger, now_us);
	return until;
}

int64_t sp_ledger_hold(struct sp_ledger *ledger, const struct sp_rung_view views[SP_RUNGS][SP_FAMILIES],
		       struct sp_verdict *verdict, int64_t now_us)
{
	int64_t until = 0;
	if (another_uplink(ledger, verdict, now_us))
		return 0;
	if (contradicted(ledger, verdict, now_us, &until))
		return verdict->state == SP_LINE_UP ? 0 : until;
	bool up = verdict->state == SP_LINE_UP;
	if (!up)
		ledger->up_us = 0;
	if (up && ledger->has_outage)
		return better(ledger, views, verdict, now_us);
	bool turns = verdict->state != ledger->line.state || verdict->cause != ledger->line.cause;
	if (!verdict->trouble || !turns) {
		ledger->better_us = 0;
		return 0;
	}
	until = loaded(ledger, verdict);
	return until > now_us ? until : worse(ledger, views, verdict, now_us);
}
