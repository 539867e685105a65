// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Schema step 3: days of sites, of which every KPI is computed, and what is to be computed again.
// tools/hub/kpi/README.md says what each column means.
#include "tools/hub/store/store_priv.h"

static const char marks[] =
    "CREATE TABLE dirty_device(device BIGINT NOT NULL, from_day BIGINT NOT NULL, to_day BIGINT NOT NULL,"
    " ready_ms BIGINT NOT NULL, PRIMARY KEY(device, from_day, to_day)) {KEYED};"

    "CREATE TABLE dirty_site(school TEXT NOT NULL, site TEXT NOT NULL, from_day BIGINT NOT NULL,"
    " to_day BIGINT NOT NULL, PRIMARY KEY(school, site)) {KEYED};";

#define TIMES                                                                                           \
	" scheduled_ms BIGINT NOT NULL, up_ms BIGINT NOT NULL, degraded_ms BIGINT NOT NULL,"            \
	" down_provider_ms BIGINT NOT NULL, down_other_ms BIGINT NOT NULL, unknown_ms BIGINT NOT NULL," \
	" excluded_ms BIGINT NOT NULL,"

// By school and day: the days of a period lie together, school by school.
static const char days[] =
    "CREATE TABLE site_day(school TEXT NOT NULL, day BIGINT NOT NULL, site TEXT NOT NULL,"
    " kind TEXT NOT NULL," TIMES " PRIMARY KEY(school, day, site, kind)) {KEYED};"

    "CREATE TABLE line_day(school TEXT NOT NULL, day BIGINT NOT NULL, site TEXT NOT NULL,"
    " line TEXT NOT NULL, kind TEXT NOT NULL," TIMES " PRIMARY KEY(school, day, site, line, kind)) {KEYED};"

    "CREATE TABLE board_day(school TEXT NOT NULL, day BIGINT NOT NULL, site TEXT NOT NULL,"
    " device TEXT NOT NULL, school_day INTEGER NOT NULL, facts BIGINT NOT NULL, timely BIGINT NOT NULL,"
    " committed BIGINT NOT NULL, missing BIGINT NOT NULL, first_ms BIGINT, last_ms BIGINT,"
    " checks BIGINT NOT NULL, answered BIGINT NOT NULL, probes BIGINT NOT NULL, lost BIGINT NOT NULL,"
    " kiosks BIGINT NOT NULL, kiosk_up_ms BIGINT NOT NULL, kiosk_possible_ms BIGINT NOT NULL,"
    " lesson_ms BIGINT NOT NULL, PRIMARY KEY(school, day, site, device)) {KEYED};"

    "CREATE TABLE speed_day(school TEXT NOT NULL, day BIGINT NOT NULL, site TEXT NOT NULL,"
    " line TEXT NOT NULL, provider TEXT NOT NULL, plan TEXT NOT NULL, bought_down_kbps BIGINT NOT NULL,"
    " bought_up_kbps BIGINT NOT NULL, down_count BIGINT NOT NULL, down_bps BIGINT NOT NULL,"
    " up_count BIGINT NOT NULL, up_bps BIGINT NOT NULL, down_samples TEXT NOT NULL,"
    " up_samples TEXT NOT NULL, loaded_samples TEXT NOT NULL, PRIMARY KEY(school, day, site, line, provider,"
    " plan, bought_down_kbps, bought_up_kbps)) {KEYED};";

static const char *const up[] = {marks, days, NULL};

static const char *const down[] = {"DROP TABLE speed_day; DROP TABLE board_day; DROP TABLE line_day;"
				   "DROP TABLE site_day; DROP TABLE dirty_site; DROP TABLE dirty_device",
				   NULL};

/// What is there already is computed, too.
static int fill(struct sp_store *store)
{
	return SQL_DO(
	    store->db,
	    "INSERT INTO dirty_device SELECT device, min(from_ms) / 86400000, max(to_ms) / 86400000 + 1, 0"
	    " FROM stream WHERE from_ms IS NOT NULL GROUP BY device");
}

const struct sp_schema_step sp_schema_3_rollup = {
    .name = "rollup",
    .up = up,
    .down = down,
    .fill = fill,
};
