// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A plan file of any bytes: read or refused, and what was read keeps its promises.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hub/kpi/plan.h"

#define CHECK(condition)                                                                \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

static void check_share(int64_t share)
{
	CHECK(share >= 0 && share <= SP_KPI_ONE);
}

static void check_promise(const struct sp_promise *promise)
{
	CHECK(promise->id[0] && promise->text[0][0] && promise->text[1][0]);
	CHECK(promise->kpi >= -1 && promise->kpi < SP_KPIS);
	CHECK(promise->kpi >= 0 || promise->answer[0][0]);
	CHECK(!promise->answer[0][0] == !promise->answer[1][0]);
	CHECK(promise->zone_count <= SP_PLAN_ZONES_MAX);
	for (size_t i = 0; i < promise->zone_count; i++) {
		CHECK(promise->zones[i].zone[0]);
		check_share(promise->zones[i].target);
	}
	if (promise->kind == SP_PROMISE_TASK)
		CHECK(promise->target == SP_KPI_UNKNOWN && promise->zone_count == 0);
	else if (promise->kpi >= 0 || promise->target != SP_KPI_UNKNOWN)
		check_share(promise->target);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_config_errors errors = {0};
	struct sp_plan plan;
	int result = sp_plan_parse(&plan, "fuzz.plan", (const char *)data, size, &errors);
	CHECK(result == (errors.count ? -EINVAL : 0));
	if (result == 0) {
		CHECK(plan.id[0] && plan.source[0] && plan.count > 0 && plan.count <= SP_PLAN_PROMISES_MAX);
		check_share(plan.thresholds.coverage);
		check_share(plan.thresholds.kept);
		for (size_t i = 0; i < plan.count; i++)
			check_promise(&plan.promises[i]);
	}
	sp_plan_free(&plan);
	sp_config_errors_free(&errors);
	return 0;
}
