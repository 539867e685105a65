// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The hub's books: every millisecond of every day in exactly one state, the right one; the board's outages,
// each once and at its time; nothing lost, nothing odd.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/check.h"

enum {
	DAY_MS = 24 * 3600 * 1000,
	HONEST_MS = 50,       ///< rounding, beside the error that the hub itself states
	TAIL_MS = 400 * 1000, ///< measured last before an end without warning: bulk that was in memory
	AFTER_START_MS = 150 * 1000,
	AFTER_EDGE_MS = 60 * 1000,
	SHORT_MS = 200 * 1000, ///< between troubles
};

// ---- outages --------------------------------------------------------------------------------------------

static const struct sim_hub_outage *find(const struct sim_hub_outage *list, size_t count, const char *id)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].id, id) == 0)
			return &list[i];
	return NULL;
}

static void check_outage(struct sim_check *check, const struct sim_outage *ours,
			 const struct sim_hub_outage *theirs)
{
	if (!theirs) {
		sim_fault_say(check, ours->start_ms, "the hub knows nothing of outage %.6s", ours->id);
		return;
	}
	if (strcmp(theirs->cause, sp_cause_name(ours->cause)) != 0)
		sim_fault_say(check, ours->start_ms, "outage %.6s is %s here and %s at the hub", ours->id,
			      sp_cause_name(ours->cause), theirs->cause);
	if ((ours->end_ms >= 0) != (theirs->end_ms >= 0))
		sim_fault_say(check, ours->start_ms, "outage %.6s is over on one side only", ours->id);
	int64_t start_off = theirs->start_ms - ours->start_ms, end_off = theirs->end_ms - ours->end_ms;
	// The hub narrows a silence by what it heard: then only the two intervals must meet.
	bool silence = ours->cause >= SP_CAUSE_POWER && ours->uncertainty_seconds > 0;
	int64_t also_ms = silence ? (int64_t)(ours->uncertainty_seconds * 1000) : 0;
	if (theirs->start_err_ms >= 0 && llabs(start_off) > theirs->start_err_ms + also_ms + HONEST_MS)
		sim_fault_say(check, ours->start_ms, "the hub places the start of %.6s %lld ms off, ± %lld",
			      ours->id, (long long)start_off, (long long)theirs->start_err_ms);
	if (ours->end_ms >= 0 && theirs->end_err_ms >= 0 && llabs(end_off) > theirs->end_err_ms + HONEST_MS)
		sim_fault_say(check, ours->start_ms, "the hub places the end of %.6s %lld ms off, ± %lld",
			      ours->id, (long long)end_off, (long long)theirs->end_err_ms);
}

static void check_outages(struct sim_check *check, struct sim_wire *wire, int64_t now_ms)
{
	size_t count;
	struct sim_hub_outage *list = sim_wire_ask(wire, SIM_FRAME_OUTAGES, now_ms, 0, 0, &count);
	for (size_t i = 0; i < check->watch->outage_count; i++)
		check_outage(check, &check->watch->outages[i],
			     find(list, count, check->watch->outages[i].id));
	if (count != check->watch->outage_count)
		sim_fault_say(check, check->world->from_ms, "%zu outages here, %zu at the hub",
			      check->watch->outage_count, count);
	free(list);
}

// ---- days -----------------------------------------------------------------------------------------------

static const struct sim_stretch *truth_at(const struct sim_check *check, int64_t t_ms, size_t *index)
{
	size_t low = 0, high = check->truth_count;
	while (high - low > 1) {
		size_t middle = (low + high) / 2;
		if (check->truth[middle].from_ms <= t_ms)
			low = middle;
		else
			high = middle;
	}
	*index = low;
	return &check->truth[low];
}

/// Did the agent start, or end, so close by?
static bool near_start(const struct sim_check *check, size_t at, int64_t t_ms)
{
	for (size_t i = at + 1; i-- > 0 && t_ms - check->truth[i].from_ms < AFTER_START_MS;)
		if (check->truth[i].watched && (i == 0 || !check->truth[i - 1].watched))
			return true;
	return false;
}

static bool near_end(const struct sim_check *check, size_t at, int64_t t_ms)
{
	for (size_t i = at + 1; i < check->truth_count && check->truth[i].from_ms - t_ms < TAIL_MS; i++)
		if (!check->truth[i].watched)
			return true;
	return false;
}

/// Is `state` what the line was within the time that detection and placing may take?
static bool near_state(const struct sim_check *check, size_t at, int64_t t_ms, int state)
{
	for (size_t i = at + 1; i-- > 0 && t_ms - check->truth[i].to_ms < AFTER_EDGE_MS;)
		if ((int)check->truth[i].state == state)
			return true;
	for (size_t i = at; i < check->truth_count && check->truth[i].from_ms - t_ms < AFTER_EDGE_MS; i++)
		if ((int)check->truth[i].state == state)
			return true;
	return false;
}

/// A trouble may hide under a worse one for a while, and healing goes rung by rung.
static bool right(const struct sim_check *check, size_t at, int64_t t_ms, int state)
{
	const struct sim_stretch *truth = &check->truth[at];
	if (state == SP_LINE_UNKNOWN && sim_is_timeless(check->watch, t_ms))
		return true;
	if (state == SP_LINE_UNKNOWN &&
	    (!truth->watched || near_start(check, at, t_ms) || near_end(check, at, t_ms)))
		return true;
	if (!truth->watched)
		return false;
	return state == (int)truth->state || near_state(check, at, t_ms, state);
}

static void check_segment(struct sim_check *check, const struct sim_segment *segment)
{
	size_t at;
	(void)truth_at(check, segment->from_ms, &at);
	for (int64_t t = segment->from_ms; t < segment->to_ms; at++) {
		const struct sim_stretch *truth = &check->truth[at];
		int64_t to = truth->to_ms < segment->to_ms ? truth->to_ms : segment->to_ms;
		// The middle of what they have in common: its edges are the tolerances' business.
		int64_t middle = t + (to - t) / 2;
		bool counts = to - t > 2 * AFTER_EDGE_MS || (!truth->watched && to - t > SHORT_MS);
		if (counts && !right(check, at, middle, segment->state)) {
			char when[40];
			sim_fault_say(check, middle, "the hub has %s (%s) until %s, true is %s%s",
				      sp_line_state_name((enum sp_line_state)segment->state), segment->cause,
				      sim_when(check, segment->to_ms, when), sp_line_state_name(truth->state),
				      truth->watched ? "" : ", not watched");
			return;
		}
		t = to;
	}
}

static void count(struct sim_check *check, const struct sim_segment *segment)
{
	int64_t *const sums[] = {[SP_LINE_UNKNOWN] = &check->unknown_ms,
				 [SP_LINE_UP] = &check->up_ms,
				 [SP_LINE_DEGRADED] = &check->degraded_ms,
				 [SP_LINE_DOWN] = &check->down_ms};
	*sums[segment->state] += segment->to_ms - segment->from_ms;
}

static void say_segment(const struct sim_check *check, const struct sim_segment *segment)
{
	char when[40];
	printf("    hub   %s", sim_when(check, segment->from_ms, when));
	printf(" to %s %s %s\n", sim_when(check, segment->to_ms, when),
	       sp_line_state_name((enum sp_line_state)segment->state), segment->cause);
}

static void check_day(struct sim_check *check, struct sim_wire *wire, int64_t now_ms, int64_t from_ms)
{
	size_t length;
	int64_t to_ms = from_ms + DAY_MS, at_ms = from_ms;
	struct sim_segment *list = sim_wire_ask(wire, SIM_FRAME_SEGMENTS, now_ms, from_ms, to_ms, &length);
	for (size_t i = 0; i < length; i++) {
		if (list[i].from_ms != at_ms || list[i].to_ms <= list[i].from_ms)
			sim_fault_say(check, at_ms, "the hub's day does not join here");
		if (check->dump)
			say_segment(check, &list[i]);
		at_ms = list[i].to_ms;
		check_segment(check, &list[i]);
		count(check, &list[i]);
	}
	if (at_ms != to_ms)
		sim_fault_say(check, at_ms, "the hub's day ends here");
	free(list);
}

/// The sum of every state is true, within what the edges may be off and what nobody could know.
static void check_sums(struct sim_check *check)
{
	int64_t truth[4] = {0}, slack_ms = 0;
	const int64_t hub[4] = {check->unknown_ms, check->up_ms, check->degraded_ms, check->down_ms};
	for (size_t i = 0; i < check->truth_count; i++) {
		const struct sim_stretch *stretch = &check->truth[i];
		truth[stretch->watched ? stretch->state : SP_LINE_UNKNOWN] +=
		    stretch->to_ms - stretch->from_ms;
		bool silence = i > 0 && stretch->watched != check->truth[i - 1].watched;
		slack_ms += silence ? TAIL_MS : AFTER_EDGE_MS;
	}
	for (size_t i = 0; i < check->watch->timeless_count; i++)
		slack_ms += check->watch->timeless[i].to_ms - check->watch->timeless[i].from_ms;
	for (int state = SP_LINE_UNKNOWN; state <= SP_LINE_DOWN; state++)
		if (llabs(hub[state] - truth[state]) > slack_ms)
			sim_fault_say(check, check->world->to_ms, "%lld s %s at the hub, true are %lld",
				      (long long)hub[state] / 1000,
				      sp_line_state_name((enum sp_line_state)state),
				      (long long)truth[state] / 1000);
}

// ---- the rest -----------------------------------------------------------------------------------------

static void check_trouble(struct sim_check *check, struct sim_wire *wire, int64_t now_ms)
{
	size_t length;
	struct sim_trouble *list = sim_wire_ask(wire, SIM_FRAME_TROUBLE, now_ms, 0, 0, &length);
	for (size_t i = 0; i < length; i++)
		sim_fault_say(check, now_ms, "the hub: %s", list[i].text);
	free(list);
}

void sim_check_hub(struct sim_check *check, struct sim_wire *wire, int64_t now_ms)
{
	check_outages(check, wire, now_ms);
	for (int64_t day_ms = check->world->from_ms; day_ms < check->world->to_ms; day_ms += DAY_MS)
		check_day(check, wire, now_ms, day_ms);
	check_sums(check);
	check_trouble(check, wire, now_ms);
}
