// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From speed tests and evidence to the API's JSON.
#include "tools/hub/serve/api_speed.h"

#include <inttypes.h>
#include <stdio.h>

#include "tools/hub/text/json_out.h"

// ---- evidence ---------------------------------------------------------------------------------------

static void figures(struct sp_buf *out, const struct sp_evidence_figures *figures)
{
	sp_out_int(out, "samples", figures->count);
	sp_out_real_or_null(out, "mean_mbps", figures->mean_mbps);
	sp_out_real_or_null(out, "ratio_of_means", figures->ratio_of_means);
	sp_out_real_or_null(out, "mean_of_ratios", figures->mean_of_ratios);
}

static void excluded(struct sp_buf *out, const struct sp_evidence_side *side)
{
	sp_out_open(out, "excluded", '[');
	for (size_t i = 0; i < side->excluded_count; i++) {
		const struct sp_evidence_excluded *one = &side->excluded[i];
		sp_out_open(out, NULL, '{');
		sp_out_text(out, "validity", sp_test_validity_name(one->validity));
		sp_out_text_or_null(out, "reason", one->reason);
		sp_out_int(out, "count", one->count);
		figures(out, &one->figures);
		sp_out_close(out, '}');
	}
	sp_out_close(out, ']');
}

static void side(struct sp_buf *out, const char *name, const struct sp_evidence_side *side)
{
	sp_out_open(out, name, '{');
	sp_out_text(out, "verdict", sp_evidence_verdict_name(side->verdict));
	sp_out_real_or_null(out, "bought_mbps", side->bought_mbps > 0 ? side->bought_mbps : -1);
	figures(out, &side->valid);
	sp_out_real_or_null(out, "p10_mbps", side->p10_mbps);
	sp_out_real_or_null(out, "p50_mbps", side->p50_mbps);
	sp_out_real_or_null(out, "p95_mbps", side->p95_mbps);
	sp_out_int(out, "sites", side->sites);
	sp_out_int(out, "days", side->days);
	sp_out_open(out, "hours", '[');
	for (size_t hour = 0; hour < SP_EVIDENCE_HOURS; hour++)
		sp_out_int(out, NULL, side->hours[hour]);
	sp_out_close(out, ']');
	sp_out_open(out, "methods", '{');
	for (size_t i = 0; i < side->method_count; i++)
		sp_out_int(out, side->methods[i].name, side->methods[i].count);
	sp_out_close(out, '}');
	excluded(out, side);
	sp_out_open(out, "with_excluded", '{');
	figures(out, &side->with_excluded);
	sp_out_close(out, '}');
	sp_out_close(out, '}');
}

void sp_api_evidence(struct sp_evidence *evidence, const struct sp_period *period, struct sp_buf *out)
{
	const struct sp_evidence_rules *rules = sp_evidence_rules(evidence);
	size_t count;
	const struct sp_evidence_pool *const *pools = sp_evidence_finish(evidence, &count);
	sp_out_open(out, NULL, '{');
	sp_out_int(out, "from_ms", period->from_ms);
	sp_out_int(out, "to_ms", period->to_ms);
	sp_out_text(out, "timezone", "Asia/Ho_Chi_Minh");
	sp_out_int(out, "min_samples", rules->min_samples);
	sp_out_real_or_null(out, "kept_ratio", rules->kept_ratio);
	sp_out_open(out, "pools", '[');
	for (size_t i = 0; i < count; i++) {
		sp_out_open(out, NULL, '{');
		sp_out_text_or_null(out, "provider", pools[i]->provider);
		sp_out_text_or_null(out, "plan", pools[i]->plan);
		sp_out_text(out, "scope", sp_test_scope_name(pools[i]->scope));
		sp_out_text(out, "verdict", sp_evidence_verdict_name(pools[i]->verdict));
		sp_out_int(out, "sites", pools[i]->sites);
		sp_out_int(out, "days", pools[i]->days);
		side(out, "down", &pools[i]->sides[SP_TEST_DOWN]);
		side(out, "up", &pools[i]->sides[SP_TEST_UP]);
		sp_out_close(out, '}');
	}
	sp_out_close(out, ']');
	sp_out_close(out, '}');
}

int sp_api_speed(struct sp_store *store, const struct sp_period *period, const char *provider,
		 const char *plan, const struct sp_evidence_rules *rules, struct sp_buf *out)
{
	struct sp_evidence *evidence;
	int result =
	    sp_store_evidence(store, period->from_ms, period->to_ms, provider, plan, rules, &evidence);
	if (result == 0)
		sp_api_evidence(evidence, period, out);
	sp_evidence_free(evidence);
	return result;
}

static void site_row(void *arg, const struct sp_site_speed *site)
{
	struct sp_buf *out = arg;
	sp_out_open(out, NULL, '{');
	sp_out_text(out, "school", site->school);
	sp_out_text(out, "site", site->site);
	sp_out_int(out, "samples", site->samples);
	sp_out_real_or_null(out, "median_down_mbps", site->median_mbps);
	sp_out_close(out, '}');
}

int sp_api_site_speeds(struct sp_store *store, const struct sp_period *period, struct sp_buf *out)
{
	sp_out_open(out, NULL, '{');
	sp_out_int(out, "from_ms", period->from_ms);
	sp_out_int(out, "to_ms", period->to_ms);
	sp_out_open(out, "sites", '[');
	int result = sp_store_site_speeds(store, period->from_ms, period->to_ms, site_row, out);
	sp_out_close(out, ']');
	sp_out_close(out, '}');
	return result;
}

// ---- single tests -----------------------------------------------------------------------------------

struct tests {
	struct sp_buf *out;
	struct sp_test_cursor last;
	int64_t count;
};

static void latency(struct sp_buf *out, const char *name, const struct sp_test_latency *latency)
{
	if (latency->count == 0) {
		sp_out_raw(out, name, "null");
		return;
	}
	sp_out_open(out, name, '{');
	sp_out_int(out, "count", latency->count);
	sp_out_real_or_null(out, "min_seconds", latency->min);
	sp_out_real_or_null(out, "median_seconds", latency->median);
	sp_out_real_or_null(out, "p95_seconds", latency->p95);
	sp_out_real_or_null(out, "jitter_seconds", latency->jitter);
	sp_out_close(out, '}');
}

static void circumstances(struct sp_buf *out, const struct sp_fact_speedtest *test)
{
	sp_out_text_or_null(out, "interface", test->interface);
	sp_out_int_or_null(out, "link_mbps", test->link_mbps);
	sp_out_text_or_null(out, "duplex", test->duplex);
	sp_out_real_or_null(out, "cpu_ratio", test->cpu_ratio);
	sp_out_int_or_null(out, "deferrals", test->deferrals);
	sp_out_open(out, "cross_traffic", '{');
	sp_out_text_or_null(out, "source", test->cross_source);
	sp_out_real_or_null(out, "before_bytes_per_second", test->cross_before);
	sp_out_real_or_null(out, "during_bytes_per_second", test->cross_during);
	sp_out_close(out, '}');
	sp_out_open(out, "contract", '{');
	sp_out_text_or_null(out, "provider", test->provider);
	sp_out_text_or_null(out, "plan", test->plan);
	sp_out_real_or_null(out, "down_mbps", test->down_mbps > 0 ? test->down_mbps : -1);
	sp_out_real_or_null(out, "up_mbps", test->up_mbps > 0 ? test->up_mbps : -1);
	sp_out_close(out, '}');
}

static void result(struct sp_buf *out, const struct sp_fact_speedtest *test)
{
	sp_out_text_or_null(out, "server", test->server);
	sp_out_text_or_null(out, "family", test->family);
	sp_out_int_or_null(out, "streams", test->streams);
	sp_out_real_or_null(out, "mbps", test->goodput_bps < 0 ? -1 : test->goodput_bps / 1e6);
	sp_out_int_or_null(out, "bytes", test->bytes);
	sp_out_int_or_null(out, "wire_bytes", test->wire_bytes);
	sp_out_real_or_null(out, "duration_seconds", test->duration_seconds);
	latency(out, "idle_rtt", &test->idle);
	latency(out, "loaded_rtt", &test->loaded);
	sp_out_real_or_null(out, "retransmit_ratio", test->retransmit_ratio);
}

static void test_row(void *arg, const struct sp_test_view *view)
{
	struct tests *tests = arg;
	struct sp_buf *out = tests->out;
	const struct sp_fact_speedtest *test = view->test;
	sp_out_open(out, NULL, '{');
	sp_out_int(out, "t_ms", view->when.t_ms);
	sp_out_int_or_null(out, "err_ms", view->when.err_ms);
	sp_out_text(out, "placed", sp_placed_by_name(view->when.by));
	sp_out_text(out, "device", view->device);
	sp_out_text_or_null(out, "instance", view->instance);
	sp_out_text_or_null(out, "school", view->school);
	sp_out_text_or_null(out, "site", view->site);
	sp_out_text(out, "line", test->line);
	sp_out_text(out, "test", test->test);
	sp_out_text(out, "method", test->method);
	sp_out_text(out, "direction", sp_test_direction_name(test->direction));
	sp_out_text(out, "trigger", sp_test_trigger_name(test->trigger));
	sp_out_text(out, "validity", sp_test_validity_name(test->validity));
	sp_out_text_or_null(out, "reason", test->reason);
	sp_out_text_or_null(out, "text", test->text);
	sp_out_text(out, "scope", sp_test_scope_name(test->scope));
	result(out, test);
	circumstances(out, test);
	sp_out_close(out, '}');
	tests->last = view->cursor;
	tests->count++;
}

int sp_api_tests(struct sp_store *store, const struct sp_test_filter *filter, struct sp_buf *out)
{
	struct tests tests = {.out = out};
	char next[80];
	sp_out_open(out, NULL, '{');
	sp_out_int(out, "from_ms", filter->from_ms);
	sp_out_int(out, "to_ms", filter->to_ms);
	sp_out_open(out, "tests", '[');
	int done = sp_store_tests(store, filter, test_row, &tests);
	sp_out_close(out, ']');
	// A full page: there may be more.
	snprintf(next, sizeof(next), "%" PRId64 "-%" PRId64 "-%" PRId64, tests.last.t_ms, tests.last.stream,
		 tests.last.seq);
	sp_out_text(out, "next", tests.count > 0 && tests.count == filter->limit ? next : NULL);
	sp_out_close(out, '}');
	return done;
}
