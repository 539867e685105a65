// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a board measures: a minute record of its line in each window, and samples.
#include "tools/fleet/life.h"

#include <math.h>
#include <string.h>

enum { SECOND_MS = 1000, PROBES_A_MINUTE = 60, CHECKS_A_MINUTE = 5, PENDING_MAX = 500 };

void sp_life_bulk_start(struct sp_life *life)
{
	const struct sp_life_config *c = life->config;
	struct sp_rng rng = {sp_rng_mix(c->seed ^ 0x6275, life->board->device)};
	// Each board has its own beat, and keeps it over restarts.
	int64_t beat = c->minute_ms > 0 && c->minute_ms < c->commit_ms ? c->minute_ms : c->commit_ms;
	int64_t phase = sp_rng_below(&rng, beat) + 1, since = life->at_ms - c->start_ms;
	int64_t minutes = c->minute_ms > 0 ? (since - phase) / c->minute_ms + (since >= phase) : 0;
	int64_t commits = (since - phase) / c->commit_ms + (since >= phase);
	life->minute_from_ms = life->counted_ms = life->at_ms;
	life->minute_next_ms = c->minute_ms > 0 ? c->start_ms + phase + minutes * c->minute_ms : INT64_MAX;
	life->commit_next_ms = c->start_ms + phase + commits * c->commit_ms;
	memset(life->state_ms, 0, sizeof(life->state_ms));
	life->minute_cause = NULL;
}

void sp_life_minute_count(struct sp_life *life)
{
	life->state_ms[life->line] += life->at_ms - life->counted_ms;
	if (life->line != SP_LINE_IS_UP && life->at_ms > life->counted_ms)
		life->minute_cause = life->cause;
	life->counted_ms = life->at_ms;
}

// ---- minutes --------------------------------------------------------------------------------------------

/// What holds of a scope now: of the statements in force the last one that speaks of it, else what was set.
static struct sp_scope_value value_of(const struct sp_life *life, int scope)
{
	struct sp_scope_value value = life->scope[scope];
	int64_t rtt_ms = INT64_MIN, loss_ms = INT64_MIN;
	for (size_t i = 0; i < life->turn_count; i++) {
		const struct sp_turn *turn = &life->turns[i];
		const struct sp_scope_value *told = &turn->statement->args.scope[scope];
		if (!turn->on)
			continue;
		if (told->has_rtt && turn->span.begin_ms >= rtt_ms) {
			value.has_rtt = true;
			value.rtt_seconds = told->rtt_seconds;
			rtt_ms = turn->span.begin_ms;
		}
		if (told->has_loss && turn->span.begin_ms >= loss_ms) {
			value.has_loss = true;
			value.loss_ratio = told->loss_ratio;
			value.probes = told->probes;
			loss_ms = turn->span.begin_ms;
		}
	}
	return value;
}

struct draft {
	struct sp_field rtt[SP_SCOPES], loss[SP_SCOPES];
	struct sp_field rtts[SP_SCOPES][4], losses[SP_SCOPES][2];
	size_t rtt_count, loss_count;
};

static void add_scope(const struct sp_life *life, int scope, double minutes, bool reached, struct draft *d)
{
	struct sp_scope_value value = value_of(life, scope);
	bool service = scope == SP_SCOPE_SERVICE;
	double usual = service ? CHECKS_A_MINUTE : PROBES_A_MINUTE;
	int64_t probes = (int64_t)llround((value.probes ? (double)value.probes : usual) * minutes);
	// A platform cannot be judged over a line that is down.
	if (probes < 1 || (service && !reached) || (!value.has_rtt && !value.has_loss))
		return;
	double loss = reached || scope == SP_SCOPE_GATEWAY ? value.loss_ratio : 1;
	int64_t answers = (int64_t)llround((double)probes * (1 - loss));
	if (answers > 0 && value.has_rtt) {
		struct sp_field *v = d->rtts[scope];
		v[0] = SP_INT("", answers);
		v[1] = v[2] = v[3] = SP_REAL("", value.rtt_seconds);
		d->rtt[d->rtt_count++] = SP_LIST(sp_scope_names[scope], v, 4);
	}
	d->losses[scope][0] = SP_INT("", probes);
	d->losses[scope][1] = SP_REAL("", round(loss * 1e6) / 1e6);
	d->loss[d->loss_count++] = SP_LIST(sp_scope_names[scope], d->losses[scope], 2);
}

static void minute_record(struct sp_life *life)
{
	struct sp_field states[4], fields[5];
	struct draft draft = {.rtt_count = 0};
	size_t state_count = 0, count = 0;
	int64_t length = life->at_ms - life->minute_from_ms;
	bool reached = life->state_ms[SP_LINE_IS_UP] + life->state_ms[SP_LINE_IS_DEGRADED] > 0;
	for (int i = 0; i < 4; i++)
		if (life->state_ms[i] > 0)
			states[state_count++] =
			    SP_REAL(sp_line_is_names[i], (double)life->state_ms[i] / SECOND_MS);
	for (int i = 0; i < SP_SCOPES; i++)
		add_scope(life, i, (double)length / 60000, reached, &draft);
	fields[count++] = SP_REAL("seconds", (double)length / SECOND_MS);
	fields[count++] = SP_OBJECT("state_seconds", states, state_count);
	if (life->minute_cause)
		fields[count++] = SP_TEXT("cause", life->minute_cause->cause);
	if (draft.rtt_count > 0)
		fields[count++] = SP_OBJECT("rtt_seconds", draft.rtt, draft.rtt_count);
	if (draft.loss_count > 0)
		fields[count++] = SP_OBJECT("loss_ratio", draft.loss, draft.loss_count);
	sp_life_bulk(life, "minute", life->board->line, fields, count);
}

void sp_life_minute(struct sp_life *life)
{
	const struct sp_life_config *c = life->config;
	sp_life_minute_count(life);
	if (c->minute_ms > 0 && life->at_ms > life->minute_from_ms && !sp_life_latest(life, "bulk"))
		minute_record(life);
	memset(life->state_ms, 0, sizeof(life->state_ms));
	life->minute_cause = NULL;
	life->minute_from_ms = life->at_ms;
	while (life->minute_next_ms <= life->at_ms)
		life->minute_next_ms += c->minute_ms;
	if (sp_keep_pending(&life->keep, SP_RECORD_BULK) >= PENDING_MAX)
		sp_life_commit(life, SP_RECORD_BULK, life->at_ms);
}

// ---- samples --------------------------------------------------------------------------------------------

static double digits(double value)
{
	return round(value * 1e6) / 1e6;
}

/// What a board measures in a window besides: numbers that look measured, and repeat with the seed.
static void samples_record(struct sp_life *life)
{
	double least = 0.004 + 0.004 * sp_rng_unit(&life->rng),
	       mean = least * (1.1 + sp_rng_unit(&life->rng));
	double most = mean * (1.2 + 2 * sp_rng_unit(&life->rng));
	const struct sp_field rtt[] = {SP_INT("", 30), SP_REAL("", digits(least)), SP_REAL("", digits(mean)),
				       SP_REAL("", digits(most))};
	const struct sp_field near[] = {SP_INT("", 30), SP_REAL("", digits(least / 8)),
					SP_REAL("", digits(mean / 8)), SP_REAL("", digits(most / 8))};
	const struct sp_field loss[] = {SP_INT("", 30), SP_REAL("", 0), SP_REAL("", 0), SP_REAL("", 0)};
	const struct sp_field targets[] = {SP_LIST("domestic", rtt, 4), SP_LIST("gateway", near, 4)};
	const struct sp_field losses[] = {SP_LIST("domestic", loss, 4), SP_LIST("gateway", loss, 4)};
	const struct sp_field metrics[] = {SP_OBJECT("rtt_seconds", targets, 2),
					   SP_OBJECT("loss_ratio", losses, 2)};
	const struct sp_field fields[] = {SP_TEXT("driver", "reach"),
					  SP_REAL("seconds", (double)life->config->commit_ms / SECOND_MS),
					  SP_OBJECT("metrics", metrics, 2)};
	sp_life_bulk(life, "samples", "internet", fields, SP_COUNT(fields));
}

void sp_life_commit_bulk(struct sp_life *life)
{
	const struct sp_life_config *c = life->config;
	bool off = sp_life_latest(life, "bulk") != NULL;
	while (life->commit_next_ms <= life->at_ms)
		life->commit_next_ms += c->commit_ms;
	while (!off && sp_keep_pending(&life->keep, SP_RECORD_BULK) < (size_t)c->events)
		samples_record(life);
	sp_life_commit(life, SP_RECORD_BULK, life->at_ms);
}
