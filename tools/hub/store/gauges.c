// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Sums over the whole store, for those who watch the hub itself.
#include "tools/hub/store/store_priv.h"

static int boards(struct sp_store *store, int64_t out[SP_STORE_PRESENCES])
{
	// Who has been silent for too long is lost, as everywhere.
	struct sp_rows *rows =
	    SQL_QUERY(store->db,
		      "SELECT CASE WHEN presence = ?1 AND last_heard_ms < ?2 THEN ?3 ELSE presence END AS p,"
		      " count(*) FROM device GROUP BY p",
		      I(SP_PRESENCE_ONLINE), I(store->now_ms - store->silence_ms), I(SP_PRESENCE_LOST));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		int64_t presence = sp_row_int(rows, 0, 0);
		if (presence >= 0 && presence < SP_STORE_PRESENCES)
			out[presence] += sp_row_int(rows, 1, 0);
	}
	return result;
}

static int size(struct sp_store *store, int64_t *out)
{
	if (sp_db_kind(store->db) == SP_DB_POSTGRES)
		return SQL_GET(store->db, out, "SELECT pg_database_size(current_database()) WHERE 0 < ?",
			       I(1));
	return SQL_GET(
	    store->db, out,
	    "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size() WHERE 0 < ?", I(1));
}

int sp_store_gauges(struct sp_store *store, struct sp_store_gauges *out)
{
	*out = (struct sp_store_gauges){0};
	int result = boards(store, out->boards);
	if (result >= 0)
		result = SQL_GET(store->db, &out->open_outages, "SELECT count(*) FROM outage WHERE phase < ?",
				 I(SP_OUTAGE_CLOSE));
	if (result >= 0)
		result = SQL_GET(store->db, &out->open_gaps, "SELECT count(*) FROM gap WHERE kind = ?", I(0));
	if (result >= 0)
		result =
		    SQL_GET(store->db, &out->anomalies, "SELECT count(*) FROM anomaly WHERE 0 < ?", I(1));
	if (result >= 0)
		result = SQL_GET(store->db, &out->set_asides,
				 "SELECT CAST(coalesce(sum(count), 0) AS BIGINT) FROM set_aside WHERE 0 < ?",
				 I(1));
	if (result >= 0)
		result =
		    SQL_GET(store->db, &out->events,
			    "SELECT CAST(coalesce(sum(events), 0) AS BIGINT) FROM device WHERE 0 < ?", I(1));
	if (result >= 0)
		result = size(store, &out->bytes);
	return result < 0 ? result : 0;
}
