// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// HTTP: what KPIs mean, and what a period's days make of them.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "schoolpulse/clock.h"
#include "tools/hub/kpi/ask.h"
#include "tools/hub/serve/api.h"
#include "tools/hub/serve/api_kpi.h"
#include "tools/hub/serve/serve_kpi_work.h"
#include "tools/hub/serve/serve_priv.h"

/// Plans of the plans' folder only: nobody names a path over HTTP. 0: without a plan, 1: read; -1: answered.
static int read_plan(struct sp_http_call *call, const struct sp_hub_config *config, struct sp_plan *plan)
{
	const char *id = sp_call_query(call, "plan");
	struct sp_config_errors errors = {0};
	if (!id)
		return 0;
	if (strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(id) && strlen(id) <= 64 &&
	    sp_plan_read(plan, id, config->hub.plans, &errors) == 0)
		return 1;
	sp_config_errors_free(&errors);
	sp_plan_free(plan);
	sp_call_error(call, 404, "there is no such plan");
	return -1;
}

void sp_serve_kpi_list(struct sp_http_call *call, void *arg)
{
	struct sp_buf out = SP_BUF(SP_API_MAX);
	(void)arg;
	sp_api_kpi_list(&out);
	sp_call_json(call, &out);
}

static int read_period(struct sp_http_call *call, struct sp_kpi_ask *ask, char why[SP_KPI_WHY])
{
	const char *from = sp_call_query(call, "from"), *to = sp_call_query(call, "to"),
		   *month = sp_call_query(call, "month"), *as_of = sp_call_query(call, "as_of");
	int64_t now_ms = sp_clock_now().wall_ms;
	if (!month)
		return sp_kpi_ask_parse(ask, from, to, as_of, now_ms, why);
	if (!from && !to)
		return sp_kpi_ask_month(ask, month, as_of, now_ms, why);
	snprintf(why, SP_KPI_WHY, "a month needs no from and to");
	return -EINVAL;
}

void sp_serve_kpi(struct sp_http_call *call, void *arg)
{
	struct sp_serve *serve = arg;
	struct sp_kpi_ask ask;
	struct sp_plan plan = {0};
	char why[SP_KPI_WHY];
	if (read_period(call, &ask, why) < 0) {
		sp_call_error(call, 400, why);
		return;
	}
	ask.area = sp_call_query(call, "area");
	ask.tree = sp_call_query(call, "tree");
	int with_plan = read_plan(call, serve->config, &plan);
	if (with_plan < 0)
		return;
	sp_kpi_work_ask(serve->kpi, call, &ask, with_plan ? &plan : NULL);
	sp_plan_free(&plan);
}
