// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Days of a period on which a site had no board yet, or none any more: they have no rows, but school was
// held.
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/store/kpi_priv.h"

/// Which days of the period have rows, and which of a school's were school days.
struct days {
	int64_t from_day, count;
	bool *site, *boarded, *school;
};

static int mark_rows(struct sp_store *store, const struct sp_kpi_data *data, const struct sp_kpi_site *site,
		     struct days *days)
{
	struct sp_rows *rows =
	    SQL_QUERY(store->db,
		      "SELECT day FROM site_day WHERE school = ? AND day >= ? AND day < ? AND site = ? AND "
		      "kind = 'clock'",
		      T(data->schools[site->school].code), I(data->from_day), I(data->to_day), T(site->site));
	int result;
	memset(days->site, 0, (size_t)days->count);
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		days->site[sp_row_int(rows, 0, 0) - days->from_day] = true;
		days->boarded[sp_row_int(rows, 0, 0) - days->from_day] = true;
	}
	return result;
}

static void add_plan(const struct sp_rollup_plan *plan, int64_t day, int64_t now_ms, struct sp_kpi_site *site)
{
	int64_t from_ms = sp_local_day_ms(day), to_ms = from_ms + SP_DAY_MS;
	for (size_t i = 0; i < plan->count; i++) {
		const struct sp_stretch *stretch = &plan->items[i];
		int64_t end_ms = stretch->to_ms < now_ms ? stretch->to_ms : now_ms;
		if (end_ms > stretch->from_ms)
			site->times[stretch->kind == SP_TIME_EXAM ? SP_KPI_TIME_EXAM : SP_KPI_TIME_LESSON]
			    .scheduled_ms += end_ms - stretch->from_ms;
	}
	int64_t whole_ms = (to_ms < now_ms ? to_ms : now_ms) - from_ms;
	site->times[SP_KPI_TIME_CLOCK].scheduled_ms += whole_ms;
	site->lines.scheduled_ms += whole_ms;
}

static int fill_site(struct sp_store *store, const struct sp_kpi_data *data, struct sp_kpi_site *site,
		     struct days *days)
{
	struct sp_rollup_plan plan;
	int result = mark_rows(store, data, site, days);
	for (int64_t i = 0; result == 0 && i < days->count; i++) {
		int64_t day = days->from_day + i;
		if (days->site[i] || sp_local_day_ms(day) >= store->now_ms)
			continue;
		result = sp_rollup_schedule(store, data->schools[site->school].code, site->site, day, &plan);
		add_plan(&plan, day, store->now_ms, site);
		days->school[i] |= sp_rollup_lesson_ms(&plan, store->now_ms) > 0;
	}
	return result;
}

/// The school's sites from `first` to `end`, of which one had a board for a part of the period.
static int fill_school(struct sp_store *store, struct sp_kpi_data *data, size_t first, size_t end,
		       struct days *days)
{
	struct sp_kpi_school *school = &data->schools[data->sites[first].school];
	int result = 0;
	memset(days->boarded, 0, (size_t)days->count);
	memset(days->school, 0, (size_t)days->count);
	for (size_t i = first; result == 0 && i < end; i++) {
		if (data->sites[i].days > 0)
			result = fill_site(store, data, &data->sites[i], days);
	}
	for (int64_t i = 0; i < days->count; i++) {
		if (days->school[i] && !days->boarded[i]) {
			school->school_days++;
			school->days_unknown++;
			school->kiosk_days_unknown++;
		}
	}
	return result;
}

int sp_kpi_fill_days(struct sp_store *store, struct sp_kpi_reading *reading)
{
	struct sp_kpi_data *data = reading->data;
	int64_t today = sp_local_day(store->now_ms),
		to_day = data->to_day <= today ? data->to_day : today + 1;
	struct days days = {.from_day = data->from_day, .count = data->to_day - data->from_day};
	size_t room = (size_t)days.count + 1;
	int result = 0;
	days.site = sp_alloc(room);
	days.boarded = sp_alloc(room);
	days.school = sp_alloc(room);
	for (size_t first = 0, end; result == 0 && first < data->site_count; first = end) {
		bool partial = false;
		for (end = first;
		     end < data->site_count && data->sites[end].school == data->sites[first].school; end++)
			partial |=
			    data->sites[end].days > 0 && data->sites[end].days < to_day - data->from_day;
		if (partial)
			result = fill_school(store, data, first, end, &days);
	}
	free(days.site);
	free(days.boarded);
	free(days.school);
	return result;
}
