// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Who serves a shard: one ingest at a time, by a row that it renews in each of its transactions. The row is
// locked until COMMIT, so whoever takes it over waits for that, and whoever lost it cannot commit any more.
#include "tools/hub/store/store_priv.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/mem.h"

int sp_store_lease_look(struct sp_store *store, const char *shard, struct sp_lease *out)
{
	struct sp_rows *rows =
	    SQL_QUERY(store->db, "SELECT holder, token, until_ms FROM lease WHERE shard = ?", T(shard));
	int result = sp_rows_next(store->db, rows);
	*out = (struct sp_lease){0};
	if (result != 1)
		return result;
	snprintf(out->holder, sizeof(out->holder), "%s", sp_row_text(rows, 0));
	out->token = sp_row_int(rows, 1, 0);
	out->until_ms = sp_row_int(rows, 2, 0);
	sp_rows_leave(rows);
	return 0;
}

int sp_store_lease_take(struct sp_store *store, const char *shard, const char *holder,
			const struct sp_lease *seen, int64_t until_ms)
{
	int result =
	    SQL_DO(store->db,
		   "INSERT INTO lease(shard, holder, token, until_ms, state, state_ms) VALUES(?1, ?2,"
		   " 1, ?3, 'starting', ?6) ON CONFLICT (shard) DO UPDATE SET holder ="
		   " excluded.holder, token = lease.token + 1, until_ms = excluded.until_ms, state ="
		   " excluded.state, state_ms = excluded.state_ms WHERE lease.token = ?4 AND"
		   " lease.until_ms = ?5",
		   T(shard), T(holder), I(until_ms), I(seen->token), I(seen->until_ms), I(store->now_ms));
	return result < 0 ? result : sp_sql_changes(store->db) == 1;
}

int sp_store_lease_renew(struct sp_store *store, const char *holder, const char *state, int64_t until_ms)
{
	int result =
	    SQL_DO(store->db, "UPDATE lease SET until_ms = ?2, state = ?3, state_ms = ?4 WHERE holder = ?1",
		   T(holder), I(until_ms), T(state), I(store->now_ms));
	return result < 0 ? result : (int)sp_sql_changes(store->db);
}

int sp_store_lease_release(struct sp_store *store, const char *holder)
{
	return SQL_DO(store->db,
		      "UPDATE lease SET holder = '', until_ms = 0, state = 'stopped', state_ms = ?2 WHERE"
		      " holder = ?1",
		      T(holder), I(store->now_ms));
}

/// What all ingests together are: the worst of them, as of the one that was heard longest ago. Released ones
/// do not count, as of a shard that is served no more; once there are no others, ingest has stopped.
int sp_lease_status(struct sp_store *store, struct sp_store_status *out)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db, "SELECT min(CASE WHEN until_ms > 0 THEN state_ms END), sum(CASE WHEN until_ms > 0"
		       " AND state <> 'running' THEN 1 ELSE 0 END), max(state_ms) FROM lease WHERE"
		       " shard <> '*'");
	int result = sp_rows_next(store->db, rows);
	if (result != 1)
		return result;
	const char *state = sp_row_int(rows, 1, 0) > 0 ? "disconnected" : "running";
	bool live = !sp_row_is_null(rows, 0);
	if (live || !sp_row_is_null(rows, 2)) {
		out->ingest_ms = sp_row_int(rows, live ? 0 : 2, 0);
		snprintf(out->ingest, sizeof(out->ingest), "%s", live ? state : "stopped");
	}
	sp_rows_leave(rows);
	return 0;
}

void sp_store_set_shards(struct sp_store *store, bool (*serves)(const void *arg, const char *shard),
			 const void *arg)
{
	store->serves = serves;
	store->serves_arg = arg;
}

bool sp_store_serves(const struct sp_store *store, const char *shard)
{
	return !store->serves || store->serves(store->serves_arg, shard);
}
