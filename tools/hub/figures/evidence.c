// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From samples to pools and verdicts. evidence.h has the source of each formula.
#include "tools/hub/figures/evidence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/figures/evidence_names.h"
#include "tools/hub/time/local_time.h"

/// Sums of decimal fractions are not exact: 0.8 is to be 0.8.
#define ROUNDING 1e-9

static const char other[] = "other";

struct values {
	double *mbps;
	size_t count, room;
	double sum;
};

struct numbers {
	int32_t *ids;
	size_t count, room;
};

struct side {
	struct values valid;
	struct values excluded[SP_EVIDENCE_EXCLUSIONS]; ///< as in the pool's list, until that is sorted
	struct numbers sites, days;
};

struct pool {
	struct sp_evidence_pool seen;
	struct side sides[SP_TEST_DIRECTIONS];
};

struct sp_evidence {
	struct sp_evidence_rules rules;
	struct sp_names keys, sites;
	struct pool **pools; ///< by the number of their key
	size_t count;
	const struct sp_evidence_pool **order;
};

const char *sp_evidence_verdict_name(enum sp_evidence_verdict verdict)
{
	static const char *const names[] = {"not_rated", "kept", "not_kept", NULL};
	return names[verdict];
}

const struct sp_evidence_rules *sp_evidence_rules(const struct sp_evidence *evidence)
{
	return &evidence->rules;
}

struct sp_evidence *sp_evidence_new(const struct sp_evidence_rules *rules)
{
	struct sp_evidence *evidence = sp_alloc(sizeof(*evidence));
	evidence->rules = *rules;
	return evidence;
}

static void free_side(struct side *side)
{
	free(side->valid.mbps);
	for (size_t i = 0; i < SP_EVIDENCE_EXCLUSIONS; i++)
		free(side->excluded[i].mbps);
	free(side->sites.ids);
	free(side->days.ids);
}

void sp_evidence_free(struct sp_evidence *evidence)
{
	if (!evidence)
		return;
	for (size_t i = 0; i < evidence->count; i++) {
		for (size_t d = 0; d < SP_TEST_DIRECTIONS; d++)
			free_side(&evidence->pools[i]->sides[d]);
		free(evidence->pools[i]->seen.provider);
		free(evidence->pools[i]->seen.plan);
		free(evidence->pools[i]);
	}
	free(evidence->pools);
	free(evidence->order);
	sp_names_free(&evidence->keys);
	sp_names_free(&evidence->sites);
	free(evidence);
}

// ---- taking samples ---------------------------------------------------------------------------------------

static void keep_value(struct values *values, double mbps)
{
	if (values->count == values->room) {
		values->room = values->room ? values->room * 2 : 16;
		values->mbps = sp_realloc(values->mbps, values->room * sizeof(*values->mbps));
	}
	values->mbps[values->count++] = mbps;
	values->sum += mbps;
}

static void keep_number(struct numbers *numbers, int64_t id)
{
	if (numbers->count == numbers->room) {
		numbers->room = numbers->room ? numbers->room * 2 : 16;
		numbers->ids = sp_realloc(numbers->ids, numbers->room * sizeof(*numbers->ids));
	}
	numbers->ids[numbers->count++] = (int32_t)id;
}

static struct pool *pool_of(struct sp_evidence *evidence, const struct sp_evidence_sample *sample)
{
	static const struct sp_evidence_sample rest = {.provider = "", .plan = other};
	char key[600];
	// Names have no control characters within 600 bytes that would matter: what is cut is cut alike.
	snprintf(key, sizeof(key), "%.250s\n%.250s\n%.6g\n%.6g\n%d", sample->provider, sample->plan,
		 sample->bought_down_mbps, sample->bought_up_mbps, sample->scope);
	if (evidence->count >= SP_EVIDENCE_POOLS && sample != &rest && !sp_names_known(&evidence->keys, key))
		return pool_of(evidence, &rest);
	size_t number = sp_names_number(&evidence->keys, key);
	if (number < evidence->count)
		return evidence->pools[number];
	struct pool *pool = sp_alloc(sizeof(*pool));
	pool->seen.provider = sp_strdup(sample->provider);
	pool->seen.plan = sp_strdup(sample->plan);
	pool->seen.scope = sample->scope;
	pool->seen.sides[SP_TEST_DOWN].bought_mbps = sample->bought_down_mbps;
	pool->seen.sides[SP_TEST_UP].bought_mbps = sample->bought_up_mbps;
	evidence->pools = sp_realloc(evidence->pools, (number + 1) * sizeof(struct pool *));
	evidence->pools[number] = pool;
	evidence->count = number + 1;
	return pool;
}

/// The entry of this kind; the last one takes what finds no room.
static size_t exclusion(struct sp_evidence_side *seen, const struct sp_evidence_sample *sample)
{
	size_t i = 0;
	while (i < seen->excluded_count && (seen->excluded[i].validity != sample->validity ||
					    strcmp(seen->excluded[i].reason, sample->reason) != 0))
		i++;
	if (i < seen->excluded_count)
		return i;
	if (i == SP_EVIDENCE_EXCLUSIONS)
		return i - 1;
	const char *reason = i == SP_EVIDENCE_EXCLUSIONS - 1 ? other : sample->reason;
	seen->excluded[i].validity = sample->validity;
	snprintf(seen->excluded[i].reason, sizeof(seen->excluded[i].reason), "%s", reason);
	seen->excluded_count++;
	return i;
}

static void count_method(struct sp_evidence_side *seen, const char *name)
{
	size_t i = 0;
	while (i < seen->method_count && strcmp(seen->methods[i].name, name) != 0)
		i++;
	if (i == SP_COUNT(seen->methods))
		i--;
	else if (i == seen->method_count) {
		snprintf(seen->methods[i].name, sizeof(seen->methods[i].name), "%s",
			 i == SP_COUNT(seen->methods) - 1 ? other : name);
		seen->method_count++;
	}
	seen->methods[i].count++;
}

void sp_evidence_add(struct sp_evidence *evidence, const struct sp_evidence_sample *sample)
{
	struct pool *pool = pool_of(evidence, sample);
	struct sp_evidence_side *seen = &pool->seen.sides[sample->direction];
	struct side *side = &pool->sides[sample->direction];
	if (sample->validity != SP_TEST_VALID || sample->reason[0] || sample->mbps < 0) {
		size_t i = exclusion(seen, sample);
		seen->excluded[i].count++;
		if (sample->mbps >= 0)
			keep_value(&side->excluded[i], sample->mbps);
		return;
	}
	int64_t local_ms = sample->t_ms + SP_LOCAL_OFFSET_MS;
	keep_value(&side->valid, sample->mbps);
	keep_number(&side->sites, (int64_t)sp_names_number(&evidence->sites, sample->site));
	keep_number(&side->days, local_ms / SP_DAY_MS);
	seen->hours[local_ms % SP_DAY_MS / 3600000]++;
	count_method(seen, sample->method);
}

// ---- computing --------------------------------------------------------------------------------------------

static int ascending(const void *left, const void *right)
{
	const double a = *(const double *)left, b = *(const double *)right;
	return (a > b) - (a < b);
}

static int by_number(const void *left, const void *right)
{
	const int32_t a = *(const int32_t *)left, b = *(const int32_t *)right;
	return (a > b) - (a < b);
}

/// Sorts them, and leaves each once.
static int64_t different(struct numbers *numbers)
{
	size_t unique = 0;
	if (numbers->count > 0)
		qsort(numbers->ids, numbers->count, sizeof(*numbers->ids), by_number);
	for (size_t i = 0; i < numbers->count; i++) {
		if (unique == 0 || numbers->ids[unique - 1] != numbers->ids[i])
			numbers->ids[unique++] = numbers->ids[i];
	}
	numbers->count = unique;
	return (int64_t)unique;
}

double sp_evidence_percentile(const double *values, size_t count, double share)
{
	if (count == 0)
		return -1;
	double place = share * (double)(count - 1);
	size_t below = (size_t)place;
	if (below + 1 >= count)
		return values[count - 1];
	return values[below] + (place - (double)below) * (values[below + 1] - values[below]);
}

static void figures(struct sp_evidence_figures *out, const struct values *values, double bought_mbps)
{
	double ratios = 0;
	*out = (struct sp_evidence_figures){(int64_t)values->count, -1, -1, -1};
	if (values->count == 0)
		return;
	out->mean_mbps = values->sum / (double)values->count;
	if (bought_mbps <= 0)
		return;
	for (size_t i = 0; i < values->count; i++)
		ratios += values->mbps[i] / bought_mbps;
	out->ratio_of_means = out->mean_mbps / bought_mbps;
	out->mean_of_ratios = ratios / (double)values->count;
}

static enum sp_evidence_verdict judge(const struct sp_evidence_rules *rules,
				      const struct sp_evidence_side *side)
{
	if (side->valid.count < rules->min_samples || side->valid.count == 0 || side->bought_mbps <= 0)
		return SP_EVIDENCE_NOT_RATED;
	return side->valid.ratio_of_means + ROUNDING >= rules->kept_ratio ? SP_EVIDENCE_KEPT
									  : SP_EVIDENCE_NOT_KEPT;
}

static int by_weight(const void *left, const void *right)
{
	const struct sp_evidence_excluded *a = left, *b = right;
	if (a->validity != b->validity)
		return a->validity < b->validity ? -1 : 1;
	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return strcmp(a->reason, b->reason);
}

static void finish_side(const struct sp_evidence_rules *rules, struct sp_evidence_side *seen,
			struct side *side)
{
	struct values all = {0};
	figures(&seen->valid, &side->valid, seen->bought_mbps);
	for (size_t i = 0; i < side->valid.count; i++)
		keep_value(&all, side->valid.mbps[i]);
	for (size_t i = 0; i < seen->excluded_count; i++) {
		figures(&seen->excluded[i].figures, &side->excluded[i], seen->bought_mbps);
		for (size_t k = 0; k < side->excluded[i].count; k++)
			keep_value(&all, side->excluded[i].mbps[k]);
	}
	figures(&seen->with_excluded, &all, seen->bought_mbps);
	free(all.mbps);
	if (seen->excluded_count > 0)
		qsort(seen->excluded, seen->excluded_count, sizeof(*seen->excluded), by_weight);
	if (side->valid.count > 0)
		qsort(side->valid.mbps, side->valid.count, sizeof(*side->valid.mbps), ascending);
	seen->p10_mbps = sp_evidence_percentile(side->valid.mbps, side->valid.count, 0.10);
	seen->p50_mbps = sp_evidence_percentile(side->valid.mbps, side->valid.count, 0.50);
	seen->p95_mbps = sp_evidence_percentile(side->valid.mbps, side->valid.count, 0.95);
	seen->sites = different(&side->sites);
	seen->days = different(&side->days);
	seen->verdict = judge(rules, seen);
}

/// Of both directions together.
static int64_t either(const struct numbers *down, const struct numbers *up)
{
	struct numbers all = {0};
	for (size_t i = 0; i < down->count; i++)
		keep_number(&all, down->ids[i]);
	for (size_t i = 0; i < up->count; i++)
		keep_number(&all, up->ids[i]);
	int64_t count = different(&all);
	free(all.ids);
	return count;
}

static void finish_pool(const struct sp_evidence_rules *rules, struct pool *pool)
{
	struct sp_evidence_side *down = &pool->seen.sides[SP_TEST_DOWN], *up = &pool->seen.sides[SP_TEST_UP];
	finish_side(rules, down, &pool->sides[SP_TEST_DOWN]);
	finish_side(rules, up, &pool->sides[SP_TEST_UP]);
	pool->seen.sites = either(&pool->sides[SP_TEST_DOWN].sites, &pool->sides[SP_TEST_UP].sites);
	pool->seen.days = either(&pool->sides[SP_TEST_DOWN].days, &pool->sides[SP_TEST_UP].days);
	if (pool->seen.scope != SP_TEST_DOMESTIC)
		down->verdict = up->verdict = pool->seen.verdict = SP_EVIDENCE_NO_VERDICT;
	else if (down->verdict == SP_EVIDENCE_NOT_KEPT || up->verdict == SP_EVIDENCE_NOT_KEPT)
		pool->seen.verdict = SP_EVIDENCE_NOT_KEPT;
	else if (down->verdict == SP_EVIDENCE_KEPT && up->verdict == SP_EVIDENCE_KEPT)
		pool->seen.verdict = SP_EVIDENCE_KEPT;
	else
		pool->seen.verdict = SP_EVIDENCE_NOT_RATED;
}

static int number_order(double a, double b)
{
	return (a > b) - (a < b);
}

static int by_name(const void *left, const void *right)
{
	const struct sp_evidence_pool *a = *(const struct sp_evidence_pool *const *)left,
				      *b = *(const struct sp_evidence_pool *const *)right;
	// Domestic, international, and last what does not say.
	int scope_a = (a->scope + SP_TEST_SCOPES - 1) % SP_TEST_SCOPES;
	int scope_b = (b->scope + SP_TEST_SCOPES - 1) % SP_TEST_SCOPES;
	int order = strcmp(a->provider, b->provider);
	if (order == 0)
		order = strcmp(a->plan, b->plan);
	if (order == 0)
		order = scope_a - scope_b;
	for (size_t d = 0; order == 0 && d < SP_TEST_DIRECTIONS; d++)
		order = number_order(b->sides[d].bought_mbps, a->sides[d].bought_mbps);
	return order;
}

const struct sp_evidence_pool *const *sp_evidence_finish(struct sp_evidence *evidence, size_t *count)
{
	*count = evidence->count;
	if (evidence->order)
		return evidence->order;
	evidence->order = sp_alloc((evidence->count + 1) * sizeof(*evidence->order));
	for (size_t i = 0; i < evidence->count; i++) {
		finish_pool(&evidence->rules, evidence->pools[i]);
		evidence->order[i] = &evidence->pools[i]->seen;
	}
	if (evidence->count > 1)
		qsort(evidence->order, evidence->count, sizeof(*evidence->order), by_name);
	return evidence->order;
}
