// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Who belongs to an incident: those lost at the moment that gave it away, those that went shortly before and
// are back, and whoever follows behind the same key for as long as it holds.
#include <stdlib.h>

#include "agent/base/mem.h"
#include "tools/hub/incident/correlate_priv.h"

struct crew {
	struct sp_inc_work *work;
	const struct sp_inc_key *key;
	enum sp_incident_cause cause;
	int64_t needed;
	int64_t start_ms; ///< the first loss of the fault itself
	int64_t end_ms;   ///< fewer than half of what made it were left; INT64_MAX
	size_t *seeds;    ///< in order of their beginning
	size_t seed_count;
};

int64_t sp_inc_needed(const struct sp_incident_rules *rules, int64_t up)
{
	double share = rules->share * (double)up;
	int64_t needed = (int64_t)share;
	if ((double)needed < share)
		needed++;
	return needed > rules->boards ? needed : rules->boards;
}

static bool fits(const struct crew *crew, const struct sp_inc_loss *loss)
{
	if (loss->taken || !sp_inc_behind(&crew->work->scene->lines[loss->line], crew->key))
		return false;
	return loss->kind == SP_LOSS_UNTOLD ||
	       (loss->kind == SP_LOSS_LINE && crew->cause == SP_INCIDENT_LINE) ||
	       (loss->kind == SP_LOSS_POWER && crew->cause == SP_INCIDENT_POWER);
}

/// Nobody had told anything at the peak: those who tell of the time around it decide what may belong to it.
static void decide(struct crew *crew, int64_t at_ms)
{
	int64_t line = 0, power = 0, rolling_ms = crew->work->scene->rules->rolling_ms;
	if (crew->cause != SP_INCIDENT_UNKNOWN)
		return;
	for (size_t i = 0; i < crew->work->loss_count; i++) {
		const struct sp_inc_loss *loss = &crew->work->losses[i];
		if (loss->taken || loss->on_ms < at_ms - rolling_ms || loss->on_ms > at_ms + rolling_ms ||
		    !sp_inc_behind(&crew->work->scene->lines[loss->line], crew->key))
			continue;
		line += loss->kind == SP_LOSS_LINE;
		power += loss->kind == SP_LOSS_POWER && crew->key->scope == SP_SCOPE_AREA;
	}
	crew->cause = line > power   ? SP_INCIDENT_LINE
		      : power > line ? SP_INCIDENT_POWER
				     : SP_INCIDENT_UNKNOWN;
}

static void find_seeds(struct crew *crew)
{
	crew->seeds = sp_alloc((crew->work->loss_count + 1) * sizeof(*crew->seeds));
	for (size_t i = 0; i < crew->work->loss_count; i++) {
		if (crew->work->losses[i].seed && fits(crew, &crew->work->losses[i]))
			crew->seeds[crew->seed_count++] = i;
	}
}

static const struct sp_inc_loss *seed(const struct crew *crew, size_t i)
{
	return &crew->work->losses[crew->seeds[i]];
}

static bool at_peak(const struct crew *crew, const struct sp_inc_loss *loss, int64_t at_ms)
{
	return loss->on_ms > at_ms - crew->work->scene->rules->rolling_ms && loss->on_ms <= at_ms &&
	       loss->to_ms > at_ms;
}

/// The first of those lost at that moment. A few that were lost well before the others, by chance, are not
/// how it began; `least` have to be left. How many there are in all goes to *total.
static int64_t first_at(const struct crew *crew, int64_t at_ms, int64_t least, int64_t *total)
{
	const struct sp_incident_rules *rules = crew->work->scene->rules;
	int64_t before = 0, last_ms = INT64_MIN, first_ms = at_ms;
	*total = 0;
	for (size_t i = 0; i < crew->seed_count; i++)
		*total += at_peak(crew, seed(crew, i), at_ms);
	for (size_t i = 0; i < crew->seed_count; i++) {
		const struct sp_inc_loss *loss = seed(crew, i);
		if (!at_peak(crew, loss, at_ms))
			continue;
		bool parted = before > 0 && loss->on_ms - last_ms > rules->together_ms &&
			      before < rules->boards && *total - before >= least;
		if (before == 0 || parted)
			first_ms = loss->on_ms;
		last_ms = loss->on_ms;
		before++;
	}
	return first_ms;
}

/// A slow beginning: as long as more had been lost shortly before than chance explains, it began there.
static void find_start(struct crew *crew, int64_t at_ms, int64_t up)
{
	int64_t total;
	crew->start_ms = first_at(crew, at_ms, crew->needed, &total);
	for (;;) {
		int64_t earlier_ms = first_at(crew, crew->start_ms, 0, &total);
		if (earlier_ms == crew->start_ms || total < crew->work->scene->rules->boards ||
		    sp_inc_weight(crew->work->scene->rules, total, up) < crew->work->least_weight / 2)
			return;
		crew->start_ms = earlier_ms;
	}
}

static int by_number(const void *left, const void *right)
{
	const int64_t *a = left, *b = right;
	return *a < *b ? -1 : *a > *b;
}

/// While at least half of those that it takes are lost, whoever is lost behind the key joins; the incident is
/// over when fewer are.
static void find_end(struct crew *crew, int64_t at_ms)
{
	const struct sp_incident_rules *rules = crew->work->scene->rules;
	int64_t *ends = sp_alloc((crew->seed_count + 1) * sizeof(*ends)), half = (crew->needed + 1) / 2;
	size_t count = 0, over = 0, next = 0, began = 0;
	while (next < crew->seed_count && seed(crew, next)->on_ms < crew->start_ms - rules->together_ms)
		next++;
	for (size_t i = next; i < crew->seed_count; i++) {
		if (seed(crew, i)->on_ms <= crew->start_ms + rules->longest_ms)
			ends[count++] = seed(crew, i)->to_ms;
	}
	qsort(ends, count, sizeof(*ends), by_number);
	crew->end_ms = INT64_MAX;
	// Whoever has come back by a moment had gone before it: both lists are read side by side.
	for (; over < count && ends[over] < INT64_MAX; over++) {
		while (began < count && seed(crew, next + began)->on_ms < ends[over])
			began++;
		if (ends[over] >= at_ms && (int64_t)(began - over - 1) < half) {
			crew->end_ms = ends[over];
			break;
		}
	}
	free(ends);
}

/// The other lines of its board, lost at the same time, are part of no other incident.
static void take(struct crew *crew, size_t index, int64_t last_ms)
{
	struct sp_inc_loss *mine = &crew->work->losses[index];
	const struct sp_incident_scene *scene = crew->work->scene;
	int64_t board = scene->lines[mine->line].board;
	int64_t until_ms = mine->to_ms < last_ms ? mine->to_ms : last_ms;
	mine->taken = true;
	for (size_t i = 0; i < crew->work->loss_count; i++) {
		struct sp_inc_loss *loss = &crew->work->losses[i];
		if (loss->on_ms > until_ms)
			return;
		if (!loss->taken && scene->lines[loss->line].board == board && loss->to_ms > mine->on_ms)
			loss->taken = true;
	}
}

static void join(struct crew *crew, struct sp_incident *out)
{
	const struct sp_incident_rules *rules = crew->work->scene->rules;
	int64_t first_ms = crew->start_ms - rules->together_ms;
	int64_t last_ms = crew->end_ms;
	if (last_ms > crew->start_ms + rules->longest_ms)
		last_ms = crew->start_ms + rules->longest_ms;
	out->members = sp_alloc((crew->work->loss_count + 1) * sizeof(*out->members));
	size_t *chosen = out->members;
	for (size_t i = 0; i < crew->work->loss_count; i++) {
		const struct sp_inc_loss *loss = &crew->work->losses[i];
		if (!fits(crew, loss))
			continue;
		bool within = loss->seed ? loss->on_ms >= first_ms && loss->on_ms <= last_ms
					 : loss->wide && loss->lo_ms <= last_ms && loss->hi_ms >= first_ms &&
					       loss->to_ms > crew->start_ms;
		if (!within)
			continue;
		chosen[out->member_count++] = i;
	}
	for (size_t i = 0; i < out->member_count; i++)
		take(crew, chosen[i], last_ms);
}

/// What it was, when, and how many boards say so.
static void describe(const struct crew *crew, const struct sp_inc_find *find, struct sp_incident *out)
{
	const struct sp_inc_key *key = crew->key;
	bool area = key->scope == SP_SCOPE_AREA || key->scope == SP_SCOPE_PROVIDER_AREA;
	out->scope = key->scope;
	out->provider = key->provider;
	out->area = area ? key->place : -1;
	out->hop = key->scope == SP_SCOPE_HOP ? key->place : -1;
	out->cause = crew->cause;
	out->from_ms = crew->start_ms;
	out->to_ms = crew->end_ms;
	out->of_boards = find->up;
	out->weight = find->weight;
	for (size_t i = 0; i < out->member_count; i++) {
		const struct sp_inc_loss *loss = &crew->work->losses[out->members[i]];
		if (loss->seed && loss->on_ms < out->from_ms)
			out->from_ms = loss->on_ms;
		out->members[i] = loss->index;
	}
}

void sp_inc_members(struct sp_inc_work *work, const struct sp_inc_find *find, struct sp_incident *out)
{
	struct crew crew = {.work = work,
			    .key = &work->keys[find->key],
			    .cause = find->cause,
			    .needed = sp_inc_needed(work->scene->rules, find->up)};
	*out = (struct sp_incident){0};
	decide(&crew, find->at_ms);
	find_seeds(&crew);
	find_start(&crew, find->at_ms, find->up);
	find_end(&crew, find->at_ms);
	join(&crew, out);
	describe(&crew, find, out);
	free(crew.seeds);
}
