// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The part of the store contract that KPIs are read by.
#pragma once

#include <stdatomic.h>

#include "tools/hub/kpi/data.h"

struct sp_kpi_ask {
	int64_t from_day, to_day;     ///< from_day ≤ day < to_day
	int64_t as_of_ms;             ///< the moment of the register
	const char *area;             ///< its code; NULL: all schools
	const char *tree;             ///< the area's tree; NULL: the first one that has such an area
	const atomic_bool *cancelled; ///< nobody waits any more: leaves off; NULL: never
};
/// Between read_begin and read_end. -ENOENT: there is no such area. -ECANCELED. *out is the caller's,
/// finished or not.
int sp_store_kpi(struct sp_store *store, const struct sp_kpi_ask *ask,
		 struct sp_kpi_data **out) SP_MUST_CHECK;

struct sp_kpi_area {
	char code[65], tree[65], path[256]; ///< cut when longer
};
/// An area whose code or name resembles `word`, without regard to marks and case. 1: found.
int sp_store_kpi_area_like(struct sp_store *store, const char *word, struct sp_kpi_area *out) SP_MUST_CHECK;
