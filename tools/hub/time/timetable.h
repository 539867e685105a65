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
