// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Requests of persons or their parents, done in the transaction that takes them: `forget` erases and refuses,
// `export` keeps an extract for whoever answers. A request is kept without the pseudonyms that it named.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/facts/fact_attendance.h"
#include "tools/hub/text/json_out.h"
#include "tools/hub/time/local_time.h"
#include "tools/hub/store/store_priv.h"

enum { EXTRACT_EVENTS = 20000, EXTRACT_BYTES = 16 * 1024 * 1024 };

/// Boards whose events a request of this board is about: its own, and those of its school now.
struct scope {
	int64_t *devices;
	size_t count, room;
};

static int read_scope(struct sp_store *store, int64_t device, const char *school, struct scope *out)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT ?1 UNION SELECT d.id FROM register r JOIN device d ON d.name = r.device WHERE ?2 <> '' "
	    "AND"
	    " r.school = ?2 UNION SELECT d.id FROM placement h JOIN device d ON d.name = h.device "
	    "WHERE"
	    " ?2 <> '' AND h.school = ?2 AND NOT EXISTS(SELECT 1 FROM register r WHERE r.device = h.device)",
	    I(device), T(school));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		if (out->count == out->room) {
			out->room = out->room ? 2 * out->room : 8;
			out->devices = sp_realloc(out->devices, out->room * sizeof(*out->devices));
		}
		out->devices[out->count++] = sp_row_int(rows, 0, 0);
	}
	return result;
}

/// The next day after `*day` on which that board has events: 1.
static int next_day(struct sp_store *store, int64_t device, int64_t *day)
{
	return SQL_GET(store->db, day,
		       "SELECT day FROM punch WHERE device = ? AND day > ? ORDER BY day LIMIT 1", I(device),
		       I(*day));
}

struct each {
	int (*event)(struct sp_store *store, int64_t id, void *arg);
	bool erases;
	void *arg;
};

static int each_of_day(struct sp_store *store, int64_t device, int64_t day, int64_t person,
		       const struct each *each)
{
	int64_t id = 0, after = INT64_MIN;
	bool any = false;
	int result;
	while ((result = SQL_GET(store->db, &id,
				 "SELECT id FROM punch WHERE device = ? AND day = ? AND person = ?"
				 " AND +id > ? ORDER BY +id LIMIT 1",
				 I(device), I(day), I(person), I(after))) == 1) {
		after = id;
		any = true;
		result = each->event(store, id, each->arg);
		if (result < 0)
			return result;
	}
	return result == 0 && any && each->erases ? sp_arrival_recount(store, device, day) : result;
}

/// Every event of that person in the scope, day by day: no index by person is worth its cost.
static int each_event(struct sp_store *store, const struct scope *scope, int64_t person,
		      const struct each *each)
{
	int result = 0;
	for (size_t i = 0; i < scope->count && result >= 0; i++) {
		int64_t day = INT64_MIN;
		while ((result = next_day(store, scope->devices[i], &day)) == 1) {
			result = each_of_day(store, scope->devices[i], day, person, each);
			if (result < 0)
				return result;
		}
	}
	return result < 0 ? result : 0;
}

// ---- forget -------------------------------------------------------------------------------------------

static int erase(struct sp_store *store, int64_t id, void *arg)
{
	int64_t *erased = arg;
	++*erased;
	return sp_punch_erase(store, id, false);
}

/// What was put together for an answer goes, too.
static int erase_extracts(struct sp_store *store, int64_t person)
{
	int result =
	    SQL_DO(store->db,
		   "UPDATE subject SET extract = NULL WHERE (device, request) IN (SELECT device, request FROM"
		   " subject_person WHERE person = ?)",
		   I(person));
	return result < 0 ? result
			  : SQL_DO(store->db, "DELETE FROM subject_person WHERE person = ?", I(person));
}

static int forget(struct sp_store *store, const struct sp_record *record, const struct sp_fact_subject *fact,
		  const struct scope *scope, int64_t *erased)
{
	int result = 0;
	for (size_t i = 0; result >= 0 && i < fact->count; i++) {
		int64_t person = 0;
		result = 0;
		if (!fact->once)
			result = sp_person_refuse(store, fact->persons[i], record->device);
		if (result == 0)
			result = sp_person_row(store, fact->persons[i], false, &person);
		if (result != 1)
			continue;
		result = each_event(store, scope, person, &(struct each){erase, true, erased});
		if (result == 0)
			result = erase_extracts(store, person);
		if (result == 0)
			result = SQL_DO(store->db, "DELETE FROM person WHERE id = ?", I(person));
	}
	store->scrub = true;
	return result < 0 ? result : sp_store_meta_set(store, "scrub", 1);
}

// ---- export -------------------------------------------------------------------------------------------

struct extract {
	struct sp_buf out;
	int64_t events;
	size_t person; ///< which of the request's
};

static void moment(struct sp_buf *out, const char *name, int64_t t_ms)
{
	char text[SP_LOCAL_TIME_SIZE];
	sp_out_text(out, name, t_ms == SP_NO_TIME ? NULL : sp_local_time(t_ms, text));
}

static int add_event(struct sp_store *store, int64_t id, void *arg)
{
	struct extract *extract = arg;
	struct sp_buf *out = &extract->out;
	if (extract->events >= EXTRACT_EVENTS)
		return 0;
	struct sp_rows *rows = SQL_QUERY(store->db,
					 "SELECT p.t_ms, p.received_ms, p.way, p.mark, p.method, "
					 "p.person_kind, p.gate, p.number, p.kiosk_time,"
					 " p.correction, p.correction_seconds, k.name, d.name FROM punch p "
					 "JOIN kiosk k ON k.id = p.kiosk JOIN"
					 " device d ON d.id = p.device WHERE p.id = ?",
					 I(id));
	int result = sp_rows_next(store->db, rows);
	if (result != 1)
		return result;
	extract->events++;
	sp_out_open(out, NULL, '{');
	sp_out_int(out, "person", (int64_t)extract->person + 1);
	sp_out_text(out, "person_kind", sp_person_kind_name((int)sp_row_int(rows, 5, 0)));
	moment(out, "time", sp_row_int(rows, 0, SP_NO_TIME));
	moment(out, "received", sp_row_int(rows, 1, SP_NO_TIME));
	sp_out_text_or_null(out, "kiosk_time", sp_row_text(rows, 8));
	sp_out_text(out, "correction",
		    sp_punch_correction_name((enum sp_punch_correction)sp_row_int(rows, 9, 0)));
	sp_buf_printf(out, ",\"correction_seconds\":%.3f", sp_row_real(rows, 10, 0));
	sp_out_text(out, "direction", sp_punch_way_name((enum sp_punch_way)sp_row_int(rows, 2, 0)));
	sp_out_text(out, "method", sp_punch_method_name((int)sp_row_int(rows, 4, 0)));
	sp_out_text(out, "mark", sp_punch_mark_name((enum sp_punch_mark)sp_row_int(rows, 3, 0)));
	sp_out_text(out, "kiosk", sp_row_text(rows, 11));
	sp_out_text_or_null(out, "gate", sp_row_text(rows, 6));
	sp_out_int_or_null(out, "number", sp_row_int(rows, 7, -1));
	sp_out_text(out, "board", sp_row_text(rows, 12));
	sp_out_close(out, '}');
	sp_rows_leave(rows);
	return 0;
}

static int export(struct sp_store *store, const struct sp_record *record, const struct sp_fact_subject *fact,
		  const struct scope *scope, struct extract *extract)
{
	int result = 0;
	sp_out_open(&extract->out, NULL, '[');
	for (size_t i = 0; result >= 0 && i < fact->count; i++) {
		int64_t person;
		result = sp_person_row(store, fact->persons[i], false, &person);
		if (result != 1)
			continue;
		extract->person = i;
		result = each_event(store, scope, person, &(struct each){add_event, false, extract});
		if (result == 0)
			result = SQL_DO(store->db,
					"INSERT INTO subject_person VALUES(?, ?, ?) ON CONFLICT DO NOTHING",
					I(person), I(record->device), T(fact->request));
	}
	sp_out_close(&extract->out, ']');
	return result < 0 ? result : 0;
}

// ---- both ---------------------------------------------------------------------------------------------

/// A request that comes again does not renew its extract, and says how much it erased in all.
static int remember(struct sp_store *store, const struct sp_record *record,
		    const struct sp_fact_subject *fact, const char *school, const struct extract *extract,
		    int64_t events)
{
	int result = SQL_DO(store->db,
			    "INSERT INTO subject VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, nullif(?8, ''), ?9) ON "
			    "CONFLICT (device, request) DO UPDATE SET events = CASE WHEN subject.action = 0"
			    " THEN subject.events + ?6 ELSE subject.events END",
			    I(record->device), T(fact->request), I(fact->action), I((int64_t)fact->count),
			    I(fact->erased), I(events), I(store->now_ms), T(school),
			    T(extract->out.length ? extract->out.data : NULL));
	if (result < 0)
		return result;
	char *text =
	    sp_asprintf("{\"request\":\"%s\",\"action\":\"%s\",\"persons\":%zu,\"erased\":%" PRId64 "}",
			fact->request, sp_subject_action_name(fact->action), fact->count, fact->erased);
	result = SQL_DO(store->db, "UPDATE event SET data = ? WHERE id = ?", T(text), I(record->id));
	free(text);
	return result;
}

static int act(struct sp_store *store, const struct sp_record *record, const struct sp_fact_subject *fact)
{
	struct scope scope = {0};
	struct extract extract = {.out = SP_BUF(EXTRACT_BYTES)};
	int64_t erased = 0;
	char school[65];
	int result = sp_device_school(store, record->device, school);
	if (result == 0)
		result = read_scope(store, record->device, school, &scope);
	if (result == 0 && fact->action == SP_SUBJECT_FORGET)
		result = forget(store, record, fact, &scope, &erased);
	else if (result == 0)
		result = export(store, record, fact, &scope, &extract);
	if (result == 0)
		result = remember(store, record, fact, school, &extract,
				  fact->action == SP_SUBJECT_FORGET ? erased : extract.events);
	sp_buf_free(&extract.out);
	free(scope.devices);
	return result;
}

int sp_subject_project(struct sp_store *store, const struct sp_record *record)
{
	int result = 1;
	if (record->was_ms >= 0)
		return 0;
	struct sp_fact_subject *fact = sp_alloc(sizeof(*fact));
	if (sp_fact_subject(fact, record->data))
		result = act(store, record, fact);
	explicit_bzero(fact, sizeof(*fact));
	free(fact);
	return result;
}

// ---- reading ------------------------------------------------------------------------------------------

int sp_store_subjects(struct sp_store *store, const char *request,
		      void (*row)(void *arg, const struct sp_subject_view *subject), void *arg)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT s.request, d.name, s.school, s.action, s.persons, s.erased_on_board, s.events, s.at_ms,"
	    " s.extract IS NOT NULL, CASE WHEN ?1 IS NOT NULL THEN s.extract END FROM subject s JOIN device "
	    "d ON d.id ="
	    " s.device WHERE ?1 IS NULL OR s.request = ?1 ORDER BY s.at_ms DESC, s.request",
	    T(request));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		bool extracted = sp_row_int(rows, 9 - 1, 0) != 0;
		row(arg, &(struct sp_subject_view){
			     .request = sp_row_text(rows, 0),
			     .device = sp_row_text(rows, 1),
			     .school = sp_row_text(rows, 2),
			     .action = sp_subject_action_name((enum sp_subject_action)sp_row_int(rows, 3, 0)),
			     .persons = sp_row_int(rows, 4, 0),
			     .erased_on_board = sp_row_int(rows, 5, 0),
			     .events = sp_row_int(rows, 6, 0),
			     .at_ms = sp_row_int(rows, 7, 0),
			     .extracted = extracted,
			     .extract = extracted && request ? sp_row_text(rows, 9) : NULL});
	}
	return result;
}

int sp_store_key_backups(struct sp_store *store, const char *device,
			 void (*row)(void *arg, const struct sp_key_backup_view *backup), void *arg)
{
	struct sp_rows *rows = SQL_QUERY(store->db,
					 "SELECT d.name, k.t_ms, k.school_years, k.mark, k.blob FROM "
					 "key_backup k JOIN device d ON d.id = k.device"
					 " WHERE ?1 IS NULL OR d.name = ?1 ORDER BY d.name",
					 T(device));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1)
		row(arg, &(struct sp_key_backup_view){sp_row_text(rows, 0), sp_row_int(rows, 1, 0),
						      sp_row_text(rows, 2), sp_row_text(rows, 3),
						      sp_row_text(rows, 4)});
	return result;
}
