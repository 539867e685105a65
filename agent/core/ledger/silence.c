// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Times in which the agent was not there to measure: nobody's fault but the power's, the board's or ours, and
// never the provider's.
#include "agent/core/ledger/priv.h"

#include <string.h>

static struct sp_ledger_moment start_of(const struct sp_silence *silence)
{
	struct sp_ledger_moment start = {
	    .mono_us = silence->start_mono_us, .placed = silence->start_placed, .t_ms = silence->start_t_ms};
	memcpy(start.boot, silence->boot, sizeof(start.boot));
	return start;
}

/// Not before the outage that ended last.
static void clamp(struct sp_ledger_moment *start, const struct sp_ledger_moment *least)
{
	bool same = strcmp(start->boot, least->boot) == 0;
	if (same ? start->mono_us >= least->mono_us
		 : !start->placed || !least->placed || start->t_ms >= least->t_ms)
		return;
	*start = *least;
}

/// Nothing was open: the silence is an outage of its own, told at once from its start to its end.
static void record_whole(struct sp_ledger *ledger, const struct sp_silence *silence,
			 const struct sp_clock_reading *now)
{
	struct sp_ledger_moment start = start_of(silence), end = sp_ledger_moment(ledger, now, now->mono_us);
	if (ledger->last_end.boot[0])
		clamp(&start, &ledger->last_end);
	int64_t us = sp_ledger_between_us(&start, &end);
	if (us == 0)
		return;
	struct sp_outage outage = {.start_mono_us = start.mono_us,
				   .start_placed = start.placed,
				   .start_t_ms = start.t_ms,
				   .uncertainty_seconds = silence->uncertainty_seconds,
				   .cause = silence->cause,
				   .whose = silence->whose,
				   .part_count = 1,
				   .unmeasured = us < 0 ? 0 : -1,
				   .closed = true,
				   .end_mono_us = end.mono_us,
				   .end_placed = end.placed,
				   .end_t_ms = end.t_ms};
	outage.parts[0] =
	    (struct sp_outage_part){.cause = silence->cause, .whose = silence->whose, .us = us < 0 ? 0 : us};
	sp_id_new(outage.id);
	memcpy(outage.start_boot, start.boot, sizeof(outage.start_boot));
	memcpy(outage.end_boot, end.boot, sizeof(outage.end_boot));
	ledger->last_end = end;
	ledger->events->outage(ledger->arg, &outage, SP_OUTAGE_CLOSE);
}

/// The open one went on under the cause that held, until nobody looked any more.
static void continue_open(struct sp_ledger *ledger, const struct sp_silence *silence,
			  const struct sp_clock_reading *now)
{
	struct sp_outage *outage = &ledger->outage;
	struct sp_outage_part part = {.cause = silence->cause, .whose = silence->whose};
	struct sp_ledger_moment start = start_of(silence), end = sp_ledger_moment(ledger, now, now->mono_us);
	clamp(&start, &ledger->kept);
	int64_t before = sp_ledger_between_us(&ledger->kept, &start);
	if (before > 0)
		outage->parts[ledger->part].us += before;
	else if (before < 0)
		start = ledger->kept;
	ledger->counted_us = now->mono_us;
	sp_ledger_outage_count(ledger, &part, now->mono_us);
	int64_t us = sp_ledger_between_us(&start, &end);
	if (us >= 0) {
		outage->parts[ledger->part].us += us;
	} else if (outage->unmeasured < 0) {
		outage->unmeasured = (int)ledger->part;
		ledger->gap_start = start;
		ledger->gap_end_us = now->mono_us;
	} else {
		ledger->gap_start.placed = false; // two in a row: only the whole can be told
	}
	ledger->resumed = false;
	sp_ledger_outage_headline(ledger, now->mono_us);
}

void sp_ledger_silence(struct sp_ledger *ledger, const struct sp_silence *silence,
		       const struct sp_clock_reading *now)
{
	if (silence->cause == SP_CAUSE_POWER)
		ledger->powered_us = now->mono_us;
	if (!ledger->has_outage) {
		record_whole(ledger, silence, now);
		return;
	}
	if (!ledger->resumed)
		return;
	continue_open(ledger, silence, now);
	ledger->events->outage(ledger->arg, &ledger->outage, SP_OUTAGE_UPDATE);
	ledger->events->save(ledger->arg);
}

void sp_ledger_silence_untold(struct sp_ledger *ledger, const struct sp_clock_reading *now)
{
	struct sp_silence silence = {.cause = SP_CAUSE_NONE,
				     .whose = SP_WHOSE_UNRESOLVED,
				     .start_mono_us = ledger->kept.mono_us,
				     .start_placed = ledger->kept.placed,
				     .start_t_ms = ledger->kept.t_ms};
	memcpy(silence.boot, ledger->kept.boot, sizeof(silence.boot));
	if (ledger->has_outage && ledger->resumed)
		continue_open(ledger, &silence, now);
}
