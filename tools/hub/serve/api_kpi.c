// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// KPIs as JSON. Shares are numbers from 0 to 1; null: not known.
#include "tools/hub/serve/api_kpi.h"

#include "tools/hub/text/json_out.h"
#include "tools/hub/time/local_time.h"

static void share(struct sp_buf *out, const char *name, int64_t millionths)
{
	sp_out_real_or_null(out, name, millionths < 0 ? -1 : (double)millionths / SP_KPI_ONE);
}

static void meaning(struct sp_buf *out, const struct sp_kpi *kpi)
{
	static const char *const rules[] = {"units", "value", "index"};
	sp_out_text(out, "kpi", kpi->name);
	sp_out_text(out, "rule", rules[kpi->rule]);
	sp_out_text(out, "unit", kpi->unit);
	sp_out_bool(out, "line_part_only", kpi->line_only);
	sp_out_text(out, "title", kpi->title[0]);
	sp_out_text(out, "title_vi", kpi->title[1]);
}

void sp_api_kpi_list(struct sp_buf *out)
{
	sp_out_open(out, NULL, '{');
	sp_out_open(out, "kpis", '[');
	for (int i = 0; i < SP_KPIS; i++) {
		const struct sp_kpi *kpi = sp_kpi((enum sp_kpi_id)i);
		sp_out_open(out, NULL, '{');
		meaning(out, kpi);
		sp_out_text(out, "numerator", kpi->numerator);
		sp_out_text(out, "denominator", kpi->denominator);
		sp_out_text(out, "not_rated", kpi->not_rated);
		sp_out_text(out, "time_basis", kpi->basis);
		sp_out_close(out, '}');
	}
	sp_out_close(out, ']');
	sp_out_close(out, '}');
}

static void figure(struct sp_buf *out, const struct sp_kpi *kpi, const struct sp_kpi_figure *figure,
		   bool claim)
{
	share(out, "value", figure->measured);
	share(out, "target", figure->target);
	sp_out_text(out, "verdict", sp_kpi_verdict_name(figure->verdict, claim));
	if (kpi->rule == SP_KPI_RULE_INDEX)
		return;
	sp_out_int(out, "yes", figure->counts.yes);
	sp_out_int(out, "no", figure->counts.no);
	sp_out_int(out, "unknown", figure->counts.unknown);
	sp_out_int(out, "total", sp_kpi_total(&figure->counts));
	if (kpi->rule != SP_KPI_RULE_VALUE)
		return;
	sp_out_int(out, "numerator", figure->value.num);
	sp_out_int(out, "denominator", figure->value.den);
	sp_out_int(out, "covered", figure->value.covered);
	share(out, "coverage", sp_kpi_quotient(figure->value.covered, figure->value.total));
}

static void promise(struct sp_buf *out, const struct sp_promise_result *result)
{
	const struct sp_promise *p = result->promise;
	bool claim = p->kind == SP_PROMISE_CLAIM;
	sp_out_open(out, NULL, '{');
	sp_out_text(out, "id", p->id);
	sp_out_text(out, "kind", sp_promise_kind_name(p->kind));
	sp_out_text(out, "text", p->text[0]);
	sp_out_text(out, "text_vi", p->text[1]);
	sp_out_text_or_null(out, "answer", p->answer[0]);
	sp_out_text_or_null(out, "answer_vi", p->answer[1]);
	sp_out_bool(out, "measured", p->kpi >= 0);
	if (p->kpi >= 0) {
		const struct sp_kpi *kpi = sp_kpi((enum sp_kpi_id)p->kpi);
		meaning(out, kpi);
		sp_out_text(out, "promise_verdict", sp_kpi_verdict_name(result->verdict, claim));
		figure(out, kpi, &result->all, claim);
		sp_out_open(out, "components", '{');
		for (size_t i = 0; kpi->rule == SP_KPI_RULE_INDEX && i < SP_KPI_COMPONENTS; i++)
			share(out, sp_kpi(sp_kpi_component(i))->name, result->components[i]);
		sp_out_close(out, '}');
		sp_out_open(out, "zones", '[');
		for (size_t i = 0; i < result->zone_count; i++) {
			sp_out_open(out, NULL, '{');
			sp_out_text_or_null(out, "zone", result->zones[i].zone);
			figure(out, kpi, &result->zones[i].figure, claim);
			sp_out_close(out, '}');
		}
		sp_out_close(out, ']');
	} else {
		share(out, "target", p->target);
	}
	sp_out_close(out, '}');
}

static void head(struct sp_buf *out, const struct sp_plan *plan, const struct sp_kpi_ask *ask,
		 const struct sp_kpi_data *data, const struct sp_rollup_left *left)
{
	char text[SP_LOCAL_TIME_SIZE];
	if (plan) {
		sp_out_open(out, "plan", '{');
		sp_out_text(out, "id", plan->id);
		sp_out_text(out, "title", plan->title[0]);
		sp_out_text(out, "title_vi", plan->title[1]);
		sp_out_text(out, "issuer", plan->issuer[0]);
		sp_out_text(out, "issuer_vi", plan->issuer[1]);
		sp_out_text(out, "source", plan->source);
		sp_out_text_or_null(out, "issued", plan->issued);
		sp_out_text_or_null(out, "due", plan->due);
		sp_out_close(out, '}');
	}
	sp_out_text(out, "from", sp_local_date(sp_local_day_ms(ask->from_day), text));
	sp_out_text(out, "to", sp_local_date(sp_local_day_ms(ask->to_day), text));
	sp_out_text(out, "timezone", "Asia/Ho_Chi_Minh");
	sp_out_text(out, "register_as_of", sp_local_time(ask->as_of_ms, text));
	sp_out_text_or_null(out, "data_as_of",
			    data->newest_ms < 0 ? "" : sp_local_time(data->newest_ms, text));
	sp_out_text_or_null(out, "area", ask->area ? ask->area : "");
	sp_out_text_or_null(out, "tree", ask->tree ? ask->tree : "");
	sp_out_int(out, "schools", (int64_t)data->school_count);
	sp_out_int(out, "sites", (int64_t)data->site_count);
	sp_out_int(out, "sites_to_compute", left->sites);
	sp_out_int(out, "boards_to_compute", left->boards);
}

static void every_kpi(struct sp_buf *out, struct sp_kpi_data *data)
{
	const struct sp_plan_thresholds thresholds = sp_plan_defaults();
	sp_out_open(out, "kpis", '[');
	for (int i = 0; i < SP_KPIS; i++) {
		const struct sp_kpi *kpi = sp_kpi((enum sp_kpi_id)i);
		const struct sp_kpi_figure one =
		    sp_kpi_figure((enum sp_kpi_id)i, &thresholds, data, NULL, NULL);
		sp_out_open(out, NULL, '{');
		meaning(out, kpi);
		figure(out, kpi, &one, false);
		sp_out_close(out, '}');
	}
	sp_out_close(out, ']');
}

int sp_api_kpi(struct sp_store *store, const struct sp_plan *plan, const struct sp_kpi_ask *ask,
	       struct sp_buf *out)
{
	struct sp_kpi_data *data = NULL;
	struct sp_rollup_left left;
	int result = sp_store_kpi(store, ask, &data);
	if (result == 0)
		result = sp_store_rollup_left(store, &left);
	if (result == 0) {
		struct sp_plan_result *judged = plan ? sp_plan_evaluate(plan, data) : NULL;
		sp_out_open(out, NULL, '{');
		head(out, plan, ask, data, &left);
		if (!judged)
			every_kpi(out, data);
		else
			sp_out_open(out, "promises", '[');
		for (size_t i = 0; judged && i < judged->count; i++)
			promise(out, &judged->promises[i]);
		if (judged)
			sp_out_close(out, ']');
		sp_out_close(out, '}');
		sp_plan_result_free(judged);
	}
	sp_kpi_data_free(data);
	return result;
}
