// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Is a line as fast as was bought? The one place of the formulas. QCVN 34:2022/BTTTT: with at least 1,000
// samples in each direction, spread over the day, the mean download Pd ≥ 0.8 · Vd and the mean upload Pu ≥
// 0.8 · Vu, where Vd and Vu are what the plan promises. Samples are pooled by provider, plan and bought
// speed; domestic and international ones never meet. No clock, no store.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/hub/facts/fact_speed.h"

enum {
	SP_EVIDENCE_HOURS = 24,
	/// Of one direction of a pool; what is beyond counts under the last one, "other".
	SP_EVIDENCE_EXCLUSIONS = 48,
	/// What is beyond goes into one without provider, scope and verdict, with the plan "other".
	SP_EVIDENCE_POOLS = 4096,
};

/// Why a valid test is no evidence all the same. Words of the hub, beside the boards' reasons.
#define SP_EVIDENCE_UNPLACED     "unplaced"     ///< when it was is not known well enough
#define SP_EVIDENCE_UNREGISTERED "unregistered" ///< the register did not know the board then

struct sp_evidence_rules {
	int64_t min_samples; ///< of each direction; fewer: not rated
	double kept_ratio;   ///< of what was bought, that the mean has to reach
};

struct sp_evidence_sample {
	const char *provider, *plan; ///< "": not known
	const char *site;            ///< any text that tells sites apart
	const char *method;
	const char *reason; ///< "": none. A valid sample with one is excluded by it
	enum sp_test_direction direction;
	enum sp_test_validity validity;
	enum sp_test_scope scope;
	double bought_down_mbps, bought_up_mbps; ///< 0: not known
	double mbps;                             ///< -1: no figure
	int64_t t_ms;
};

enum sp_evidence_verdict {
	SP_EVIDENCE_NOT_RATED, ///< too few samples, or nobody knows what was bought
	SP_EVIDENCE_KEPT,
	SP_EVIDENCE_NOT_KEPT,
	SP_EVIDENCE_NO_VERDICT, ///< no contract speaks of it: not domestic
};
const char *sp_evidence_verdict_name(enum sp_evidence_verdict verdict); ///< NULL: no verdict

/// Figures of some samples. -1: not known.
struct sp_evidence_figures {
	int64_t count;
	double mean_mbps;
	double ratio_of_means; ///< the mean against what was bought: as QCVN 34 words it
	double mean_of_ratios; ///< each against what was bought; the same number where one speed was bought
};

struct sp_evidence_excluded {
	enum sp_test_validity validity;
	char reason[SP_WORD_MAX + 1];
	int64_t count;                      ///< also those without a figure
	struct sp_evidence_figures figures; ///< that they would have had
};

struct sp_evidence_method {
	char name[SP_WORD_MAX + 1];
	int64_t count;
};

struct sp_evidence_side {
	double bought_mbps; ///< 0: not known
	struct sp_evidence_figures valid;
	double p10_mbps, p50_mbps, p95_mbps; ///< -1: no samples
	int64_t sites, days;                 ///< different ones
	int64_t hours[SP_EVIDENCE_HOURS];    ///< samples by hour of the day, UTC+7
	struct sp_evidence_method methods[4];
	size_t method_count; ///< further ones count in the last
	enum sp_evidence_verdict verdict;
	struct sp_evidence_excluded excluded[SP_EVIDENCE_EXCLUSIONS]; ///< by validity, then by count
	size_t excluded_count;
	/// As if nothing with a figure had been excluded.
	struct sp_evidence_figures with_excluded;
};

struct sp_evidence_pool {
	char *provider, *plan;
	enum sp_test_scope scope;
	struct sp_evidence_side sides[SP_TEST_DIRECTIONS];
	enum sp_evidence_verdict verdict; ///< kept: in both directions; not kept: in any
	int64_t sites, days;              ///< with a valid sample in any direction
};

struct sp_evidence;

struct sp_evidence *sp_evidence_new(const struct sp_evidence_rules *rules);
void sp_evidence_free(struct sp_evidence *evidence);
void sp_evidence_add(struct sp_evidence *evidence, const struct sp_evidence_sample *sample);
/// Computes everything, once. Pools by provider, plan, scope (domestic first) and bought speed; they live as
/// long as `evidence`.
const struct sp_evidence_pool *const *sp_evidence_finish(struct sp_evidence *evidence, size_t *count);
const struct sp_evidence_rules *sp_evidence_rules(const struct sp_evidence *evidence);

/// Of ascending values, `share` 0 … 1, between neighbours by a straight line; -1 of none.
double sp_evidence_percentile(const double *ascending, size_t count, double share);
