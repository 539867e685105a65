// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Days and times at UTC+7 (Việt Nam, all year, since 1975), as scripts and commands write them.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SP_CIVIL_DAY_MS    (24 * INT64_C(3600000))
#define SP_CIVIL_OFFSET_MS (7 * INT64_C(3600000))

/// "2026-09-14" → days since 1970-01-01; false when it is no date from 2000 to 2999.
bool sp_civil_date(const char *text, int64_t *day);
/// "7:05", "07:05:30", also "24:00" → milliseconds since midnight.
bool sp_civil_clock(const char *text, int64_t *ms);
int64_t sp_civil_day(int64_t t_ms);     ///< the day of a moment
int64_t sp_civil_day_ms(int64_t day);   ///< when that day begins
unsigned sp_civil_weekday(int64_t day); ///< 0 Monday … 6 Sunday
/// "2026-09-14".
void sp_civil_format_date(int64_t day, char out[16]);
/// "2026-09-14 07:05:30".
void sp_civil_format(int64_t t_ms, char out[32]);
