// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the store holds on one line's day: where it was heard, what is missing, what was said.
#include "tools/hub/store/store_priv.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"

static void add_span(struct sp_span **spans, size_t *count, size_t *room, int64_t from_ms, int64_t to_ms)
{
	if (*count == *room) {
		*room = *room ? *room * 2 : 16;
		*spans = sp_realloc(*spans, *room * sizeof(**spans));
	}
	(*spans)[(*count)++] = (struct sp_span){from_ms, to_ms};
}

void sp_watch_point(struct sp_watch *day, int64_t t_ms, enum sp_line_state state, const char *cause)
{
	if (day->strip.point_count == day->point_room) {
		day->point_room = day->point_room ? day->point_room * 2 : 16;
		day->points = sp_realloc(day->points, day->point_room * sizeof(*day->points));
		day->causes = sp_realloc(day->causes, day->point_room * sizeof(*day->causes));
	}
	char *kept = day->causes[day->strip.point_count] = sp_strdup(cause);
	day->points[day->strip.point_count++] = (struct sp_point){t_ms, state, kept};
}

/// A state that began before its run, or a moment before by the error of the clock, is known since that run
/// watches.
int sp_watch_line(struct sp_store *store, struct sp_watch *day)
{
	struct sp_rows *rows =
	    SQL_QUERY(store->db,
		      "SELECT greatest(p.t_ms, coalesce(s.from_ms, p.t_ms)), p.state, p.cause, p.whose FROM "
		      "line_point p "
		      "JOIN stream s"
		      " ON s.id = p.stream WHERE p.line = ?1 AND p.placed < ?4 AND p.retold = 0 AND p.t_ms >="
		      " coalesce((SELECT max(t_ms) FROM line_point WHERE line = ?1 AND placed < ?4 AND"
		      " retold = 0 AND t_ms <= ?2), ?2) AND p.t_ms < ?3 ORDER BY 1, p.stream, p.seq",
		      I(day->line), I(day->from_ms), I(day->to_ms), I(SP_PLACED_BOUNDS));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		char *cause =
		    day->whose ? sp_asprintf("%s/%s", sp_row_text(rows, 2), sp_row_text(rows, 3)) : NULL;
		sp_watch_point(day, sp_row_int(rows, 0, 0), (enum sp_line_state)sp_row_int(rows, 1, 0),
			       cause ? cause : sp_row_text(rows, 2));
		free(cause);
	}
	day->reach_ms =
	    day->strip.point_count && day->points[0].t_ms < day->from_ms ? day->points[0].t_ms : day->from_ms;
	return result;
}

static int read_heard(struct sp_store *store, struct sp_watch *day)
{
	// Each opening begins with a fact: from its last one to the first measurement, the board was there.
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT coalesce((SELECT least(f.to_ms, s.from_ms) FROM stream f WHERE f.device = s.device AND"
	    " f.boot = s.boot AND f.class = 0 AND f.from_ms <= s.from_ms ORDER BY f.from_ms DESC LIMIT 1),"
	    " s.from_ms), s.to_ms FROM stream s WHERE s.device = ? AND s.to_ms >= ? AND s.from_ms < ?",
	    I(day->device), I(day->reach_ms), I(day->to_ms));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1)
		add_span(&day->strip.heard, &day->strip.heard_count, &day->heard_room, sp_row_int(rows, 0, 0),
			 sp_row_int(rows, 1, 0));
	if (result < 0)
		return result;
	// A session that the broker still keeps alive stands for the boot it was born in.
	rows = SQL_QUERY(store->db,
			 "SELECT max(s.to_ms), max(d.last_heard_ms) FROM device d JOIN stream s ON s.device "
			 "= d.id JOIN boot b"
			 " ON b.id = s.boot WHERE d.id = ? AND d.presence = ? AND b.name = d.boot",
			 I(day->device), I(SP_PRESENCE_ONLINE));
	result = sp_rows_next(store->db, rows);
	if (result != 1)
		return result;
	int64_t last_ms = sp_row_int(rows, 0, INT64_MAX), until_ms = sp_row_int(rows, 1, -1);
	if (!sp_is_silent(store, until_ms, day->now_ms))
		until_ms = day->now_ms;
	if (last_ms < until_ms)
		add_span(&day->strip.heard, &day->strip.heard_count, &day->heard_room, last_ms, until_ms);
	sp_rows_leave(rows);
	return 0;
}

/// A gap in the facts, from the record before it to the one behind it. At a stream's end it reaches
/// to the next opening, at its beginning back to the one before.
static int read_holes(struct sp_store *store, struct sp_watch *day)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT coalesce((SELECT t_ms FROM event WHERE stream = g.stream AND seq < g.first ORDER BY seq "
	    "DESC"
	    " LIMIT 1), (SELECT max(to_ms) FROM stream p WHERE p.device = ?1 AND p.class = 0 AND p.to_ms <"
	    " s.from_ms), 0) AS hole_from, coalesce((SELECT t_ms FROM event WHERE stream = g.stream AND seq "
	    "> g.last"
	    " ORDER BY seq LIMIT 1), (SELECT min(from_ms) FROM stream n WHERE n.device = ?1 AND n.class = 0 "
	    "AND"
	    " n.from_ms > s.to_ms), ?2) AS hole_to FROM stream s JOIN gap g ON g.stream = s.id WHERE "
	    "s.device = ?1"
	    " AND s.class = 0 AND s.from_ms IS NOT NULL",
	    I(day->device), I(INT64_MAX));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		int64_t from_ms = sp_row_int(rows, 0, 0), to_ms = sp_row_int(rows, 1, 0);
		if (to_ms >= day->reach_ms && from_ms < day->to_ms)
			add_span(&day->strip.holes, &day->strip.hole_count, &day->hole_room, from_ms, to_ms);
	}
	return result;
}

static void add_quiet(struct sp_watch *day, int64_t from_ms, int64_t to_ms, const char *cause)
{
	if (day->strip.quiet_count == day->quiet_room) {
		day->quiet_room = day->quiet_room ? day->quiet_room * 2 : 4;
		day->quiet = sp_realloc(day->quiet, day->quiet_room * sizeof(*day->quiet));
	}
	day->quiet[day->strip.quiet_count++] = (struct sp_quiet){from_ms, to_ms, cause};
}

static void on_silence(void *arg, const struct sp_silence_view *silence)
{
	struct sp_watch *day = arg;
	size_t count = day->strip.quiet_count;
	// From the last record on nothing is told of the line, whenever it was that the board fell silent.
	int64_t from_ms = silence->last_ms >= 0 ? silence->last_ms : silence->start_from_ms;
	if (count > 0 && from_ms < day->quiet[count - 1].to_ms)
		from_ms = day->quiet[count - 1].to_ms;
	add_quiet(day, from_ms, silence->end_ms, silence->cause); // constant words
}

/// Silences that are over, and the one that lasts if it is presumed to be the main switch.
static int read_quiet(struct sp_store *store, struct sp_watch *day, const struct sp_line_view *view)
{
	int result = sp_silences_between(store, day->device, day->from_ms, day->to_ms, on_silence, day);
	if (view->lost_ms >= 0 && strcmp(view->cause, "switched_off") == 0)
		add_quiet(day, view->last_heard_ms, INT64_MAX, "switched_off");
	return result;
}

int sp_watch_read(struct sp_store *store, struct sp_watch *day, const struct sp_line_view *view)
{
	int result = read_heard(store, day);
	if (result == 0)
		result = read_holes(store, day);
	if (result == 0)
		result = read_quiet(store, day, view);
	return result;
}

struct sp_segment *sp_watch_segments(struct sp_watch *day, size_t *count)
{
	day->strip.points = day->points;
	day->strip.quiet = day->quiet;
	return sp_strip_segments(&day->strip, day->from_ms, day->to_ms, count);
}

void sp_watch_free(struct sp_watch *day)
{
	for (size_t i = 0; i < day->strip.point_count; i++)
		free(day->causes[i]);
	free(day->causes);
	free(day->points);
	free(day->quiet);
	free(day->strip.heard);
	free(day->strip.holes);
}

static int one_line(struct sp_store *store, struct sp_watch *day, const struct sp_line_view *view,
		    void (*row)(void *arg, const struct sp_line_view *line, const struct sp_segment *segments,
				size_t count),
		    void *arg)
{
	size_t count;
	int result = day->line ? sp_watch_line(store, day) : 0;
	if (result == 0 && day->line)
		result = sp_watch_read(store, day, view);
	if (result == 0) {
		struct sp_segment *segments = sp_watch_segments(day, &count);
		row(arg, view, segments, count);
		free(segments);
	}
	sp_watch_free(day);
	return result;
}

/// Each line that `rows` names.
static int each_line(struct sp_store *store, const struct sp_watch *stretch, struct sp_rows *rows,
		     void (*row)(void *arg, const struct sp_line_view *line,
				 const struct sp_segment *segments, size_t count),
		     void *arg)
{
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		struct sp_watch day = *stretch;
		struct sp_line_view view;
		day.device = sp_row_int(rows, SP_LINE_COLUMN_DEVICE, 0);
		day.line = sp_row_int(rows, SP_LINE_COLUMN_LINE, 0);
		sp_line_view(store, rows, &view);
		result = one_line(store, &day, &view, row, arg);
		if (result < 0) {
			sp_rows_leave(rows);
			return result;
		}
	}
	return result;
}

int sp_store_day(struct sp_store *store, int64_t from_ms, int64_t to_ms, int64_t now_ms,
		 void (*row)(void *arg, const struct sp_line_view *line, const struct sp_segment *segments,
			     size_t count),
		 void *arg)
{
	const struct sp_watch stretch = {.from_ms = from_ms, .to_ms = to_ms, .now_ms = now_ms};
	int result = each_line(store, &stretch, sp_lines_registered(store), row, arg);
	return result < 0 ? result : each_line(store, &stretch, sp_lines_heard(store), row, arg);
}
