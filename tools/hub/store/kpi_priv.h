// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the files that read for KPIs share. Private to the store/ room.
#pragma once

#include "tools/hub/kpi/data.h"
#include "tools/hub/store/rollup.h"
#include "tools/hub/store/store_kpi.h"

struct sp_kpi_reading {
	struct sp_kpi_data *data;
	int64_t area; ///< 0: all
};
/// Of sites where a board stood for a part of the period: the school time of the days without one counts,
/// too, as not measured.
int sp_kpi_fill_days(struct sp_store *store, struct sp_kpi_reading *reading) SP_MUST_CHECK;
