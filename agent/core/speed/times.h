// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// When tests may happen, as it is written in the configuration: windows of a school day, days of the week,
// quiet periods. Local time is UTC+7 all year (Asia/Ho_Chi_Minh). Pure, and fuzzed.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/err.h"

enum {
	SP_SPEED_WINDOWS = 8,
	SP_SPEED_QUIETS = 64,
	SP_SPEED_SAMPLES_MAX = 12,
	/// What one sample of a window needs at least: a test, and some room for chance and for waiting.
	SP_SPEED_ROOM_S = 600,
	SP_SPEED_DAY_S = 86400,
};
#define SP_SPEED_DAY_MS (SP_SPEED_DAY_S * INT64_C(1000))

/// Seconds of the local day, from ≤ t < to.
struct sp_speed_window {
	int from_s, to_s;
};

/// Milliseconds of Unix time, from ≤ t < to.
struct sp_speed_quiet {
	int64_t from_ms, to_ms;
};

struct sp_speed_times {
	struct sp_speed_window windows[SP_SPEED_WINDOWS]; ///< in order, none overlaps another
	size_t window_count;
	unsigned days; ///< bit 0: Monday … bit 6: Sunday
	struct sp_speed_quiet quiets[SP_SPEED_QUIETS];
	size_t quiet_count;
	unsigned samples; ///< per window
};

/// "07:00-09:30"; 24:00 is an end, too. 0, -EINVAL when it is written otherwise, -ERANGE when its end is not
/// after its start.
int sp_speed_window_parse(const char *text, struct sp_speed_window *out) SP_MUST_CHECK;
/// "sat", or "mon-fri" (also over the week's end). Adds to `days`. 0 or -EINVAL.
int sp_speed_days_parse(const char *text, unsigned *days) SP_MUST_CHECK;
/// "2026-06-10 07:00/2026-06-12 17:00"; a day without a time is the whole day, and may stand alone. Years
/// 2000 to 2999. 0, -EINVAL, or -ERANGE as above.
int sp_speed_quiet_parse(const char *text, struct sp_speed_quiet *out) SP_MUST_CHECK;

/// Days since 1970-01-01 of the local day at that moment.
int64_t sp_speed_day(int64_t t_ms);
/// The moment when a local day begins.
int64_t sp_speed_day_start_ms(int64_t day);
/// Tests happen on that day at all.
bool sp_speed_school_day(const struct sp_speed_times *times, int64_t day);
bool sp_speed_is_quiet(const struct sp_speed_times *times, int64_t t_ms);
/// How many tests of SP_SPEED_ROOM_S have room in it.
unsigned sp_speed_window_room(const struct sp_speed_window *window);
