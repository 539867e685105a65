// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// KPIs on paper: for people in their language, and as rows for a spreadsheet.
#pragma once

#include "tools/hub/kpi/evaluate.h"
#include "tools/hub/store/store_kpi.h"

/// `language`: 0 English, 1 Vietnamese; the words themselves come by gettext.
void sp_kpi_print(const struct sp_plan_result *result, const struct sp_kpi_data *data,
		  const struct sp_kpi_ask *ask, const struct sp_rollup_left *left, int language);
void sp_kpi_print_csv(const struct sp_plan_result *result);
void sp_kpi_print_list(int language);
