// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Suspicion, verdict, and which anchors are worth asking (scope.h).
#include "scope.h"

#include <string.h>

enum {
	BURST = 6,            ///< probes of a burst at least
	HELD_US = 700 * 1000, ///< no way takes so long, but a queue that stands
	STRIKES = 3,          ///< then an anchor is passed over
};
static const int64_t bench_us = 10 * 60 * (int64_t)1000000;

void sp_scope_init(struct sp_scope *scope, unsigned anchors)
{
	memset(scope, 0, sizeof(*scope));
	scope->anchors = anchors < SP_SCOPE_ANCHORS ? anchors : SP_SCOPE_ANCHORS;
}

unsigned sp_scope_pick(struct sp_scope *scope, int64_t now_us)
{
	unsigned first = scope->next;
	if (scope->anchors == 0)
		return 0;
	for (unsigned i = 0; i < scope->anchors; i++) {
		unsigned at = (first + i) % scope->anchors;
		if (scope->anchor[at].benched_until_us > now_us)
			continue;
		scope->next = (at + 1) % scope->anchors;
		return at;
	}
	scope->next = (first + 1) % scope->anchors;
	return first;
}

unsigned sp_scope_tries(const struct sp_scope *scope)
{
	unsigned tries = (BURST + scope->anchors - 1) / (scope->anchors ? scope->anchors : 1);
	return tries < 2 ? 2 : tries;
}

static bool set(struct sp_scope *scope, enum sp_rung_status status, int64_t since_us)
{
	bool changed = scope->status != status;
	if (changed || scope->since_us == 0) {
		// Edges are in order, also when a late answer to an old probe is the first sign of life.
		if (since_us > scope->since_us)
			scope->since_us = since_us;
		scope->status = status;
	}
	return changed;
}

void sp_scope_doubt(struct sp_scope *scope, int64_t lost_us, int64_t now_us)
{
	if (scope->suspected)
		return;
	scope->suspected = true;
	scope->first_lost_us = lost_us > scope->answered_us && lost_us < now_us ? lost_us : now_us;
}

bool sp_scope_lost(struct sp_scope *scope, unsigned anchor, int64_t sent_us)
{
	scope->anchor[anchor].strikes++;
	if (scope->suspected) {
		if (sent_us < scope->first_lost_us)
			scope->first_lost_us = sent_us;
		return false;
	}
	scope->suspected = true;
	scope->first_lost_us = sent_us;
	return true;
}

/// A question of before the return may have waited in a router's queue, for its neighbour's address, and been
/// let go the moment the neighbour lived again: then the answer's arrival tells when, and not the question's
/// sending.
static bool was_held(const struct sp_scope *scope, int64_t sent_us, int64_t now_us)
{
	return scope->status == SP_RUNG_SILENT && now_us - sent_us > HELD_US;
}

bool sp_scope_answered(struct sp_scope *scope, unsigned anchor, int64_t sent_us, int64_t now_us)
{
	int64_t rtt_us = now_us - sent_us;
	bool held = was_held(scope, sent_us, now_us);
	if (held)
		sent_us = now_us - scope->least_rtt_us;
	if (rtt_us < HELD_US && (scope->least_rtt_us == 0 || rtt_us < scope->least_rtt_us))
		scope->least_rtt_us = rtt_us;
	scope->suspected = false;
	if (sent_us > scope->answered_us)
		scope->answered_us = sent_us;
	scope->anchor[anchor].ever = true;
	scope->anchor[anchor].strikes = 0;
	scope->anchor[anchor].benched_until_us = 0;
	// The others' losses were their own.
	for (unsigned i = 0; i < scope->anchors; i++)
		if (scope->anchor[i].strikes >= STRIKES && scope->anchor[i].benched_until_us <= now_us)
			scope->anchor[i].benched_until_us = now_us + bench_us;
	// It came back somewhere between the last question without an answer and this one.
	int64_t lost_us = scope->last_lost_us > scope->since_us ? scope->last_lost_us : scope->since_us;
	bool back = scope->status == SP_RUNG_SILENT && lost_us < sent_us && !held;
	return set(scope, SP_RUNG_OK, back ? sent_us - (sent_us - lost_us) / 2 : sent_us);
}

static void forgive(struct sp_scope *scope)
{
	for (unsigned i = 0; i < scope->anchors; i++)
		scope->anchor[i].strikes = 0;
}

bool sp_scope_silent(struct sp_scope *scope, int64_t now_us)
{
	forgive(scope); // the line's loss says nothing of an anchor
	return set(scope, SP_RUNG_SILENT, scope->suspected ? scope->first_lost_us : now_us);
}

bool sp_scope_unmeasured(struct sp_scope *scope, int64_t now_us)
{
	forgive(scope);
	scope->suspected = false;
	return set(scope, SP_RUNG_UNKNOWN, now_us);
}
