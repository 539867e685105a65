// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The books of one outage: its edges, and how long each cause held in between. The parts are counted at every
// turn of the line, so that they add up to the outage whatever is told of its causes later.
#include "agent/core/ledger/priv.h"

#include <string.h>

int64_t sp_ledger_wall_ms(const struct sp_clock_reading *now, int64_t mono_us)
{
	return now->wall_ms - (now->mono_us - mono_us) / 1000;
}

struct sp_ledger_moment sp_ledger_moment(const struct sp_ledger *ledger, const struct sp_clock_reading *now,
					 int64_t mono_us)
{
	struct sp_ledger_moment moment = {.mono_us = mono_us, .placed = now->synced};
	memcpy(moment.boot, ledger->boot, sizeof(moment.boot));
	moment.t_ms = now->synced ? sp_ledger_wall_ms(now, mono_us) : 0;
	return moment;
}

int64_t sp_ledger_between_us(const struct sp_ledger_moment *from, const struct sp_ledger_moment *to)
{
	int64_t us = -1;
	if (strcmp(from->boot, to->boot) == 0)
		us = to->mono_us - from->mono_us;
	else if (from->placed && to->placed)
		us = (to->t_ms - from->t_ms) * 1000;
	else
		return -1;
	return us < 0 ? 0 : us; // a clock went back: not told is not less than nothing
}

// ---- parts ------------------------------------------------------------------------------------------

static bool same_part(const struct sp_outage_part *a, const struct sp_outage_part *b)
{
	return a->cause == b->cause && a->whose == b->whose && a->state == b->state;
}

/// What held for no time was a first guess: it leaves its place.
static void drop_empty(struct sp_ledger *ledger)
{
	struct sp_outage *outage = &ledger->outage;
	for (size_t i = 0; i < outage->part_count;) {
		if (outage->parts[i].us > 0 || outage->unmeasured == (int)i) {
			i++;
			continue;
		}
		outage->part_count--;
		memmove(&outage->parts[i], &outage->parts[i + 1],
			(outage->part_count - i) * sizeof(outage->parts[0]));
		if (outage->unmeasured > (int)i)
			outage->unmeasured--;
	}
}

/// The place of a part; when all are taken, that of the nearest kin: same owner, or else same state.
static size_t place_of(struct sp_outage *outage, const struct sp_outage_part *part)
{
	for (size_t i = 0; i < outage->part_count; i++)
		if (same_part(&outage->parts[i], part))
			return i;
	if (outage->part_count < SP_OUTAGE_PARTS) {
		outage->parts[outage->part_count] = *part;
		outage->parts[outage->part_count].us = 0;
		return outage->part_count++;
	}
	for (size_t i = 0; i < outage->part_count; i++)
		if (outage->parts[i].whose == part->whose && outage->parts[i].state == part->state)
			return i;
	for (size_t i = 0; i < outage->part_count; i++)
		if (outage->parts[i].state == part->state)
			return i;
	return outage->part_count - 1;
}

void sp_ledger_outage_count(struct sp_ledger *ledger, const struct sp_outage_part *next, int64_t at_us)
{
	struct sp_outage *outage = &ledger->outage;
	if (outage->part_count > 0 && at_us > ledger->counted_us)
		outage->parts[ledger->part].us += at_us - ledger->counted_us;
	if (at_us > ledger->counted_us || outage->part_count == 0)
		ledger->counted_us = at_us;
	if (!next)
		return;
	drop_empty(ledger);
	ledger->part = place_of(outage, next);
}

static int64_t held_us(const struct sp_ledger *ledger, size_t part, int64_t now_us)
{
	int64_t us = ledger->outage.parts[part].us;
	bool runs = ledger->has_outage && part == ledger->part && now_us > ledger->counted_us;
	return runs ? us + now_us - ledger->counted_us : us;
}

/// The part that says which of the provider's rungs it was, the longest if several do; `part_count` if none.
static size_t resolved(const struct sp_ledger *ledger, int64_t now_us)
{
	const struct sp_outage *outage = &ledger->outage;
	size_t found = outage->part_count;
	for (size_t i = 0; i < outage->part_count; i++) {
		enum sp_cause cause = outage->parts[i].cause;
		bool names = cause == SP_CAUSE_ISP_ACCESS || cause == SP_CAUSE_ISP_CORE;
		if (names && (found == outage->part_count ||
			      held_us(ledger, i, now_us) > held_us(ledger, found, now_us)))
			found = i;
	}
	return found;
}

/// Where the provider's rung could not be told for a part of the time (a restarted board finds no hop while
/// all is silent), that time counts for the rung that was.
static int64_t weight_us(const struct sp_ledger *ledger, size_t part, size_t named, int64_t now_us)
{
	const struct sp_outage *outage = &ledger->outage;
	int64_t us = held_us(ledger, part, now_us);
	if (named == outage->part_count)
		return us;
	if (outage->parts[part].cause == SP_CAUSE_ISP)
		return -1;
	for (size_t i = 0; part == named && i < outage->part_count; i++)
		if (outage->parts[i].cause == SP_CAUSE_ISP)
			us += held_us(ledger, i, now_us);
	return us;
}

void sp_ledger_outage_headline(struct sp_ledger *ledger, int64_t now_us)
{
	struct sp_outage *outage = &ledger->outage;
	const struct sp_outage_part *head = NULL;
	size_t named = resolved(ledger, now_us);
	int64_t longest = -1;
	for (size_t i = 0; i < outage->part_count; i++) {
		const struct sp_outage_part *part = &outage->parts[i];
		int64_t us = weight_us(ledger, i, named, now_us);
		if (us < 0)
			continue;
		// The enum's order, but for "up", which is no part: unknown, degraded, down.
		bool worse = head && part->state > head->state;
		if (head && !worse && (part->state < head->state || us <= longest))
			continue;
		head = part;
		longest = us;
	}
	if (!head)
		return;
	outage->state = head->state;
	outage->cause = head->cause;
	outage->whose = head->whose;
}

// ---- edges ------------------------------------------------------------------------------------------

static struct sp_outage_part part_of(const struct sp_line_view *line)
{
	return (struct sp_outage_part){.cause = line->cause, .whose = line->whose, .state = line->state};
}

void sp_ledger_outage_open(struct sp_ledger *ledger, int64_t at_us, double uncertainty_seconds,
			   const struct sp_clock_reading *now)
{
	struct sp_outage *outage = &ledger->outage;
	struct sp_ledger_moment start = sp_ledger_moment(ledger, now, at_us);
	struct sp_outage_part part = part_of(&ledger->line);
	*outage = (struct sp_outage){.start_mono_us = at_us,
				     .start_placed = start.placed,
				     .start_t_ms = start.t_ms,
				     .uncertainty_seconds = uncertainty_seconds,
				     .end_uncertainty_seconds = -1,
				     .unmeasured = -1};
	sp_id_new(outage->id);
	memcpy(outage->start_boot, ledger->boot, sizeof(outage->start_boot));
	ledger->has_outage = true;
	sp_ledger_outage_count(ledger, &part, at_us);
	sp_ledger_outage_headline(ledger, now->mono_us);
	ledger->events->outage(ledger->arg, outage, SP_OUTAGE_OPEN);
	ledger->events->save(ledger->arg);
}

void sp_ledger_outage_turn(struct sp_ledger *ledger, int64_t at_us, const struct sp_clock_reading *now)
{
	struct sp_outage_part part = part_of(&ledger->line);
	sp_ledger_outage_count(ledger, &part, at_us);
	sp_ledger_outage_headline(ledger, now->mono_us);
	ledger->events->outage(ledger->arg, &ledger->outage, SP_OUTAGE_UPDATE);
	ledger->events->save(ledger->arg);
}

bool sp_ledger_outage_place(struct sp_ledger *ledger, const struct sp_clock_reading *now)
{
	struct sp_outage *outage = &ledger->outage;
	bool changed = false;
	if (!ledger->has_outage || !now->synced)
		return false;
	if (!outage->start_placed && strcmp(outage->start_boot, ledger->boot) == 0) {
		outage->start_placed = changed = true;
		outage->start_t_ms = sp_ledger_wall_ms(now, outage->start_mono_us);
	}
	if (outage->unmeasured >= 0 && ledger->gap_start.placed) {
		struct sp_ledger_moment end = sp_ledger_moment(ledger, now, ledger->gap_end_us);
		outage->parts[outage->unmeasured].us += sp_ledger_between_us(&ledger->gap_start, &end);
		outage->unmeasured = -1;
		ledger->gap_start.placed = false;
		changed = true;
	}
	return changed;
}

/// Over several boots only wall time spans the whole: what clocks disagree on goes to the longest silence,
/// which no clock of ours has watched.
static void square(struct sp_outage *outage)
{
	int64_t total = (outage->end_t_ms - outage->start_t_ms) * 1000, known = 0, most = -1;
	size_t silent = 0;
	for (size_t i = 0; i < outage->part_count; i++) {
		known += outage->parts[i].us;
		enum sp_cause cause = outage->parts[i].cause;
		bool silence =
		    cause >= SP_CAUSE_POWER || cause == SP_CAUSE_NONE || (int)i == outage->unmeasured;
		if (silence && outage->parts[i].us > most) {
			most = outage->parts[i].us;
			silent = i;
		}
	}
	if (most < 0 || most + total - known < 0)
		return;
	outage->parts[silent].us += total - known;
	outage->unmeasured = -1;
}

void sp_ledger_outage_close(struct sp_ledger *ledger, int64_t at_us, double uncertainty_seconds,
			    const struct sp_clock_reading *now)
{
	struct sp_outage *outage = &ledger->outage;
	struct sp_ledger_moment end = sp_ledger_moment(ledger, now, at_us);
	sp_ledger_outage_count(ledger, NULL, at_us);
	ledger->has_outage = false;
	outage->closed = true;
	memcpy(outage->end_boot, ledger->boot, sizeof(outage->end_boot));
	outage->end_mono_us = at_us;
	outage->end_placed = end.placed;
	outage->end_t_ms = end.t_ms;
	outage->end_uncertainty_seconds = uncertainty_seconds;
	if (strcmp(outage->start_boot, outage->end_boot) != 0 && outage->start_placed && outage->end_placed)
		square(outage);
	if (outage->part_count > 1)
		drop_empty(ledger);
	sp_ledger_outage_headline(ledger, at_us);
	ledger->last_end = end;
	ledger->events->outage(ledger->arg, outage, SP_OUTAGE_CLOSE);
	ledger->events->save(ledger->arg);
}

void sp_ledger_past(struct sp_ledger *ledger, const struct sp_outage *past)
{
	ledger->last_end = (struct sp_ledger_moment){
	    .mono_us = past->end_mono_us, .placed = past->end_placed, .t_ms = past->end_t_ms};
	memcpy(ledger->last_end.boot, past->end_boot, sizeof(past->end_boot));
}
