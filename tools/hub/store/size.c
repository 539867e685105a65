// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// How large the database is: by table, measured by the database itself, with what it grows by.
#include <string.h>

#include "tools/hub/store/store_priv.h"
#include "tools/hub/store/store_sums.h"
#include "tools/hub/time/local_time.h"

/// Whose rows go by themselves, and when. The others stay for ever, or are as many as there are boards.
static const struct {
	const char *table;
	enum sp_horizon horizon;
} horizons[] = {
    {"event", SP_HORIZON_EVENTS},        {"batch", SP_HORIZON_EVER},
    {"summary", SP_HORIZON_SUMMARY},     {"gap", SP_HORIZON_EVER},
    {"line_point", SP_HORIZON_EVER},     {"outage", SP_HORIZON_EVER},
    {"silence", SP_HORIZON_EVER},        {"speedtest", SP_HORIZON_EVER},
    {"instance_point", SP_HORIZON_EVER}, {"absence", SP_HORIZON_EVER},
    {"line_hop", SP_HORIZON_EVER},       {"incident", SP_HORIZON_EVER},
    {"anchor", SP_HORIZON_EVER},         {"boot", SP_HORIZON_EVER},
    {"stream", SP_HORIZON_EVER},         {"incident_member", SP_HORIZON_EVER},
    {"site_day", SP_HORIZON_EVER},       {"attendance", SP_HORIZON_EVER},
    {"kiosk_day", SP_HORIZON_EVER},      {"punch", SP_HORIZON_PUNCHES},
    {"arrival", SP_HORIZON_PUNCHES},
};

static enum sp_horizon horizon_of(const char *table)
{
	for (size_t i = 0; i < SP_COUNT(horizons); i++) {
		// A month's part of a table is named after it.
		size_t length = strlen(horizons[i].table);
		if (strncmp(horizons[i].table, table, length) == 0 &&
		    (table[length] == '\0' ||
		     strspn(table + length, "_0123456789") == strlen(table + length)))
			return horizons[i].horizon;
	}
	return SP_HORIZON_NONE;
}

static struct sp_rows *ask(struct sp_store *store)
{
	if (sp_db_kind(store->db) == SP_DB_SQLITE)
		return SQL_QUERY(
		    store->db,
		    "SELECT s.tbl_name, sum(d.pgsize) AS size FROM dbstat d JOIN sqlite_schema s ON"
		    " s.name = d.name WHERE d.aggregate = ? GROUP BY s.tbl_name ORDER BY size DESC,"
		    " s.tbl_name",
		    I(1));
	return SQL_QUERY(store->db,
			 "SELECT c.relname, pg_total_relation_size(c.oid) AS size FROM pg_class c JOIN"
			 " pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname ="
			 " current_schema() AND c.oid > ? ORDER BY size DESC, c.relname",
			 I(0));
}

int sp_store_board_days(struct sp_store *store, int64_t most_days, double *out)
{
	int64_t all_ms = 0;
	// By the times of what was measured: what comes as backlog was made in its own days.
	int result =
	    SQL_GET(store->db, &all_ms,
		    "SELECT CAST(coalesce(sum(least(b.span_ms, ?)), 0) AS BIGINT) FROM (SELECT max(to_ms) -"
		    " min(from_ms) AS span_ms FROM stream WHERE from_ms IS NOT NULL GROUP BY device) b",
		    I(most_days > 0 ? most_days * SP_DAY_MS : INT64_MAX));
	*out = (double)all_ms / (double)SP_DAY_MS;
	return result < 0 ? result : 0;
}

/// How many of the rows in `event` go: those of samples.
static int bulk_share(struct sp_store *store, struct sp_size_view *out)
{
	struct sp_rows *rows = SQL_QUERY(store->db,
					 "SELECT s.class, sum(length(e.data) + length(e.type) + "
					 "length(e.instance) + 40) FROM (SELECT * FROM"
					 " event WHERE id > ? ORDER BY id DESC LIMIT 100000) e JOIN stream s "
					 "ON s.id = e.stream GROUP BY s.class",
					 I(-1));
	double bulk = 0, all = 0;
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		all += sp_row_real(rows, 1, 0);
		bulk += sp_row_int(rows, 0, 0) == SP_RECORD_BULK ? sp_row_real(rows, 1, 0) : 0;
	}
	out->bulk_share = all > 0 ? bulk / all : 0;
	return result;
}

int sp_store_size(struct sp_store *store, void (*row)(void *arg, const struct sp_size_view *size), void *arg)
{
	struct sp_size_view view = {0};
	int result =
	    SQL_GET(store->db, &view.boards, "SELECT count(*) FROM device WHERE last_heard_ms > ?", I(0));
	if (result >= 0)
		result = bulk_share(store, &view);
	if (result < 0)
		return result;
	struct sp_rows *rows = ask(store);
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		view.table = sp_row_text(rows, 0);
		view.bytes = sp_row_int(rows, 1, 0);
		view.horizon = horizon_of(view.table);
		row(arg, &view);
	}
	return result;
}
