// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One sweep through time, with a count per key of the boards that are up and of those freshly lost: the
// moment and the key at which chance explains the least.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/incident/correlate_priv.h"

#define DAY_MS     86400000.0
#define SAME       1e-9 ///< weights so near are one
#define CHANCE_MIN 1e-6
#define CHANCE_MAX 0.5

/// At one moment: first who comes back, then who is away for long, then who is lost.
enum what { BACK, FRESH_ENDS, AWAY, FRESH };

struct event {
	int64_t t_ms;
	enum what what;
	size_t line;
	size_t loss; ///< of FRESH and FRESH_ENDS
};

struct events {
	struct event *items;
	size_t count;
};

double sp_inc_weight(const struct sp_incident_rules *rules, int64_t lost, int64_t up)
{
	double chance = rules->losses_per_day * (double)rules->rolling_ms / DAY_MS;
	chance = chance < CHANCE_MIN ? CHANCE_MIN : chance > CHANCE_MAX ? CHANCE_MAX : chance;
	if (up <= 0 || (double)lost <= chance * (double)up)
		return 0;
	if (lost > up)
		lost = up;
	// The Chernoff bound of the binomial distribution: n · KL(k/n ‖ p).
	double share = (double)lost / (double)up, weight = (double)lost * log(share / chance);
	if (lost < up)
		weight += (double)(up - lost) * log((1 - share) / (1 - chance));
	return weight;
}

static int by_time(const void *left, const void *right)
{
	const struct event *a = left, *b = right;
	if (a->t_ms != b->t_ms)
		return a->t_ms < b->t_ms ? -1 : 1;
	if (a->what != b->what)
		return a->what < b->what ? -1 : 1;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return a->loss < b->loss ? -1 : a->loss > b->loss;
}

static void add(struct events *events, int64_t t_ms, enum what what, size_t line, size_t loss)
{
	events->items[events->count++] = (struct event){t_ms, what, line, loss};
}

static struct events gather(const struct sp_inc_work *work)
{
	const struct sp_incident_scene *scene = work->scene;
	struct events events = {
	    sp_alloc((4 * work->loss_count + 2 * scene->line_count + 1) * sizeof(struct event)), 0};
	for (size_t i = 0; i < scene->line_count; i++) {
		const struct sp_incident_line *line = &scene->lines[i];
		if (work->key_at[i] == work->key_at[i + 1])
			continue;
		add(&events, line->from_ms, BACK, i, 0);
		if (line->to_ms < scene->to_ms)
			add(&events, line->to_ms, AWAY, i, 0);
	}
	for (size_t i = 0; i < work->loss_count; i++) {
		const struct sp_inc_loss *loss = &work->losses[i];
		int64_t stale_ms = loss->on_ms + scene->rules->rolling_ms;
		// Behind its keys it is no longer than it stands there: until its board moves, or its hop
		// does.
		int64_t line_to_ms = scene->lines[loss->line].to_ms;
		int64_t to_ms = loss->to_ms < line_to_ms ? loss->to_ms : line_to_ms;
		bool candidate = loss->seed && !loss->taken;
		if (to_ms <= loss->on_ms)
			continue;
		if (candidate) {
			add(&events, loss->on_ms, FRESH, loss->line, i);
			add(&events, to_ms < stale_ms ? to_ms : stale_ms, FRESH_ENDS, loss->line, i);
		}
		if (candidate && to_ms <= stale_ms)
			continue;
		add(&events, candidate ? stale_ms : loss->on_ms, AWAY, loss->line, 0);
		if (to_ms < INT64_MAX)
			add(&events, to_ms, BACK, loss->line, 0);
	}
	qsort(events.items, events.count, sizeof(*events.items), by_time);
	return events;
}

static void step(struct sp_inc_key *key, const struct sp_inc_work *work, const struct event *event)
{
	int64_t by = event->what == FRESH ? 1 : -1;
	switch (event->what) {
	case BACK:
		key->up++;
		return;
	case AWAY:
		key->up--;
		return;
	case FRESH:
	case FRESH_ENDS:
		switch (work->losses[event->loss].kind) {
		case SP_LOSS_UNTOLD:
			key->untold += by;
			return;
		case SP_LOSS_LINE:
			key->line += by;
			return;
		case SP_LOSS_POWER:
			key->power += by;
			return;
		case SP_LOSS_OTHER:
			return;
		}
	}
}

/// Of two that explain the same: what says least beyond what was seen. Of losses of which nothing was told an
/// area; of lines the hop, then the provider.
static int rank(const struct sp_inc_key *key, enum sp_incident_cause cause)
{
	static const int untold[] = {
	    [SP_SCOPE_AREA] = 0, [SP_SCOPE_PROVIDER] = 1, [SP_SCOPE_PROVIDER_AREA] = 2, [SP_SCOPE_HOP] = 3};
	static const int line[] = {
	    [SP_SCOPE_HOP] = 0, [SP_SCOPE_PROVIDER] = 1, [SP_SCOPE_PROVIDER_AREA] = 2, [SP_SCOPE_AREA] = 3};
	return cause == SP_INCIDENT_LINE ? line[key->scope] : untold[key->scope];
}

static int depth(const struct sp_inc_work *work, const struct sp_inc_key *key)
{
	bool area = key->scope == SP_SCOPE_AREA || key->scope == SP_SCOPE_PROVIDER_AREA;
	return area ? work->scene->area_depth[key->place] : 0;
}

static bool better(const struct sp_inc_work *work, const struct sp_inc_find *a, const struct sp_inc_find *b)
{
	if (b->weight <= 0 || fabs(a->weight - b->weight) > SAME * b->weight)
		return a->weight > b->weight;
	const struct sp_inc_key *ka = &work->keys[a->key], *kb = &work->keys[b->key];
	if (rank(ka, a->cause) != rank(kb, b->cause))
		return rank(ka, a->cause) < rank(kb, b->cause);
	if (depth(work, ka) != depth(work, kb))
		return depth(work, ka) > depth(work, kb);
	if (a->key != b->key)
		return a->key < b->key;
	return a->cause == b->cause ? a->at_ms < b->at_ms : a->cause < b->cause;
}

static void weigh(const struct sp_inc_work *work, size_t index, int64_t at_ms, struct sp_inc_find *best)
{
	const struct sp_inc_key *key = &work->keys[index];
	const struct sp_incident_rules *rules = work->scene->rules;
	bool told = key->line > 0 || key->power > 0, area = key->scope == SP_SCOPE_AREA;
	// Who lost its power tells nothing of the line, and the other way round.
	struct sp_inc_find finds[] = {
	    {index, told ? SP_INCIDENT_LINE : SP_INCIDENT_UNKNOWN, at_ms, key->untold + key->line,
	     key->up - key->power, 0},
	    {index, SP_INCIDENT_POWER, at_ms, key->untold + key->power, key->up - key->line, 0},
	};
	for (size_t i = 0; i < (told && area ? 2 : 1); i++) {
		if (finds[i].lost < sp_inc_needed(rules, finds[i].up))
			continue;
		finds[i].weight = sp_inc_weight(rules, finds[i].lost, finds[i].up);
		if (finds[i].weight >= work->least_weight && better(work, &finds[i], best))
			*best = finds[i];
	}
}

bool sp_inc_sweep(struct sp_inc_work *work, struct sp_inc_find *out)
{
	struct events events = gather(work);
	*out = (struct sp_inc_find){0};
	for (size_t i = 0; i < work->key_count; i++)
		work->keys[i].up = work->keys[i].untold = work->keys[i].line = work->keys[i].power = 0;
	for (size_t i = 0; i < events.count; i++) {
		const struct event *event = &events.items[i];
		for (size_t k = work->key_at[event->line]; k < work->key_at[event->line + 1]; k++) {
			step(&work->keys[work->key_of[k]], work, event);
			if (event->what == FRESH)
				weigh(work, work->key_of[k], event->t_ms, out);
		}
	}
	free(events.items);
	return out->weight > 0;
}
