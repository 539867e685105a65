// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What all KPIs of an area and a period are computed from: every school and site of the register on a date,
// each with the sums of its days. The store fills it; evaluate.c reads it.
#pragma once

#include "tools/hub/kpi/kpi.h"

/// SP_KPI_UNKNOWN where nothing is known, as everywhere.
struct sp_kpi_school {
	char *code, *zone, *kind;
	int64_t pupils;
	struct sp_kpi_lines lines;
	int64_t school_days, days_with_facts, days_unknown; ///< of the period; unknown: no board stood there
	int64_t board_days;
	int64_t facts, timely, committed, missing;
	int64_t checks, answered;
	int64_t declared, complete;
	int64_t kiosks, kiosk_days, kiosk_days_unknown;
	struct sp_kpi_value classrooms; ///< nothing reports them yet
};

struct sp_kpi_samples {
	int64_t *items;
	size_t count, room;
	bool sorted;
};
void sp_kpi_samples_add(struct sp_kpi_samples *samples, const char *text); ///< "12 34", as speed_day has them
/// Of the middle, or the mean of both there, rounded down; SP_KPI_UNKNOWN of none. Sorts.
int64_t sp_kpi_median(struct sp_kpi_samples *samples);

enum sp_kpi_time { SP_KPI_TIME_LESSON, SP_KPI_TIME_EXAM, SP_KPI_TIME_CLOCK };
#define SP_KPI_TIMES 3
struct sp_kpi_site {
	size_t school; ///< index
	char *site, *zone;
	bool main;
	struct sp_kpi_uptime times[SP_KPI_TIMES];
	struct sp_kpi_uptime lines; ///< of all its lines together, around the clock
	int64_t days;               ///< with rows
	int64_t probes, lost;
	struct sp_kpi_samples down, up, loaded;
};

/// Lines of one provider, plan and bought speed.
struct sp_kpi_pool {
	char *provider, *plan;
	int64_t bought_down_kbps, bought_up_kbps; ///< 0: not known
	int64_t lines;                            ///< in the register on that date
	int64_t down_count, down_bps, up_count, up_bps;
};

struct sp_kpi_data {
	int64_t from_day, to_day, as_of_ms;
	int64_t newest_ms;             ///< of the facts that count; SP_KPI_UNKNOWN
	struct sp_kpi_school *schools; ///< by code
	size_t school_count;
	struct sp_kpi_site *sites; ///< by school, then name
	size_t site_count;
	struct sp_kpi_pool *pools;
	size_t pool_count;
};
struct sp_kpi_data *sp_kpi_data_new(void);
void sp_kpi_data_free(struct sp_kpi_data *data);
/// NULL when it is not there.
struct sp_kpi_school *sp_kpi_school_of(struct sp_kpi_data *data, const char *code);
struct sp_kpi_site *sp_kpi_site_of(struct sp_kpi_data *data, const char *school, const char *site);
/// Made when it is not there yet.
struct sp_kpi_pool *sp_kpi_pool_of(struct sp_kpi_data *data, const char *provider, const char *plan,
				   int64_t down_kbps, int64_t up_kbps);
struct sp_kpi_school *sp_kpi_add_school(struct sp_kpi_data *data, const char *code, const char *zone,
					const char *kind, int64_t pupils);
/// All schools are there.
void sp_kpi_schools_done(struct sp_kpi_data *data);
/// NULL: of a school that is not asked for.
struct sp_kpi_site *sp_kpi_add_site(struct sp_kpi_data *data, const char *school, const char *site,
				    const char *zone, bool main);
void sp_kpi_sites_done(struct sp_kpi_data *data);
