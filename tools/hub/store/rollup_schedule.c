// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A site's day by the register.
#include <string.h>

#include "tools/hub/store/rollup.h"
#include "tools/hub/time/timetable.h"

int sp_rollup_schedule(struct sp_store *store, const char *school, const char *site, int64_t day,
		       struct sp_rollup_plan *out)
{
	int64_t at_ms = sp_local_day_ms(day), end_ms = at_ms + SP_DAY_MS, from_ms, to_ms;
	struct sp_timetable timetable = {.count = 0};
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT timetable FROM site_state WHERE school = ? AND site = ? AND from_ms <= ? AND to_ms > ?",
	    T(school), T(site), I(at_ms), I(at_ms));
	int result = sp_rows_next(store->db, rows);
	out->count = out->maintenance_count = 0;
	if (result != 1)
		return result;
	(void)!sp_timetable_parse(&timetable, sp_row_text(rows, 0));
	sp_rows_leave(rows);
	while (at_ms < end_ms && out->count < SP_ROLLUP_STRETCHES &&
	       sp_timetable_next(&timetable, at_ms, &from_ms, &to_ms) && from_ms < end_ms) {
		out->items[out->count++] = (struct sp_rollup_stretch){from_ms, to_ms, false, false};
		at_ms = to_ms;
	}
	return 0;
}

int64_t sp_rollup_lesson_ms(const struct sp_rollup_plan *plan, int64_t now_ms)
{
	int64_t sum_ms = 0;
	for (size_t i = 0; i < plan->count; i++) {
		const struct sp_rollup_stretch *stretch = &plan->items[i];
		int64_t to_ms = stretch->to_ms < now_ms ? stretch->to_ms : now_ms;
		if (!stretch->excluded && to_ms > stretch->from_ms)
			sum_ms += to_ms - stretch->from_ms;
	}
	return sum_ms;
}
