// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// KPIs as JSON: of the API and of `schoolpulse-hub kpi --json`.
#pragma once

#include "agent/base/buf.h"
#include "tools/hub/kpi/evaluate.h"
#include "tools/hub/store/store_kpi.h"

/// What every KPI means.
void sp_api_kpi_list(struct sp_buf *out);
/// Between read_begin and read_end. `plan` NULL: every KPI, without targets, in `all`. -ENOENT: no such area.
int sp_api_kpi(struct sp_store *store, const struct sp_plan *plan, const struct sp_kpi_ask *ask,
	       struct sp_buf *out) SP_MUST_CHECK;
