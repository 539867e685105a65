// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the files of the rollups share. Private to the store/ room. Days are numbers at UTC+7, both ends
// included.
#pragma once

#include "tools/hub/kpi/pieces.h"
#include "tools/hub/register/schedule.h"
#include "tools/hub/store/store_priv.h"
#include "tools/hub/time/local_time.h"

enum { SP_ROLLUP_STRETCHES = 64, SP_ROLLUP_RANGE_DAYS = 31 };

/// A site's day by the register.
struct sp_rollup_plan {
	struct sp_stretch items[SP_STRETCHES_MAX];
	size_t count;
	struct sp_span
	    maintenance[SP_ROLLUP_STRETCHES]; ///< of the whole day, for what counts around the clock
	size_t maintenance_count;
};
int sp_rollup_schedule(struct sp_store *store, const char *school, const char *site, int64_t day,
		       struct sp_rollup_plan *out) SP_MUST_CHECK;
/// Over by now_ms: the time in which school was held.
int64_t sp_rollup_lesson_ms(const struct sp_rollup_plan *plan, int64_t now_ms);

/// A board at a line of the site, within the range.
struct sp_rollup_place {
	char *device, *line, *provider;
	int64_t device_id, line_id; ///< 0: nothing was heard of it
	int64_t from_ms, to_ms;
	struct sp_pieces pieces;
};
struct sp_rollup_site {
	const char *school, *site;
	int64_t from_day, to_day;
	struct sp_rollup_place *places;
	size_t place_count;
	struct sp_rollup_plan *plans; ///< of each day
};
static inline const struct sp_rollup_plan *sp_rollup_plan_of(const struct sp_rollup_site *site, int64_t day)
{
	return &site->plans[day - site->from_day];
}

/// All rows of the site's days anew.
int sp_rollup_site(struct sp_store *store, const char *school, const char *site, int64_t from_day,
		   int64_t to_day) SP_MUST_CHECK;
/// What boards reported, and their kiosks.
int sp_rollup_boards(struct sp_store *store, const struct sp_rollup_site *site) SP_MUST_CHECK;
int sp_rollup_speed(struct sp_store *store, const struct sp_rollup_site *site) SP_MUST_CHECK;
