// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Keeps what each source said, and turns verdicts into states and outages.
#include "agent/core/ledger/priv.h"

#include <string.h>

#include "agent/base/mem.h"
#include "schoolpulse/log.h"

enum { TRAFFIC_US = 75 * 1000 * 1000 }; ///< so long incoming bytes are worth mentioning
static const int64_t PACE_MOST_US = 3600LL * 1000 * 1000;
/// A time between question and answer that nobody waits for: a clock's slip.
static const int64_t RTT_MOST_US = 120LL * 1000 * 1000;

struct sp_ledger *sp_ledger_new(const char *boot, const struct sp_ledger_events *events, void *arg)
{
	struct sp_ledger *ledger = sp_alloc(sizeof(*ledger));
	memcpy(ledger->boot, boot, strnlen(boot, sizeof(ledger->boot) - 1));
	ledger->events = events;
	ledger->arg = arg;
	ledger->line.whose = SP_WHOSE_UNRESOLVED;
	ledger->line.since_uncertainty_seconds = -1;
	ledger->traffic_us = ledger->vetoed_us = ledger->confirmed_us = SP_NEVER_US;
	ledger->door_us = SP_NEVER_US;
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
	*slot = (struct sp_ledger_slot){.source = sp_strdup(source),
					.rung = rung,
					.family = family,
					.last_ok_us = SP_NEVER_US,
					.other_us = SP_NEVER_US};
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

static void keep_text(char *out, size_t size, const char *text)
{
	size_t length = text ? strnlen(text, size - 1) : 0;
	if (length > 0)
		memcpy(out, text, length);
	out[length] = '\0';
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
	if (report->status != SP_RUNG_UNKNOWN) {
		if (slot->known != report->status && slot->known != SP_RUNG_UNKNOWN)
			slot->other_us = slot->known_us;
		slot->known = report->status;
		slot->known_us = now_us;
	}
	learn_pace(slot, now_us);
	slot->status = report->status;
	// Nothing began before the boot, nor after it was told.
	slot->since_us = report->since_us < 0 ? 0 : report->since_us < now_us ? report->since_us : now_us;
	slot->heard_us = now_us;
	slot->max_age_us = max_age_us;
	slot->rtt_us = report->rtt_us >= 0 && report->rtt_us <= RTT_MOST_US ? report->rtt_us : -1;
	keep_text(slot->detail, sizeof(slot->detail), report->detail);
	keep_text(slot->reason, sizeof(slot->reason), report->reason);
	keep_text(slot->host, sizeof(slot->host), report->host);
	if (report->status == SP_RUNG_OK) {
		slot->last_ok_us = now_us;
		bool offers = beyond_gateway(report->rung) && ledger->egress != SP_LINE_EGRESS_FOREIGN;
		bool news = offers && !ledger->worked[report->family];
		ledger->worked[report->family] |= offers;
		// A family that is broken when the board boots must be missed.
		if (news && report->family != SP_FAMILY_ANY)
			ledger->events->save(ledger->arg);
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
		view->other_us = slot->other_us;
		return;
	}
	bool earliest = slot->status == SP_RUNG_OK;
	// It was not answered while nobody was, and was answered while anybody was.
	if (earliest ? slot->other_us < view->other_us : slot->other_us > view->other_us)
		view->other_us = slot->other_us;
	if (earliest ? slot->since_us < view->since_us : slot->since_us > view->since_us)
		view->since_us = slot->since_us;
	if (heard > view->heard_us)
		view->heard_us = heard;
}

/// It was heard while the line was not the one that is measured. That there is a hop, and when it spoke, is
/// asked of the door itself.
static bool elsewhere(const struct sp_ledger *ledger, const struct sp_ledger_slot *slot)
{
	return slot->rung > SP_RUNG_GATEWAY && slot->rung != SP_RUNG_HUB && slot->heard_us < ledger->door_us;
}

void sp_ledger_collect(const struct sp_ledger *ledger, int64_t now_us,
		       struct sp_rung_view views[SP_RUNGS][SP_FAMILIES])
{
	for (int rung = 0; rung < SP_RUNGS; rung++)
		for (int family = 0; family < SP_FAMILIES; family++)
			views[rung][family] =
			    (struct sp_rung_view){.last_ok_us = SP_NEVER_US, .other_us = SP_NEVER_US};
	for (size_t i = 0; i < ledger->count; i++) {
		const struct sp_ledger_slot *slot = &ledger->slots[i];
		if (!elsewhere(ledger, slot))
			merge(&views[slot->rung][slot->family], slot, now_us);
	}
}

int64_t sp_ledger_next_expiry(const struct sp_ledger *ledger, int64_t now_us)
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

static const char *nonempty(const char *text)
{
	return text[0] ? text : NULL;
}

size_t sp_ledger_evidence(const struct sp_ledger *ledger, int64_t now_us,
			  struct sp_evidence out[SP_EVIDENCE_MAX])
{
	struct sp_rung_view views[SP_RUNGS][SP_FAMILIES];
	sp_ledger_collect(ledger, now_us, views);
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
								    .detail = slot->detail,
								    .reason = nonempty(slot->reason),
								    .host = nonempty(slot->host)};
		}
	}
	if (ledger->traffic_us != SP_NEVER_US && now_us - ledger->traffic_us < TRAFFIC_US)
		out[count++] = (struct sp_evidence){.rung = SP_RUNG_HUB,
						    .status = SP_RUNG_OK,
						    .rtt_us = -1,
						    .detail = "bytes came in from beyond the gateway",
						    .reason = "incoming_bytes"};
	return count;
}

void sp_ledger_load_line(struct sp_ledger *ledger, bool loading, int64_t since_us)
{
	if (ledger->loading && !loading)
		ledger->loaded_us = since_us;
	ledger->loading = loading;
}

void sp_ledger_traffic(struct sp_ledger *ledger, int64_t at_us)
{
	if (at_us > ledger->traffic_us)
		ledger->traffic_us = at_us;
}

void sp_ledger_egress(struct sp_ledger *ledger, enum sp_line_egress egress, int64_t since_us,
		      int64_t confirmed_us, bool known)
{
	if (ledger->egress != egress)
		ledger->egress_us = since_us;
	if (ledger->egress == SP_LINE_EGRESS_FOREIGN && egress != ledger->egress)
		ledger->door_us = since_us;
	ledger->egress = egress;
	ledger->confirmed_us = confirmed_us;
	ledger->egress_known = known;
}
