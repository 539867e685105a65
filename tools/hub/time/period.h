// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A period as people name it: from the beginning of a day, or a moment, up to another one, which is no part
// of it.
#pragma once

#include <stdint.h>

#include "schoolpulse/err.h"

enum {
	SP_PERIOD_WHY = 128,
	SP_PERIOD_DAYS_MAX = 400,
	SP_PERIOD_DAYS_DEFAULT = 30,
};

struct sp_period {
	int64_t from_ms, to_ms; ///< from_ms ≤ t < to_ms
};

/// "2026-11-01" (at UTC+7) or Unix milliseconds. NULL: `to` is the end of the day of `now_ms`, `from` 30 days
/// before `to`. 0 or -EINVAL with `why`.
int sp_period_parse(struct sp_period *out, const char *from, const char *to, int64_t now_ms,
		    char why[SP_PERIOD_WHY]) SP_MUST_CHECK;
