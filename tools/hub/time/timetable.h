// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// When a site is in use, week after week: "mon-fri 07:00-17:00; sat 07:00-11:30". The register's column
// `timetable`. Days are mon…sun, or t2…t7 and cn as Vietnamese offices write them; lists and ranges of
// them; then one or more stretches of time, joined by commas, at UTC+7. Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "schoolpulse/err.h"

enum { SP_TIMETABLE_MAX = 48 };

/// Stretches of the week in minutes since Monday 00:00.
struct sp_timetable {
	struct {
		uint16_t from, to; ///< from < to; a stretch stays within its day
	} stretches[SP_TIMETABLE_MAX];
	unsigned count; ///< 0: no timetable
};

/// "" is none. -EINVAL when the text is no timetable.
int sp_timetable_parse(struct sp_timetable *out, const char *text) SP_MUST_CHECK;
/// When lessons begin on that day (since 1970-01-01), in minutes from midnight; -1: there are none.
int sp_timetable_begin(const struct sp_timetable *timetable, int64_t day);
/// The first stretch that ends after `at_ms`; false without any.
bool sp_timetable_next(const struct sp_timetable *timetable, int64_t at_ms, int64_t *from_ms, int64_t *to_ms);
/// Is any moment of from_ms…to_ms (both included) within it? Each stretch counts without `grace_ms` at either
/// end: bells and main switches do not agree to the minute.
bool sp_timetable_touches(const struct sp_timetable *timetable, int64_t from_ms, int64_t to_ms,
			  int64_t grace_ms);
