// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Events of kiosks in the store: one row per event id for ever, whichever board brings it; the first arrivals
// of each day counted as they come; and batches of which a board has erased something.
#include <inttypes.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/facts/fact_attendance.h"
#include "tools/hub/time/local_time.h"
#include "tools/hub/store/store_priv.h"

#define BIN_MS INT64_C(300000)

char *sp_attendance_kept(const char *type, const char *data)
{
	static const char *const hidden[] = {"punch", "key_backup", "subject_request", "forgotten"};
	(void)data;
	for (size_t i = 0; i < SP_COUNT(hidden); i++) {
		if (strcmp(type, hidden[i]) == 0)
			return sp_strdup("{}");
	}
	return NULL;
}

// ---- first arrivals -----------------------------------------------------------------------------------

/// Which of a person's punches may be the day's arrival.
#define ARRIVES "t_ms IS NOT NULL AND way <> 2 AND mark < 2"

static bool arrives(const struct sp_fact_punch *fact, int64_t t_ms)
{
	return t_ms != SP_NO_TIME && fact->way != SP_WAY_OUT && fact->mark <= SP_MARK_LATE;
}

static int64_t bin_of(int64_t day, int64_t t_ms)
{
	return (t_ms - sp_local_day_ms(day)) / BIN_MS;
}

static int count_in(struct sp_store *store, int64_t device, int64_t day, int64_t kiosk, int64_t t_ms)
{
	return SQL_DO(store->db,
		      "INSERT INTO arrival VALUES(?, ?, ?, ?, 1) ON CONFLICT (device, day, kiosk, bin) DO "
		      "UPDATE SET persons = arrival.persons + 1",
		      I(device), I(day), I(kiosk), I(bin_of(day, t_ms)));
}

static int count_out(struct sp_store *store, int64_t device, int64_t day, int64_t kiosk, int64_t t_ms)
{
	return SQL_DO(
	    store->db,
	    "UPDATE arrival SET persons = persons - 1 WHERE device = ? AND day = ? AND kiosk = ? AND"
	    " bin = ?",
	    I(device), I(day), I(kiosk), I(bin_of(day, t_ms)));
}

/// Before the new one is a row.
static int arrive(struct sp_store *store, int64_t device, int64_t day, int64_t person, int64_t kiosk,
		  int64_t t_ms)
{
	struct sp_rows *rows =
	    SQL_QUERY(store->db,
		      "SELECT t_ms, kiosk FROM punch WHERE device = ? AND day = ? AND person = ? AND " ARRIVES
		      " ORDER BY t_ms LIMIT 1",
		      I(device), I(day), I(person));
	int result = sp_rows_next(store->db, rows);
	if (result < 0)
		return result;
	if (result == 1) {
		int64_t first_ms = sp_row_int(rows, 0, 0), there = sp_row_int(rows, 1, 0);
		sp_rows_leave(rows);
		if (first_ms <= t_ms)
			return 0;
		result = count_out(store, device, day, there, first_ms);
		if (result < 0)
			return result;
	}
	return count_in(store, device, day, kiosk, t_ms);
}

int sp_arrival_recount(struct sp_store *store, int64_t device, int64_t day)
{
	int result = SQL_DO(store->db, "DELETE FROM arrival WHERE device = ? AND day = ?", I(device), I(day));
	if (result < 0)
		return result;
	return SQL_DO(
	    store->db,
	    "INSERT INTO arrival SELECT ?1, ?2, f.kiosk, (f.t_ms - ?3) / ?4, count(*) FROM (SELECT kiosk, "
	    "t_ms,"
	    " row_number() OVER (PARTITION BY person ORDER BY t_ms, id) AS place FROM punch WHERE device = ?1"
	    " AND day = ?2 AND " ARRIVES ") f WHERE f.place = 1 GROUP BY 3, 4",
	    I(device), I(day), I(sp_local_day_ms(day)), I(BIN_MS));
}

// ---- a punch ------------------------------------------------------------------------------------------

static int insert(struct sp_store *store, const struct sp_record *record, const struct sp_fact_punch *fact,
		  int64_t person, int64_t kiosk, int64_t day, int64_t t_ms)
{
	uint8_t event[SP_CODE_BYTES];
	sp_code_bytes(fact->event, event);
	return SQL_DO(
	    store->db,
	    "INSERT INTO punch VALUES(?, ?, ?, ?, ?, ?, nullif(?, ?), ?, ?, ?, ?, ?, ?, nullif(?, -1), ?,"
	    " nullif(?, ?), ?, ?)",
	    I(record->id), B(event, sizeof(event)), I(person), I(record->device), I(kiosk), I(day), I(t_ms),
	    I(SP_NO_TIME), I(record->when.t_ms), I(fact->way), I(fact->mark), I(fact->method),
	    I(fact->person_kind), T(fact->gate), I(fact->number), T(fact->kiosk_time), I(fact->kiosk_t_ms),
	    I(SP_NO_TIME), I(fact->correction), R(fact->correction_seconds));
}

/// By the kiosk's own calendar, for its own totals.
static int count_at_kiosk(struct sp_store *store, const struct sp_fact_punch *fact, int64_t kiosk,
			  int64_t day)
{
	char date[11] = "";
	int64_t from_ms;
	memcpy(date, fact->kiosk_time, 10);
	if (fact->kiosk_time[0] && sp_local_date_parse(date, &from_ms))
		day = sp_local_day(from_ms);
	return SQL_DO(store->db,
		      "INSERT INTO kiosk_day(kiosk, day, arrived) VALUES(?, ?, 1) ON CONFLICT (kiosk,"
		      " day) DO UPDATE SET arrived = kiosk_day.arrived + 1",
		      I(kiosk), I(day));
}

static int take(struct sp_store *store, const struct sp_record *record, const struct sp_fact_punch *fact,
		int64_t t_ms)
{
	int64_t day = sp_local_day(t_ms == SP_NO_TIME ? record->when.t_ms : t_ms), person = 0, kiosk = 0;
	// What was held for as long as it may be, and has been deleted, is not begun anew.
	if (day < sp_local_day(store->now_ms) - store->attendance_days)
		return 0;
	int result = sp_person_row(store, fact->person, true, &person);
	if (result == 1)
		result = sp_person_seen(store, person, day);
	if (result == 0)
		result = sp_kiosk_row(store, record, &kiosk);
	if (result == 0 && arrives(fact, t_ms))
		result = arrive(store, record->device, day, person, kiosk, t_ms);
	if (result == 0)
		result = insert(store, record, fact, person, kiosk, day, t_ms);
	return result < 0 ? result : count_at_kiosk(store, fact, kiosk, day);
}

/// When it happened: what the board says, or where its reader has no clock and the board had none either,
/// when the board heard of it.
static int64_t happened_ms(const struct sp_record *record, const struct sp_fact_punch *fact)
{
	if (fact->corrected_t_ms != SP_NO_TIME)
		return fact->corrected_t_ms;
	if (fact->correction == SP_CORRECTION_RECEIVED && record->when.by != SP_PLACED_BOUNDS)
		return record->when.t_ms;
	return SP_NO_TIME;
}

/// The boot's clock became known: the time of receiving moves, and with it what has no other time.
static int moved(struct sp_store *store, const struct sp_record *record)
{
	struct sp_rows *rows = SQL_QUERY(store->db,
					 "SELECT day, t_ms IS NOT DISTINCT FROM received_ms, correction, "
					 "t_ms IS NULL FROM punch WHERE id = ?",
					 I(record->id));
	int result = sp_rows_next(store->db, rows);
	if (result != 1)
		return result;
	int64_t day = sp_row_int(rows, 0, 0), now_on = sp_local_day(record->when.t_ms);
	bool follows = sp_row_int(rows, 2, 0) == SP_CORRECTION_RECEIVED &&
		       (sp_row_int(rows, 1, 0) || sp_row_int(rows, 3, 0));
	bool unplaced = sp_row_int(rows, 3, 0) != 0;
	sp_rows_leave(rows);
	if (!follows && !unplaced)
		return SQL_DO(store->db, "UPDATE punch SET received_ms = ? WHERE id = ?",
			      I(record->when.t_ms), I(record->id));
	result = SQL_DO(store->db,
			"UPDATE punch SET received_ms = ?2, day = ?3, t_ms = CASE WHEN ?4 <> 0 THEN ?2 ELSE "
			"t_ms END WHERE id = ?1",
			I(record->id), I(record->when.t_ms), I(now_on),
			I(follows && record->when.by != SP_PLACED_BOUNDS));
	if (result == 0 && follows)
		result = sp_arrival_recount(store, record->device, day);
	if (result == 0 && follows && now_on != day)
		result = sp_arrival_recount(store, record->device, now_on);
	return result;
}

int sp_punch_project(struct sp_store *store, const struct sp_record *record)
{
	struct sp_fact_punch fact;
	uint8_t event[SP_CODE_BYTES];
	int64_t known = 0;
	if (record->was_ms >= 0)
		return moved(store, record);
	if (!sp_fact_punch(&fact, record->data))
		return 1;
	sp_code_bytes(fact.event, event);
	int result =
	    SQL_GET(store->db, &known, "SELECT 1 FROM punch WHERE event = ?", B(event, sizeof(event)));
	if (result != 0)
		return result < 0 ? result : 0;
	result = sp_person_refused(store, fact.person, record->device);
	if (result == 1)
		return SQL_DO(store->db, "UPDATE event SET type = 'forgotten', instance = '' WHERE id = ?",
			      I(record->id));
	return result < 0 ? result : take(store, record, &fact, happened_ms(record, &fact));
}

// ---- erasing ------------------------------------------------------------------------------------------

int sp_punch_erase(struct sp_store *store, int64_t id, bool recount)
{
	int64_t device = 0, day = 0;
	struct sp_rows *rows = SQL_QUERY(store->db, "SELECT device, day FROM punch WHERE id = ?", I(id));
	int found = sp_rows_next(store->db, rows);
	if (found < 0)
		return found;
	if (found == 1) {
		device = sp_row_int(rows, 0, 0);
		day = sp_row_int(rows, 1, 0);
		sp_rows_leave(rows);
	}
	int result = SQL_DO(
	    store->db, "UPDATE event SET type = 'forgotten', instance = '', data = '{}' WHERE id = ?", I(id));
	if (result == 0 && found == 1)
		result = SQL_DO(store->db, "DELETE FROM punch WHERE id = ?", I(id));
	if (result == 0 && found == 1 && recount)
		result = sp_arrival_recount(store, device, day);
	store->scrub = store->seen_changes = true;
	return result;
}

struct stored {
	int64_t id; ///< 0: it was held for as long as it may be
	bool forgotten, same;
};

static int look_up(struct sp_store *store, int64_t stream, const struct sp_feed_event *event,
		   struct stored *out)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT id, type = 'forgotten', type = ? AND instance = ? AND mono_us = ? FROM event WHERE"
	    " stream = ? AND seq = ?",
	    T(event->type), T(event->device), I(event->mono_us), I(stream), I(event->seq));
	int result = sp_rows_next(store->db, rows);
	*out = (struct stored){.id = 0};
	if (result != 1)
		return result;
	*out =
	    (struct stored){sp_row_int(rows, 0, 0), sp_row_int(rows, 1, 0) != 0, sp_row_int(rows, 2, 0) != 0};
	sp_rows_leave(rows);
	return 0;
}

static bool is_forgotten(const struct sp_feed_event *event)
{
	return strcmp(event->type, "forgotten") == 0;
}

/// All that neither side has erased has to be the same record: by type, kiosk and microsecond of the boot.
static int same_batch(struct sp_store *store, int64_t stream, const struct sp_feed_message *message)
{
	for (size_t i = 0; i < message->count; i++) {
		struct stored stored;
		int result = look_up(store, stream, &message->events[i], &stored);
		if (result < 0)
			return result;
		if (stored.id && !stored.same && !stored.forgotten && !is_forgotten(&message->events[i]))
			return 0;
	}
	return 1;
}

static int erase_forgotten(struct sp_store *store, int64_t stream, const struct sp_feed_message *message)
{
	int result = 0;
	for (size_t i = 0; result == 0 && i < message->count; i++) {
		struct stored stored;
		if (!is_forgotten(&message->events[i]))
			continue;
		result = look_up(store, stream, &message->events[i], &stored);
		if (result == 0 && stored.id && !stored.forgotten)
			result = sp_punch_erase(store, stored.id, true);
	}
	return result;
}

int sp_punch_redacted(struct sp_store *store, int64_t stream, const struct sp_feed_message *message)
{
	const struct sp_feed_envelope *envelope = &message->envelope;
	int64_t held = -1;
	int result =
	    SQL_GET(store->db, &held,
		    "SELECT b.redacted FROM batch b JOIN boot o ON o.id = b.boot WHERE b.stream = ? AND"
		    " b.first = ? AND b.last = ? AND o.name = ?",
		    I(stream), I(envelope->first), I(envelope->last), T(envelope->boot));
	if (result != 1 || held == envelope->redacted)
		return result < 0 ? result : 0;
	result = same_batch(store, stream, message);
	if (result != 1 || envelope->redacted < held)
		return result; // an older text, that was under way: nothing of it is taken
	result = erase_forgotten(store, stream, message);
	if (result == 0)
		result = SQL_DO(store->db,
				"UPDATE batch SET digest = ?, redacted = ? WHERE stream = ? AND first = ?",
				T(envelope->digest), I(envelope->redacted), I(stream), I(envelope->first));
	return result < 0 ? result : 1;
}
