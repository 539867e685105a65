// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Units and values of schools, sites and pools, and what they say of a promise.
#include "tools/hub/kpi/evaluate.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"

struct asked {
	enum sp_kpi_id id;
	const struct sp_plan_thresholds *t;
	struct sp_kpi_data *data;
	const char *zone;
	const struct sp_strings *kinds;
};

static bool kind_asked(const struct asked *asked, const struct sp_kpi_school *school)
{
	if (!asked->kinds || asked->kinds->count == 0)
		return true;
	for (size_t i = 0; i < asked->kinds->count; i++) {
		if (strcmp(asked->kinds->items[i], school->kind) == 0)
			return true;
	}
	return false;
}

static bool zone_asked(const struct asked *asked, const char *zone)
{
	return !asked->zone || strcmp(asked->zone, zone) == 0;
}

// ---- of a site ---------------------------------------------------------------------------------------

/// An examination is school time, too.
static struct sp_kpi_uptime school_time(const struct sp_kpi_site *site)
{
	struct sp_kpi_uptime time = site->times[SP_KPI_TIME_LESSON];
	const struct sp_kpi_uptime *exam = &site->times[SP_KPI_TIME_EXAM];
	time.scheduled_ms += exam->scheduled_ms;
	time.up_ms += exam->up_ms;
	time.degraded_ms += exam->degraded_ms;
	time.down_provider_ms += exam->down_provider_ms;
	time.down_other_ms += exam->down_other_ms;
	return time;
}

static enum sp_unit online_ready(const struct asked *asked, struct sp_kpi_site *site)
{
	const struct sp_kpi_uptime time = school_time(site);
	struct sp_kpi_value value = sp_kpi_availability(&time, false);
	int64_t min = asked->t->speed.min_samples;
	bool tested = site->down.count > 0 && (int64_t)site->down.count >= min;
	const struct sp_kpi_ready ready = {
	    .down_bps = tested ? sp_kpi_median(&site->down) : SP_KPI_UNKNOWN,
	    .up_bps = (int64_t)site->up.count >= min ? sp_kpi_median(&site->up) : SP_KPI_UNKNOWN,
	    .loss = sp_kpi_quotient(site->lost, site->probes),
	    .loaded_us = (int64_t)site->loaded.count >= min ? sp_kpi_median(&site->loaded) : SP_KPI_UNKNOWN,
	    .availability = sp_kpi_quotient(value.num, value.den),
	    .coverage = sp_kpi_quotient(value.covered, value.total),
	};
	return sp_kpi_online_ready(&ready, &asked->t->ready);
}

static enum sp_unit high_speed(const struct asked *asked, struct sp_kpi_site *site)
{
	return sp_kpi_high_speed((int64_t)site->down.count, sp_kpi_median(&site->down),
				 asked->data->schools[site->school].pupils, &asked->t->speed);
}

static struct sp_kpi_value site_time(const struct asked *asked, const struct sp_kpi_site *site)
{
	const struct sp_kpi_uptime time = school_time(site);
	if (asked->id == SP_KPI_AVAILABILITY_PROVIDER)
		return sp_kpi_availability(&site->lines, true);
	if (asked->id == SP_KPI_AVAILABILITY_CLOCK)
		return sp_kpi_availability(&site->times[SP_KPI_TIME_CLOCK], false);
	if (asked->id == SP_KPI_AVAILABILITY_EXAM)
		return sp_kpi_availability(&site->times[SP_KPI_TIME_EXAM], false);
	return sp_kpi_availability(&time, false);
}

/// A site is covered as a whole or not: what was seen of one that was hardly watched says nothing.
static void add_site_time(const struct asked *asked, const struct sp_kpi_site *site,
			  struct sp_kpi_figure *out)
{
	struct sp_kpi_value time = site_time(asked, site);
	// No examination was held there, as far as anybody knows: not one of those that are asked for.
	if (asked->id == SP_KPI_AVAILABILITY_EXAM && time.total == 0)
		return;
	enum sp_unit unit = sp_kpi_available(&time, asked->t->availability, asked->t->coverage);
	bool covered = unit != SP_UNIT_UNKNOWN;
	sp_kpi_count(&out->counts, unit);
	sp_kpi_value_add(&out->value,
			 &(struct sp_kpi_value){covered ? time.num : 0, covered ? time.den : 0, covered, 1});
}

static void sites(const struct asked *asked, struct sp_kpi_figure *out)
{
	for (size_t i = 0; i < asked->data->site_count; i++) {
		struct sp_kpi_site *site = &asked->data->sites[i];
		if (!zone_asked(asked, site->zone) || !kind_asked(asked, &asked->data->schools[site->school]))
			continue;
		if (asked->id == SP_KPI_HIGH_SPEED_SITES)
			sp_kpi_count(&out->counts, high_speed(asked, site));
		else
			add_site_time(asked, site, out);
	}
}

// ---- of a school -------------------------------------------------------------------------------------

/// The main one; the only one, or the first, where the register names none.
static struct sp_kpi_site *main_site(struct sp_kpi_data *data, size_t school, size_t *at)
{
	struct sp_kpi_site *found = NULL;
	while (*at < data->site_count && data->sites[*at].school < school)
		++*at;
	for (size_t i = *at; i < data->site_count && data->sites[i].school == school; i++) {
		if (!found || (data->sites[i].main && !found->main))
			found = &data->sites[i];
	}
	return found;
}

static enum sp_unit school_unit(const struct asked *asked, const struct sp_kpi_school *s,
				struct sp_kpi_site *site)
{
	const struct sp_plan_thresholds *t = asked->t;
	if (asked->id == SP_KPI_FIBRE_SCHOOLS)
		return sp_kpi_fibre(&s->lines);
	if (asked->id == SP_KPI_DATA_CONNECTED)
		return sp_kpi_share_unit(s->days_with_facts, s->days_unknown, s->school_days, t->connected);
	if (asked->id == SP_KPI_PLATFORM_REACHABLE)
		return sp_kpi_share_unit(s->answered, 0, s->checks, t->platform);
	if (asked->id == SP_KPI_ATTENDANCE_AUTOMATION)
		return s->kiosks > 0 ? sp_kpi_share_unit(s->kiosk_days, s->kiosk_days_unknown, s->school_days,
							 t->automation)
				     : SP_UNIT_UNKNOWN;
	return site ? online_ready(asked, site) : SP_UNIT_UNKNOWN;
}

static struct sp_kpi_value school_value(enum sp_kpi_id id, const struct sp_kpi_school *s)
{
	int64_t issued = s->committed + s->missing;
	if (id == SP_KPI_DATA_COMPLETENESS)
		return (struct sp_kpi_value){s->committed, issued, issued > 0, 1};
	if (id == SP_KPI_DATA_TIMELINESS)
		return (struct sp_kpi_value){s->timely, s->facts, s->facts > 0, 1};
	if (id == SP_KPI_ASSETS_RECORDED)
		return sp_kpi_assets(s->complete, s->declared);
	return s->classrooms;
}

static void schools(const struct asked *asked, struct sp_kpi_figure *out)
{
	bool units = sp_kpi(asked->id)->rule == SP_KPI_RULE_UNITS;
	size_t at = 0;
	for (size_t i = 0; i < asked->data->school_count; i++) {
		const struct sp_kpi_school *school = &asked->data->schools[i];
		struct sp_kpi_site *site = main_site(asked->data, i, &at);
		if (!zone_asked(asked, school->zone) || !kind_asked(asked, school))
			continue;
		if (units) {
			sp_kpi_count(&out->counts, school_unit(asked, school, site));
			continue;
		}
		struct sp_kpi_value value = school_value(asked->id, school);
		sp_kpi_value_add(&out->value, &value);
		sp_kpi_count(&out->counts, value.den > 0 ? SP_UNIT_YES : SP_UNIT_UNKNOWN);
	}
}

static void pools(const struct asked *asked, struct sp_kpi_figure *out)
{
	const struct sp_plan_thresholds *t = asked->t;
	for (size_t i = 0; i < asked->data->pool_count; i++) {
		const struct sp_kpi_pool *p = &asked->data->pools[i];
		enum sp_unit down = sp_kpi_kept(p->down_count, p->down_bps, p->bought_down_kbps,
						t->contract_samples, t->kept);
		enum sp_unit up =
		    sp_kpi_kept(p->up_count, p->up_bps, p->bought_up_kbps, t->contract_samples, t->kept);
		enum sp_unit both = SP_UNIT_UNKNOWN;
		if (down == SP_UNIT_NO || up == SP_UNIT_NO)
			both = SP_UNIT_NO;
		else if (down == SP_UNIT_YES && up == SP_UNIT_YES)
			both = SP_UNIT_YES;
		sp_kpi_count(&out->counts, both);
	}
}

// ---- a figure ----------------------------------------------------------------------------------------

static const enum sp_kpi_id components[SP_KPI_COMPONENTS] = {SP_KPI_FIBRE_SCHOOLS, SP_KPI_HIGH_SPEED_SITES,
							     SP_KPI_DATA_CONNECTED, SP_KPI_DATA_COMPLETENESS,
							     SP_KPI_AVAILABILITY_LESSON};

enum sp_kpi_id sp_kpi_component(size_t index)
{
	return components[index];
}

struct sp_kpi_figure sp_kpi_figure(enum sp_kpi_id id, const struct sp_plan_thresholds *thresholds,
				   struct sp_kpi_data *data, const char *zone, const struct sp_strings *kinds)
{
	const struct asked asked = {id, thresholds, data, zone, kinds};
	struct sp_kpi_figure out = {.target = SP_KPI_UNKNOWN};
	int64_t parts[SP_KPI_COMPONENTS];
	switch (id) {
	case SP_KPI_HIGH_SPEED_SITES:
	case SP_KPI_AVAILABILITY_LESSON:
	case SP_KPI_AVAILABILITY_CLOCK:
	case SP_KPI_AVAILABILITY_EXAM:
	case SP_KPI_AVAILABILITY_PROVIDER:
		sites(&asked, &out);
		break;
	case SP_KPI_CONTRACT_KEPT:
		pools(&asked, &out);
		break;
	case SP_KPI_CONNECTIVITY_INDEX:
		for (size_t i = 0; i < SP_KPI_COMPONENTS; i++)
			parts[i] = sp_kpi_figure(components[i], thresholds, data, zone, kinds).measured;
		out.measured = sp_kpi_index(parts, SP_KPI_COMPONENTS);
		return out;
	case SP_KPI_FIBRE_SCHOOLS:
	case SP_KPI_DATA_CONNECTED:
	case SP_KPI_DATA_COMPLETENESS:
	case SP_KPI_DATA_TIMELINESS:
	case SP_KPI_PLATFORM_REACHABLE:
	case SP_KPI_ASSETS_RECORDED:
	case SP_KPI_SMART_CLASSROOM:
	case SP_KPI_ATTENDANCE_AUTOMATION:
	case SP_KPI_ONLINE_READY:
		schools(&asked, &out);
		break;
	}
	out.measured = sp_kpi(id)->rule == SP_KPI_RULE_UNITS ? sp_kpi_counts_value(&out.counts)
							     : sp_kpi_quotient(out.value.num, out.value.den);
	return out;
}

static void judge(enum sp_kpi_id id, const struct sp_plan_thresholds *t, int64_t target,
		  struct sp_kpi_figure *figure)
{
	const struct sp_kpi *kpi = sp_kpi(id);
	figure->target = target;
	if (target < 0 || kpi->line_only)
		return;
	figure->verdict = kpi->rule == SP_KPI_RULE_UNITS
			      ? sp_kpi_judge_counts(&figure->counts, target)
			      : sp_kpi_judge_value(&figure->value, target, t->coverage);
}

// ---- a promise ---------------------------------------------------------------------------------------

static int by_zone(const void *left, const void *right)
{
	return strcmp(((const struct sp_kpi_zone_figure *)left)->zone,
		      ((const struct sp_kpi_zone_figure *)right)->zone);
}

static void add_zone(struct sp_promise_result *out, const char *zone)
{
	for (size_t i = 0; i < out->zone_count; i++) {
		if (strcmp(out->zones[i].zone, zone) == 0)
			return;
	}
	if (out->zone_count == SP_PLAN_ZONES_MAX)
		return;
	out->zones[out->zone_count++].zone = zone;
}

static void list_zones(const struct sp_promise *promise, const struct sp_kpi_data *data,
		       struct sp_promise_result *out)
{
	bool named = promise->zone_count > 0;
	out->zones = sp_alloc(SP_PLAN_ZONES_MAX * sizeof(*out->zones));
	// Those of the promise are shown also where no school lies in them.
	for (size_t i = 0; i < promise->zone_count; i++)
		add_zone(out, promise->zones[i].zone);
	for (size_t i = 0; i < data->school_count; i++) {
		add_zone(out, data->schools[i].zone);
		named |= data->schools[i].zone[0] != '\0';
	}
	for (size_t i = 0; i < data->site_count; i++) {
		add_zone(out, data->sites[i].zone);
		named |= data->sites[i].zone[0] != '\0';
	}
	if (!named)
		out->zone_count = 0;
	if (out->zone_count > 1)
		qsort(out->zones, out->zone_count, sizeof(*out->zones), by_zone);
}

static const struct sp_zone_target *zone_target(const struct sp_promise *promise, const char *zone)
{
	for (size_t i = 0; i < promise->zone_count; i++) {
		if (strcmp(promise->zones[i].zone, zone) == 0)
			return &promise->zones[i];
	}
	return NULL;
}

static void evaluate(const struct sp_plan *plan, const struct sp_promise *promise, struct sp_kpi_data *data,
		     struct sp_promise_result *out)
{
	enum sp_kpi_id id = (enum sp_kpi_id)promise->kpi;
	const struct sp_plan_thresholds *t = &plan->thresholds;
	out->all = sp_kpi_figure(id, t, data, NULL, &promise->school_kinds);
	judge(id, t, promise->target, &out->all);
	out->verdict = out->all.verdict;
	for (size_t i = 0; id == SP_KPI_CONNECTIVITY_INDEX && i < SP_KPI_COMPONENTS; i++)
		out->components[i] =
		    sp_kpi_figure(components[i], t, data, NULL, &promise->school_kinds).measured;
	// A pool of a plan lies in no zone.
	if (id == SP_KPI_CONTRACT_KEPT)
		return;
	list_zones(promise, data, out);
	for (size_t i = 0; i < out->zone_count; i++) {
		struct sp_kpi_zone_figure *zone = &out->zones[i];
		const struct sp_zone_target *own = zone_target(promise, zone->zone);
		zone->figure = sp_kpi_figure(id, t, data, zone->zone, &promise->school_kinds);
		judge(id, t, own ? own->target : promise->target, &zone->figure);
		if (own)
			out->verdict = sp_kpi_both(out->verdict, zone->figure.verdict);
	}
}

struct sp_plan_result *sp_plan_evaluate(const struct sp_plan *plan, struct sp_kpi_data *data)
{
	struct sp_plan_result *result = sp_alloc(sizeof(*result));
	result->plan = plan;
	result->promises = sp_alloc((plan->count + 1) * sizeof(*result->promises));
	for (; result->count < plan->count; result->count++) {
		struct sp_promise_result *out = &result->promises[result->count];
		out->promise = &plan->promises[result->count];
		out->all.measured = out->all.target = SP_KPI_UNKNOWN;
		if (out->promise->kpi >= 0)
			evaluate(plan, out->promise, data, out);
		else
			out->all.target = out->promise->target;
	}
	return result;
}

void sp_plan_result_free(struct sp_plan_result *result)
{
	if (!result)
		return;
	for (size_t i = 0; i < result->count; i++)
		free(result->promises[i].zones);
	free(result->promises);
	free(result);
}
