// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Schema step 5: what stays of samples when their rows go: minutes, hours, days.
#include "tools/hub/store/store_priv.h"

// `summary_moved`: a row of its own per mark, since another process may be working marks off.
static const char summaries[] =
    "CREATE TABLE summary(level INTEGER NOT NULL, device BIGINT NOT NULL, t_ms BIGINT NOT NULL,"
    " instance TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY(level, device, t_ms, instance)) {KEYED};"
    "CREATE INDEX summary_age ON summary(level, t_ms);"
    "CREATE TABLE summary_dirty(level INTEGER NOT NULL, t_ms BIGINT NOT NULL, device BIGINT NOT NULL,"
    " PRIMARY KEY(level, t_ms, device)) {KEYED};"
    "CREATE TABLE summary_moved(id {NEW ID}, device BIGINT NOT NULL, t_ms BIGINT NOT NULL);";

static const char *const up[] = {summaries, NULL};

static const char *const down[] = {
    "DROP TABLE summary_moved;"
    "DROP TABLE summary_dirty;"
    "DROP TABLE summary;",
    NULL,
};

/// The server looks for dead rows when a fifth of a table is dead: of a table of a year's rows that is too
/// much at once, so that it may not be done before the next ones. Each hundredth costs little. (The
/// partitions of `event` are made so.)
static int tune(struct sp_store *store)
{
	if (sp_db_kind(store->db) != SP_DB_POSTGRES)
		return 0;
	return sp_sql_script(store->db, "ALTER TABLE summary SET (autovacuum_vacuum_scale_factor = 0.02);"
					"ALTER TABLE summary_dirty SET (autovacuum_vacuum_threshold = 10000);"
					"ALTER TABLE batch SET (autovacuum_vacuum_scale_factor = 0.02);");
}

static int untune(struct sp_store *store)
{
	if (sp_db_kind(store->db) != SP_DB_POSTGRES)
		return 0;
	return sp_sql_script(store->db, "ALTER TABLE batch RESET (autovacuum_vacuum_scale_factor);");
}

const struct sp_schema_step sp_schema_5_summary = {
    .name = "summary",
    .up = up,
    .down = down,
    .fill = tune,
    .empty = untune,
    .loses = "SELECT count(*) FROM summary",
    .lost = "summaries of samples",
};
