// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Reading lines: the register joined with what was heard, and what was heard of no registered line.
#include "tools/hub/time/silence.h"
#include "tools/hub/store/store_priv.h"

bool sp_is_silent(const struct sp_store *store, int64_t last_heard_ms, int64_t now_ms)
{
	return last_heard_ms < now_ms - store->silence_ms;
}

const char *sp_presence_name(const struct sp_store *store, int64_t presence, int64_t last_heard_ms)
{
	static const char *const names[] = {"unknown", "online", "stopped", "lost"};
	if (presence == SP_PRESENCE_ONLINE && sp_is_silent(store, last_heard_ms, store->now_ms))
		presence = SP_PRESENCE_LOST;
	return presence >= 0 && presence < (int64_t)SP_COUNT(names) ? names[presence] : names[0];
}

/// A board that is gone says nothing of its line: since it was last heard of, nothing is known.
static void silence(struct sp_line_view *view)
{
	view->state = SP_LINE_UNKNOWN;
	view->cause = "none";
	view->whose = "unresolved";
	view->since_ms = view->last_heard_ms;
}

/// It did not say that it stops: was it the hour to be switched off?
static void absence(struct sp_store *store, const struct sp_rows *rows, int64_t presence,
		    struct sp_line_view *view)
{
	const struct sp_schedule *schedule = sp_schedule_at(store, view->school, view->site);
	struct sp_silence_start lost = {view->last_heard_ms, view->last_heard_ms + store->silence_ms};
	if (presence == SP_PRESENCE_LOST)
		lost.to_ms = sp_row_int(rows, SP_LINE_COLUMN_PRESENCE_MS, lost.to_ms);
	if (lost.to_ms > store->now_ms)
		lost.to_ms = store->now_ms;
	if (lost.to_ms < lost.from_ms)
		lost.to_ms = lost.from_ms;
	view->lost_ms = lost.to_ms;
	view->timetable = sp_silence_side(&lost, schedule);
	if (!sp_silence_presumed_off(&lost, schedule, store->now_ms))
		return;
	view->cause = "switched_off";
	view->whose = "school";
}

void sp_line_view(struct sp_store *store, const struct sp_rows *rows, struct sp_line_view *out)
{
	int64_t presence = sp_row_int(rows, 10, SP_PRESENCE_NEVER), heard_ms = sp_row_int(rows, 11, -1);
	*out = (struct sp_line_view){.area = sp_row_text(rows, 0),
				     .school = sp_row_text(rows, 1),
				     .school_name = sp_row_text(rows, 2),
				     .site = sp_row_text(rows, 3),
				     .site_name = sp_row_text(rows, 4),
				     .line = sp_row_text(rows, 5),
				     .provider = sp_row_text(rows, 6),
				     .device = sp_row_text(rows, 7),
				     .shard = sp_row_text(rows, 8),
				     .registered = sp_row_int(rows, 9, 0) != 0,
				     .presence = sp_presence_name(store, presence, heard_ms),
				     .last_heard_ms = heard_ms,
				     .state = (enum sp_line_state)sp_row_int(rows, 12, SP_LINE_UNKNOWN),
				     .cause = sp_row_text(rows, 13),
				     .whose = sp_row_text(rows, 14),
				     .since_ms = sp_row_int(rows, 15, -1),
				     .lost_ms = -1,
				     .contract = sp_row_text(rows, SP_LINE_COLUMN_CONTRACT),
				     .bought_down_mbps = sp_row_real(rows, SP_LINE_COLUMN_BOUGHT, -1),
				     .bought_up_mbps = sp_row_real(rows, SP_LINE_COLUMN_BOUGHT + 1, -1),
				     .down_mbps = sp_row_real(rows, SP_LINE_COLUMN_SPEED, -1),
				     .up_mbps = sp_row_real(rows, SP_LINE_COLUMN_SPEED + 1, -1),
				     .speed_ms = sp_row_int(rows, SP_LINE_COLUMN_SPEED + 2, -1)};
	out->last_state = out->state;
	// Also a line of which nothing was ever said.
	bool said = !sp_row_is_null(rows, SP_LINE_COLUMN_LINE);
	bool away = presence == SP_PRESENCE_LOST || sp_is_silent(store, heard_ms, store->now_ms);
	if (presence == SP_PRESENCE_STOPPED || !said || away)
		silence(out);
	if (away && presence != SP_PRESENCE_STOPPED && heard_ms >= 0)
		absence(store, rows, presence, out);
	if (!out->cause[0])
		out->cause = "none";
	if (!out->whose[0])
		out->whose = "unresolved";
}

static int each(struct sp_store *store, struct sp_rows *rows,
		void (*row)(void *arg, const struct sp_line_view *line), void *arg)
{
	struct sp_line_view view;
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		sp_line_view(store, rows, &view);
		row(arg, &view);
	}
	return result;
}

struct sp_rows *sp_lines_registered(struct sp_store *store)
{
	return SQL_QUERY(store->db,
			 "SELECT " SP_LINE_COLUMNS
			 " FROM register r LEFT JOIN device d ON d.name = r.device LEFT JOIN line l"
			 " ON l.device = d.id AND l.name = r.line ORDER BY r.area, r.school,"
			 " r.site, r.line");
}

struct sp_rows *sp_lines_heard(struct sp_store *store)
{
	return SQL_QUERY(store->db,
			 "SELECT " SP_LINE_COLUMNS
			 " FROM device d LEFT JOIN line l ON l.device = d.id LEFT JOIN register r"
			 " ON 1 = 0 WHERE NOT EXISTS(SELECT 1 FROM register k WHERE k.device = d.name"
			 " AND (l.name IS NULL OR k.line = l.name)) ORDER BY d.name, l.name NULLS FIRST");
}

int sp_store_lines(struct sp_store *store, void (*row)(void *arg, const struct sp_line_view *line), void *arg)
{
	int result = each(store, sp_lines_registered(store), row, arg);
	return result < 0 ? result : each(store, sp_lines_heard(store), row, arg);
}
