// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What boards say of kiosks: how each is, what it counted itself, how many came where only that may leave the
// school, and the history of up and down. Each rule is written so that the order of arrival does not matter.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/facts/fact_attendance.h"
#include "tools/hub/store/store_priv.h"

int sp_kiosk_row(struct sp_store *store, const struct sp_record *record, int64_t *id)
{
	int64_t first_ms = 0;
	int result = SQL_GET(store->db, id, "SELECT id FROM kiosk WHERE device = ? AND name = ?",
			     I(record->device), T(record->instance));
	if (result < 0)
		return result;
	if (result == 0) {
		result = sp_limit_spend_of(store, SP_LIMIT_KIOSKS, record->device);
		if (result < 0)
			return result;
		result = SQL_GET(store->db, id,
				 "INSERT INTO kiosk(device, name, first_ms) VALUES(?, ?, ?) RETURNING id",
				 I(record->device), T(record->instance), I(record->when.t_ms));
		return result < 0 ? result : 0;
	}
	result = SQL_GET(store->db, &first_ms, "SELECT first_ms FROM kiosk WHERE id = ?", I(*id));
	if (result == 1 && (record->when.t_ms < first_ms || record->was_ms == first_ms))
		return SQL_DO(store->db, "UPDATE kiosk SET first_ms = ? WHERE id = ?", I(record->when.t_ms),
			      I(*id));
	return result < 0 ? result : 0;
}

int sp_kiosk_project(struct sp_store *store, const struct sp_time_frame *frame,
		     const struct sp_record *record)
{
	struct sp_fact_kiosk fact;
	struct sp_placed heard = {.by = SP_PLACED_BOUNDS};
	int64_t id;
	if (!sp_fact_kiosk(&fact, record->data) || !record->instance[0])
		return 1;
	int result = sp_kiosk_row(store, record, &id);
	if (result == 0 && fact.heard_mono_us > 0)
		result = sp_record_moment(store, frame, record, "", -1, fact.heard_mono_us, 0, &heard);
	if (result < 0)
		return result;
	result = SQL_DO(
	    store->db,
	    "UPDATE kiosk SET t_ms = ?2, heard_ms = nullif(?3, -1), records = nullif(?4, -1), capacity ="
	    " nullif(?5, -1), users = nullif(?6, -1), backlog = nullif(?7, -1), refused = nullif(?8, -1),"
	    " accepted = nullif(?9, -1), known = nullif(?10, -1), model = ?11, firmware = ?12,"
	    " driver = CASE WHEN ?13 = '' THEN driver ELSE ?13 END, clock_error_seconds = CASE WHEN ?14 <> 0 "
	    "THEN ?15 END WHERE id = ?1 "
	    "AND"
	    " (t_ms IS NULL OR ?2 >= t_ms OR t_ms = ?16)",
	    I(id), I(record->when.t_ms), I(heard.by == SP_PLACED_BOUNDS ? -1 : heard.t_ms), I(fact.records),
	    I(fact.capacity), I(fact.users), I(fact.backlog), I(fact.refused), I(fact.accepted),
	    I(fact.known), T(fact.model), T(fact.firmware), T(fact.driver), I(fact.has_clock_error),
	    R(fact.clock_error_seconds), I(record->was_ms));
	return result;
}

int sp_kiosk_total_project(struct sp_store *store, const struct sp_record *record)
{
	struct sp_fact_kiosk_total fact;
	int64_t id;
	if (!sp_fact_kiosk_total(&fact, record->data) || !record->instance[0])
		return 1;
	int result = sp_kiosk_row(store, record, &id);
	if (result < 0)
		return result;
	return SQL_DO(
	    store->db,
	    "INSERT INTO kiosk_day(kiosk, day, counted, taken, t_ms) VALUES(?1, ?2, ?3, nullif(?4, -1), ?5)"
	    " ON CONFLICT (kiosk, day) DO UPDATE SET counted = ?3, taken = nullif(?4, -1), t_ms = ?5 WHERE"
	    " kiosk_day.t_ms IS NULL OR ?5 >= kiosk_day.t_ms OR kiosk_day.t_ms = ?6",
	    I(id), I(fact.day), I(fact.kiosk), I(fact.taken), I(record->when.t_ms), I(record->was_ms));
}

// ---- counts -------------------------------------------------------------------------------------------

static char *groups_text(const struct sp_fact_attendance *fact, int64_t *arrived, int64_t *withheld)
{
	struct sp_buf out = SP_BUF(SP_FEED_INFLATED_MAX);
	for (size_t i = 0; i < fact->count; i++) {
		if (fact->groups[i].way == SP_WAY_OUT)
			continue;
		*arrived += fact->groups[i].persons > 0 ? fact->groups[i].persons : 0;
		*withheld += fact->groups[i].persons < 0;
	}
	sp_fact_groups_write(&out, fact);
	return sp_buf_take(&out);
}

/// A higher revision of the same slot replaces the lower one whole.
int sp_counts_project(struct sp_store *store, const struct sp_record *record)
{
	struct sp_fact_attendance *fact = sp_alloc(sizeof(*fact));
	int64_t arrived = 0, withheld = 0;
	int result = 1;
	if (sp_fact_attendance(fact, record->data)) {
		char *groups = groups_text(fact, &arrived, &withheld);
		result = SQL_DO(
		    store->db,
		    "INSERT INTO attendance VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (device,"
		    " day, slot) DO UPDATE SET minutes = ?4, revision = ?5, arrived = ?6, withheld = ?7, "
		    "groups = ?8 WHERE"
		    " attendance.revision < ?5",
		    I(record->device), I(fact->day), I(fact->slot), I(fact->slot_minutes), I(fact->revision),
		    I(arrived), I(withheld), T(groups));
		free(groups);
	}
	free(fact);
	return result;
}

// ---- keys ---------------------------------------------------------------------------------------------

/// The newest one is kept, here and nowhere else. After a move in time its text is gone from the event.
int sp_backup_project(struct sp_store *store, const struct sp_record *record)
{
	struct sp_fact_backup *fact = sp_alloc(sizeof(*fact));
	int result = 1;
	if (record->was_ms >= 0)
		result = SQL_DO(store->db,
				"UPDATE key_backup SET t_ms = ? WHERE device = ? AND stream = ? AND seq = ?",
				I(record->when.t_ms), I(record->device), I(record->stream), I(record->seq));
	else if (sp_fact_backup(fact, record->data))
		result =
		    SQL_DO(store->db,
			   "INSERT INTO key_backup VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (device)"
			   " DO UPDATE SET t_ms = ?2, stream = ?3, seq = ?4, school_years = ?5, mark = ?6, "
			   "blob = ?7 WHERE"
			   " (?2, ?4) > (key_backup.t_ms, key_backup.seq)",
			   I(record->device), I(record->when.t_ms), I(record->stream), I(record->seq),
			   T(fact->school_years), T(fact->mark), T(fact->blob));
	free(fact);
	return result;
}

// ---- up and down --------------------------------------------------------------------------------------

int sp_instance_point(struct sp_store *store, const struct sp_record *record,
		      const struct sp_fact_device *fact)
{
	int64_t id;
	int result = 0;
	// One that was never heard of is a kiosk all the same, and a missing one.
	if (fact->kiosk && record->instance[0])
		result = sp_kiosk_row(store, record, &id);
	if (result == 0 && fact->kiosk && record->instance[0])
		result = SQL_DO(store->db, "UPDATE kiosk SET driver = ? WHERE id = ? AND driver = ''",
				T(fact->driver), I(id));
	if (result == 0 && record->was_ms >= 0)
		result = SQL_DO(
		    store->db,
		    "DELETE FROM instance_point WHERE device = ? AND name = ? AND t_ms = ? AND stream = ?"
		    " AND seq = ?",
		    I(record->device), T(record->instance), I(record->was_ms), I(record->stream),
		    I(record->seq));
	if (result < 0)
		return result;
	return SQL_DO(store->db,
		      "INSERT INTO instance_point VALUES(?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (device, name, "
		      "t_ms, stream, seq) DO UPDATE SET placed = excluded.placed, state = excluded.state, "
		      "reason = excluded.reason",
		      I(record->device), T(record->instance), I(record->when.t_ms), I(record->stream),
		      I(record->seq), I(record->when.by), I(fact->state), T(fact->reason));
}
