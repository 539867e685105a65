// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Which schools, which register, which days: as people and the API ask for KPIs. Pure.
#pragma once

#include "schoolpulse/err.h"
#include "tools/hub/store/store_kpi.h"

enum { SP_KPI_WHY = 128, SP_KPI_DAYS = 30, SP_KPI_DAYS_MAX = 400 };

/// Days as "2026-11-01"; NULL: not given. `to` is the first day that is no part of the period. Without a
/// period: 30 days up to and with `as_of`, or up to yesterday. The register is that of the end of `as_of`,
/// else of the end of the period, but never of the future. Area and tree are left to the caller. 0, or
/// -EINVAL with `why`.
int sp_kpi_ask_parse(struct sp_kpi_ask *out, const char *from, const char *to, const char *as_of,
		     int64_t now_ms, char why[SP_KPI_WHY]) SP_MUST_CHECK;
/// The same of a whole month, "2026-10"; with it goes the register of its last day, or that of `as_of`.
int sp_kpi_ask_month(struct sp_kpi_ask *out, const char *month, const char *as_of, int64_t now_ms,
		     char why[SP_KPI_WHY]) SP_MUST_CHECK;
