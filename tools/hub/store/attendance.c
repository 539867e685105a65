// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Attendance by school and day: from events where there are any, else from the school's own counts. A board's
// events belong to the school where it stood on that day.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/facts/fact_attendance.h"
#include "tools/hub/time/local_time.h"
#include "tools/hub/store/store_priv.h"
#include "tools/hub/register/schedule.h"

enum {
	WINDOW_MINUTES = 120, ///< around the beginning of lessons: counts do not tell who came first when
	BOARDS_MAX = 64,
};

struct reading {
	struct sp_store *store;
	const struct sp_attendance_filter *filter;
	char school[65];
	const struct sp_schedule *schedules[16]; ///< of its sites
	size_t schedule_count;
	int64_t boards[BOARDS_MAX]; ///< on the day that is being read
	size_t board_count;
	struct sp_attendance_raw *raw;
	struct sp_attendance_day *figures;
};

static int read_schedules(struct reading *r)
{
	struct sp_rows *rows = SQL_QUERY(
	    r->store->db, "SELECT DISTINCT site FROM register WHERE school = ? ORDER BY 1", T(r->school));
	int result;
	r->schedule_count = 0;
	while ((result = sp_rows_next(r->store->db, rows)) == 1) {
		if (r->schedule_count < SP_COUNT(r->schedules))
			r->schedules[r->schedule_count++] =
			    sp_schedule_at(r->store, r->school, sp_row_text(rows, 0));
	}
	return result;
}

/// Where sites differ: the first bell.
static int begin_of(const struct reading *r, int64_t day)
{
	int begin = -1;
	for (size_t i = 0; i < r->schedule_count; i++) {
		int minute = sp_schedule_begin(r->schedules[i], day);
		if (minute >= 0 && (begin < 0 || minute < begin))
			begin = minute;
	}
	return begin;
}

/// Boards that stood at school ?1 at moment ?2.
#define BOARDS                                                                                             \
	"SELECT DISTINCT d.id FROM placement h JOIN device d ON d.name = h.device WHERE h.school = ?1 AND" \
	" h.from_ms <= ?2 AND h.to_ms > ?2"

static int read_boards(struct reading *r, int64_t noon_ms)
{
	struct sp_rows *rows = SQL_QUERY(r->store->db, BOARDS, T(r->school), I(noon_ms));
	int result;
	r->board_count = 0;
	while ((result = sp_rows_next(r->store->db, rows)) == 1) {
		if (r->board_count < BOARDS_MAX)
			r->boards[r->board_count++] = sp_row_int(rows, 0, 0);
	}
	return result;
}

// ---- from events --------------------------------------------------------------------------------------

static void add(struct reading *r, const char *group, int64_t bin, int64_t persons)
{
	if (bin >= 0 && bin < SP_ATTENDANCE_BINS && persons > 0)
		sp_attendance_group(r->raw, group)->bins[bin] += persons;
}

/// One board: first arrivals were counted when they came.
static int one_board(struct reading *r, int64_t board, int64_t day)
{
	struct sp_rows *rows =
	    SQL_QUERY(r->store->db,
		      "SELECT k.name, a.bin, a.persons FROM arrival a JOIN kiosk k ON k.id "
		      "= a.kiosk WHERE a.device = ? AND"
		      " a.day = ?",
		      I(board), I(day));
	int result;
	while ((result = sp_rows_next(r->store->db, rows)) == 1)
		add(r, sp_row_text(rows, 0), sp_row_int(rows, 1, 0), sp_row_int(rows, 2, 0));
	return result;
}

/// Several boards: somebody may have come by the doors of two of them.
static int several_boards(struct reading *r, int64_t noon_ms, int64_t day)
{
	struct sp_rows *rows = SQL_QUERY(
	    r->store->db,
	    "SELECT k.name, (f.t_ms - ?4) / ?5, count(*) FROM (SELECT p.kiosk, p.t_ms, row_number() OVER"
	    " (PARTITION BY p.person ORDER BY p.t_ms, p.id) AS place FROM punch p WHERE p.device IN (" BOARDS
	    ") AND p.day = ?3 AND p.t_ms IS NOT NULL AND p.way <> 2 AND p.mark < 2) f JOIN kiosk k ON"
	    " k.id = f.kiosk WHERE f.place = 1 GROUP BY 1, 2",
	    T(r->school), I(noon_ms), I(day), I(sp_local_day_ms(day)),
	    I(SP_ATTENDANCE_BIN_MINUTES * INT64_C(60000)));
	int result;
	while ((result = sp_rows_next(r->store->db, rows)) == 1)
		add(r, sp_row_text(rows, 0), sp_row_int(rows, 1, 0), sp_row_int(rows, 2, 0));
	return result;
}

static int read_events(struct reading *r, int64_t noon_ms, int64_t day)
{
	int64_t board = 0;
	size_t with_data = 0;
	for (size_t i = 0; i < r->board_count; i++) {
		int64_t any = 0;
		int result = SQL_GET(r->store->db, &any,
				     "SELECT EXISTS(SELECT 1 FROM arrival WHERE device = ? AND day = ?)",
				     I(r->boards[i]), I(day));
		if (result < 0)
			return result;
		with_data += any != 0;
		board = any ? r->boards[i] : board;
	}
	if (with_data == 0)
		return 0;
	r->raw->basis = SP_ATTENDANCE_EVENTS;
	return with_data == 1 ? one_board(r, board, day) : several_boards(r, noon_ms, day);
}

static int read_details(struct reading *r, int64_t noon_ms, int64_t day)
{
	struct sp_rows *rows =
	    SQL_QUERY(r->store->db,
		      "SELECT count(*), coalesce(sum(CASE WHEN t_ms IS NULL OR mark > 1 THEN 1 ELSE 0 END), "
		      "0) FROM punch WHERE device IN (" BOARDS ") AND day = ?3",
		      T(r->school), I(noon_ms), I(day));
	int result = sp_rows_next(r->store->db, rows);
	if (result != 1)
		return result;
	r->figures->events = sp_row_int(rows, 0, 0);
	r->figures->unplaced = sp_row_int(rows, 1, 0);
	sp_rows_leave(rows);
	return 0;
}

// ---- from counts --------------------------------------------------------------------------------------

/// Whoever came in a slot had come by its end.
static void add_slot(struct reading *r, int64_t slot, int64_t minutes, const char *groups)
{
	struct sp_fact_group *list = sp_alloc(SP_GROUPS_MAX * sizeof(*list));
	size_t count = sp_fact_groups(list, groups);
	int64_t bin = (slot + minutes) / SP_ATTENDANCE_BIN_MINUTES - 1;
	if (bin >= SP_ATTENDANCE_BINS)
		bin = SP_ATTENDANCE_BINS - 1;
	for (size_t i = 0; i < count; i++) {
		if (list[i].way == SP_WAY_OUT)
			continue;
		if (list[i].persons < 0)
			r->raw->withheld++;
		else
			add(r, list[i].name, bin, list[i].persons);
	}
	free(list);
}

static int read_counts(struct reading *r, int64_t board, int64_t day)
{
	int64_t from = 0, to = 1440;
	if (r->raw->begin_minute >= 0) {
		from = r->raw->begin_minute - WINDOW_MINUTES;
		to = r->raw->begin_minute + WINDOW_MINUTES;
	}
	struct sp_rows *rows = SQL_QUERY(r->store->db,
					 "SELECT slot, minutes, groups FROM attendance WHERE device = ? AND "
					 "day = ? AND slot >= ? AND slot < ?"
					 " ORDER BY slot",
					 I(board), I(day), I(from), I(to));
	int result;
	while ((result = sp_rows_next(r->store->db, rows)) == 1) {
		r->raw->basis = SP_ATTENDANCE_COUNTS;
		add_slot(r, sp_row_int(rows, 0, 0), sp_row_int(rows, 1, 1), sp_row_text(rows, 2));
	}
	return result;
}

// ---- a school -----------------------------------------------------------------------------------------

static void start_day(struct reading *r, int64_t day)
{
	int64_t into_ms = r->store->now_ms - sp_local_day_ms(day);
	r->raw->basis = SP_ATTENDANCE_NOTHING;
	r->raw->group_count = 0;
	r->raw->withheld = 0;
	r->raw->begin_minute = begin_of(r, day);
	r->raw->now_minute = into_ms >= 0 && into_ms < SP_DAY_MS ? (int)(into_ms / 60000) : -1;
}

static int read_day(struct reading *r, int64_t day)
{
	int64_t noon_ms = sp_local_day_ms(day) + SP_DAY_MS / 2;
	start_day(r, day);
	int result = read_boards(r, noon_ms);
	if (result == 0 && r->board_count > 0)
		result = read_events(r, noon_ms, day);
	for (size_t i = 0; result == 0 && r->raw->basis != SP_ATTENDANCE_EVENTS && i < r->board_count; i++)
		result = read_counts(r, r->boards[i], day);
	if (result < 0 || r->raw->basis == SP_ATTENDANCE_NOTHING)
		return result;
	sp_attendance_finish(r->raw, r->figures);
	return r->filter->details && r->raw->basis == SP_ATTENDANCE_EVENTS ? read_details(r, noon_ms, day)
									   : 0;
}

static int read_school(struct reading *r, const char *area, const char *name,
		       void (*row)(void *arg, const struct sp_attendance_view *day), void *arg)
{
	int result = read_schedules(r);
	for (int64_t day = r->filter->from_day; result == 0 && day < r->filter->to_day; day++) {
		result = read_day(r, day);
		if (result == 0 && r->raw->basis != SP_ATTENDANCE_NOTHING)
			row(arg, &(struct sp_attendance_view){area, r->school, name, day, r->figures});
	}
	return result;
}

int sp_store_attendance(struct sp_store *store, const struct sp_attendance_filter *filter,
			void (*row)(void *arg, const struct sp_attendance_view *day), void *arg)
{
	struct reading *r = sp_alloc(sizeof(*r));
	r->store = store;
	r->filter = filter;
	r->raw = sp_alloc(sizeof(*r->raw));
	r->figures = sp_alloc(sizeof(*r->figures));
	struct sp_rows *rows =
	    SQL_QUERY(store->db,
		      "SELECT min(area), school, min(school_name) FROM register WHERE ?1 IS "
		      "NULL OR school = ?1 GROUP BY"
		      " school ORDER BY 1, 2",
		      T(filter->school));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		snprintf(r->school, sizeof(r->school), "%s", sp_row_text(rows, 1));
		result = read_school(r, sp_row_text(rows, 0), sp_row_text(rows, 2), row, arg);
		if (result < 0) {
			sp_rows_leave(rows);
			break;
		}
	}
	free(r->raw);
	free(r->figures);
	free(r);
	return result;
}
