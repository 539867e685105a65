// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Projections: what is now, from facts that may come in any order. Each rule is written so that
// the order of arrival does not matter.
#include "tools/hub/store/store_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int sp_line_row(struct sp_store *store, int64_t device, const char *name, int64_t *id)
{
	int result =
	    SQL_GET(store->db, id, "SELECT id FROM line WHERE device = ? AND name = ?", I(device), T(name));
	if (result != 0)
		return result < 0 ? result : 0;
	result = sp_limit_spend_of(store, SP_LIMIT_LINES, device);
	if (result < 0)
		return result;
	result = SQL_GET(store->db, id, "INSERT INTO line(device, name) VALUES(?, ?) RETURNING id", I(device),
			 T(name));
	return result < 0 ? result : 0;
}

/// The line is what its latest point says, since the first point after the last one of another state.
static int refresh_line(struct sp_store *store, int64_t line)
{
	return SQL_DO(
	    store->db,
	    "WITH now AS (SELECT * FROM line_point WHERE line = ?1 AND retold = 0 ORDER BY t_ms DESC,"
	    " stream DESC, seq DESC LIMIT 1) UPDATE line SET state = now.state, cause = now.cause,"
	    " whose = now.whose, since_ms = coalesce((SELECT min(t_ms) FROM line_point WHERE line = ?1 AND"
	    " retold = 0 AND t_ms > coalesce((SELECT max(t_ms) FROM line_point WHERE line = ?1 AND"
	    " retold = 0 AND state != now.state), -1)), now.t_ms) FROM now WHERE line.id = ?1",
	    I(line));
}

/// What the board said later, of an earlier moment, holds: of two points of one stream that stand in the
/// other order than they were said, the one said first is retold. It stays: better clocks may part them.
static int settle_point(struct sp_store *store, int64_t line, int64_t t_ms, const struct sp_record *record)
{
	// By time, not by the stream: what is later than news is little.
	int result =
	    SQL_DO(store->db,
		   "UPDATE line_point SET retold = 1 WHERE line = ? AND t_ms >= ? AND +stream = ? AND"
		   " +seq < ? AND retold = 0",
		   I(line), I(t_ms), I(record->stream), I(record->seq));
	if (result < 0)
		return result;
	return SQL_DO(store->db,
		      "UPDATE line_point SET retold = 1 WHERE line = ?1 AND t_ms = ?2 AND stream = ?3 AND"
		      " seq = ?4 AND EXISTS(SELECT 1 FROM line_point n WHERE n.line = ?1 AND n.stream = ?3"
		      " AND n.seq > ?4 AND n.t_ms <= ?2)",
		      I(line), I(t_ms), I(record->stream), I(record->seq));
}

/// The same for all that a stream said of a line.
static int settle_points(struct sp_store *store, int64_t line, int64_t stream)
{
	return SQL_DO(
	    store->db,
	    "WITH told AS (SELECT t_ms, seq, CASE WHEN seq < max(seq) OVER (ORDER BY +t_ms) THEN 1 ELSE 0 "
	    "END AS"
	    " again FROM line_point WHERE line = ?1 AND stream = ?2) UPDATE line_point AS p SET"
	    " retold = told.again FROM told WHERE p.line = ?1 AND p.t_ms = told.t_ms AND p.stream = ?2 AND"
	    " p.seq = told.seq AND p.retold != told.again",
	    I(line), I(stream));
}

int sp_project_moved(struct sp_store *store, int64_t device, int64_t stream)
{
	struct sp_rows *rows = SQL_QUERY(store->db, "SELECT id FROM line WHERE device = ?", I(device));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		int64_t line = sp_row_int(rows, 0, 0);
		result = settle_points(store, line, stream);
		if (result == 0)
			result = refresh_line(store, line);
		if (result < 0) {
			sp_rows_leave(rows);
			return result;
		}
	}
	return result;
}

static int project_line(struct sp_store *store, const struct sp_record *record)
{
	struct sp_fact_line fact;
	int64_t line;
	if (!sp_fact_line(&fact, record->data))
		return 1;
	int result = sp_line_row(store, record->device, record->instance, &line);
	// The state began before the record that tells of it was made.
	int64_t ago_ms = fact.since_mono_us >= 0 && fact.since_mono_us < record->mono_us
			     ? (record->mono_us - fact.since_mono_us) / 1000
			     : 0;
	if (result == 0 && record->was_ms >= 0)
		result =
		    SQL_DO(store->db,
			   "DELETE FROM line_point WHERE line = ? AND t_ms = ? AND stream = ? AND seq = ?",
			   I(line), I(record->was_ms - ago_ms), I(record->stream), I(record->seq));
	if (result == 0)
		result = SQL_DO(store->db, "INSERT INTO line_point VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
				I(line), I(record->when.t_ms - ago_ms), I(record->stream), I(record->seq),
				I(record->when.by), I(fact.state), T(fact.cause), T(fact.whose), I(fact.ipv4),
				I(fact.ipv6));
	// It was lost to us alone: that takes its part in a regional incident back.
	if (result == 0 && strcmp(fact.cause, "hub") == 0)
		result = sp_incident_mark(store, record->when.t_ms - ago_ms, record->when.t_ms - ago_ms);
	// While a boot is placed anew, its points stand partly here, partly there: sp_project_moved()
	// follows.
	if (result < 0 || record->was_ms >= 0)
		return result;
	result = settle_point(store, line, record->when.t_ms - ago_ms, record);
	return result < 0 ? result : refresh_line(store, line);
}

// ---- outages -----------------------------------------------------------------------------------------

/// Of a time that a board knew when it named it: it states one only while it is synchronised.
enum { CLAIM_ERR_MS = 1000 };

/// The record's own boot has this for its beginning, at the latest.
static int64_t boot_began_ms(const struct sp_record *record)
{
	int64_t latest_ms =
	    record->when.t_ms + (record->when.by == SP_PLACED_BOUNDS ? 0 : record->when.err_ms);
	return latest_ms - record->mono_us / 1000 + sp_place_drift_ms(record->mono_us);
}

int sp_record_moment(struct sp_store *store, const struct sp_time_frame *frame,
		     const struct sp_record *record, const char *boot, int64_t t_ms, int64_t mono_us,
		     int64_t uncertainty_ms, struct sp_placed *out)
{
	int result = 0;
	bool here = mono_us >= 0 && !boot[0];
	*out = record->when;
	if (mono_us >= 0 && boot[0])
		result = sp_time_place_in(store, frame, boot, mono_us, boot_began_ms(record), &here, out);
	if (here && record->when.by != SP_PLACED_BOUNDS) {
		int64_t err_ms = record->when.err_ms + sp_place_drift_ms(record->mono_us - mono_us);
		if (!boot[0] || out->by == SP_PLACED_BOUNDS || err_ms < out->err_ms)
			*out = (struct sp_placed){record->when.t_ms - (record->mono_us - mono_us) / 1000,
						  err_ms, record->when.by};
	}
	if ((mono_us < 0 || out->by == SP_PLACED_BOUNDS) && t_ms >= 0 &&
	    sp_place_credible(t_ms, CLAIM_ERR_MS, frame->arrived_ms))
		*out = (struct sp_placed){t_ms, CLAIM_ERR_MS, SP_PLACED_OWN};
	if (out->by != SP_PLACED_BOUNDS && out->err_ms < uncertainty_ms)
		out->err_ms = uncertainty_ms;
	return result;
}

static bool knows_start(const struct sp_fact_outage *fact)
{
	return fact->phase == SP_OUTAGE_OPEN || fact->start_t_ms >= 0 || fact->start_mono_us >= 0;
}

/// The sharper one of two starts stays, unless the boot was placed anew (?16).
#define SP_START_BETTER                                                                                     \
	"excluded.start_ms IS NOT NULL AND (outage.start_ms IS NULL OR outage.start_err_ms IS NULL OR ?16 " \
	"<> 0 OR"                                                                                           \
	" excluded.start_err_ms <= outage.start_err_ms)"

static int write_outage(struct sp_store *store, const struct sp_record *record,
			const struct sp_fact_outage *fact, const struct sp_placed *start,
			const struct sp_placed *end)
{
	bool closed = fact->phase == SP_OUTAGE_CLOSE;
	bool start_known = knows_start(fact);
	return SQL_DO(
	    store->db,
	    "INSERT INTO outage VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, nullif(?8, -1), nullif(?9, -1), ?10,"
	    " nullif(?11, -1), nullif(?12, -1), ?13, ?14, ?15) ON CONFLICT (device, name) DO UPDATE SET line "
	    "= ?3,"
	    " phase = ?4, state = ?5, cause = ?6, whose = ?7,"
	    " start_ms = CASE WHEN " SP_START_BETTER " THEN excluded.start_ms ELSE outage.start_ms END,"
	    " start_err_ms = CASE WHEN " SP_START_BETTER
	    " THEN excluded.start_err_ms ELSE outage.start_err_ms END,"
	    " start_placed = CASE WHEN " SP_START_BETTER
	    " THEN excluded.start_placed ELSE outage.start_placed END,"
	    " end_ms = excluded.end_ms, end_err_ms = excluded.end_err_ms,"
	    " evidence = coalesce(excluded.evidence, outage.evidence), t_ms = ?14,"
	    " parts = coalesce(excluded.parts, outage.parts)",
	    I(record->device), T(fact->id), T(record->instance), I(fact->phase), I(fact->state),
	    T(fact->cause), T(fact->whose), I(start_known ? start->t_ms : -1),
	    I(start_known ? start->err_ms : -1), I(start->by), I(closed ? end->t_ms : -1),
	    I(closed ? end->err_ms : -1), T(fact->evidence), I(record->when.t_ms), T(fact->parts),
	    I(record->was_ms >= 0));
}

/// A later phase wins, within a phase the later record; a start that the older one knew better is kept.
static int newer(struct sp_store *store, const struct sp_record *record, const struct sp_fact_outage *fact)
{
	int64_t wins = 1;
	int result = SQL_GET(
	    store->db, &wins,
	    "SELECT ?3 > phase OR (?3 = phase AND (?4 >= t_ms OR ?5 <> 0)) FROM outage WHERE device = ?1"
	    " AND name = ?2",
	    I(record->device), T(fact->id), I(fact->phase), I(record->when.t_ms), I(record->was_ms >= 0));
	return result < 0 ? result : (int)wins;
}

static int older(struct sp_store *store, const struct sp_record *record, const struct sp_fact_outage *fact,
		 const struct sp_placed *start)
{
	if (!knows_start(fact))
		return 0;
	return SQL_DO(store->db,
		      "UPDATE outage SET start_ms = nullif(?3, -1), start_err_ms = nullif(?4, -1),"
		      " start_placed = ?5 WHERE device = ?1 AND name = ?2 AND (start_ms IS NULL OR ?6 <> 0 OR"
		      " (?4 >= 0 AND (start_err_ms IS NULL OR start_err_ms > ?4)))",
		      I(record->device), T(fact->id), I(start->t_ms), I(start->err_ms), I(start->by),
		      I(record->was_ms >= 0));
}

static int project_outage(struct sp_store *store, const struct sp_time_frame *frame,
			  const struct sp_record *record)
{
	struct sp_fact_outage fact;
	struct sp_placed start, end;
	if (!sp_fact_outage(&fact, record->data))
		return 1;
	int result = sp_record_moment(store, frame, record, fact.start_boot, fact.start_t_ms,
				      fact.start_mono_us, fact.start_uncertainty_ms, &start);
	if (result == 0)
		result = sp_record_moment(store, frame, record, "", fact.end_t_ms, fact.end_mono_us,
					  fact.end_uncertainty_ms, &end);
	if (result == 0)
		result = sp_incident_mark_outage(store, record->device, fact.id);
	if (result == 0)
		result = newer(store, record, &fact);
	if (result == 1)
		result = write_outage(store, record, &fact, &start, &end);
	else if (result == 0)
		result = older(store, record, &fact, &start);
	if (result == 0)
		result = sp_incident_mark_outage(store, record->device, fact.id);
	free(fact.evidence);
	free(fact.parts);
	return result;
}

// ---- instances ---------------------------------------------------------------------------------------

static int instance_allowed(struct sp_store *store, const struct sp_record *record)
{
	int64_t known = 0;
	int result = SQL_GET(store->db, &known, "SELECT 1 FROM instance WHERE device = ? AND name = ?",
			     I(record->device), T(record->instance));
	if (result != 0)
		return result < 0 ? result : 0;
	return sp_limit_spend_of(store, SP_LIMIT_INSTANCES, record->device);
}

static int project_device(struct sp_store *store, const struct sp_record *record)
{
	struct sp_fact_device fact;
	if (!sp_fact_device(&fact, record->data))
		return 1;
	int result = instance_allowed(store, record);
	if (result == 0)
		result = sp_instance_point(store, record, &fact);
	if (result < 0)
		return result;
	return SQL_DO(store->db,
		      "INSERT INTO instance VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7) ON CONFLICT (device,"
		      " name) DO UPDATE SET driver = ?3, reason = ?5, text = ?6, t_ms = ?7,"
		      " since_ms = CASE WHEN instance.state = ?4 AND instance.since_ms <= ?7 THEN "
		      "instance.since_ms ELSE ?7 END, state = ?4"
		      " WHERE ?7 >= instance.t_ms OR instance.t_ms = ?8",
		      I(record->device), T(record->instance), T(fact.driver), I(fact.state), T(fact.reason),
		      T(fact.text), I(record->when.t_ms), I(record->was_ms));
}

static int project_dropped(struct sp_store *store, const struct sp_record *record)
{
	struct sp_fact_dropped fact;
	if (!sp_fact_dropped(&fact, record->data))
		return 1;
	if (record->was_ms >= 0)
		return 0;
	if (!fact.stream[0])
		return sp_anomaly(store, "records_lost", record->device, 0,
				  "%" PRId64 " records (%s) were lost in the board's memory", fact.count,
				  sp_record_class_name(fact.cls));
	return sp_chain_dropped(store, record->device, &fact);
}

static int project(struct sp_store *store, const struct sp_time_frame *frame, const struct sp_record *record)
{
	if (strcmp(record->type, "line") == 0)
		return project_line(store, record);
	if (strcmp(record->type, "boot") == 0)
		return sp_silence_project(store, frame, record);
	if (strcmp(record->type, "outage") == 0)
		return project_outage(store, frame, record);
	if (strcmp(record->type, "egress") == 0)
		return sp_hop_project(store, record);
	if (strcmp(record->type, "device") == 0)
		return project_device(store, record);
	if (strcmp(record->type, "dropped") == 0)
		return project_dropped(store, record);
	if (strcmp(record->type, "speedtest") == 0)
		return sp_speed_project(store, record);
	if (strcmp(record->type, "punch") == 0)
		return sp_punch_project(store, record);
	if (strcmp(record->type, "kiosk") == 0)
		return sp_kiosk_project(store, frame, record);
	if (strcmp(record->type, "kiosk_total") == 0)
		return sp_kiosk_total_project(store, record);
	if (strcmp(record->type, "attendance") == 0)
		return sp_counts_project(store, record);
	if (strcmp(record->type, "subject_request") == 0)
		return sp_subject_project(store, record);
	if (strcmp(record->type, "key_backup") == 0)
		return sp_backup_project(store, record);
	return 0;
}

/// Its hour is another one: both are summed up anew.
static int project_sample(struct sp_store *store, const struct sp_record *record)
{
	if (record->was_ms < 0)
		return 0;
	return SQL_DO(store->db, "INSERT INTO summary_moved(device, t_ms) VALUES(?1, ?2), (?1, ?3)",
		      I(record->device), I(record->was_ms), I(record->when.t_ms));
}

int sp_project(struct sp_store *store, const struct sp_time_frame *frame, const struct sp_record *record)
{
	if (strcmp(record->type, "samples") == 0 || strcmp(record->type, "minute") == 0)
		return project_sample(store, record);
	int result = project(store, frame, record);
	// Of a record placed anew this was noted when it came.
	return result == -EDQUOT ? 2 : result;
}
