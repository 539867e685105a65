// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Days of a site, anew: of each line that a board watched, and of the site that all of them are.
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/store/rollup.h"

// ---- which boards stood there ------------------------------------------------------------------------

static void free_places(struct sp_rollup_site *site)
{
	for (size_t i = 0; i < site->place_count; i++) {
		struct sp_rollup_place *place = &site->places[i];
		free(place->device);
		free(place->line);
		free(place->provider);
		sp_pieces_free(&place->pieces);
	}
	free(site->places);
	free(site->plans);
}

static int read_places(struct sp_store *store, struct sp_rollup_site *site)
{
	int64_t from_ms = sp_local_day_ms(site->from_day), to_ms = sp_local_day_ms(site->to_day + 1);
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT p.device, p.line, p.from_ms, p.to_ms, d.id, l.id, (SELECT s.provider FROM line_state s "
	    "WHERE"
	    " s.school = p.school AND s.site = p.site AND s.line = p.line AND s.from_ms < p.to_ms AND "
	    "s.to_ms >"
	    " p.from_ms AND s.from_ms < ?4 ORDER BY s.from_ms DESC LIMIT 1) FROM placement p LEFT JOIN "
	    "device d"
	    " ON d.name = p.device LEFT JOIN line l ON l.device = d.id AND l.name = p.board_line WHERE"
	    " p.school = ?1 AND p.site = ?2 AND p.to_ms > ?3 AND p.from_ms < ?4 ORDER BY p.line, p.device,"
	    " p.from_ms",
	    T(site->school), T(site->site), I(from_ms), I(to_ms));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		int64_t begin_ms = sp_row_int(rows, 2, 0), end_ms = sp_row_int(rows, 3, INT64_MAX);
		site->places = sp_realloc(site->places, (site->place_count + 1) * sizeof(*site->places));
		site->places[site->place_count++] = (struct sp_rollup_place){
		    .device = sp_strdup(sp_row_text(rows, 0)),
		    .line = sp_strdup(sp_row_text(rows, 1)),
		    .provider = sp_strdup(sp_row_text(rows, 6)),
		    .device_id = sp_row_int(rows, 4, 0),
		    .line_id = sp_row_int(rows, 5, 0),
		    .from_ms = begin_ms > from_ms ? begin_ms : from_ms,
		    .to_ms = end_ms < to_ms ? end_ms : to_ms,
		};
	}
	return result;
}

// ---- what was seen of a line -------------------------------------------------------------------------

/// What is presumed of a board that is away is said by its line's view.
static int read_watch(struct sp_store *store, struct sp_watch *watch)
{
	struct sp_line_view view = {.lost_ms = -1};
	struct sp_rows *rows =
	    SQL_QUERY(store->db,
		      "SELECT " SP_LINE_COLUMNS
		      " FROM device d LEFT JOIN line l ON l.device = d.id AND l.id = ?2 LEFT JOIN"
		      " register r ON r.device = d.name AND r.line = l.name WHERE d.id = ?1 LIMIT 1",
		      I(watch->device), I(watch->line));
	int result = sp_rows_next(store->db, rows);
	if (result == 1) {
		sp_line_view(store, rows, &view);
		result = sp_watch_read(store, watch, &view);
		sp_rows_leave(rows);
	}
	return result;
}

static int read_pieces(struct sp_store *store, struct sp_rollup_place *place)
{
	struct sp_watch watch = {.device = place->device_id,
				 .line = place->line_id,
				 .from_ms = place->from_ms,
				 .to_ms = place->to_ms < store->now_ms ? place->to_ms : store->now_ms,
				 .now_ms = store->now_ms,
				 .whose = true};
	size_t count = 0;
	int result = 0;
	if (watch.to_ms <= watch.from_ms)
		return 0;
	if (watch.device)
		result = sp_watch_line(store, &watch);
	if (result == 0 && watch.device)
		result = read_watch(store, &watch);
	if (result == 0) {
		struct sp_segment *segments = sp_watch_segments(&watch, &count);
		for (size_t i = 0; i < count; i++)
			sp_pieces_add(&place->pieces, segments[i].from_ms, segments[i].to_ms,
				      sp_piece_class_of(&segments[i]));
		free(segments);
	}
	sp_watch_free(&watch);
	return result;
}

// ---- sums --------------------------------------------------------------------------------------------

struct sums {
	struct sp_kpi_uptime time;
	int64_t excluded_ms;
};

static void sum_kind(const struct sp_rollup_plan *plan, enum sp_time_kind kind,
		     const struct sp_pieces *pieces, int64_t now_ms, struct sums *out)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct sp_stretch *stretch = &plan->items[i];
		if (stretch->kind == kind)
			sp_pieces_sum(pieces, stretch->from_ms,
				      stretch->to_ms < now_ms ? stretch->to_ms : now_ms, &out->time);
	}
}

/// The whole day without maintenance, whose windows are in order and apart.
static void sum_clock(const struct sp_rollup_plan *plan, int64_t day, const struct sp_pieces *pieces,
		      int64_t now_ms, struct sums *out)
{
	int64_t at_ms = sp_local_day_ms(day), end_ms = at_ms + SP_DAY_MS;
	if (end_ms > now_ms)
		end_ms = now_ms;
	for (size_t i = 0; i < plan->maintenance_count; i++) {
		const struct sp_span *window = &plan->maintenance[i];
		int64_t from_ms = window->from_ms > at_ms ? window->from_ms : at_ms;
		int64_t to_ms = window->to_ms < end_ms ? window->to_ms : end_ms;
		if (to_ms <= from_ms)
			continue;
		sp_pieces_sum(pieces, at_ms, from_ms, &out->time);
		out->excluded_ms += to_ms - from_ms;
		at_ms = to_ms;
	}
	sp_pieces_sum(pieces, at_ms, end_ms, &out->time);
}

static const char *const kinds[] = {"lesson", "exam", "clock"};

static struct sums sum_of(const struct sp_rollup_site *site, int64_t day, size_t kind,
			  const struct sp_pieces *pieces, int64_t now_ms)
{
	struct sums sums = {0};
	const struct sp_rollup_plan *plan = sp_rollup_plan_of(site, day);
	if (kind == SP_COUNT(kinds) - 1)
		sum_clock(plan, day, pieces, now_ms, &sums);
	else
		sum_kind(plan, kind == 1 ? SP_TIME_EXAM : SP_TIME_LESSON, pieces, now_ms, &sums);
	return sums;
}

#define SUMS(s, unknown)                                                                                    \
	I((s).time.scheduled_ms), I((s).time.up_ms), I((s).time.degraded_ms), I((s).time.down_provider_ms), \
	    I((s).time.down_other_ms), I(unknown), I((s).excluded_ms)

/// `line` NULL: of the site.
static int write_day(struct sp_store *store, const struct sp_rollup_site *site, int64_t day, const char *line,
		     const struct sp_pieces *pieces)
{
	int result = 0;
	for (size_t kind = 0; result == 0 && kind < SP_COUNT(kinds); kind++) {
		struct sums s = sum_of(site, day, kind, pieces, store->now_ms);
		int64_t unknown = s.time.scheduled_ms - s.time.up_ms - s.time.degraded_ms -
				  s.time.down_provider_ms - s.time.down_other_ms;
		if (s.time.scheduled_ms + s.excluded_ms == 0)
			continue;
		if (line)
			result =
			    SQL_DO(store->db,
				   "INSERT INTO line_day(school, day, site, line, kind, scheduled_ms, up_ms,"
				   " degraded_ms, down_provider_ms, down_other_ms, unknown_ms, excluded_ms)"
				   " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
				   T(site->school), I(day), T(site->site), T(line), T(kinds[kind]),
				   SUMS(s, unknown));
		else
			result =
			    SQL_DO(store->db,
				   "INSERT INTO site_day(school, day, site, kind, scheduled_ms, up_ms,"
				   " degraded_ms, down_provider_ms, down_other_ms, unknown_ms, excluded_ms)"
				   " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
				   T(site->school), I(day), T(site->site), T(kinds[kind]), SUMS(s, unknown));
	}
	return result;
}

/// Of the places from `first` on those of the same line; *next: behind them.
static struct sp_pieces line_pieces(const struct sp_rollup_site *site, size_t first, size_t *next)
{
	struct sp_pieces pieces = {0};
	size_t i = first;
	for (; i < site->place_count && strcmp(site->places[i].line, site->places[first].line) == 0; i++)
		sp_pieces_combine(&pieces, &site->places[i].pieces);
	*next = i;
	return pieces;
}

static bool placed_on(const struct sp_rollup_site *site, size_t first, size_t next, int64_t day)
{
	int64_t from_ms = sp_local_day_ms(day), to_ms = from_ms + SP_DAY_MS;
	for (size_t i = first; i < next; i++) {
		if (site->places[i].from_ms < to_ms && site->places[i].to_ms > from_ms)
			return true;
	}
	return false;
}

/// Days on which no board stood there have no rows.
static int write_days(struct sp_store *store, const struct sp_rollup_site *site, const char *line,
		      size_t first, size_t next, const struct sp_pieces *pieces)
{
	int result = 0;
	for (int64_t day = site->from_day; result == 0 && day <= site->to_day; day++) {
		if (placed_on(site, first, next, day))
			result = write_day(store, site, day, line, pieces);
	}
	return result;
}

static int write_lines(struct sp_store *store, const struct sp_rollup_site *site)
{
	struct sp_pieces whole = {0};
	int result = 0;
	for (size_t i = 0, next; result == 0 && i < site->place_count; i = next) {
		struct sp_pieces line = line_pieces(site, i, &next);
		result = write_days(store, site, site->places[i].line, i, next, &line);
		sp_pieces_combine(&whole, &line);
		sp_pieces_free(&line);
	}
	if (result == 0)
		result = write_days(store, site, NULL, 0, site->place_count, &whole);
	sp_pieces_free(&whole);
	return result;
}

// ---- a range of days ---------------------------------------------------------------------------------

static int clear(struct sp_store *store, const struct sp_rollup_site *site)
{
#define CLEAR(table)                                                                                     \
	SQL_DO(store->db, "DELETE FROM " table " WHERE school = ? AND day BETWEEN ? AND ? AND site = ?", \
	       T(site->school), I(site->from_day), I(site->to_day), T(site->site))
	int result = CLEAR("site_day");
	if (result == 0)
		result = CLEAR("line_day");
	if (result == 0)
		result = CLEAR("board_day");
	if (result == 0)
		result = CLEAR("speed_day");
	return result;
}

static int compute(struct sp_store *store, struct sp_rollup_site *site)
{
	int result = 0;
	site->plans = sp_alloc((size_t)(site->to_day - site->from_day + 1) * sizeof(*site->plans));
	for (int64_t day = site->from_day; result == 0 && day <= site->to_day; day++)
		result = sp_rollup_schedule(store, site->school, site->site, day,
					    &site->plans[day - site->from_day]);
	for (size_t i = 0; result == 0 && i < site->place_count; i++)
		result = read_pieces(store, &site->places[i]);
	if (result == 0)
		result = write_lines(store, site);
	if (result == 0)
		result = sp_rollup_boards(store, site);
	if (result == 0)
		result = sp_rollup_speed(store, site);
	return result;
}

int sp_rollup_site(struct sp_store *store, const char *school, const char *site, int64_t from_day,
		   int64_t to_day)
{
	struct sp_rollup_site all = {school, site, from_day, to_day, NULL, 0, NULL};
	int result = clear(store, &all);
	if (result == 0)
		result = read_places(store, &all);
	if (result == 0 && all.place_count > 0)
		result = compute(store, &all);
	free_places(&all);
	return result;
}
