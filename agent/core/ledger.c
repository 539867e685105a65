// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Keeps what each source said, and turns verdicts into states and outages.
#include "agent/core/ledger_priv.h"

#include <string.h>

#include "agent/base/mem.h"
#include "schoolpulse/log.h"

/// How long a restored outage waits for its rung to be asked again.
static const int64_t REMEMBER_US = 90LL * 1000 * 1000;
static const int64_t PACE_MOST_US = 3600LL * 1000 * 1000;

enum {
	BETTER_US = 6 * 1000 * 1000, ///< a silent rung is asked every 4 s, and may take its time
	SAME_EVENT_US = 5 * 1000 * 1000,
	LOADED_US = 5 * 1000 * 1000, ///< after our own load: queues drain, probes return
	UNWATCHED_US = 120 * 1000 * 1000,
};

struct sp_ledger *sp_ledger_new(const char *boot, const struct sp_ledger_events *events, void *arg)
{
	struct sp_ledger *ledger = sp_alloc(sizeof(*ledger));
	memcpy(ledger->boot, boot, strnlen(boot, sizeof(ledger->boot) - 1));
	ledger->events = events;
	ledger->arg = arg;
	ledger->line.whose = SP_WHOSE_UNRESOLVED;
	return ledger;
}

void sp_ledger_free(struct sp_ledger *ledger)
{
	if (!ledger)
		return;
	for (size_t i = 0; i < ledger->count; i++)
		free(ledger->slots[i].source);
	free(ledger->slots);
	free(ledger);
}

static struct sp_ledger_slot *slot_of(struct sp_ledger *ledger, const char *source, enum sp_rung rung,
				      enum sp_family family)
{
	for (size_t i = 0; i < ledger->count; i++) {
		struct sp_ledger_slot *slot = &ledger->slots[i];
		if (slot->rung == rung && slot->family == family && strcmp(slot->source, source) == 0)
			return slot;
	}
	if (ledger->count >= SP_LEDGER_SLOTS)
		return NULL;
	ledger->slots = sp_realloc(ledger->slots, (ledger->count + 1) * sizeof(*ledger->slots));
	struct sp_ledger_slot *slot = &ledger->slots[ledger->count++];
	*slot = (struct sp_ledger_slot){
	    .source = sp_strdup(source), .rung = rung, .family = family, .last_ok_us = SP_NEVER_US};
	return slot;
}

static bool beyond_gateway(enum sp_rung rung)
{
	return (rung > SP_RUNG_GATEWAY && rung <= SP_RUNG_INTERNATIONAL) || rung == SP_RUNG_PORTAL;
}

static void learn_pace(struct sp_ledger_slot *slot, int64_t now_us)
{
	int64_t gap = slot->heard_us ? now_us - slot->heard_us : 0;
	if (gap > PACE_MOST_US)
		gap = PACE_MOST_US;
	int64_t faded = slot->pace_us - slot->pace_us / 8;
	slot->pace_us = gap > faded ? gap : faded;
}

void sp_ledger_report(struct sp_ledger *ledger, const char *source, const struct sp_rung_report *report,
		      int64_t max_age_us, int64_t now_us)
{
	struct sp_ledger_slot *slot = slot_of(ledger, source, report->rung, report->family);
	if (!slot) {
		sp_warning("ledger", "more than %d rungs are reported, the rest is not heard",
			   SP_LEDGER_SLOTS);
		return;
	}
	learn_pace(slot, now_us);
	slot->status = report->status;
	slot->since_us = report->since_us < now_us ? report->since_us : now_us;
	slot->heard_us = now_us;
	slot->max_age_us = max_age_us;
	slot->rtt_us = report->rtt_us;
	const char *detail = report->detail ? report->detail : "";
	size_t length = strnlen(detail, sizeof(slot->detail) - 1);
	memcpy(slot->detail, detail, length);
	slot->detail[length] = '\0';
	if (report->status == SP_RUNG_OK) {
		slot->last_ok_us = now_us;
		if (beyond_gateway(report->rung))
			ledger->worked[report->family] = true;
	}
}

static int64_t expiry(const struct sp_ledger_slot *slot)
{
	int64_t by_pace = 3 * slot->pace_us;
	return slot->heard_us + (slot->max_age_us > by_pace ? slot->max_age_us : by_pace);
}

static bool fresh(const struct sp_ledger_slot *slot, int64_t now_us)
{
	return slot->max_age_us == 0 || now_us <= expiry(slot);
}

static int rank(enum sp_rung_status status)
{
	switch (status) {
	case SP_RUNG_UNKNOWN:
		return 0;
	case SP_RUNG_SILENT:
		return 1;
	case SP_RUNG_WRONG:
		return 2;
	case SP_RUNG_OK:
		return 3;
	}
	return 0;
}

/// Several sources speak of one rung: any answer is an answer, and silence begins when the last fell silent.
static void merge(struct sp_rung_view *view, const struct sp_ledger_slot *slot, int64_t now_us)
{
	if (slot->last_ok_us > view->last_ok_us)
		view->last_ok_us = slot->last_ok_us;
	if (!fresh(slot, now_us) || rank(slot->status) < rank(view->status))
		return;
	int64_t heard = slot->max_age_us == 0 ? INT64_MAX : slot->heard_us;
	if (rank(slot->status) > rank(view->status)) {
		view->status = slot->status;
		view->since_us = slot->since_us;
		view->heard_us = heard;
		return;
	}
	bool earliest = slot->status == SP_RUNG_OK;
	if (earliest ? slot->since_us < view->since_us : slot->since_us > view->since_us)
		view->since_us = slot->since_us;
	if (heard > view->heard_us)
		view->heard_us = heard;
}

static void collect(const struct sp_ledger *ledger, int64_t now_us,
		    struct sp_rung_view views[SP_RUNGS][SP_FAMILIES])
{
	for (int rung = 0; rung < SP_RUNGS; rung++)
		for (int family = 0; family < SP_FAMILIES; family++)
			views[rung][family] = (struct sp_rung_view){.last_ok_us = SP_NEVER_US};
	for (size_t i = 0; i < ledger->count; i++) {
		const struct sp_ledger_slot *slot = &ledger->slots[i];
		merge(&views[slot->rung][slot->family], slot, now_us);
	}
}

/// When the first of the reports that still hold grows too old.
static int64_t next_expiry(const struct sp_ledger *ledger, int64_t now_us)
{
	int64_t next = INT64_MAX;
	for (size_t i = 0; i < ledger->count; i++) {
		const struct sp_ledger_slot *slot = &ledger->slots[i];
		if (slot->max_age_us == 0 || !fresh(slot, now_us))
			continue;
		if (expiry(slot) + 1 < next)
			next = expiry(slot) + 1;
	}
	return next;
}

/// How far out a cause lies; families between the path and what runs over it.
static int distance(enum sp_cause cause)
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
	return (double)(gap > UNWATCHED_US ? gap : gap / 2) / 1e6;
}

static bool same_families(const struct sp_line_view *line, const struct sp_verdict *verdict)
{
	for (int family = SP_FAMILY_IPV4; family <= SP_FAMILY_IPV6; family++)
		if (line->offered[family] != verdict->offered[family] ||
		    (verdict->offered[family] && line->family[family] != verdict->family[family]))
			return false;
	return true;
}

/// When the line turned to this verdict; never before it turned last, nor before an outage that is over.
static int64_t turned_at(const struct sp_ledger *ledger, const struct sp_verdict *verdict,
			 const struct sp_clock_reading *now)
{
	bool measured = verdict->trouble || verdict->state != SP_LINE_UNKNOWN;
	int64_t at = verdict->trouble ? beginning(verdict) : measured ? verdict->since_us : now->mono_us;
	int64_t least = ledger->line.since_us;
	if (ledger->has_outage && ledger->counted_us > least)
		least = ledger->counted_us;
	if (strcmp(ledger->last_end.boot, ledger->boot) == 0 && ledger->last_end.mono_us > least)
		least = ledger->last_end.mono_us;
	// Nearer, and since the beginning: the first verdict was a guess.
	bool corrects = ledger->has_outage && verdict->trouble &&
			distance(verdict->cause) < distance(ledger->line.cause) && at - least < SAME_EVENT_US;
	at = at < least || corrects ? least : at;
	return at > now->mono_us ? now->mono_us : at;
}

static void take(struct sp_ledger *ledger, const struct sp_verdict *verdict,
		 const struct sp_clock_reading *now)
{
	struct sp_line_view *line = &ledger->line;
	bool measured = verdict->trouble || verdict->state != SP_LINE_UNKNOWN;
	bool families = measured && !same_families(line, verdict);
	bool loaded = line->self_loaded != ledger->loading;
	line->began =
	    line->state != verdict->state || line->cause != verdict->cause || line->whose != verdict->whose;
	int64_t at = line->began ? turned_at(ledger, verdict, now) : line->since_us;
	line->previous = line->state;
	line->state = verdict->state;
	line->cause = verdict->cause;
	line->whose = verdict->whose;
	line->self_loaded = ledger->loading;
	memcpy(line->family, verdict->family, sizeof(line->family));
	memcpy(line->offered, verdict->offered, sizeof(line->offered));
	if (line->began) {
		line->since_us = at;
		line->since_uncertainty_seconds = uncertainty(verdict);
	}
	if (line->began || families || loaded)
		ledger->events->line(ledger->arg, line);
	if (!line->began)
		return;
	if (ledger->has_outage && line->state == SP_LINE_UP)
		sp_ledger_outage_close(ledger, at, -1, now);
	else if (ledger->has_outage)
		sp_ledger_outage_turn(ledger, at, now);
	else if (verdict->trouble)
		sp_ledger_outage_open(ledger, at, line->since_uncertainty_seconds, now);
}

/// Has the rung that was in trouble when the last run ended been asked in this one?
static bool asked_again(const struct sp_rung_view views[SP_RUNGS][SP_FAMILIES], enum sp_cause cause)
{
	static const enum sp_rung rungs[SP_CAUSES] = {
	    [SP_CAUSE_INTERNATIONAL] = SP_RUNG_INTERNATIONAL,
	    [SP_CAUSE_DNS] = SP_RUNG_DNS,
	    [SP_CAUSE_CAPTIVE_PORTAL] = SP_RUNG_PORTAL,
	    [SP_CAUSE_IPV4] = SP_RUNG_ISP_CORE,
	    [SP_CAUSE_IPV6] = SP_RUNG_ISP_CORE,
	};
	enum sp_rung rung = rungs[cause];
	if (rung == SP_RUNG_CABLE)
		return true; // any other trouble is over once the line is up
	if (cause == SP_CAUSE_IPV4 || cause == SP_CAUSE_IPV6)
		return views[rung][cause == SP_CAUSE_IPV4 ? SP_FAMILY_IPV4 : SP_FAMILY_IPV6].status !=
		       SP_RUNG_UNKNOWN;
	for (int family = 0; family < SP_FAMILIES; family++)
		if (views[rung][family].status != SP_RUNG_UNKNOWN)
			return true;
	return false;
}

/// After a restart the near rungs answer first; that alone does not end an outage that lay beyond them.
static bool too_early(struct sp_ledger *ledger, const struct sp_rung_view views[SP_RUNGS][SP_FAMILIES],
		      const struct sp_verdict *verdict, int64_t now_us)
{
	if (ledger->remembered == SP_CAUSE_NONE)
		return false;
	if (ledger->remember_until_us == 0)
		ledger->remember_until_us = now_us + REMEMBER_US;
	if (verdict->state == SP_LINE_UP && !asked_again(views, ledger->remembered) &&
	    now_us < ledger->remember_until_us)
		return true;
	if (verdict->trouble || verdict->state != SP_LINE_UNKNOWN)
		ledger->remembered = SP_CAUSE_NONE;
	return false;
}

void sp_ledger_load_line(struct sp_ledger *ledger, bool loading, int64_t now_us)
{
	if (ledger->loading && !loading)
		ledger->loaded_us = now_us;
	ledger->loading = loading;
}

/// Our own test drowns the probes: beyond the gateway no trouble begins until it is over. What stays silent
/// then has been so since then, by all that can be told. Returns until when to wait.
static int64_t loaded(const struct sp_ledger *ledger, struct sp_verdict *verdict)
{
	bool begins = verdict->trouble && !ledger->has_outage && distance(verdict->cause) > 2;
	if (!begins || (!ledger->loading && ledger->loaded_us == 0))
		return 0;
	if (ledger->loading)
		return INT64_MAX;
	if (verdict->since_us < ledger->loaded_us) {
		verdict->before_us = SP_NEVER_US;
		verdict->since_us = ledger->loaded_us;
	}
	return ledger->loaded_us + LOADED_US;
}

int64_t sp_ledger_judge(struct sp_ledger *ledger, const struct sp_clock_reading *now)
{
	struct sp_rung_view views[SP_RUNGS][SP_FAMILIES];
	struct sp_verdict verdict;
	collect(ledger, now->mono_us, views);
	sp_ledger_judge_rungs(views, ledger->worked, &verdict);
	ledger->clock = *now;
	sp_ledger_silence_untold(ledger, now);
	if (sp_ledger_outage_place(ledger, now))
		ledger->events->save(ledger->arg);
	int64_t next = next_expiry(ledger, now->mono_us);
	bool worse =
	    verdict.trouble && (verdict.state != ledger->line.state || verdict.cause != ledger->line.cause);
	if (worse && verdict.settle_us > now->mono_us)
		return verdict.settle_us < next ? verdict.settle_us : next;
	// Things get better rung by rung: what is still silent has a moment to answer, too.
	if (worse && ledger->has_outage && distance(verdict.cause) > distance(ledger->line.cause)) {
		if (ledger->better_us == 0)
			ledger->better_us = now->mono_us;
		if (now->mono_us < ledger->better_us + BETTER_US)
			return ledger->better_us + BETTER_US < next ? ledger->better_us + BETTER_US : next;
	}
	ledger->better_us = 0;
	int64_t loaded_until = loaded(ledger, &verdict);
	if (loaded_until > now->mono_us)
		return loaded_until < next ? loaded_until : next;
	if (too_early(ledger, views, &verdict, now->mono_us))
		return ledger->remember_until_us < next ? ledger->remember_until_us : next;
	take(ledger, &verdict, now);
	return next;
}

void sp_ledger_view(const struct sp_ledger *ledger, struct sp_line_view *out)
{
	*out = ledger->line;
}

const struct sp_outage *sp_ledger_outage(const struct sp_ledger *ledger)
{
	return ledger->has_outage ? &ledger->outage : NULL;
}

/// The source heard last among those that made the merged status what it is.
static const struct sp_ledger_slot *spokesman(const struct sp_ledger *ledger, int rung, int family,
					      enum sp_rung_status status, int64_t now_us)
{
	const struct sp_ledger_slot *best = NULL;
	for (size_t i = 0; status != SP_RUNG_UNKNOWN && i < ledger->count; i++) {
		const struct sp_ledger_slot *slot = &ledger->slots[i];
		bool same = (int)slot->rung == rung && (int)slot->family == family && slot->status == status;
		if (same && fresh(slot, now_us) && (!best || slot->heard_us > best->heard_us))
			best = slot;
	}
	return best;
}

size_t sp_ledger_evidence(const struct sp_ledger *ledger, int64_t now_us,
			  struct sp_evidence out[SP_EVIDENCE_MAX])
{
	struct sp_rung_view views[SP_RUNGS][SP_FAMILIES];
	collect(ledger, now_us, views);
	size_t count = 0;
	for (int rung = 0; rung < SP_RUNGS; rung++) {
		for (int family = 0; family < SP_FAMILIES; family++) {
			const struct sp_ledger_slot *slot =
			    spokesman(ledger, rung, family, views[rung][family].status, now_us);
			if (slot)
				out[count++] = (struct sp_evidence){.rung = slot->rung,
								    .family = slot->family,
								    .status = slot->status,
								    .rtt_us = slot->rtt_us,
								    .detail = slot->detail};
		}
	}
	return count;
}
