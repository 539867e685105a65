// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Times as people in Việt Nam read them: Asia/Ho_Chi_Minh, which is UTC+7 all year and has been since
// 1975; so no zone files are needed.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { SP_LOCAL_TIME_SIZE = 40 };
#define SP_LOCAL_OFFSET_MS (7 * INT64_C(3600000))
#define SP_DAY_MS          (24 * INT64_C(3600000))

/// RFC 3339 in seconds: "2026-11-21T08:15:02+07:00". Returns `out`.
const char *sp_local_time(int64_t t_ms, char out[SP_LOCAL_TIME_SIZE]);
/// "2026-11-21" → the moment when that day begins. False when it is no date from 2000 to 2999.
bool sp_local_date_parse(const char *text, int64_t *from_ms);
/// The day of a moment as a number: days since 1970-01-01.
int64_t sp_local_day(int64_t t_ms);
/// When that day begins.
int64_t sp_local_day_ms(int64_t day);
/// The day of a moment, as "2026-11-21".
const char *sp_local_date(int64_t t_ms, char out[SP_LOCAL_TIME_SIZE]);
