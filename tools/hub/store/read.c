// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The plain lists that the API shows.
#include <string.h>

#include "tools/hub/store/store_priv.h"

enum { ROWS_MAX = 10000 }; ///< of lists without a limit of their own

static const char *const gap_kinds[] = {"open", "lost", "dropped"};

static const char *text_or_null(const struct sp_rows *rows, int column)
{
	return sp_row_is_null(rows, column) ? NULL : sp_row_text(rows, column);
}

/// A silence's outage: what the hub heard narrows its start. 1: shown, 0: it was the main switch after
/// school.
static int by_ear(struct sp_store *store, int64_t device, struct sp_outage_view *outage)
{
	struct sp_silence_view silence;
	bool silent = strcmp(outage->cause, "power") == 0 || strcmp(outage->cause, "reboot") == 0 ||
		      strcmp(outage->cause, "agent") == 0;
	if (!silent || outage->phase != SP_OUTAGE_CLOSE || outage->start_ms < 0)
		return 1;
	int result = sp_silence_at(store, device, outage->start_ms, &silence);
	if (result != 1)
		return result < 0 ? result : 1;
	if (silence.start_from_ms >= 0) {
		outage->start_err_ms = (silence.start_to_ms - silence.start_from_ms + 1) / 2;
		outage->start_ms = silence.start_from_ms + outage->start_err_ms;
	}
	return strcmp(silence.cause, "switched_off") != 0;
}

int sp_store_outages(struct sp_store *store, const struct sp_outage_filter *filter,
		     void (*row)(void *arg, const struct sp_outage_view *outage), void *arg)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT r.school, r.site, o.line, d.name, o.name, o.cause, o.whose, o.evidence, o.phase, o.state,"
	    " o.start_placed, o.start_ms, o.start_err_ms, o.end_ms, o.end_err_ms, o.parts, d.id FROM outage o"
	    " JOIN device d ON d.id = o.device LEFT JOIN register r ON r.device = d.name AND r.line = o.line"
	    " WHERE (?1 IS NULL OR r.school = ?1) AND (?2 IS NULL OR r.site = ?2) AND"
	    " (?3 IS NULL OR o.line = ?3) AND (?4 IS NULL OR d.name = ?4) ORDER BY"
	    " coalesce(o.start_ms, o.end_ms, o.t_ms) DESC, o.name",
	    T(filter->school), T(filter->site), T(filter->line), T(filter->device));
	int result = 1; // also of a limit of 0 the query has to be left
	for (int64_t left = filter->limit; left > 0 && (result = sp_rows_next(store->db, rows)) == 1;) {
		struct sp_outage_view outage = {
		    .school = sp_row_text(rows, 0),
		    .site = sp_row_text(rows, 1),
		    .line = sp_row_text(rows, 2),
		    .device = sp_row_text(rows, 3),
		    .outage = sp_row_text(rows, 4),
		    .cause = sp_row_text(rows, 5),
		    .whose = sp_row_text(rows, 6),
		    .evidence = text_or_null(rows, 7),
		    .parts = text_or_null(rows, 15),
		    .phase = (enum sp_outage_phase)sp_row_int(rows, 8, 0),
		    .state = (enum sp_line_state)sp_row_int(rows, 9, 0),
		    .measured = sp_row_int(rows, 10, SP_PLACED_BOUNDS) < SP_PLACED_BOUNDS,
		    .start_ms = sp_row_int(rows, 11, -1),
		    .start_err_ms = sp_row_int(rows, 12, -1),
		    .end_ms = sp_row_int(rows, 13, -1),
		    .end_err_ms = sp_row_int(rows, 14, -1),
		};
		int shown = by_ear(store, sp_row_int(rows, 16, 0), &outage);
		if (shown < 0) {
			sp_rows_leave(rows);
			return shown;
		}
		if (!shown)
			continue;
		row(arg, &outage);
		left--;
	}
	if (result == 1)
		sp_rows_leave(rows);
	return result < 0 ? result : 0;
}

int sp_store_devices(struct sp_store *store, const char *device,
		     void (*row)(void *arg, const struct sp_device_view *device), void *arg)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT d.name, d.shard, d.presence, d.boot, d.version, EXISTS(SELECT 1 FROM register r WHERE"
	    " r.device = d.name), d.first_heard_ms, d.last_heard_ms, d.presence_ms, d.events,"
	    " (SELECT count(*) FROM stream s JOIN gap g ON g.stream = s.id WHERE s.device = d.id AND g.kind "
	    "= 0),"
	    " (SELECT sum(g.last - g.first + 1) FROM stream s JOIN gap g ON g.stream = s.id WHERE s.device ="
	    " d.id) FROM device d WHERE ?1 IS NULL OR d.name = ?1 ORDER BY d.name",
	    T(device));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		int64_t heard_ms = sp_row_int(rows, 7, -1);
		row(arg, &(struct sp_device_view){
			     .device = sp_row_text(rows, 0),
			     .shard = sp_row_text(rows, 1),
			     .presence = sp_presence_name(store, sp_row_int(rows, 2, 0), heard_ms),
			     .boot = sp_row_text(rows, 3),
			     .version = sp_row_text(rows, 4),
			     .registered = sp_row_int(rows, 5, 0) != 0,
			     .first_heard_ms = sp_row_int(rows, 6, -1),
			     .last_heard_ms = heard_ms,
			     .presence_ms = sp_row_int(rows, 8, -1),
			     .events = sp_row_int(rows, 9, 0),
			     .open_gaps = sp_row_int(rows, 10, 0),
			     .missing = sp_row_int(rows, 11, 0),
			 });
	}
	return result;
}

int sp_store_instances(struct sp_store *store, const char *device,
		       void (*row)(void *arg, const struct sp_instance_view *instance), void *arg)
{
	struct sp_rows *rows =
	    SQL_QUERY(store->db,
		      "SELECT d.name, i.name, i.driver, i.reason, i.text, i.state, i.since_ms FROM"
		      " instance i JOIN device d ON d.id = i.device WHERE ?1 IS NULL OR d.name = ?1"
		      " ORDER BY d.name, i.name LIMIT ?2",
		      T(device), I(ROWS_MAX));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1)
		row(arg, &(struct sp_instance_view){
			     .device = sp_row_text(rows, 0),
			     .instance = sp_row_text(rows, 1),
			     .driver = sp_row_text(rows, 2),
			     .reason = sp_row_text(rows, 3),
			     .text = sp_row_text(rows, 4),
			     .state = (enum sp_line_state)sp_row_int(rows, 5, 0),
			     .since_ms = sp_row_int(rows, 6, -1),
			 });
	return result;
}

int sp_store_facts(struct sp_store *store, const char *device, bool all_classes, int64_t after, int64_t limit,
		   void (*row)(void *arg, const struct sp_fact_view *fact), void *arg)
{
	// Events of kiosks are shown as counts, never one by one.
	const int64_t other = all_classes ? SP_RECORD_BULK : SP_RECORD_FACTS;
	int result = store->reading ? 0 : sp_event_horizon(store);
	if (result < 0)
		return result;
	struct sp_rows *rows =
	    device
		? SQL_QUERY(
		      store->db,
		      "SELECT e.id, d.name, s.class, s.name, b.name, e.type, e.instance, e.seq, e.mono_us,"
		      " e.arrived_ms, e.t_ms, e.err_ms, e.placed, e.data FROM device d JOIN stream s ON"
		      " s.device = d.id JOIN event e ON e.stream = s.id LEFT JOIN boot b ON b.id = s.boot"
		      " WHERE d.name = ? AND s.class IN (?, ?) AND e.id > ? AND e.id <= ? ORDER BY e.id "
		      "LIMIT ?",
		      T(device), I(SP_RECORD_FACTS), I(other), I(after), I(store->event_horizon), I(limit))
		: SQL_QUERY(
		      store->db,
		      "SELECT e.id, d.name, s.class, s.name, b.name, e.type, e.instance, e.seq, e.mono_us,"
		      " e.arrived_ms, e.t_ms, e.err_ms, e.placed, e.data FROM event e JOIN stream s ON"
		      " s.id = +e.stream JOIN device d ON d.id = s.device LEFT JOIN boot b ON b.id = s.boot"
		      " WHERE s.class IN (?, ?) AND e.id > ? AND e.id <= ? ORDER BY e.id LIMIT ?",
		      I(SP_RECORD_FACTS), I(other), I(after), I(store->event_horizon), I(limit));
	while ((result = sp_rows_next(store->db, rows)) == 1)
		row(arg, &(struct sp_fact_view){
			     .id = sp_row_int(rows, 0, 0),
			     .device = sp_row_text(rows, 1),
			     .cls = sp_record_class_name((enum sp_record_class)sp_row_int(rows, 2, 0)),
			     .stream = sp_row_text(rows, 3),
			     .boot = sp_row_text(rows, 4),
			     .type = sp_row_text(rows, 5),
			     .instance = sp_row_text(rows, 6),
			     .seq = sp_row_int(rows, 7, 0),
			     .mono_us = sp_row_int(rows, 8, 0),
			     .arrived_ms = sp_row_int(rows, 9, 0),
			     .when = {sp_row_int(rows, 10, 0), sp_row_int(rows, 11, -1),
				      (enum sp_placed_by)sp_row_int(rows, 12, SP_PLACED_BOUNDS)},
			     .data = sp_row_text(rows, 13),
			 });
	return result;
}

int sp_store_anomalies(struct sp_store *store, void (*row)(void *arg, const struct sp_anomaly_view *anomaly),
		       void *arg)
{
	struct sp_rows *rows =
	    SQL_QUERY(store->db,
		      "SELECT a.kind, d.name, s.name, a.detail, a.first_ms, a.last_ms, a.count FROM"
		      " anomaly a JOIN device d ON d.id = a.device LEFT JOIN stream s ON s.id ="
		      " a.stream ORDER BY a.last_ms DESC, d.name, a.kind LIMIT ?",
		      I(ROWS_MAX));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1)
		row(arg, &(struct sp_anomaly_view){
			     .kind = sp_row_text(rows, 0),
			     .device = sp_row_text(rows, 1),
			     .stream = sp_row_text(rows, 2),
			     .detail = sp_row_text(rows, 3),
			     .first_ms = sp_row_int(rows, 4, 0),
			     .last_ms = sp_row_int(rows, 5, 0),
			     .count = sp_row_int(rows, 6, 0),
			 });
	return result;
}

int sp_store_gaps(struct sp_store *store, void (*row)(void *arg, const struct sp_gap_view *gap), void *arg)
{
	struct sp_rows *rows =
	    SQL_QUERY(store->db,
		      "SELECT d.name, s.class, s.name, g.kind, g.reason, g.first, g.last, g.at_ms FROM"
		      " gap g JOIN stream s ON s.id = g.stream JOIN device d ON d.id = s.device ORDER"
		      " BY g.kind, d.name, s.id, g.first LIMIT ?",
		      I(ROWS_MAX));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1)
		row(arg, &(struct sp_gap_view){
			     .device = sp_row_text(rows, 0),
			     .cls = sp_record_class_name((enum sp_record_class)sp_row_int(rows, 1, 0)),
			     .stream = sp_row_text(rows, 2),
			     .kind = gap_kinds[sp_row_int(rows, 3, 0)],
			     .reason = sp_row_text(rows, 4),
			     .first = sp_row_int(rows, 5, 0),
			     .last = sp_row_int(rows, 6, 0),
			     .at_ms = sp_row_int(rows, 7, 0),
			 });
	return result;
}

int sp_store_set_asides(struct sp_store *store,
			void (*row)(void *arg, const struct sp_set_aside_view *set_aside), void *arg)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT fault, device, topic, why, count, last_ms FROM set_aside ORDER BY last_ms DESC LIMIT ?",
	    I(ROWS_MAX));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1)
		row(arg, &(struct sp_set_aside_view){
			     .fault = sp_row_text(rows, 0),
			     .device = sp_row_text(rows, 1),
			     .topic = sp_row_text(rows, 2),
			     .why = sp_row_text(rows, 3),
			     .count = sp_row_int(rows, 4, 0),
			     .last_ms = sp_row_int(rows, 5, 0),
			 });
	return result;
}
