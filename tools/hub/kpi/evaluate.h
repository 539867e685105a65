// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A plan's promises against what was measured: counts, values and verdicts, of all and by zone. Pure.
#pragma once

#include "tools/hub/kpi/data.h"
#include "tools/hub/kpi/plan.h"

/// One KPI of some schools.
struct sp_kpi_figure {
	struct sp_kpi_counts
	    counts; ///< of units; of a value: which are measured (yes) and which are not (unknown)
	struct sp_kpi_value value;   ///< of KPIs that are values
	int64_t measured;            ///< millionths, or SP_KPI_UNKNOWN
	int64_t target;              ///< millionths, or SP_KPI_UNKNOWN: none
	enum sp_kpi_verdict verdict; ///< of a figure without a target: not rated
};

struct sp_kpi_zone_figure {
	const char *zone; ///< the data's; "": no zone
	struct sp_kpi_figure figure;
};

enum { SP_KPI_COMPONENTS = 5 };
struct sp_promise_result {
	const struct sp_promise *promise;
	struct sp_kpi_figure all;
	struct sp_kpi_zone_figure *zones; ///< in order of their names; none where no school has one
	size_t zone_count;
	enum sp_kpi_verdict verdict;           ///< of all, and of the zones that have targets of their own
	int64_t components[SP_KPI_COMPONENTS]; ///< of the index
};
/// Of the index.
enum sp_kpi_id sp_kpi_component(size_t index);

struct sp_plan_result {
	const struct sp_plan *plan;
	struct sp_promise_result *promises;
	size_t count;
};
/// Sorts samples in `data`. Both must live as long as the result.
struct sp_plan_result *sp_plan_evaluate(const struct sp_plan *plan, struct sp_kpi_data *data);
void sp_plan_result_free(struct sp_plan_result *result);

/// One KPI of the schools in `zone` (NULL: all) of the kinds `kinds` (NULL or empty: all).
struct sp_kpi_figure sp_kpi_figure(enum sp_kpi_id id, const struct sp_plan_thresholds *thresholds,
				   struct sp_kpi_data *data, const char *zone,
				   const struct sp_strings *kinds);
