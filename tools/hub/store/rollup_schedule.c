// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A site's day by the register: school time, and the maintenance that does not count around the clock either.
#include <stdlib.h>
#include <string.h>

#include "tools/hub/store/rollup.h"

static int by_start(const void *left, const void *right)
{
	const struct sp_span *a = left, *b = right;
	return a->from_ms < b->from_ms ? -1 : a->from_ms > b->from_ms;
}

/// In order and apart; of more windows than any day has the last ones are not kept.
static void read_maintenance(const struct sp_schedule *schedule, int64_t day, struct sp_rollup_plan *out)
{
	int64_t day_ms = sp_local_day_ms(day), end_ms = day_ms + SP_DAY_MS;
	size_t kept = 0;
	for (size_t l = 0; l < schedule->layer_count; l++) {
		const struct sp_schedule_layer *layer = &schedule->layers[l];
		for (size_t m = 0; m < layer->marks->count && layer->marks->items[m].from_ms < end_ms; m++) {
			const struct sp_mark *mark = &layer->marks->items[m];
			int64_t from_ms = mark->from_ms > layer->from_ms ? mark->from_ms : layer->from_ms;
			int64_t to_ms = mark->to_ms < layer->to_ms ? mark->to_ms : layer->to_ms;
			if (mark->kind != SP_MARK_MAINTENANCE || to_ms <= day_ms || from_ms >= end_ms ||
			    to_ms <= from_ms || out->maintenance_count == SP_ROLLUP_STRETCHES)
				continue;
			out->maintenance[out->maintenance_count++] = (struct sp_span){from_ms, to_ms};
		}
	}
	qsort(out->maintenance, out->maintenance_count, sizeof(*out->maintenance), by_start);
	for (size_t i = 0; i < out->maintenance_count; i++) {
		struct sp_span *last = kept ? &out->maintenance[kept - 1] : NULL,
			       *span = &out->maintenance[i];
		if (last && span->from_ms <= last->to_ms)
			last->to_ms = span->to_ms > last->to_ms ? span->to_ms : last->to_ms;
		else
			out->maintenance[kept++] = *span;
	}
	out->maintenance_count = kept;
}

int sp_rollup_schedule(struct sp_store *store, const char *school, const char *site, int64_t day,
		       struct sp_rollup_plan *out)
{
	const struct sp_schedule *schedule = sp_schedule_at(store, school, site);
	out->count = sp_schedule_day(schedule, day, out->items);
	out->maintenance_count = 0;
	read_maintenance(schedule, day, out);
	return 0;
}

int64_t sp_rollup_lesson_ms(const struct sp_rollup_plan *plan, int64_t now_ms)
{
	int64_t sum_ms = 0;
	for (size_t i = 0; i < plan->count; i++) {
		int64_t to_ms = plan->items[i].to_ms < now_ms ? plan->items[i].to_ms : now_ms;
		if (to_ms > plan->items[i].from_ms)
			sum_ms += to_ms - plan->items[i].from_ms;
	}
	return sum_ms;
}
