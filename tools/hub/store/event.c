// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The table of all records. SQLite has it in one piece. PostgreSQL has a partition for each month of arrival,
// so that a record never has to move and what is too old goes as a whole; and several processes write it, so
// that ids do not rise in the order of commits: what a reader may pass by is told here.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "agent/base/mem.h"
#include "tools/hub/store/store_priv.h"

#define COLUMNS                                                                                     \
	" stream BIGINT NOT NULL, seq BIGINT NOT NULL, type TEXT NOT NULL, instance TEXT NOT NULL," \
	" mono_us BIGINT NOT NULL, t_ms BIGINT NOT NULL, err_ms BIGINT, placed INTEGER NOT NULL,"   \
	" arrived_ms BIGINT NOT NULL, data TEXT NOT NULL"

enum { PARTITION_LOCK = 20610 }; ///< a number of ours for pg_advisory_xact_lock

int sp_event_make(struct sp_store *store)
{
	if (sp_db_kind(store->db) == SP_DB_SQLITE)
		return sp_sql_script(store->db,
				     "CREATE TABLE event(id {ID}," COLUMNS ", UNIQUE(stream, seq))");
	// That a record is there once is the ledger's business (batch): a key across partitions there is not.
	return sp_sql_script(store->db,
			     "CREATE SEQUENCE event_id MINVALUE 0 START 0; SELECT nextval('event_id');"
			     "CREATE TABLE event(id BIGINT NOT NULL DEFAULT nextval('event_id')," COLUMNS
			     ") PARTITION BY RANGE (arrived_ms);"
			     "ALTER SEQUENCE event_id OWNED BY event.id;"
			     "CREATE INDEX event_by_id ON event(id);"
			     "CREATE INDEX event_by_stream ON event(stream, seq);"
			     "CREATE INDEX event_by_time ON event USING brin(t_ms)");
}

// ---- partitions --------------------------------------------------------------------------------

struct month {
	int64_t from_ms, to_ms;
	char name[32];
};

/// Of UTC.
static struct month month_of(int64_t t_ms)
{
	time_t seconds = (time_t)((t_ms < 0 ? 0 : t_ms) / 1000);
	struct tm tm;
	struct month month;
	gmtime_r(&seconds, &tm);
	tm = (struct tm){.tm_year = tm.tm_year, .tm_mon = tm.tm_mon, .tm_mday = 1};
	snprintf(month.name, sizeof(month.name), "event_%04d%02d", tm.tm_year + 1900, tm.tm_mon + 1);
	month.from_ms = (int64_t)timegm(&tm) * 1000;
	tm = (struct tm){.tm_year = tm.tm_year, .tm_mon = tm.tm_mon + 1, .tm_mday = 1};
	month.to_ms = (int64_t)timegm(&tm) * 1000;
	return month;
}

/// Made beside the table and then attached: that holds up nobody who writes or reads it.
static int make_partition(struct sp_store *store, const struct month *month)
{
	char *sql = sp_asprintf("CREATE TABLE %s (LIKE event INCLUDING DEFAULTS) WITH"
				" (autovacuum_vacuum_scale_factor = 0.01,"
				" autovacuum_vacuum_insert_scale_factor = 0.05,"
				" autovacuum_analyze_scale_factor = 0.02);"
				"ALTER TABLE event ATTACH PARTITION %s FOR VALUES FROM (%" PRId64
				") TO (%" PRId64 ")",
				month->name, month->name, month->from_ms, month->to_ms);
	int result = sp_sql_script(store->db, sql);
	free(sql);
	return result;
}

static int ensure(struct sp_store *store, const struct month *month)
{
	int64_t nothing;
	int there = sp_db_table(store->db, month->name);
	if (there != 0)
		return there < 0 ? there : 0;
	// Another process may be making it right now.
	int result =
	    SQL_GET(store->db, &nothing, "SELECT pg_advisory_xact_lock(?)::text IS NULL", I(PARTITION_LOCK));
	if (result >= 0)
		there = sp_db_table(store->db, month->name);
	if (result < 0 || there != 0)
		return result < 0 ? result : there < 0 ? there : 0;
	return make_partition(store, month);
}

int sp_event_ahead(struct sp_store *store, int64_t now_ms)
{
	if (sp_db_kind(store->db) == SP_DB_SQLITE)
		return 0;
	struct month month = month_of(now_ms);
	int result = ensure(store, &month);
	month = month_of(month.to_ms);
	return result < 0 ? result : ensure(store, &month);
}

// ---- ids ---------------------------------------------------------------------------------------

/// Whoever is going to take ids locks the last one that was given before, until its transaction ends.
static int claim(struct sp_store *store)
{
	int64_t nothing;
	int result = SQL_GET(store->db, &nothing,
			     "SELECT pg_advisory_xact_lock_shared(last_value)::text IS NULL FROM event_id");
	if (result < 0)
		return result;
	store->event_claimed = true;
	return 0;
}

int sp_event_room(struct sp_store *store, int64_t arrived_ms)
{
	if (sp_db_kind(store->db) == SP_DB_SQLITE)
		return 0;
	if (arrived_ms < store->event_from_ms || arrived_ms >= store->event_to_ms) {
		const struct month month = month_of(arrived_ms);
		int result = ensure(store, &month);
		if (result < 0)
			return result;
		store->event_from_ms = month.from_ms;
		store->event_to_ms = month.to_ms;
	}
	return store->event_claimed ? 0 : claim(store);
}

void sp_event_forget(struct sp_store *store, bool rolled_back)
{
	store->event_claimed = false;
	if (rolled_back)
		store->event_from_ms = store->event_to_ms = 0; // the partition may be gone again
}

/// First what was given, then who holds a claim: whoever claims between both takes ids behind the first. And
/// both before the reader's moment, so that what was claimed no more is seen.
int sp_event_horizon(struct sp_store *store)
{
	int64_t given = 0, claimed = INT64_MAX;
	store->event_horizon = INT64_MAX;
	if (sp_db_kind(store->db) == SP_DB_SQLITE)
		return 0;
	int result = SQL_GET(store->db, &given, "SELECT last_value FROM event_id");
	if (result >= 0)
		result =
		    SQL_GET(store->db, &claimed,
			    "SELECT min(classid::bigint << 32 | objid::bigint) FROM pg_locks WHERE"
			    " locktype = 'advisory' AND objsubid = 1 AND mode = 'ShareLock' AND database ="
			    " (SELECT oid FROM pg_database WHERE datname = current_database())");
	store->event_horizon = claimed < given ? claimed : given;
	return result < 0 ? result : 0;
}
