// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From a verdict that stands to the line's state and its outage. States follow one another without a gap:
// each begins where the one before it ended.
#include "agent/core/ledger/priv.h"

#include <string.h>

enum {
	SAME_EVENT_US = 5 * 1000 * 1000,
	UNWATCHED_US = 120 * 1000 * 1000,
	END_SLACK_US = 1000 * 1000, ///< between a question and the word that nobody answers it
};

/// Between the last answer and the first loss; SP_NEVER_US without an answer.
static int64_t gap_of(const struct sp_verdict *verdict)
{
	if (verdict->before_us == SP_NEVER_US)
		return SP_NEVER_US;
	// An answer to a later probe may have arrived before an earlier one was given up.
	return verdict->before_us > verdict->since_us ? 0 : verdict->since_us - verdict->before_us;
}

/// Trouble began somewhere in the gap: its middle is never far off. Unless for long nobody looked: then
/// nothing is claimed but what was seen.
static int64_t beginning(const struct sp_verdict *verdict)
{
	int64_t gap = gap_of(verdict);
	return gap < 0 || gap > UNWATCHED_US ? verdict->since_us : verdict->since_us - gap / 2;
}

/// Half the gap in which it began; the whole of one that nobody watched. -1: not known.
static double uncertainty(const struct sp_verdict *verdict)
{
	int64_t gap = gap_of(verdict);
	if (gap < 0)
		return -1;
	if (!verdict->trouble)
		return (double)(gap + END_SLACK_US) / 1e6;
	return (double)(gap > UNWATCHED_US ? gap : gap / 2) / 1e6;
}

static bool measured(const struct sp_verdict *verdict)
{
	return verdict->trouble || verdict->state != SP_LINE_UNKNOWN;
}

static int64_t began_at(const struct sp_ledger *ledger, const struct sp_verdict *verdict, int64_t now_us)
{
	if (!measured(verdict))
		return ledger->egress == SP_LINE_EGRESS_FOREIGN ? verdict->since_us : now_us;
	if (verdict->trouble)
		return ledger->has_outage && verdict->cause_us > verdict->since_us ? verdict->cause_us
										   : beginning(verdict);
	// Of a line that was up already, only the hub's session has changed.
	bool hub_turned = ledger->line.state == SP_LINE_UP && verdict->cause != ledger->line.cause;
	return hub_turned && verdict->hub_us > verdict->since_us ? verdict->hub_us : verdict->since_us;
}

/// When the line turned to this verdict; never before it turned last, nor before an outage that is over.
static int64_t turned_at(const struct sp_ledger *ledger, const struct sp_verdict *verdict, int64_t now_us)
{
	int64_t at = began_at(ledger, verdict, now_us), least = ledger->line.since_us;
	if (ledger->has_outage && ledger->counted_us > least)
		least = ledger->counted_us;
	if (strcmp(ledger->last_end.boot, ledger->boot) == 0 && ledger->last_end.mono_us > least)
		least = ledger->last_end.mono_us;
	// Nearer, and since the beginning: the first verdict was a guess.
	bool corrects = ledger->has_outage && verdict->trouble &&
			sp_ledger_distance(verdict->cause) < sp_ledger_distance(ledger->line.cause) &&
			at - least < SAME_EVENT_US;
	at = at < least || corrects ? least : at;
	return at > now_us ? now_us : at;
}

static bool same_families(const struct sp_line_view *line, const struct sp_verdict *verdict)
{
	for (int family = SP_FAMILY_IPV4; family <= SP_FAMILY_IPV6; family++)
		if (line->offered[family] != verdict->offered[family] ||
		    (verdict->offered[family] && line->family[family] != verdict->family[family]))
			return false;
	return true;
}

static void follow(struct sp_ledger *ledger, const struct sp_verdict *verdict,
		   const struct sp_clock_reading *now)
{
	const struct sp_line_view *line = &ledger->line;
	if (ledger->has_outage && line->state == SP_LINE_UP)
		sp_ledger_outage_close(ledger, line->since_us, line->since_uncertainty_seconds, now);
	else if (ledger->has_outage)
		sp_ledger_outage_turn(ledger, line->since_us, now);
	else if (verdict->trouble)
		sp_ledger_outage_open(ledger, line->since_us, line->since_uncertainty_seconds, now);
}

static void take(struct sp_ledger *ledger, const struct sp_verdict *verdict,
		 const struct sp_clock_reading *now)
{
	struct sp_line_view *line = &ledger->line;
	bool else_changed = (measured(verdict) && !same_families(line, verdict)) ||
			    line->self_loaded != ledger->loading || line->egress != ledger->egress;
	line->began =
	    line->state != verdict->state || line->cause != verdict->cause || line->whose != verdict->whose;
	if (line->began) {
		int64_t at = turned_at(ledger, verdict, now->mono_us);
		line->since_us = at;
		line->since_uncertainty_seconds = uncertainty(verdict);
	}
	line->previous = line->state;
	line->state = verdict->state;
	line->cause = verdict->cause;
	line->whose = verdict->whose;
	line->self_loaded = ledger->loading;
	line->egress = ledger->egress;
	memcpy(line->family, verdict->family, sizeof(line->family));
	memcpy(line->offered, verdict->offered, sizeof(line->offered));
	if (line->began || else_changed)
		ledger->events->line(ledger->arg, line);
	if (line->began)
		follow(ledger, verdict, now);
	if (line->state == SP_LINE_UP)
		ledger->powered_us = 0;
	if (measured(verdict) && line->state != SP_LINE_UP)
		ledger->remembered = 0;
	ledger->better_us = ledger->up_us = 0;
}

/// That a test fills the line, or another door is used, is told while the verdict waits, too.
static void tell_rest(struct sp_ledger *ledger)
{
	struct sp_line_view *line = &ledger->line;
	if (line->self_loaded == ledger->loading)
		return;
	line->self_loaded = ledger->loading;
	line->previous = line->state;
	line->began = false;
	ledger->events->line(ledger->arg, line);
}

int64_t sp_ledger_judge(struct sp_ledger *ledger, const struct sp_clock_reading *now)
{
	struct sp_rung_view views[SP_RUNGS][SP_FAMILIES];
	struct sp_verdict verdict;
	ledger->clock = *now;
	sp_ledger_silence_untold(ledger, now);
	if (sp_ledger_outage_place(ledger, now))
		ledger->events->save(ledger->arg);
	sp_ledger_collect(ledger, now->mono_us, views);
	sp_ledger_judge_rungs(views, ledger->worked, &verdict);
	int64_t next = sp_ledger_next_expiry(ledger, now->mono_us);
	int64_t until = sp_ledger_hold(ledger, views, &verdict, now->mono_us);
	if (until > now->mono_us) {
		tell_rest(ledger);
		return until < next ? until : next;
	}
	take(ledger, &verdict, now);
	return next;
}
