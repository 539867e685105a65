// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The board's outages against the truth: nothing invented, nothing missed, the cause right, the edges near.
#include "tests/sim/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SAID_MAX = 5,            ///< faults that are told of a run
	AROUND_MS = 120 * 1000,  ///< of an excerpt
	JOIN_MS = 45 * 1000,     ///< troubles so close together may be one outage
	SETTLED_MS = 150 * 1000, ///< the agent has looked at everything that long after its start
	SLACK_MS = 150,          ///< a packet's way, and the rounding of milliseconds
	LATE_MS = 120 * 1000,    ///< a trouble that was there before the agent is found within
	SPLIT_MS = 5 * 1000,     ///< between two outages of one trouble
	CLEAR_MS = 60 * 1000,    ///< edges are compared where nothing else happens so close by
};

const char *sim_when(const struct sim_check *check, int64_t t_ms, char out[40])
{
	int64_t ms = t_ms - check->world->from_ms;
	snprintf(out, 40, "day %lld %02d:%02d:%02d.%03d", (long long)(ms / 86400000 + 1),
		 (int)(ms / 3600000 % 24), (int)(ms / 60000 % 60), (int)(ms / 1000 % 60), (int)(ms % 1000));
	return out;
}

// ---- telling --------------------------------------------------------------------------------------------

static void say_causes(unsigned causes)
{
	for (int i = 0; i < SP_CAUSES; i++)
		if (causes & 1u << i)
			printf(" %s", sp_cause_name((enum sp_cause)i));
}

/// What was true and said within `around_ms` of that moment.
static void say_around(const struct sim_check *check, int64_t at_ms, int64_t around_ms)
{
	char when[40];
	for (size_t i = 0; i < check->world->count; i++) {
		const struct sim_fault *fault = &check->world->faults[i];
		if (fault->to_ms < at_ms - around_ms || fault->from_ms > at_ms + around_ms)
			continue;
		printf("    fault %s from %s", sim_fault_names[fault->kind],
		       sim_when(check, fault->from_ms, when));
		printf(" to %s value %lld\n", sim_when(check, fault->to_ms, when), (long long)fault->value);
	}
	for (size_t i = 0; i < check->truth_count; i++) {
		const struct sim_stretch *truth = &check->truth[i];
		if (truth->to_ms < at_ms - around_ms || truth->from_ms > at_ms + around_ms)
			continue;
		printf("    true  %s %s%s", sim_when(check, truth->from_ms, when),
		       sp_line_state_name(truth->state), truth->watched ? "" : " (not watched)");
		say_causes(truth->causes);
		printf("\n");
	}
	for (size_t i = 0; i < check->watch->rung_count; i++) {
		const struct sim_rung *rung = &check->watch->rungs[i];
		if (rung->at_ms < at_ms - around_ms || rung->at_ms > at_ms + around_ms)
			continue;
		printf("    rung  %s %s/%s %s", sim_when(check, rung->at_ms, when), sp_rung_name(rung->rung),
		       sp_family_name(rung->family), sp_rung_status_name(rung->status));
		printf(" since %s\n", sim_when(check, rung->since_ms, when));
	}
	for (size_t i = 0; i < check->watch->said_count; i++) {
		const struct sim_said *said = &check->watch->said[i];
		if (said->at_ms < at_ms - around_ms || said->at_ms > at_ms + around_ms)
			continue;
		printf("    said  %s %s %s %s", sim_when(check, said->at_ms, when),
		       said->outage ? said->phase : "line", sp_line_state_name(said->state),
		       sp_cause_name(said->cause));
		if (said->outage) {
			const struct sim_outage *outage = &check->watch->outages[said->which];
			printf(" %.6s start %s", outage->id, sim_when(check, outage->start_ms, when));
			printf(" end %s", outage->end_ms < 0 ? "-" : sim_when(check, outage->end_ms, when));
		}
		printf("\n");
	}
}

void sim_fault_say(struct sim_check *check, int64_t at_ms, const char *format, ...)
{
	char when[40];
	va_list args;
	if (check->faults++ >= SAID_MAX)
		return;
	printf("  WRONG at %s: ", sim_when(check, at_ms, when));
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	say_around(check, at_ms, AROUND_MS);
}

void sim_check_dump(const struct sim_check *check)
{
	int64_t middle_ms = check->world->from_ms + (check->world->to_ms - check->world->from_ms) / 2;
	say_around(check, middle_ms, middle_ms - check->world->from_ms);
}

// ---- troubles -------------------------------------------------------------------------------------------

/// Stretches of trouble that join, whether watched or not.
struct trouble {
	size_t first, last; ///< of the truth
	int64_t from_ms, to_ms;
};

static bool is_trouble(const struct sim_stretch *stretch)
{
	return stretch->state != SP_LINE_UP;
}

static bool next_trouble(const struct sim_check *check, size_t *at, struct trouble *out)
{
	while (*at < check->truth_count && !is_trouble(&check->truth[*at]))
		(*at)++;
	if (*at == check->truth_count)
		return false;
	out->first = *at;
	while (*at < check->truth_count && is_trouble(&check->truth[*at]))
		(*at)++;
	out->last = *at - 1;
	out->from_ms = check->truth[out->first].from_ms;
	out->to_ms = check->truth[out->last].to_ms;
	return true;
}

/// How long before `t_ms`, or behind it, nothing changed but what is harmless.
static int64_t calm_before(const struct sim_check *check, size_t stretch)
{
	const struct sim_stretch *before = stretch > 0 ? &check->truth[stretch - 1] : NULL;
	return before && before->watched && !is_trouble(before) ? before->to_ms - before->from_ms : 0;
}

static int64_t calm_behind(const struct sim_check *check, size_t stretch)
{
	const struct sim_stretch *next = stretch + 1 < check->truth_count ? &check->truth[stretch + 1] : NULL;
	return next && next->watched && !is_trouble(next) ? next->to_ms - next->from_ms : 0;
}

/// The outage that covers any of [from, to].
static const struct sim_outage *covering(const struct sim_check *check, int64_t from_ms, int64_t to_ms)
{
	for (size_t i = 0; i < check->watch->outage_count; i++) {
		const struct sim_outage *outage = &check->watch->outages[i];
		if (!sim_is_silence(outage->cause) && outage->start_ms <= to_ms &&
		    (outage->end_ms < 0 || outage->end_ms >= from_ms))
			return outage;
	}
	return NULL;
}

/// Must this trouble be found? When a stretch of it lasted long enough for its kind under the agent's eyes.
static bool demands(const struct sim_check *check, const struct trouble *trouble, int64_t *detect_ms)
{
	for (size_t i = trouble->first; i <= trouble->last; i++) {
		const struct sim_stretch *stretch = &check->truth[i];
		bool fresh = i == trouble->first && calm_before(check, i) >= SETTLED_MS;
		*detect_ms = fresh ? sim_detect_ms(stretch) : LATE_MS;
		if (stretch->watched && stretch->to_ms - stretch->from_ms > *detect_ms + SLACK_MS)
			return true;
	}
	return false;
}

static void note(int64_t *worst, int64_t value)
{
	if (value < 0)
		value = -value;
	if (value > *worst)
		*worst = value;
}

static void check_edges(struct sim_check *check, const struct trouble *trouble,
			const struct sim_outage *outage)
{
	const struct sim_stretch *first = &check->truth[trouble->first], *last = &check->truth[trouble->last];
	int partial = first->state == SP_LINE_DEGRADED || first->portal;
	if (first->watched && calm_before(check, trouble->first) >= SETTLED_MS &&
	    first->to_ms - first->from_ms > sim_detect_ms(first)) {
		int64_t off = outage->start_ms - first->from_ms, late = outage->opened_ms - first->from_ms;
		note(&check->worst_start_ms[partial], off);
		note(&check->worst_detect_ms[partial], late);
		if (llabs(off) > sim_edge_ms(first) + SLACK_MS)
			sim_fault_say(check, first->from_ms, "the start of %.6s is off by %lld ms",
				      outage->id, (long long)off);
		if (late > sim_detect_ms(first) + SLACK_MS)
			sim_fault_say(check, first->from_ms, "%.6s was opened after %lld ms", outage->id,
				      (long long)late);
	}
	partial = last->state == SP_LINE_DEGRADED || last->portal;
	// A change of what is broken may look like a moment of peace.
	for (const struct sim_outage *end = check->watch->outages + check->watch->outage_count;
	     outage + 1 < end && outage[1].start_ms <= trouble->to_ms &&
	     outage[1].start_ms - outage->end_ms < SPLIT_MS;)
		outage++;
	if (last->watched && calm_behind(check, trouble->last) >= CLEAR_MS && outage->end_ms >= 0) {
		int64_t off = outage->end_ms - last->to_ms;
		note(&check->worst_end_ms[partial], off);
		if (llabs(off) > sim_edge_ms(last) + SLACK_MS)
			sim_fault_say(check, last->to_ms, "the end of %.6s is off by %lld ms", outage->id,
				      (long long)off);
	}
}

static void check_troubles(struct sim_check *check)
{
	struct trouble trouble;
	for (size_t at = 0; next_trouble(check, &at, &trouble);) {
		int64_t detect_ms;
		if (!demands(check, &trouble, &detect_ms))
			continue;
		check->troubles++;
		const struct sim_outage *outage = covering(check, trouble.from_ms, trouble.to_ms + CLEAR_MS);
		if (!outage) {
			sim_fault_say(check, trouble.from_ms, "a trouble of %lld s was not found",
				      (long long)(trouble.to_ms - trouble.from_ms) / 1000);
			continue;
		}
		check->found++;
		// Only where this trouble is alone in its outage.
		size_t next = at;
		struct trouble other;
		bool alone = !next_trouble(check, &next, &other) || other.from_ms > trouble.to_ms + JOIN_MS;
		if (alone && outage->start_ms >= trouble.from_ms - JOIN_MS)
			check_edges(check, &trouble, outage);
	}
}

// ---- outages --------------------------------------------------------------------------------------------

/// The causes that an outage may have, and how far its length is true: by all trouble that it overlaps.
static unsigned causes_within(const struct sim_check *check, int64_t from_ms, int64_t to_ms)
{
	unsigned causes = 0;
	for (size_t i = 0; i < check->truth_count; i++) {
		const struct sim_stretch *stretch = &check->truth[i];
		if (is_trouble(stretch) && stretch->from_ms <= to_ms && stretch->to_ms >= from_ms)
			causes |= stretch->causes;
		// A portal that nobody asked while it stood is an anchor's silence.
		if (stretch->portal && stretch->to_ms - stretch->from_ms < sim_detect_ms(stretch) &&
		    stretch->from_ms <= to_ms && stretch->to_ms >= from_ms)
			causes |= 1u << SP_CAUSE_ISP_CORE | 1u << SP_CAUSE_ISP;
	}
	return causes;
}

/// The cause of the only trouble there was, if it was watched for long.
static void check_cause(struct sim_check *check, const struct sim_outage *outage)
{
	int64_t to_ms = outage->end_ms < 0 ? check->world->to_ms : outage->end_ms;
	unsigned causes = causes_within(check, outage->start_ms - JOIN_MS, to_ms);
	if (sim_is_silence(outage->cause))
		return;
	if (causes == 0)
		sim_fault_say(check, outage->start_ms, "outage %.6s (%s) of nothing", outage->id,
			      sp_cause_name(outage->cause));
	else if (!(causes & 1u << outage->cause))
		sim_fault_say(check, outage->start_ms, "outage %.6s is %s", outage->id,
			      sp_cause_name(outage->cause));
}

/// Milliseconds of true calm within an outage, as far as somebody looked.
static int64_t calm_within(const struct sim_check *check, int64_t from_ms, int64_t to_ms)
{
	int64_t longest = 0;
	for (size_t i = 0; i < check->truth_count; i++) {
		const struct sim_stretch *stretch = &check->truth[i];
		int64_t from = stretch->from_ms > from_ms ? stretch->from_ms : from_ms;
		int64_t to = stretch->to_ms < to_ms ? stretch->to_ms : to_ms;
		if (!is_trouble(stretch) && stretch->watched && to - from > longest)
			longest = to - from;
	}
	return longest;
}

static void check_outage(struct sim_check *check, size_t index)
{
	const struct sim_outage *outage = &check->watch->outages[index];
	const struct sim_outage *before = index > 0 ? outage - 1 : NULL;
	check_cause(check, outage);
	if (before && before->end_ms > outage->start_ms + SLACK_MS)
		sim_fault_say(check, outage->start_ms, "outages %.6s and %.6s overlap", before->id,
			      outage->id);
	if (outage->end_ms < 0) {
		sim_fault_say(check, outage->start_ms, "outage %.6s is open after a quiet hour", outage->id);
		return;
	}
	int64_t calm_ms = calm_within(check, outage->start_ms, outage->end_ms);
	if (calm_ms > LATE_MS && !sim_is_silence(outage->cause))
		sim_fault_say(check, outage->start_ms, "outage %.6s holds %lld s in which the line was up",
			      outage->id, (long long)calm_ms / 1000);
}

void sim_check_outages(struct sim_check *check)
{
	if (check->watch->fault[0])
		sim_fault_say(check, check->watch->fault_ms, "%s", check->watch->fault);
	for (size_t i = 0; i < check->watch->outage_count; i++)
		check_outage(check, i);
	check_troubles(check);
}
