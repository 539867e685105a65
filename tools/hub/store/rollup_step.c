// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What is marked becomes days of sites, in small transactions: days that are over, changes of the register,
// boards, then site by site.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/store/rollup.h"

enum {
	DAYS_MAX = 1200,
	BACK_DAYS_MAX = 120,
	OVER_AFTER_MS = 2 * 3600 * 1000, ///< a day is over when boards have had time to tell of its end
	DEVICES_STEP = 500,
	SITE_DAYS_STEP = 64, ///< site days of one transaction
};

struct dirty {
	char school[65], site[65];
	int64_t from_day, to_day;
};

#define WIDER                                                                              \
	" ON CONFLICT (school, site) DO UPDATE SET from_day = least(dirty_site.from_day, " \
	"excluded.from_day),"                                                              \
	" to_day = greatest(dirty_site.to_day, excluded.to_day)"

// ---- days that are over ------------------------------------------------------------------------------

static int mark_all(struct sp_store *store, int64_t from_day, int64_t to_day)
{
	return SQL_DO(
	    store->db,
	    "INSERT INTO dirty_site(school, site, from_day, to_day) SELECT DISTINCT school, site,"
	    " CAST(?1 AS BIGINT), CAST(?2 AS BIGINT) FROM placement WHERE from_ms < ?4 AND to_ms > ?3" WIDER,
	    I(from_day), I(to_day), I(sp_local_day_ms(from_day)), I(sp_local_day_ms(to_day + 1)));
}

/// 1: some were marked.
static int roll_forward(struct sp_store *store)
{
	int64_t done = 0, over = sp_local_day(store->now_ms - OVER_AFTER_MS) - 1;
	int result = sp_store_meta_get(store, "rollup_day", &done);
	if (result < 0 || done >= over)
		return result;
	if (done > 0)
		result = mark_all(store, done < over - DAYS_MAX ? over - DAYS_MAX : done + 1, over);
	if (result == 0)
		result = sp_store_meta_set(store, "rollup_day", over);
	return result < 0 ? result : 1;
}

/// Every board has days from the first one of which any has told, so that silent ones count, too. One that
/// speaks of times long past does not make the others' past.
static int roll_back(struct sp_store *store, int64_t to_day)
{
	int64_t today = sp_local_day(store->now_ms), first = today;
	int result = sp_store_meta_get(store, "rollup_first", &first);
	to_day = to_day < today - BACK_DAYS_MAX ? today - BACK_DAYS_MAX : to_day;
	if (result < 0 || (to_day >= first && first < today))
		return result;
	if (to_day < first)
		result = mark_all(store, to_day, first - 1);
	return result < 0 ? result
			  : sp_store_meta_set(store, "rollup_first", to_day < first ? to_day : first);
}

// ---- the register ------------------------------------------------------------------------------------

/// 1: some were marked.
static int register_changes(struct sp_store *store)
{
	int64_t done = 0, last = 0, today = sp_local_day(store->now_ms), first = today;
	int result = sp_store_meta_get(store, "rollup_change", &done);
	if (result == 0)
		result = sp_store_meta_get(store, "rollup_first", &first);
	if (result == 0)
		result = SQL_GET(store->db, &last, "SELECT max(id) FROM register_change");
	if (result < 0 || last <= done)
		return result < 0 ? result : 0;
	// Rows that are there already show where a board stood that the register has forgotten.
	result = SQL_DO(
	    store->db,
	    "INSERT INTO dirty_site(school, site, from_day, to_day) SELECT DISTINCT p.school, p.site,"
	    " greatest(CAST(?3 AS BIGINT), (SELECT min((c.from_ms + 25200000) / 86400000) FROM "
	    "register_change c WHERE"
	    " c.id > ?1 AND c.id <= ?2 AND (c.school = '' OR c.school = p.school))), CAST(?4 AS BIGINT) FROM"
	    " (SELECT school, site FROM placement WHERE from_ms < ?5 UNION SELECT school, site FROM site_day"
	    " WHERE day >= ?3) p WHERE EXISTS(SELECT 1 FROM register_change c WHERE c.id > ?1 AND c.id <= ?2 "
	    "AND"
	    " c.from_ms < ?5 AND (c.school = '' OR c.school = p.school))" WIDER,
	    I(done), I(last), I(first), I(today), I(sp_local_day_ms(today + 1)));
	if (result == 0)
		result = sp_store_meta_set(store, "rollup_change", last);
	return result < 0 ? result : 1;
}

// ---- boards ------------------------------------------------------------------------------------------

/// Marks of boards are never changed, only added and taken away; who takes them must have waited for those
/// that are being added beside what they speak of.
static int lock_marks(struct sp_store *store)
{
	if (sp_db_kind(store->db) == SP_DB_SQLITE)
		return 0;
	return sp_sql_script(store->db, "LOCK TABLE dirty_device IN SHARE ROW EXCLUSIVE MODE");
}

static int device_to_sites(struct sp_store *store, int64_t device, int64_t from_day, int64_t to_day)
{
	return SQL_DO(
	    store->db,
	    "INSERT INTO dirty_site(school, site, from_day, to_day) SELECT DISTINCT p.school, p.site,"
	    " CAST(?2 AS BIGINT), CAST(?3 AS BIGINT) FROM placement p JOIN device d ON d.name = p.device "
	    "WHERE d.id"
	    " = ?1 AND p.from_ms < ?5 AND p.to_ms > ?4" WIDER,
	    I(device), I(from_day), I(to_day), I(sp_local_day_ms(from_day)), I(sp_local_day_ms(to_day + 1)));
}

#define READY "(from_day < ?1 OR ready_ms <= ?2)"

/// 1: some were taken. `all`: those of the day that runs, too.
static int boards(struct sp_store *store, bool all)
{
	struct {
		int64_t device, from_day, to_day;
	} *found = sp_alloc(DEVICES_STEP * sizeof(*found));
	int64_t today = all ? INT64_MAX : sp_local_day(store->now_ms - OVER_AFTER_MS), any = 0;
	size_t count = 0;
	// Looked for before anybody is made to wait.
	int result = SQL_GET(store->db, &any, "SELECT 1 FROM dirty_device WHERE " READY " LIMIT 1", I(today),
			     I(store->now_ms));
	if (result == 1)
		result = lock_marks(store);
	if (result == 0 && any) {
		struct sp_rows *rows =
		    SQL_QUERY(store->db,
			      "SELECT device, min(from_day), max(to_day) FROM dirty_device WHERE " READY
			      " GROUP BY device ORDER BY device LIMIT ?3",
			      I(today), I(store->now_ms), I(DEVICES_STEP));
		while ((result = sp_rows_next(store->db, rows)) == 1) {
			found[count].device = sp_row_int(rows, 0, 0);
			found[count].from_day = sp_row_int(rows, 1, 0);
			found[count++].to_day = sp_row_int(rows, 2, 0);
		}
	}
	for (size_t i = 0; result == 0 && i < count; i++)
		result = roll_back(store, found[i].from_day);
	for (size_t i = 0; result == 0 && i < count; i++)
		result = device_to_sites(store, found[i].device, found[i].from_day, found[i].to_day);
	if (result == 0 && count > 0)
		result =
		    SQL_DO(store->db, "DELETE FROM dirty_device WHERE " READY " AND device BETWEEN ?3 AND ?4",
			   I(today), I(store->now_ms), I(found[0].device), I(found[count - 1].device));
	free(found);
	return result < 0 ? result : count > 0;
}

// ---- sites -------------------------------------------------------------------------------------------

/// The next one in turn, from where this handle was: several ingests go through the marks together.
static int next_site(struct sp_store *store, struct dirty *out)
{
	int result = 0;
	for (int turn = 0; turn < 2 && result == 0; turn++) {
		struct sp_rows *rows = SQL_QUERY(store->db,
						 "SELECT school, site, from_day, to_day FROM dirty_site "
						 "WHERE school > ?1 OR (school = ?1 AND"
						 " site > ?2) ORDER BY school, site LIMIT 1",
						 T(store->rollup_school), T(store->rollup_place));
		result = sp_rows_next(store->db, rows);
		if (result == 1) {
			snprintf(out->school, sizeof(out->school), "%s", sp_row_text(rows, 0));
			snprintf(out->site, sizeof(out->site), "%s", sp_row_text(rows, 1));
			out->from_day = sp_row_int(rows, 2, 0);
			out->to_day = sp_row_int(rows, 3, 0);
			sp_rows_leave(rows);
		} else if (result == 0) {
			store->rollup_school[0] = store->rollup_place[0] = '\0';
		}
	}
	return result;
}

/// The mark first, as a lock on it; then what it asks for.
static int take_site(struct sp_store *store, const struct dirty *dirty, int64_t last_day)
{
	int result;
	if (last_day < dirty->to_day)
		result = SQL_DO(store->db,
				"UPDATE dirty_site SET from_day = ?3 WHERE school = ?1 AND site = ?2 AND"
				" from_day = ?4",
				T(dirty->school), T(dirty->site), I(last_day + 1), I(dirty->from_day));
	else
		result = SQL_DO(store->db,
				"DELETE FROM dirty_site WHERE school = ? AND site = ? AND from_day = ? AND"
				" to_day = ?",
				T(dirty->school), T(dirty->site), I(dirty->from_day), I(dirty->to_day));
	// Somebody else has it, or has made it wider: it comes again.
	if (result < 0 || sp_sql_changes(store->db) == 0)
		return result;
	return sp_rollup_site(store, dirty->school, dirty->site, dirty->from_day, last_day);
}

static int sites(struct sp_store *store)
{
	struct dirty dirty;
	int64_t done = 0;
	int result = 0, found = 0;
	while (result == 0 && done < SITE_DAYS_STEP && (found = next_site(store, &dirty)) == 1) {
		int64_t last_day = dirty.from_day + SP_ROLLUP_RANGE_DAYS - 1;
		if (last_day >= dirty.to_day) {
			last_day = dirty.to_day;
			snprintf(store->rollup_school, sizeof(store->rollup_school), "%s", dirty.school);
			snprintf(store->rollup_place, sizeof(store->rollup_place), "%s", dirty.site);
		}
		result = take_site(store, &dirty, last_day);
		done += last_day - dirty.from_day + 1;
	}
	if (found < 0)
		return found;
	return result < 0 ? result : done > 0;
}

// ---- a step ------------------------------------------------------------------------------------------

static int any_step(struct sp_store *store, bool all)
{
	int result = roll_forward(store);
	if (result == 0)
		result = register_changes(store);
	if (result == 0)
		result = boards(store, all);
	return result == 0 ? sites(store) : result;
}

int sp_store_rollup(struct sp_store *store, bool all, int64_t now_ms)
{
	int result = sp_store_begin(store, now_ms);
	if (result == 0)
		result = any_step(store, all);
	int done = result >= 0 ? sp_store_commit(store) : result;
	if (done < 0)
		sp_store_rollback(store);
	return done < 0 ? done : result;
}

int sp_store_rollup_left(struct sp_store *store, struct sp_rollup_left *out)
{
	int64_t today = sp_local_day(store->now_ms - OVER_AFTER_MS);
	*out = (struct sp_rollup_left){0, 0, 0};
	int result = SQL_GET(store->db, &out->sites, "SELECT count(*) FROM dirty_site");
	if (result >= 0)
		result =
		    SQL_GET(store->db, &out->boards,
			    "SELECT count(DISTINCT device) FROM dirty_device WHERE from_day < ?", I(today));
	if (result >= 0)
		result = sp_store_meta_get(store, "rollup_day", &out->day);
	return result < 0 ? result : 0;
}
