// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Days as a school has them: at +07:00, numbered since 1970-01-01.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SP_DAY_MS   INT64_C(86400000)
#define SP_LOCAL_MS (7 * INT64_C(3600000)) ///< Vietnam's time less UTC

struct sp_date {
	int32_t year;
	unsigned month, day; ///< 1-based
};

int32_t sp_local_day(int64_t t_ms);
struct sp_date sp_day_date(int32_t day);
/// "2026-11-23"; `size` ≥ 16.
void sp_day_text(int32_t day, char *out, size_t size);
