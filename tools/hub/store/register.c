// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The register in the store: one file replaces all of it, in one transaction, and says what differs.
#include "tools/hub/store/store_priv.h"

static const char *or_null(const char *text)
{
	return text[0] ? text : NULL;
}

static int stage(struct sp_store *store, const struct sp_register *reg)
{
	int result = sp_sql_script(
	    store->db, "CREATE TEMP TABLE IF NOT EXISTS incoming AS SELECT * FROM register WHERE 1 = 0;"
		       "DELETE FROM incoming");
	for (size_t i = 0; result == 0 && i < reg->count; i++) {
		const struct sp_register_line *l = &reg->lines[i];
		result =
		    SQL_DO(store->db,
			   "INSERT INTO incoming(school, site, line, area, school_name, site_name, provider,"
			   " contract, down_mbps, up_mbps, zone, timetable, device, shard)"
			   " VALUES(?, ?, ?, ?, ?, ?, ?, ?, nullif(?, 0.0), nullif(?, 0.0), ?, ?, ?, ?)",
			   T(l->school), T(l->site), T(l->line), T(l->area), T(l->school_name),
			   T(l->site_name), T(l->provider), T(l->contract), R(l->down_mbps), R(l->up_mbps),
			   T(l->zone), T(l->timetable), T(or_null(l->device)), T(or_null(l->shard)));
	}
	return result;
}

static int compare(struct sp_store *store, struct sp_store_import *out)
{
	int64_t before = 0, incoming = 0, both = 0, same = 0;
	int result = SQL_GET(store->db, &before, "SELECT count(*) FROM register");
	if (result >= 0)
		result = SQL_GET(store->db, &incoming, "SELECT count(*) FROM incoming");
	if (result >= 0)
		result = SQL_GET(store->db, &both,
				 "SELECT count(*) FROM incoming JOIN register USING(school, site, line)");
	if (result >= 0)
		result = SQL_GET(
		    store->db, &same,
		    "SELECT count(*) FROM (SELECT * FROM incoming INTERSECT SELECT * FROM register) s");
	*out = (struct sp_store_import){incoming - both, both - same, before - both, same};
	return result < 0 ? result : 0;
}

/// What held when stays known: a test is judged by the contract of its day. What is said of a board's line
/// for the first time holds for all time before, too.
static int remember(struct sp_store *store, int64_t now_ms)
{
	int result = SQL_DO(
	    store->db,
	    "INSERT INTO register_history SELECT n.device, n.line, CASE WHEN EXISTS(SELECT 1 FROM"
	    " register_history o WHERE o.device = n.device AND o.line = n.line) THEN ?1 ELSE 0 END, "
	    "n.school, n.site,"
	    " n.provider, n.contract, n.down_mbps, n.up_mbps FROM (SELECT device, line, school, site, "
	    "provider,"
	    " contract, down_mbps, up_mbps FROM register WHERE device IS NOT NULL EXCEPT SELECT device, line,"
	    " school, site, provider, contract, down_mbps, up_mbps FROM register_history h WHERE h.from_ms ="
	    " (SELECT max(x.from_ms) FROM register_history x WHERE x.device = h.device AND x.line = h.line)) "
	    "n"
	    " WHERE 1 = 1 ON CONFLICT (device, line, from_ms) DO UPDATE SET school = excluded.school,"
	    " site = excluded.site, provider = excluded.provider, contract = excluded.contract,"
	    " down_mbps = excluded.down_mbps, up_mbps = excluded.up_mbps",
	    I(now_ms));
	if (result < 0)
		return result;
	return SQL_DO(
	    store->db,
	    "INSERT INTO register_history(device, line, from_ms) SELECT h.device, h.line, ?1 FROM"
	    " register_history h WHERE h.school IS NOT NULL AND h.from_ms = (SELECT max(x.from_ms) FROM"
	    " register_history x WHERE x.device = h.device AND x.line = h.line) AND NOT EXISTS(SELECT 1 FROM"
	    " register r WHERE r.device = h.device AND r.line = h.line) ON CONFLICT (device, line, from_ms)"
	    " DO UPDATE SET school = NULL, site = NULL, provider = NULL, contract = NULL, down_mbps = NULL,"
	    " up_mbps = NULL",
	    I(now_ms));
}

static int replace(struct sp_store *store, const struct sp_store_import *difference, int64_t now_ms)
{
	if (difference->added + difference->changed + difference->removed == 0)
		return 0;
	int64_t rev = 0;
	int result = SQL_DO(store->db, "DELETE FROM register");
	if (result == 0)
		result = SQL_DO(store->db, "INSERT INTO register SELECT * FROM incoming");
	if (result == 0)
		result = remember(store, now_ms);
	if (result == 0)
		result = sp_store_meta_get(store, "register_rev", &rev);
	if (result == 0)
		result = sp_store_meta_set(store, "register_rev", rev + 1);
	store->seen_changes = true;
	return result;
}

int sp_store_import(struct sp_store *store, const struct sp_register *reg, bool dry, int64_t now_ms,
		    struct sp_store_import *out)
{
	int result = sp_store_begin(store, now_ms);
	if (result == 0)
		result = stage(store, reg);
	if (result == 0)
		result = compare(store, out);
	if (result == 0 && !dry)
		result = replace(store, out, now_ms);
	if (result == 0 && !dry)
		result = sp_store_commit(store);
	if (result < 0 || dry)
		sp_store_rollback(store);
	return result;
}
