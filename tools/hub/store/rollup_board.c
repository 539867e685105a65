// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the boards of a site reported, day by day: facts and how soon, sequence numbers, checks of platforms,
// and their kiosks. A stream's numbers rise in time, so that a day of it is a range of numbers; what is
// missing lies on the day of the record before it.
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/facts/fact_minute.h"
#include "tools/hub/store/rollup.h"

enum { TIMELY_MS = 15 * 60 * 1000 };

struct board {
	const struct sp_rollup_site *site;
	const struct sp_rollup_place *place;
	int64_t from_ms, to_ms; ///< of the day, while it stood there
	int64_t facts, timely, issued, missing, first_ms, last_ms;
	int64_t checks, answered, probes, lost;
	int64_t kiosks, kiosk_up_ms, kiosk_possible_ms;
};

struct stream {
	int64_t id, issued;
	enum sp_record_class cls;
};

// ---- a day as sequence numbers -----------------------------------------------------------------------

struct found {
	int64_t seq, t_ms;
};

static int record_from(struct sp_store *store, int64_t stream, int64_t seq, struct found *out)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db, "SELECT seq, t_ms FROM event WHERE stream = ? AND seq >= ? ORDER BY seq LIMIT 1",
	    I(stream), I(seq));
	int result = sp_rows_next(store->db, rows);
	if (result != 1)
		return result;
	*out = (struct found){sp_row_int(rows, 0, 0), sp_row_int(rows, 1, 0)};
	sp_rows_leave(rows);
	return 1;
}

static int count_missing(struct sp_store *store, int64_t stream, int64_t first, int64_t end, int64_t *out)
{
	int64_t missing = 0;
	int result =
	    SQL_GET(store->db, &missing,
		    "SELECT CAST(coalesce(sum(least(last, ?3 - 1) - greatest(first, ?2) + 1), 0) AS BIGINT)"
		    " FROM gap WHERE stream = ?1 AND first < ?3 AND last >= ?2",
		    I(stream), I(first), I(end));
	*out += missing;
	return result < 0 ? result : 0;
}

/// The first record at or after `t_ms`; 1 when there is none before it, behind the last one issued when all
/// are.
static int bound(struct sp_store *store, const struct stream *stream, int64_t t_ms, int64_t *out)
{
	int64_t low = 1, high = stream->issued + 1;
	bool before = false;
	struct found found;
	*out = high;
	while (low < high) {
		int64_t middle = low + (high - low) / 2;
		int result = record_from(store, stream->id, middle, &found);
		if (result < 0)
			return result;
		if (result == 1 && found.t_ms < t_ms) {
			before = true;
			low = found.seq + 1;
			continue;
		}
		if (result == 1)
			*out = found.seq < *out ? found.seq : *out;
		high = middle;
	}
	if (before || *out == 1)
		return 0;
	// Nothing before it: missing ones are this day's; those that went with their time are not.
	int64_t missing = 0;
	int result = count_missing(store, stream->id, 1, *out, &missing);
	if (missing == *out - 1)
		*out = 1;
	return result;
}

// ---- what is in them ---------------------------------------------------------------------------------

static int count_facts(struct sp_store *store, struct board *board, int64_t stream, int64_t first,
		       int64_t end)
{
	struct sp_rows *rows =
	    SQL_QUERY(store->db,
		      "SELECT count(*), CAST(coalesce(sum(CASE WHEN arrived_ms - t_ms <= ?4 THEN 1 ELSE 0 "
		      "END), 0) AS BIGINT),"
		      " min(t_ms), max(t_ms) FROM event WHERE stream = ?1 AND seq >= ?2 AND seq < ?3",
		      I(stream), I(first), I(end), I(TIMELY_MS));
	int result = sp_rows_next(store->db, rows);
	if (result != 1)
		return result;
	int64_t first_ms = sp_row_int(rows, 2, INT64_MAX), last_ms = sp_row_int(rows, 3, -1);
	board->facts += sp_row_int(rows, 0, 0);
	board->timely += sp_row_int(rows, 1, 0);
	board->first_ms = first_ms < board->first_ms ? first_ms : board->first_ms;
	board->last_ms = last_ms > board->last_ms ? last_ms : board->last_ms;
	sp_rows_leave(rows);
	return 0;
}

static bool in_school_time(const struct sp_rollup_plan *plan, int64_t t_ms)
{
	for (size_t i = 0; i < plan->count; i++) {
		if (plan->items[i].from_ms <= t_ms && t_ms < plan->items[i].to_ms)
			return true;
	}
	return false;
}

/// Each minute's means, weighted by its probes, as whole probes.
static int count_minutes(struct sp_store *store, struct board *board, int64_t day, int64_t stream,
			 int64_t first, int64_t end)
{
	const struct sp_rollup_plan *plan = sp_rollup_plan_of(board->site, day);
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT t_ms, data FROM event WHERE stream = ? AND seq >= ? AND seq < ? AND type = 'minute'",
	    I(stream), I(first), I(end));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		struct sp_fact_minute minute;
		if (!in_school_time(plan, sp_row_int(rows, 0, 0)) ||
		    !sp_fact_minute(&minute, sp_row_text(rows, 1)))
			continue;
		board->checks += minute.service.probes;
		board->answered += minute.service.probes - minute.service.lost;
		board->probes += minute.domestic.probes;
		board->lost += minute.domestic.lost;
	}
	return result;
}

static int count_stream(struct sp_store *store, struct board *board, int64_t day, const struct stream *stream)
{
	int64_t first, end;
	int result = bound(store, stream, board->from_ms, &first);
	if (result == 0)
		result = bound(store, stream, board->to_ms, &end);
	if (result < 0 || end <= first)
		return result;
	board->issued += end - first;
	result = count_missing(store, stream->id, first, end, &board->missing);
	if (result == 0 && stream->cls == SP_RECORD_FACTS)
		result = count_facts(store, board, stream->id, first, end);
	// Without school time there is nothing to count in thousands of rows.
	else if (result == 0 && stream->cls == SP_RECORD_BULK &&
		 sp_rollup_plan_of(board->site, day)->count > 0)
		result = count_minutes(store, board, day, stream->id, first, end);
	return result;
}

static int count_streams(struct sp_store *store, struct board *board, int64_t day)
{
	struct sp_rows *rows = SQL_QUERY(store->db,
					 "SELECT id, issued, class FROM stream WHERE device = ? AND from_ms "
					 "< ? AND to_ms >= ? AND issued > 0",
					 I(board->place->device_id), I(board->to_ms), I(board->from_ms));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		const struct stream stream = {sp_row_int(rows, 0, 0), sp_row_int(rows, 1, 0),
					      (enum sp_record_class)sp_row_int(rows, 2, 0)};
		result = count_stream(store, board, day, &stream);
		if (result < 0) {
			sp_rows_leave(rows);
			break;
		}
	}
	return result;
}

// ---- kiosks ------------------------------------------------------------------------------------------

struct kiosk_day {
	struct board *board;
	const struct sp_rollup_plan *plan;
	int64_t now_ms;
};

static void on_kiosk(void *arg, const struct sp_segment *segments, size_t count)
{
	struct kiosk_day *day = arg;
	struct sp_kpi_uptime time = {0};
	struct sp_pieces pieces = {0};
	// A kiosk has no whose: what is down is down.
	for (size_t i = 0; i < count; i++)
		sp_pieces_add(&pieces, segments[i].from_ms, segments[i].to_ms,
			      segments[i].state == SP_LINE_UP || segments[i].state == SP_LINE_DEGRADED
				  ? SP_PIECE_UP
			      : segments[i].state == SP_LINE_DOWN ? SP_PIECE_DOWN_OTHER
								  : SP_PIECE_UNKNOWN);
	for (size_t i = 0; i < day->plan->count; i++) {
		const struct sp_stretch *stretch = &day->plan->items[i];
		sp_pieces_sum(&pieces, stretch->from_ms,
			      stretch->to_ms < day->now_ms ? stretch->to_ms : day->now_ms, &time);
	}
	sp_pieces_free(&pieces);
	int64_t possible_ms = time.scheduled_ms - time.down_other_ms;
	struct board *board = day->board;
	board->kiosks++;
	board->kiosk_up_ms = time.up_ms > board->kiosk_up_ms ? time.up_ms : board->kiosk_up_ms;
	board->kiosk_possible_ms =
	    possible_ms > board->kiosk_possible_ms ? possible_ms : board->kiosk_possible_ms;
}

// ---- rows --------------------------------------------------------------------------------------------

static int write_board(struct sp_store *store, const struct board *board, int64_t day)
{
	int64_t lesson_ms = sp_rollup_lesson_ms(sp_rollup_plan_of(board->site, day), store->now_ms);
	return SQL_DO(
	    store->db,
	    "INSERT INTO board_day(school, day, site, device, school_day, facts, timely, committed, missing,"
	    " first_ms, last_ms, checks, answered, probes, lost, kiosks, kiosk_up_ms, kiosk_possible_ms,"
	    " lesson_ms) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, nullif(?, 9223372036854775807), nullif(?, -1), ?,"
	    " ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (school, day, site, device) DO NOTHING",
	    T(board->site->school), I(day), T(board->site->site), T(board->place->device), I(lesson_ms > 0),
	    I(board->facts), I(board->timely), I(board->issued - board->missing), I(board->missing),
	    I(board->first_ms), I(board->last_ms), I(board->checks), I(board->answered), I(board->probes),
	    I(board->lost), I(board->kiosks), I(board->kiosk_up_ms), I(board->kiosk_possible_ms),
	    I(lesson_ms));
}

static int one_day(struct sp_store *store, const struct sp_rollup_site *site,
		   const struct sp_rollup_place *place, int64_t day)
{
	int64_t from_ms = sp_local_day_ms(day), to_ms = from_ms + SP_DAY_MS;
	struct board board = {.site = site, .place = place, .first_ms = INT64_MAX, .last_ms = -1};
	board.from_ms = place->from_ms > from_ms ? place->from_ms : from_ms;
	board.to_ms = place->to_ms < to_ms ? place->to_ms : to_ms;
	if (board.from_ms >= board.to_ms)
		return 0;
	int result = place->device_id ? count_streams(store, &board, day) : 0;
	if (result == 0 && place->device_id) {
		struct kiosk_day kiosks = {&board, sp_rollup_plan_of(site, day), store->now_ms};
		result =
		    sp_kiosk_strips(store, place->device_id, board.from_ms, board.to_ms, on_kiosk, &kiosks);
	}
	return result < 0 ? result : write_board(store, &board, day);
}

int sp_rollup_boards(struct sp_store *store, const struct sp_rollup_site *site)
{
	int result = 0;
	for (size_t i = 0; result == 0 && i < site->place_count; i++) {
		for (int64_t day = site->from_day; result == 0 && day <= site->to_day; day++)
			result = one_day(store, site, &site->places[i], day);
	}
	return result;
}
