// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The best explanation first: its losses are taken, and what is left is looked at again, until chance
// explains the rest.
#include "tools/hub/incident/correlate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/incident/correlate_priv.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
#define YEAR_MS   (365 * 24.0 * 3600000.0)

enum { INCIDENTS_MAX = 10000 }; ///< of one run: more is a mistake of the rules

struct sp_incident_rules sp_incident_rules_default(void)
{
	return (struct sp_incident_rules){.boards = 5,
					  .share = 0.5,
					  .losses_per_day = 1,
					  .coincidences_per_year = 0.1,
					  .rolling_ms = 30 * MINUTE_MS,
					  .together_ms = 5 * MINUTE_MS,
					  .sharp_ms = 10 * MINUTE_MS,
					  .bounds_ms = 12 * HOUR_MS,
					  .again_ms = 15 * MINUTE_MS,
					  .longest_ms = 7 * 24 * HOUR_MS,
					  .tellers = 3,
					  .told_share = 0.1};
}

const char *sp_incident_scope_name(enum sp_incident_scope scope)
{
	static const char *const names[] = {"area", "hop", "provider", "provider_area"};
	return names[scope];
}

const char *sp_incident_cause_name(enum sp_incident_cause cause)
{
	static const char *const names[] = {"unknown", "line", "power"};
	return names[cause];
}

// ---- rows ----------------------------------------------------------------------------------------

static int by_order(const void *left, const void *right)
{
	const struct sp_inc_loss *a = left, *b = right;
	if (a->on_ms != b->on_ms)
		return a->on_ms < b->on_ms ? -1 : 1;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	if (a->to_ms != b->to_ms)
		return a->to_ms < b->to_ms ? -1 : 1;
	return a->kind < b->kind ? -1 : a->kind > b->kind;
}

/// What one line has lost twice at one time counts once: the later loss begins where the earlier one ends.
static void part(struct sp_inc_work *work)
{
	size_t *last = sp_alloc((work->scene->line_count + 1) * sizeof(*last)); // 1 + index, 0: none
	for (size_t i = 0; i < work->loss_count; i++) {
		struct sp_inc_loss *loss = &work->losses[i];
		if (!loss->seed)
			continue;
		if (last[loss->line] && work->losses[last[loss->line] - 1].to_ms > loss->on_ms)
			work->losses[last[loss->line] - 1].to_ms = loss->on_ms;
		last[loss->line] = i + 1;
	}
	free(last);
}

static void take_rows(struct sp_inc_work *work)
{
	const struct sp_incident_scene *scene = work->scene;
	const struct sp_incident_rules *rules = scene->rules;
	work->losses = sp_alloc((scene->loss_count + 1) * sizeof(*work->losses));
	for (size_t i = 0; i < scene->loss_count; i++) {
		const struct sp_loss *loss = &scene->losses[i];
		int64_t width_ms = loss->hi_ms - loss->lo_ms;
		int64_t on_ms = loss->lo_ms + width_ms / 2;
		if (on_ms >= scene->to_ms || width_ms < 0)
			continue;
		bool ours =
		    loss->kind != SP_LOSS_OTHER && width_ms <= rules->bounds_ms && on_ms >= scene->from_ms;
		work->losses[work->loss_count++] =
		    (struct sp_inc_loss){.index = i,
					 .line = loss->line,
					 .kind = loss->kind,
					 .lo_ms = loss->lo_ms,
					 .hi_ms = loss->hi_ms,
					 .on_ms = on_ms,
					 .to_ms = loss->to_ms > on_ms ? loss->to_ms : on_ms + 1,
					 .seed = width_ms <= rules->sharp_ms,
					 .wide = width_ms > rules->sharp_ms,
					 .taken = !ours};
	}
	qsort(work->losses, work->loss_count, sizeof(*work->losses), by_order);
	part(work);
}

// ---- incidents -------------------------------------------------------------------------------------

/// Two causes of one incident? `unknown` may still become the other one.
static bool agree(enum sp_incident_cause a, enum sp_incident_cause b)
{
	return a == b || a == SP_INCIDENT_UNKNOWN || b == SP_INCIDENT_UNKNOWN;
}

static int by_beginning(const void *left, const void *right)
{
	const struct sp_incident *a = left, *b = right;
	if (a->from_ms != b->from_ms)
		return a->from_ms < b->from_ms ? -1 : 1;
	if (a->scope != b->scope)
		return a->scope < b->scope ? -1 : 1;
	if (a->provider != b->provider)
		return a->provider < b->provider ? -1 : 1;
	if (a->area != b->area)
		return a->area < b->area ? -1 : 1;
	if (a->hop != b->hop)
		return a->hop < b->hop ? -1 : 1;
	return a->cause < b->cause ? -1 : a->cause > b->cause;
}

/// The same fault, back within `again`: one incident.
static bool continues(const struct sp_incident_rules *rules, const struct sp_incident *a,
		      const struct sp_incident *b)
{
	return a->scope == b->scope && a->provider == b->provider && a->area == b->area && a->hop == b->hop &&
	       agree(a->cause, b->cause) &&
	       (a->to_ms == INT64_MAX || b->from_ms - a->to_ms <= rules->again_ms);
}

static void unite(struct sp_incident *into, struct sp_incident *from)
{
	into->members =
	    sp_realloc(into->members, (into->member_count + from->member_count + 1) * sizeof(*into->members));
	memcpy(into->members + into->member_count, from->members,
	       from->member_count * sizeof(*from->members));
	into->member_count += from->member_count;
	if (into->cause == SP_INCIDENT_UNKNOWN)
		into->cause = from->cause;
	if (from->to_ms > into->to_ms)
		into->to_ms = from->to_ms;
	if (from->of_boards > into->of_boards)
		into->of_boards = from->of_boards;
	if (from->weight > into->weight)
		into->weight = from->weight;
	free(from->members);
	from->members = NULL;
}

static size_t merge(const struct sp_incident_rules *rules, struct sp_incident *incidents, size_t count)
{
	size_t kept = 0;
	qsort(incidents, count, sizeof(*incidents), by_beginning);
	for (size_t i = 0; i < count; i++) {
		size_t into = kept;
		for (size_t k = 0; k < kept && into == kept; k++) {
			if (continues(rules, &incidents[k], &incidents[i]))
				into = k;
		}
		if (into < kept)
			unite(&incidents[into], &incidents[i]);
		else
			incidents[kept++] = incidents[i];
	}
	return kept;
}

static int by_board(const void *left, const void *right)
{
	const int64_t *a = left, *b = right;
	return *a < *b ? -1 : *a > *b;
}

/// Boards among the members, each once, whose losses are of this kind; `any`: of every kind.
static int64_t boards_of(const struct sp_incident_scene *scene, const struct sp_incident *incident, bool any,
			 enum sp_loss_kind kind)
{
	int64_t *boards = sp_alloc((incident->member_count + 1) * sizeof(*boards)), each = 0;
	size_t count = 0;
	for (size_t i = 0; i < incident->member_count; i++) {
		const struct sp_loss *loss = &scene->losses[incident->members[i]];
		if (any || loss->kind == kind)
			boards[count++] = scene->lines[loss->line].board;
	}
	qsort(boards, count, sizeof(*boards), by_board);
	for (size_t i = 0; i < count; i++)
		each += i == 0 || boards[i] != boards[i - 1];
	free(boards);
	return each;
}

/// It is not called by a name before enough boards have said so.
static void settle(const struct sp_incident_scene *scene, struct sp_incident *incident)
{
	incident->boards = boards_of(scene, incident, true, SP_LOSS_UNTOLD);
	incident->told_line = boards_of(scene, incident, false, SP_LOSS_LINE);
	incident->told_power = boards_of(scene, incident, false, SP_LOSS_POWER);
	int64_t told = incident->cause == SP_INCIDENT_LINE    ? incident->told_line
		       : incident->cause == SP_INCIDENT_POWER ? incident->told_power
							      : 0;
	if (told < scene->rules->tellers ||
	    (double)told < scene->rules->told_share * (double)incident->boards)
		incident->cause = SP_INCIDENT_UNKNOWN;
}

static double least_weight(const struct sp_incident_scene *scene)
{
	const struct sp_incident_rules *rules = scene->rules;
	// A look at each key in each stretch of `rolling` is a chance for a coincidence; keys of five boards
	// and more are hardly more than boards.
	double looks = (double)(scene->boards > 1 ? scene->boards : 1) * YEAR_MS / (double)rules->rolling_ms;
	return log(looks / rules->coincidences_per_year);
}

struct sp_incident *sp_incidents_find(const struct sp_incident_scene *scene, size_t *count)
{
	struct sp_inc_work work = {.scene = scene, .least_weight = least_weight(scene)};
	struct sp_incident *found = NULL;
	struct sp_inc_find find;
	*count = 0;
	take_rows(&work);
	sp_inc_keys_make(&work);
	while (*count < INCIDENTS_MAX && sp_inc_sweep(&work, &find)) {
		if ((*count & (*count - 1)) == 0)
			found = sp_realloc(found, (*count ? *count * 2 : 1) * sizeof(*found));
		sp_inc_members(&work, &find, &found[(*count)++]);
	}
	if (*count > 0)
		*count = merge(scene->rules, found, *count);
	for (size_t i = 0; i < *count; i++)
		settle(scene, &found[i]);
	free(work.keys);
	free(work.key_of);
	free(work.key_at);
	free(work.losses);
	return found;
}

void sp_incidents_free(struct sp_incident *incidents, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(incidents[i].members);
	free(incidents);
}

// ---- stretches -------------------------------------------------------------------------------------

static bool cover(int64_t lo_ms, int64_t hi_ms, int64_t *from_ms, int64_t *to_ms)
{
	if (lo_ms >= *to_ms || hi_ms <= *from_ms || (lo_ms >= *from_ms && hi_ms <= *to_ms))
		return false;
	if (lo_ms < *from_ms)
		*from_ms = lo_ms;
	if (hi_ms > *to_ms)
		*to_ms = hi_ms;
	return true;
}

bool sp_incident_widen(const struct sp_incident_rules *rules, const struct sp_incident *incidents,
		       size_t count, const struct sp_loss *losses, size_t loss_count, int64_t *from_ms,
		       int64_t *to_ms)
{
	int64_t before_ms = rules->rolling_ms + rules->again_ms;
	bool grew = false, more = true;
	while (more) {
		more = false;
		for (size_t i = 0; i < count; i++) {
			int64_t last_ms = incidents[i].from_ms + rules->longest_ms;
			if (incidents[i].to_ms < last_ms)
				last_ms = incidents[i].to_ms;
			more |= cover(incidents[i].from_ms - before_ms, last_ms + before_ms, from_ms, to_ms);
		}
		for (size_t i = 0; i < loss_count; i++) {
			int64_t width_ms = losses[i].hi_ms - losses[i].lo_ms;
			if (losses[i].kind != SP_LOSS_OTHER && width_ms > rules->sharp_ms &&
			    width_ms <= rules->bounds_ms)
				more |= cover(losses[i].lo_ms - before_ms, losses[i].hi_ms + before_ms,
					      from_ms, to_ms);
		}
		grew |= more;
	}
	return grew;
}
