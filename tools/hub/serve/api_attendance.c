// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From attendance and kiosks to the API's JSON.
#include "tools/hub/serve/api_attendance.h"

#include <inttypes.h>
#include <stdio.h>

#include "tools/hub/figures/automation.h"
#include "tools/hub/text/json_out.h"
#include "tools/hub/time/local_time.h"

static void head(struct sp_buf *out, const struct sp_period *period)
{
	sp_out_open(out, NULL, '{');
	sp_out_int(out, "from_ms", period->from_ms);
	sp_out_int(out, "to_ms", period->to_ms);
	sp_out_text(out, "timezone", "Asia/Ho_Chi_Minh");
}

// ---- attendance ---------------------------------------------------------------------------------------

struct days {
	struct sp_buf *out;
	bool details;
};

static void minute(struct sp_buf *out, const char *name, int minutes)
{
	char text[8];
	snprintf(text, sizeof(text), "%02d:%02d", minutes / 60 % 100, minutes % 60);
	sp_out_text(out, name, minutes < 0 ? NULL : text);
}

static void ratio(struct sp_buf *out, const char *name, int64_t part, int64_t whole)
{
	sp_out_real_or_null(out, name, part < 0 || whole <= 0 ? -1 : (double)part / (double)whole);
}

static void details(struct sp_buf *out, const struct sp_attendance_day *day)
{
	sp_out_int_or_null(out, "events", day->events);
	sp_out_int_or_null(out, "unplaced", day->unplaced);
	sp_out_open(out, "groups", '[');
	for (size_t i = 0; i < day->group_count; i++) {
		sp_out_open(out, NULL, '{');
		sp_out_text(out, "group", day->groups[i].name);
		sp_out_int_or_null(out, "persons", day->groups[i].persons);
		sp_out_close(out, '}');
	}
	sp_out_close(out, ']');
	sp_out_open(out, "curve", '[');
	for (size_t i = 0; i < day->point_count; i++) {
		sp_out_open(out, NULL, '{');
		minute(out, "until", day->points[i].minute);
		sp_out_int(out, "persons", day->points[i].persons);
		ratio(out, "ratio", day->points[i].persons, day->persons);
		sp_out_close(out, '}');
	}
	sp_out_close(out, ']');
}

static void day_row(void *arg, const struct sp_attendance_view *view)
{
	struct days *days = arg;
	struct sp_buf *out = days->out;
	const struct sp_attendance_day *day = view->figures;
	char date[SP_LOCAL_TIME_SIZE];
	sp_out_open(out, NULL, '{');
	sp_out_text_or_null(out, "area", view->area);
	sp_out_text(out, "school", view->school);
	sp_out_text(out, "school_name", view->school_name);
	sp_out_text(out, "date", sp_local_date(sp_local_day_ms(view->day), date));
	sp_out_text(out, "basis", sp_attendance_basis_name(day->basis));
	minute(out, "lessons", day->begin_minute);
	sp_out_int_or_null(out, "persons", day->persons);
	sp_out_int_or_null(out, "on_time", day->on_time);
	ratio(out, "on_time_ratio", day->on_time, day->persons);
	sp_out_int(out, "withheld", day->withheld);
	if (days->details)
		details(out, day);
	sp_out_close(out, '}');
}

static bool one_day(const struct sp_period *period)
{
	return sp_local_day(period->from_ms) == sp_local_day(period->to_ms - 1);
}

int sp_api_attendance(struct sp_store *store, const char *school, const struct sp_period *period,
		      struct sp_buf *out)
{
	struct days days = {out, school || one_day(period)};
	const struct sp_attendance_filter filter = {.school = school,
						    .from_day = sp_local_day(period->from_ms),
						    .to_day = sp_local_day(period->to_ms - 1) + 1,
						    .details = days.details};
	head(out, period);
	sp_out_int(out, "least_persons", SP_ATTENDANCE_LEAST);
	sp_out_int(out, "bin_minutes", SP_ATTENDANCE_BIN_MINUTES);
	sp_out_open(out, "days", '[');
	int result = sp_store_attendance(store, &filter, day_row, &days);
	sp_out_close(out, ']');
	sp_out_close(out, '}');
	return result;
}

// ---- kiosks -------------------------------------------------------------------------------------------

struct kiosks {
	struct sp_buf *out, schools;
	bool segments;
	int64_t counts[3]; ///< by enum sp_unit
};

static void health(struct sp_buf *out, const struct sp_kiosk_view *view)
{
	sp_out_text(out, "state", sp_line_state_name(view->state));
	sp_out_text_or_null(out, "reason", view->reason);
	sp_out_text_or_null(out, "text", view->text);
	sp_out_int_or_null(out, "since_ms", view->since_ms);
	sp_out_int_or_null(out, "heard_ms", view->heard_ms);
	sp_out_int_or_null(out, "told_ms", view->told_ms);
	if (view->has_clock_error) // either side of zero
		sp_buf_printf(out, ",\"clock_error_seconds\":%.3f", view->clock_error_seconds);
	else
		sp_out_raw(out, "clock_error_seconds", "null");
	sp_out_int_or_null(out, "records", view->records);
	sp_out_int_or_null(out, "capacity", view->capacity);
	sp_out_int_or_null(out, "users", view->users);
	sp_out_int_or_null(out, "backlog", view->backlog);
	sp_out_int_or_null(out, "refused", view->refused);
	sp_out_int_or_null(out, "accepted", view->accepted);
	sp_out_int_or_null(out, "known", view->known);
	sp_out_text_or_null(out, "model", view->model);
	sp_out_text_or_null(out, "firmware", view->firmware);
}

static void gaps(struct sp_buf *out, const struct sp_kiosk_view *view)
{
	sp_out_open(out, "gaps", '[');
	for (size_t i = 0; i < view->gap_count; i++) {
		const struct sp_kiosk_gap *gap = &view->gaps[i];
		sp_out_open(out, NULL, '{');
		sp_out_int(out, "from_ms", gap->from_ms);
		sp_out_int(out, "to_ms", gap->to_ms);
		sp_out_text(out, "state", sp_line_state_name(gap->state));
		sp_out_text(out, "cause", gap->cause);
		sp_out_text_or_null(out, "detail", gap->detail);
		sp_out_close(out, '}');
	}
	sp_out_close(out, ']');
}

static void segments(struct sp_buf *out, const struct sp_kiosk_view *view)
{
	sp_out_open(out, "segments", '[');
	for (size_t i = 0; i < view->segment_count; i++) {
		sp_out_open(out, NULL, '{');
		sp_out_int(out, "from_ms", view->segments[i].from_ms);
		sp_out_int(out, "to_ms", view->segments[i].to_ms);
		sp_out_text(out, "state", sp_line_state_name(view->segments[i].state));
		sp_out_text_or_null(out, "cause", view->segments[i].cause);
		sp_out_close(out, '}');
	}
	sp_out_close(out, ']');
}

static void kiosk_row(void *arg, const struct sp_kiosk_view *view)
{
	struct kiosks *kiosks = arg;
	struct sp_buf *out = kiosks->out;
	sp_out_open(out, NULL, '{');
	sp_out_text(out, "school", view->school);
	sp_out_text(out, "school_name", view->school_name);
	sp_out_text(out, "site", view->site);
	sp_out_text(out, "device", view->device);
	sp_out_text(out, "kiosk", view->kiosk);
	sp_out_text_or_null(out, "driver", view->driver);
	health(out, view);
	sp_out_seconds_or_null(out, "school_seconds", view->scheduled_ms);
	sp_out_seconds_or_null(out, "up_seconds", view->up_ms);
	sp_out_seconds_or_null(out, "down_seconds", view->down_ms);
	sp_out_seconds_or_null(out, "unknown_seconds", view->unknown_ms);
	ratio(out, "availability", view->up_ms, view->scheduled_ms);
	sp_out_int(out, "total_days", view->total_days);
	sp_out_int(out, "counted", view->counted);
	sp_out_int(out, "taken", view->taken);
	sp_out_int(out, "arrived", view->arrived);
	gaps(out, view);
	if (kiosks->segments)
		segments(out, view);
	sp_out_close(out, '}');
}

static void school_row(void *arg, const struct sp_automation_view *view)
{
	struct kiosks *kiosks = arg;
	struct sp_buf *out = &kiosks->schools;
	kiosks->counts[view->unit]++;
	sp_out_open(out, NULL, '{');
	sp_out_text_or_null(out, "area", view->area);
	sp_out_text(out, "school", view->school);
	sp_out_text(out, "school_name", view->school_name);
	sp_out_text(out, "automated", sp_unit_name(view->unit));
	sp_out_text_or_null(out, "reason", view->reason);
	sp_out_int(out, "kiosks", view->kiosks);
	sp_out_int(out, "days", view->days);
	sp_out_int(out, "yes", view->yes);
	sp_out_int(out, "no", view->no);
	sp_out_int(out, "unknown", view->unknown);
	sp_out_close(out, '}');
}

static void automation(struct sp_buf *out, const int64_t counts[3])
{
	int64_t total = counts[SP_UNIT_YES] + counts[SP_UNIT_NO] + counts[SP_UNIT_UNKNOWN];
	sp_out_open(out, "attendance_automation_ratio", '{');
	sp_out_int(out, "yes", counts[SP_UNIT_YES]);
	sp_out_int(out, "no", counts[SP_UNIT_NO]);
	sp_out_int(out, "unknown", counts[SP_UNIT_UNKNOWN]);
	ratio(out, "ratio", counts[SP_UNIT_YES], total);
	sp_out_real_or_null(out, "healthy_share", SP_KIOSK_HEALTHY_SHARE);
	sp_out_real_or_null(out, "days_share", SP_AUTOMATED_DAYS_SHARE);
	sp_out_close(out, '}');
}

int sp_api_kiosks(struct sp_store *store, const char *school, const struct sp_period *period,
		  struct sp_buf *out)
{
	struct kiosks kiosks = {out, SP_BUF(16 * 1024 * 1024), one_day(period), {0}};
	const struct sp_kiosk_filter filter = {school, period->from_ms, period->to_ms};
	head(out, period);
	sp_out_open(out, "kiosks", '[');
	int result = sp_store_kiosks(store, &filter, kiosk_row, school_row, &kiosks);
	sp_out_close(out, ']');
	sp_out_open(out, "schools", '[');
	sp_buf_add(out, kiosks.schools.length ? kiosks.schools.data : "", kiosks.schools.length);
	out->overflowed |= kiosks.schools.overflowed;
	sp_out_close(out, ']');
	automation(out, kiosks.counts);
	sp_out_close(out, '}');
	sp_buf_free(&kiosks.schools);
	return result;
}
