// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Silences in the store: what boards say of theirs, what was heard of each boot, and both read together. They
// are judged when they are read, so that neither the order of arrival nor a new timetable matters.
#include <string.h>

#include "tools/hub/time/silence.h"
#include "tools/hub/store/store_priv.h"

enum { MATCH_MS = 2000 }; ///< two records of one moment, placed one by one

// ---- writing ---------------------------------------------------------------------------------------------

int64_t sp_silence_alive(const struct sp_arrival *arrival, const struct sp_clock_reading *clk)
{
	if (clk->synced && sp_place_credible(clk->wall_ms, clk->err_ms, arrival->arrived_ms))
		return clk->wall_ms - clk->err_ms;
	return arrival->arrived_ms - arrival->lag_ms - SP_PLACE_TRANSIT_MS;
}

int sp_silence_heard(struct sp_store *store, const struct sp_arrival *arrival, int64_t boot,
		     const struct sp_clock_reading *clk)
{
	int64_t alive_ms = sp_silence_alive(arrival, clk);
	return SQL_DO(store->db,
		      "UPDATE boot SET heard_ms = ?2 WHERE id = ?1 AND coalesce(heard_ms, -1) < ?2", I(boot),
		      I(alive_ms));
}

int sp_silence_lost(struct sp_store *store, int64_t device)
{
	return SQL_DO(
	    store->db,
	    "UPDATE boot SET lost_ms = ?2 WHERE device = ?1 AND name = (SELECT boot FROM device WHERE"
	    " id = ?1)",
	    I(device), I(store->now_ms));
}

int sp_silence_project(struct sp_store *store, const struct sp_time_frame *frame,
		       const struct sp_record *record)
{
	struct sp_fact_boot fact;
	struct sp_placed last = {.by = SP_PLACED_BOUNDS};
	int64_t boot = 0;
	int result = 0;
	if (!sp_fact_boot(&fact, record->data))
		return 1;
	if (strcmp(fact.reason, "first") == 0)
		return 0;
	if (fact.previous_boot[0])
		result = sp_boot_row(store, record->device, fact.previous_boot, &boot);
	if (result == 0 && boot && fact.start_mono_us >= 0)
		result = sp_record_moment(store, frame, record, fact.previous_boot, fact.start_t_ms,
					  fact.start_mono_us, 0, &last);
	bool placed = last.by != SP_PLACED_BOUNDS, ended = record->when.by != SP_PLACED_BOUNDS;
	// Messages of the same boot go on after a restart: they say nothing of a silence within it.
	bool other_boot = boot && boot != record->boot;
	if (placed && ended)
		sp_rollup_touch(store, record->device, last.t_ms, record->when.t_ms);
	if (result == 0)
		result = sp_incident_mark_silence(store, record->device, record->stream, record->seq);
	if (result == 0)
		result =
		    SQL_DO(store->db,
			   "INSERT INTO silence VALUES(?, ?, ?, ?, nullif(?, 0), nullif(?, -1),"
			   " nullif(?, -1), nullif(?, -1), nullif(?, -1), nullif(?, -1), ?) ON CONFLICT "
			   "(device, stream, seq) DO UPDATE SET"
			   " reason = excluded.reason, boot = excluded.boot, last_ms = excluded.last_ms,"
			   " last_err_ms = excluded.last_err_ms, width_ms = excluded.width_ms,"
			   " end_ms = excluded.end_ms, end_err_ms = excluded.end_err_ms,"
			   " evidence = excluded.evidence",
			   I(record->device), I(record->stream), I(record->seq), T(fact.reason),
			   I(other_boot ? boot : 0), I(placed ? last.t_ms : -1), I(placed ? last.err_ms : -1),
			   I(fact.uncertainty_ms), I(ended ? record->when.t_ms : -1),
			   I(ended ? record->when.err_ms : -1), T(fact.evidence));
	return result < 0 ? result
			  : sp_incident_mark_silence(store, record->device, record->stream, record->seq);
}

// ---- reading ---------------------------------------------------------------------------------------------

/// The columns that view() reads. An outage that was open at the last sign of life: the session may have
/// ended by it.
#define PLACE(column)                                                                                   \
	"(SELECT p." column " FROM placement p WHERE p.device = d.name AND"                             \
	" p.from_ms <= coalesce(s.last_ms, s.end_ms, 0) AND p.to_ms > coalesce(s.last_ms, s.end_ms, 0)" \
	" ORDER BY p.board_line LIMIT 1)"
#define COLUMNS                                                                                             \
	"s.reason, s.evidence, s.last_ms, s.last_err_ms, s.width_ms, b.heard_ms, b.lost_ms, s.end_ms,"      \
	" s.end_err_ms, EXISTS(SELECT 1 FROM outage o WHERE o.device = s.device AND o.start_ms < s.last_ms" \
	" AND coalesce(o.end_ms, s.last_ms) >= s.last_ms), d.name,"                                         \
	" " PLACE("school") ", " PLACE(                                                                     \
	    "site") ", s.device"                                                                            \
		    " FROM silence s JOIN device d ON d.id = s.device LEFT JOIN boot b ON b.id = s.boot"

static void blame(const char *reason, bool switched_off, struct sp_silence_view *out)
{
	static const struct {
		const char *reason, *cause, *whose;
	} blames[] = {
	    {"power", "power", "school"},   {"reboot", "reboot", "ours"}, {"panic", "reboot", "ours"},
	    {"watchdog", "reboot", "ours"}, {"crash", "agent", "ours"},   {"restart", "agent", "ours"},
	    {"upgrade", "agent", "ours"},
	};
	out->cause = switched_off ? "switched_off" : "reboot";
	out->whose = switched_off ? "school" : "unresolved";
	for (size_t i = 0; !switched_off && i < SP_COUNT(blames); i++) {
		if (strcmp(blames[i].reason, reason) == 0) {
			out->cause = blames[i].cause;
			out->whose = blames[i].whose;
		}
	}
}

static void view(struct sp_store *store, const struct sp_rows *rows, struct sp_silence_view *out)
{
	const struct sp_silence_evidence evidence = {.last_ms = sp_row_int(rows, 2, -1),
						     .last_err_ms = sp_row_int(rows, 3, -1),
						     .width_ms = sp_row_int(rows, 4, -1),
						     .heard_ms = sp_row_int(rows, 5, -1),
						     .lost_ms = sp_row_int(rows, 6, -1),
						     .end_ms = sp_row_int(rows, 7, -1),
						     .line_was_down = sp_row_int(rows, 9, 0) != 0};
	struct sp_silence_start start = sp_silence_start(&evidence);
	*out = (struct sp_silence_view){.reason = sp_row_text(rows, 0),
					.evidence = sp_row_text(rows, 1),
					.device = sp_row_text(rows, 10),
					.school = sp_row_text(rows, 11),
					.site = sp_row_text(rows, 12),
					.last_ms = evidence.last_ms,
					.start_from_ms = start.from_ms,
					.start_to_ms = start.to_ms,
					.end_ms = evidence.end_ms,
					.end_err_ms = sp_row_int(rows, 8, -1)};
	const struct sp_schedule *schedule = sp_schedule_at(store, out->school, out->site);
	bool power = strcmp(out->reason, "power") == 0;
	blame(out->reason, power && sp_silence_switched_off(&start, schedule), out);
}

int sp_silence_at(struct sp_store *store, int64_t device, int64_t start_ms, struct sp_silence_view *out)
{
	// The first that ended behind that moment.
	struct sp_rows *rows = SQL_QUERY(
	    store->db, "SELECT " COLUMNS " WHERE s.device = ?1 AND s.end_ms >= ?2 ORDER BY s.end_ms LIMIT 1",
	    I(device), I(start_ms - MATCH_MS));
	int result = sp_rows_next(store->db, rows);
	if (result != 1)
		return result;
	view(store, rows, out);
	sp_rows_leave(rows); // what is read from here on are numbers and constant words
	return out->last_ms >= 0 && out->last_ms - MATCH_MS <= start_ms;
}

int sp_silences_between(struct sp_store *store, int64_t device, int64_t from_ms, int64_t to_ms,
			void (*row)(void *arg, const struct sp_silence_view *silence), void *arg)
{
	struct sp_silence_view silence;
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT " COLUMNS " WHERE s.device = ?1 AND s.end_ms >= ?2 AND coalesce(s.last_ms, 0) < ?3"
	    " ORDER BY s.end_ms",
	    I(device), I(from_ms), I(to_ms));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		view(store, rows, &silence);
		if (silence.start_from_ms >= 0)
			row(arg, &silence);
	}
	return result;
}

int sp_silences_ended(struct sp_store *store, int64_t from_ms, int64_t to_ms,
		      void (*row)(void *arg, int64_t device, const struct sp_silence_view *silence),
		      void *arg)
{
	struct sp_silence_view silence;
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT " COLUMNS " WHERE s.end_ms >= ? AND s.end_ms < ? ORDER BY s.device, s.stream, s.seq",
	    I(from_ms), I(to_ms));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		view(store, rows, &silence);
		row(arg, sp_row_int(rows, 13, 0), &silence);
	}
	return result;
}

int sp_store_silences(struct sp_store *store, const char *device, int64_t limit,
		      void (*row)(void *arg, const struct sp_silence_view *silence), void *arg)
{
	struct sp_silence_view silence;
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT " COLUMNS
	    " WHERE ?1 IS NULL OR d.name = ?1 ORDER BY s.end_ms DESC NULLS LAST, s.device, s.stream LIMIT ?2",
	    T(device), I(limit));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		view(store, rows, &silence);
		row(arg, &silence);
	}
	return result;
}
