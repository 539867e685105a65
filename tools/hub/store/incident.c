// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Incidents in the store: stretches of time in which something became known are looked at again, one at a
// time, by one process of all that share the database.
#include "tools/hub/incident/correlate.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/store/incident_priv.h"

enum {
	EVERY_MS = 5000,  ///< while something is marked
	LEASE_MS = 60000, ///< a process that died holds the others up for so long
	MARKS_MAX = 2000, ///< of one look
	ROUNDS_MAX = 50,  ///< of widening: it ends long before
};

// ---- whose turn it is --------------------------------------------------------------------------------

int sp_task_lease(struct sp_store *store, const char *task, int64_t now_ms)
{
	// A lease from the future is of a clock that was wrong.
	int result =
	    SQL_DO(store->db,
		   "UPDATE task_lease SET holder = ?1, until_ms = ?2 WHERE task = ?5 AND"
		   " (holder = ?1 OR until_ms < ?3 OR until_ms > ?4)",
		   T(store->epoch), I(now_ms + LEASE_MS), I(now_ms), I(now_ms + 2 * LEASE_MS), T(task));
	if (result < 0 || sp_sql_changes(store->db) > 0)
		return result < 0 ? result : 1;
	result = SQL_DO(store->db, "INSERT INTO task_lease VALUES(?, ?, ?) ON CONFLICT (task) DO NOTHING",
			T(task), T(store->epoch), I(now_ms + LEASE_MS));
	return result < 0 ? result : sp_sql_changes(store->db) > 0;
}

// ---- what is to be looked at -------------------------------------------------------------------------

struct marks {
	int64_t ids[MARKS_MAX];
	size_t count;
	int64_t from_ms, to_ms; ///< what they cover together, with what they may touch
};

/// The latest mark, or the earliest, and all that hang together with it.
static int read_marks(struct sp_store *store, const struct sp_incident_rules *rules, bool old,
		      struct marks *out)
{
	int64_t margin_ms = rules->rolling_ms + rules->again_ms;
	struct sp_rows *rows =
	    old ? SQL_QUERY(store->db,
			    "SELECT id, from_ms, to_ms FROM incident_dirty ORDER BY from_ms LIMIT ?",
			    I(MARKS_MAX))
		: SQL_QUERY(store->db,
			    "SELECT id, from_ms, to_ms FROM incident_dirty ORDER BY to_ms DESC LIMIT ?",
			    I(MARKS_MAX));
	int result;
	out->count = 0;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		int64_t from_ms = sp_row_int(rows, 1, 0) - margin_ms,
			to_ms = sp_row_int(rows, 2, 0) + margin_ms;
		bool apart = old ? from_ms > out->to_ms : to_ms < out->from_ms;
		if (out->count > 0 && apart) {
			sp_rows_leave(rows);
			return 0;
		}
		if (out->count == 0 || from_ms < out->from_ms)
			out->from_ms = from_ms;
		if (out->count == 0 || to_ms > out->to_ms)
			out->to_ms = to_ms;
		out->ids[out->count++] = sp_row_int(rows, 0, 0);
	}
	return result;
}

static int forget_marks(struct sp_store *store, const struct marks *marks)
{
	int result = 0;
	for (size_t i = 0; result == 0 && i < marks->count; i++)
		result = SQL_DO(store->db, "DELETE FROM incident_dirty WHERE id = ?", I(marks->ids[i]));
	return result;
}

// ---- the look ------------------------------------------------------------------------------------------

struct look {
	struct sp_inc_scene scene;
	int64_t from_ms, to_ms;
	struct sp_incident_row *old;
	size_t old_count;
	struct sp_incident *found;
	size_t found_count;
};

static int read_old(struct sp_store *store, const struct sp_incident_rules *rules, struct look *look)
{
	int64_t before_ms = rules->rolling_ms + rules->again_ms;
	bool grew = true;
	int result = 0;
	while (grew && result == 0) {
		result = sp_incident_rows(store, look->from_ms - before_ms, look->to_ms + before_ms,
					  &look->old, &look->old_count);
		struct sp_incident *known = sp_alloc((look->old_count + 1) * sizeof(*known));
		for (size_t i = 0; i < look->old_count; i++) {
			known[i].from_ms = look->old[i].from_ms;
			known[i].to_ms = look->old[i].to_ms;
		}
		grew =
		    sp_incident_widen(rules, known, look->old_count, NULL, 0, &look->from_ms, &look->to_ms);
		free(known);
	}
	return result;
}

static int find(struct sp_store *store, const struct sp_incident_rules *rules, struct look *look)
{
	int result = sp_inc_scene_lines(store, rules, &look->scene);
	bool grew = true;
	for (int round = 0; result == 0 && grew && round < ROUNDS_MAX; round++) {
		result = read_old(store, rules, look);
		if (result == 0)
			result = sp_inc_scene_losses(store, &look->scene, look->from_ms, look->to_ms);
		if (result < 0)
			return result;
		const struct sp_incident_scene *scene = &look->scene.scene;
		grew = sp_incident_widen(rules, NULL, 0, scene->losses, scene->loss_count, &look->from_ms,
					 &look->to_ms);
		if (grew)
			continue;
		if (look->found)
			sp_incidents_free(look->found, look->found_count);
		look->found = sp_incidents_find(scene, &look->found_count);
		grew = sp_incident_widen(rules, look->found, look->found_count, NULL, 0, &look->from_ms,
					 &look->to_ms);
	}
	return result;
}

static void look_free(struct look *look)
{
	if (look->found)
		sp_incidents_free(look->found, look->found_count);
	free(look->old);
	sp_inc_scene_free(&look->scene);
}

/// What was known of this stretch is replaced by what is found now; an incident keeps its number as long as
/// it has most of its boards.
static int look_again(struct sp_store *store, const struct sp_incident_rules *rules,
		      const struct marks *marks)
{
	struct look look = {.from_ms = marks->from_ms, .to_ms = marks->to_ms};
	int result = find(store, rules, &look);
	for (size_t i = 0; result == 0 && i < look.found_count; i++)
		result = sp_incident_write(store, &look.scene, &look.found[i], look.old, look.old_count);
	for (size_t i = 0; result == 0 && i < look.old_count; i++) {
		// Those outside were read for their reach alone.
		bool within = look.old[i].from_ms >= look.from_ms && look.old[i].from_ms < look.to_ms;
		if (within && !look.old[i].claimed)
			result = sp_incident_delete(store, look.old[i].id);
	}
	look_free(&look);
	return result;
}

int sp_incident_step(struct sp_store *store, const struct sp_incident_rules *rules, int64_t now_ms)
{
	int64_t any = 0, since_ms = now_ms - store->correlated_ms;
	struct marks *marks;
	if (since_ms >= 0 && since_ms < EVERY_MS && !store->correlate_old)
		return 0;
	int result = SQL_GET(store->db, &any, "SELECT id FROM incident_dirty WHERE id > ? LIMIT 1", I(-1));
	if (result != 1) {
		store->correlate_old = false;
		return result;
	}
	result = sp_store_begin(store, now_ms);
	if (result < 0)
		return result;
	marks = sp_alloc(sizeof(*marks));
	result = sp_task_lease(store, "incident", now_ms);
	if (result == 1) {
		// News go first, and what is long past in between: neither waits for the other.
		result = read_marks(store, rules, store->correlate_old, marks);
		if (result == 0 && marks->count > 0)
			result = look_again(store, rules, marks);
		if (result == 0)
			result = forget_marks(store, marks);
		if (!store->correlate_old)
			store->correlated_ms = now_ms;
		store->correlate_old = result == 0 && marks->count > 0 && !store->correlate_old;
		if (result == 0)
			result = store->correlate_old;
	} else if (result == 0) {
		store->correlated_ms = now_ms;
	}
	free(marks);
	int done = result < 0 ? result : sp_store_commit(store);
	if (done < 0)
		sp_store_rollback(store);
	return done < 0 ? done : result;
}
