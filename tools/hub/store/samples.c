// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Reading summaries of samples.
#include <string.h>

#include "tools/hub/store/store_sums.h"
#include "tools/hub/store/summary.h"

static const char *const levels[] = {"minute", "hour", "day"};

bool sp_sample_level(const char *name, int *out)
{
	for (int i = 0; i < (int)SP_COUNT(levels); i++) {
		if (strcmp(levels[i], name) == 0) {
			*out = i;
			return true;
		}
	}
	return false;
}

int sp_store_samples(struct sp_store *store, const struct sp_sample_filter *filter,
		     void (*row)(void *arg, const struct sp_sample_view *sample), void *arg)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT s.t_ms, s.instance, s.data FROM summary s WHERE s.level = ?1 AND s.device = (SELECT id "
	    "FROM"
	    " device WHERE name = ?2) AND s.t_ms >= ?3 AND s.t_ms < ?4 AND (?5 IS NULL OR s.instance = ?5)"
	    " ORDER BY s.t_ms, s.instance LIMIT ?6",
	    I(filter->level), T(filter->device), I(filter->from_ms), I(filter->to_ms), T(filter->instance),
	    I(filter->limit));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1)
		row(arg, &(struct sp_sample_view){.t_ms = sp_row_int(rows, 0, 0),
						  .instance = sp_row_text(rows, 1),
						  .data = sp_row_text(rows, 2)});
	return result;
}
