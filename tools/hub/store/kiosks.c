// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Kiosks as they are read: each one's stretch of time by the same rules as a line's, and for school time in
// which it was not up, what else stood on the board's timeline.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/figures/automation.h"
#include "tools/hub/facts/fact_attendance.h"
#include "tools/hub/time/local_time.h"
#include "tools/hub/store/store_priv.h"

enum { LEAST_GAP_MS = 60000, GONE_SLACK_MS = 60000, GONE_AFTER_MS = 24 * 3600 * 1000 };

struct kiosks {
	struct sp_store *store;
	const struct sp_kiosk_filter *filter;
	void (*kiosk)(void *arg, const struct sp_kiosk_view *kiosk);
	void *arg;
	struct sp_automation *automation;
	int64_t count; ///< of the school
};

struct gaps {
	struct sp_kiosk_gap *items;
	char (*details)[SP_WORD_MAX + 1];
	size_t count, room;
};

// ---- its timeline -------------------------------------------------------------------------------------

/// What the board says of the kiosk has '=' before its reason; the causes of silences have not.
static int read_points(struct sp_store *store, struct sp_watch *watch, const char *name)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT greatest(p.t_ms, coalesce(s.from_ms, p.t_ms)), p.state, '=' || p.reason FROM "
	    "instance_point p "
	    "JOIN"
	    " stream s ON s.id = p.stream WHERE p.device = ?1 AND p.name = ?2 AND p.placed < ?5 AND p.t_ms >="
	    " coalesce((SELECT max(t_ms) FROM instance_point WHERE device = ?1 AND name = ?2 AND placed < ?5 "
	    "AND"
	    " t_ms <= ?3), ?3) AND p.t_ms < ?4 ORDER BY 1, p.stream, p.seq",
	    I(watch->device), T(name), I(watch->from_ms), I(watch->to_ms), I(SP_PLACED_BOUNDS));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1)
		sp_watch_point(watch, sp_row_int(rows, 0, 0), (enum sp_line_state)sp_row_int(rows, 1, 0),
			       sp_row_text(rows, 2));
	watch->reach_ms = watch->strip.point_count && watch->points[0].t_ms < watch->from_ms
			      ? watch->points[0].t_ms
			      : watch->from_ms;
	return result;
}

// ---- why it was not up --------------------------------------------------------------------------------

static void add_gap(struct gaps *gaps, const struct sp_kiosk_gap *gap, const char *detail)
{
	if (gaps->count == gaps->room) {
		gaps->room = gaps->room ? 2 * gaps->room : 8;
		gaps->items = sp_realloc(gaps->items, gaps->room * sizeof(*gaps->items));
		gaps->details = sp_realloc(gaps->details, gaps->room * sizeof(*gaps->details));
	}
	snprintf(gaps->details[gaps->count], sizeof(*gaps->details), "%s", detail);
	gaps->items[gaps->count++] = *gap;
}

/// The outage of the board's that covers most of the gap, and at least half of it: 1.
static int outage_at(struct sp_store *store, int64_t device, const struct sp_kiosk_gap *gap,
		     char cause[SP_WORD_MAX + 1])
{
	struct sp_rows *rows =
	    SQL_QUERY(store->db,
		      "SELECT o.cause FROM (SELECT cause, least(coalesce(end_ms, ?4), ?3) -"
		      " greatest(start_ms, ?2) AS shared FROM outage WHERE device = ?1 AND"
		      " start_ms < ?3 AND coalesce(end_ms, ?4) > ?2) o WHERE o.shared * 2 >="
		      " ?3 - ?2 ORDER BY o.shared DESC LIMIT 1",
		      I(device), I(gap->from_ms), I(gap->to_ms), I(store->now_ms));
	int result = sp_rows_next(store->db, rows);
	if (result != 1)
		return result;
	snprintf(cause, SP_WORD_MAX + 1, "%s", sp_row_text(rows, 0));
	sp_rows_leave(rows);
	return 1;
}

static const char *constant(const char *cause)
{
	static const char *const causes[] = {"power", "reboot", "agent", "switched_off", "hub"};
	for (size_t i = 0; i < SP_COUNT(causes); i++) {
		if (strcmp(causes[i], cause) == 0)
			return causes[i];
	}
	return NULL;
}

static int explain(struct kiosks *k, const struct sp_line_view *line, int64_t device,
		   const struct sp_segment *segment, struct sp_kiosk_gap *gap, char detail[SP_WORD_MAX + 1])
{
	bool said = segment->cause[0] == '=';
	char cause[SP_WORD_MAX + 1] = "";
	detail[0] = '\0';
	gap->cause = constant(segment->cause);
	if (gap->cause)
		return 0;
	int result = outage_at(k->store, device, gap, cause);
	if (result < 0)
		return result;
	if (result == 1) {
		gap->cause = constant(cause);
		if (!gap->cause) {
			gap->cause = "line";
			snprintf(detail, SP_WORD_MAX + 1, "%s", cause);
		}
		return 0;
	}
	if (said) {
		gap->cause = "kiosk";
		snprintf(detail, SP_WORD_MAX + 1, "%s", segment->cause + 1);
	} else {
		gap->cause = line->lost_ms >= 0 && gap->to_ms > line->last_heard_ms ? "unheard" : "missing";
	}
	return 0;
}

/// A piece of a segment that lies in school time.
static int gap_of(struct kiosks *k, const struct sp_line_view *line, int64_t device,
		  const struct sp_segment *segment, int64_t from_ms, int64_t to_ms, struct gaps *out)
{
	struct sp_kiosk_gap gap = {from_ms > segment->from_ms ? from_ms : segment->from_ms,
				   to_ms < segment->to_ms ? to_ms : segment->to_ms, segment->state, NULL, ""};
	char detail[SP_WORD_MAX + 1];
	if (gap.to_ms - gap.from_ms < LEAST_GAP_MS)
		return 0;
	int result = explain(k, line, device, segment, &gap, detail);
	if (result == 0)
		add_gap(out, &gap, detail);
	return result;
}

static int read_gaps(struct kiosks *k, const struct sp_line_view *line, const struct sp_watch *watch,
		     const struct sp_segment *segments, size_t count, const struct sp_schedule *schedule,
		     int64_t since_ms, struct gaps *out)
{
	int result = 0;
	for (size_t i = 0; result == 0 && i < count; i++) {
		const struct sp_segment *segment = &segments[i];
		int64_t at = segment->from_ms > since_ms ? segment->from_ms : since_ms;
		struct sp_stretch next;
		if (segment->state == SP_LINE_UP || segment->state == SP_LINE_DEGRADED)
			continue;
		if (!sp_schedule_known(schedule, at)) {
			result = gap_of(k, line, watch->device, segment, at, segment->to_ms, out);
			at = segment->to_ms;
		}
		while (result == 0 && at < segment->to_ms &&
		       sp_schedule_next(schedule, at, segment->to_ms, &next)) {
			result = gap_of(k, line, watch->device, segment,
					next.from_ms > at ? next.from_ms : at, next.to_ms, out);
			at = next.to_ms;
		}
	}
	for (size_t i = 0; i < out->count; i++)
		out->items[i].detail = out->details[i];
	return result;
}

// ---- one kiosk ----------------------------------------------------------------------------------------

static int read_totals(struct sp_store *store, int64_t kiosk, const struct sp_watch *watch,
		       struct sp_kiosk_view *out)
{
	struct sp_rows *rows =
	    SQL_QUERY(store->db,
		      "SELECT count(*), coalesce(sum(counted), 0), coalesce(sum(taken), 0), "
		      "coalesce(sum(arrived), 0) FROM kiosk_day WHERE "
		      "kiosk = ? AND day >="
		      " ? AND day <= ? AND counted IS NOT NULL",
		      I(kiosk), I(sp_local_day(watch->from_ms)), I(sp_local_day(watch->to_ms - 1)));
	int result = sp_rows_next(store->db, rows);
	if (result != 1)
		return result;
	out->total_days = sp_row_int(rows, 0, 0);
	out->counted = sp_row_int(rows, 1, 0);
	out->taken = sp_row_int(rows, 2, 0);
	out->arrived = sp_row_int(rows, 3, 0);
	sp_rows_leave(rows);
	return 0;
}

/// Past '=' again: for readers it is a reason like any other.
static void show_reasons(struct sp_segment *segments, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (segments[i].cause[0] == '=')
			segments[i].cause++;
	}
}

static int tell(struct kiosks *k, const struct sp_line_view *line, struct sp_watch *watch, int64_t kiosk,
		int64_t first_ms, const struct sp_schedule *schedule, struct sp_kiosk_view *view)
{
	struct gaps gaps = {0};
	size_t count;
	struct sp_segment *segments = sp_watch_segments(watch, &count);
	int64_t since_ms = first_ms > watch->from_ms ? first_ms : watch->from_ms;
	struct sp_uptime up = sp_uptime_of(segments, count, schedule, since_ms, watch->to_ms);
	int result = read_totals(k->store, kiosk, watch, view);
	if (result == 0)
		result = read_gaps(k, line, watch, segments, count, schedule, since_ms, &gaps);
	sp_automation_kiosk(k->automation, segments, count, schedule, k->store->now_ms);
	show_reasons(segments, count);
	view->scheduled_ms = up.scheduled_ms;
	view->up_ms = up.up_ms;
	view->down_ms = up.down_ms;
	view->unknown_ms = up.unknown_ms;
	view->segments = segments;
	view->segment_count = count;
	view->gaps = gaps.items;
	view->gap_count = gaps.count;
	if (result == 0)
		k->kiosk(k->arg, view);
	free(segments);
	free(gaps.items);
	free(gaps.details);
	return result;
}

static void columns(const struct sp_rows *rows, const struct sp_line_view *line, struct sp_kiosk_view *out)
{
	*out = (struct sp_kiosk_view){.school = line->school,
				      .school_name = line->school_name,
				      .site = line->site,
				      .device = line->device,
				      .kiosk = sp_row_text(rows, 1),
				      .driver = sp_row_text(rows, 3),
				      .told_ms = sp_row_int(rows, 4, -1),
				      .heard_ms = sp_row_int(rows, 5, -1),
				      .has_clock_error = !sp_row_is_null(rows, 6),
				      .clock_error_seconds = sp_row_real(rows, 6, 0),
				      .records = sp_row_int(rows, 7, -1),
				      .capacity = sp_row_int(rows, 8, -1),
				      .users = sp_row_int(rows, 9, -1),
				      .backlog = sp_row_int(rows, 10, -1),
				      .refused = sp_row_int(rows, 11, -1),
				      .accepted = sp_row_int(rows, 12, -1),
				      .known = sp_row_int(rows, 13, -1),
				      .model = sp_row_text(rows, 14),
				      .firmware = sp_row_text(rows, 15),
				      .state = (enum sp_line_state)sp_row_int(rows, 16, SP_LINE_UNKNOWN),
				      .reason = sp_row_text(rows, 17),
				      .text = sp_row_text(rows, 18),
				      .since_ms = sp_row_int(rows, 19, -1)};
	// What a board that is away said last is not what is.
	if (line->lost_ms >= 0)
		out->state = SP_LINE_UNKNOWN;
}

/// Since when its board no longer names it: from the first start of the agent after which it said nothing of
/// it for a day. Each start tells of every configured kiosk within minutes. INT64_MAX: it is still named.
static int gone(struct sp_store *store, int64_t device, const char *name, int64_t told_ms, int64_t *out)
{
	int64_t start_ms = INT64_MAX;
	int result =
	    SQL_GET(store->db, &start_ms,
		    "SELECT coalesce(min(s.end_ms), 9223372036854775807) FROM silence s WHERE"
		    " s.device = ?1 AND s.end_ms > ?4 + greatest(?3, coalesce((SELECT max(t_ms) FROM"
		    " instance_point WHERE device = ?1 AND name = ?2), 0)) AND s.end_ms < ?5",
		    I(device), T(name), I(told_ms), I(GONE_SLACK_MS), I(store->now_ms - GONE_AFTER_MS));
	*out = start_ms;
	return result < 0 ? result : 0;
}

/// A watch of the kiosk in the statement's row, cut where its board no longer names it. 1: of nothing.
static int watch_of(struct sp_store *store, struct sp_watch *watch, const char *name, int64_t told_ms,
		    const struct sp_line_view *line)
{
	int64_t gone_ms;
	int result = gone(store, watch->device, name, told_ms, &gone_ms);
	if (result == 0 && gone_ms <= watch->from_ms)
		return 1;
	if (watch->to_ms > gone_ms)
		watch->to_ms = gone_ms;
	if (watch->to_ms < watch->from_ms)
		watch->to_ms = watch->from_ms;
	if (result == 0)
		result = read_points(store, watch, name);
	if (result == 0)
		result = sp_watch_read(store, watch, line);
	return result;
}

int sp_kiosk_strips(struct sp_store *store, int64_t device, int64_t from_ms, int64_t to_ms,
		    void (*kiosk)(void *arg, const struct sp_segment *segments, size_t count), void *arg)
{
	const struct sp_line_view line = {.lost_ms = -1};
	struct sp_rows *rows = SQL_QUERY(
	    store->db, "SELECT name, t_ms FROM kiosk WHERE device = ? AND first_ms < ? ORDER BY name",
	    I(device), I(to_ms));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		struct sp_watch watch = {.device = device,
					 .from_ms = from_ms,
					 .to_ms = to_ms < store->now_ms ? to_ms : store->now_ms,
					 .now_ms = store->now_ms};
		size_t count;
		result = watch_of(store, &watch, sp_row_text(rows, 0), sp_row_int(rows, 1, -1), &line);
		if (result == 0) {
			struct sp_segment *segments = sp_watch_segments(&watch, &count);
			kiosk(arg, segments, count);
			free(segments);
		}
		sp_watch_free(&watch);
		if (result < 0) {
			sp_rows_leave(rows);
			return result;
		}
	}
	return result;
}

/// Every kiosk of one board.
static int of_board(struct kiosks *k, int64_t device, const struct sp_line_view *line,
		    const struct sp_schedule *schedule)
{
	struct sp_store *store = k->store;
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT k.id, k.name, k.first_ms, k.driver, k.t_ms, k.heard_ms, k.clock_error_seconds, k.records,"
	    " k.capacity, k.users, k.backlog, k.refused, k.accepted, k.known, k.model, k.firmware, i.state,"
	    " i.reason, i.text, i.since_ms FROM kiosk k LEFT JOIN instance i ON i.device = k.device AND "
	    "i.name ="
	    " k.name WHERE k.device = ? ORDER BY k.name",
	    I(device));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		struct sp_watch watch = {.device = device,
					 .from_ms = k->filter->from_ms,
					 .to_ms = k->filter->to_ms < store->now_ms ? k->filter->to_ms
										   : store->now_ms,
					 .now_ms = store->now_ms};
		struct sp_kiosk_view view;
		columns(rows, line, &view);
		result = watch_of(store, &watch, view.kiosk, view.told_ms, line);
		if (result == 1) {
			sp_watch_free(&watch);
			continue;
		}
		if (result == 0)
			result = tell(k, line, &watch, sp_row_int(rows, 0, 0), sp_row_int(rows, 2, 0),
				      schedule, &view);
		sp_watch_free(&watch);
		if (result < 0) {
			sp_rows_leave(rows);
			return result;
		}
		k->count++;
	}
	return result;
}

// ---- a school -----------------------------------------------------------------------------------------

/// Its boards, each once, by its first line.
static int of_school(struct kiosks *k, const char *school)
{
	struct sp_store *store = k->store;
	struct sp_rows *rows =
	    SQL_QUERY(store->db,
		      "SELECT " SP_LINE_COLUMNS
		      " FROM register r LEFT JOIN device d ON d.name = r.device LEFT JOIN line l ON"
		      " l.device = d.id AND l.name = r.line WHERE r.school = ?1 AND (r.device IS NULL OR "
		      "r.line = (SELECT"
		      " min(x.line) FROM register x WHERE x.device = r.device)) ORDER BY r.site, r.line",
		      T(school));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		struct sp_line_view line;
		int64_t device = sp_row_int(rows, SP_LINE_COLUMN_DEVICE, 0);
		sp_line_view(store, rows, &line);
		const struct sp_schedule *schedule = sp_schedule_at(store, line.school, line.site);
		sp_automation_schedule(k->automation, schedule, store->now_ms);
		if (device)
			result = of_board(k, device, &line, schedule);
		if (result < 0) {
			sp_rows_leave(rows);
			return result;
		}
	}
	return result;
}

int sp_store_kiosks(struct sp_store *store, const struct sp_kiosk_filter *filter,
		    void (*kiosk)(void *arg, const struct sp_kiosk_view *kiosk),
		    void (*school)(void *arg, const struct sp_automation_view *school), void *arg)
{
	int64_t from_day = sp_local_day(filter->from_ms), to_day = sp_local_day(filter->to_ms - 1) + 1;
	struct kiosks k = {store, filter, kiosk, arg, NULL, 0};
	struct sp_rows *rows =
	    SQL_QUERY(store->db,
		      "SELECT min(area), school, min(school_name) FROM register WHERE ?1 IS "
		      "NULL OR school = ?1 GROUP BY"
		      " school ORDER BY 1, 2",
		      T(filter->school));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		struct sp_automation_view view = {.area = sp_row_text(rows, 0),
						  .school = sp_row_text(rows, 1),
						  .school_name = sp_row_text(rows, 2)};
		k.automation = sp_automation_new(from_day, to_day - from_day);
		k.count = 0;
		result = of_school(&k, view.school);
		view.kiosks = k.count;
		sp_automation_judge(k.automation, &view);
		if (result == 0)
			school(arg, &view);
		sp_automation_free(k.automation);
		if (result < 0) {
			sp_rows_leave(rows);
			return result;
		}
	}
	return result;
}
