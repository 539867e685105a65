// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Times as kiosks write them: strict, without the system's zone or locale. A date that no calendar has is
// refused, never bent into another.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/err.h"

/// A civil time, its fields within the calendar's limits (year 1 to 9999).
struct sp_civil {
	int year, month, day; ///< 1-based
	int hour, minute, second, ms;
	bool zoned;     ///< an offset was written with it
	int32_t zone_s; ///< that offset, east of Greenwich; 0 without
};

enum { SP_CIVIL_TEXT = sizeof("9999-12-31 23:59:59") };

/// "YYYY-MM-DD HH:MM:SS", those 19 bytes and no others. 0 or -EINVAL; `text` needs no NUL.
int sp_civil_parse(const char *text, size_t length, struct sp_civil *out) SP_MUST_CHECK;

/// ISO 8601's extended form: "YYYY-MM-DDTHH:MM:SS", fractions of a second (cut to ms), and an offset, "Z",
/// "+07:00", "+0700" or "+07", each of both or none. A blank for the T is accepted. 0 or -EINVAL.
int sp_civil_parse_iso(const char *text, size_t length, struct sp_civil *out) SP_MUST_CHECK;

/// "Z", "+07:00", "-0530" or "+07", ±14 h at most: seconds east of Greenwich. 0 or -EINVAL.
int sp_zone_parse(const char *text, size_t length, int32_t *zone_s) SP_MUST_CHECK;

/// UTC in ms since 1970; `zone_s` is the kiosk's own and counts where none was written.
int64_t sp_civil_ms(const struct sp_civil *civil, int32_t zone_s);

/// The other way round, in that zone; years that have no four digits are cut to the nearest that have.
struct sp_civil sp_civil_of(int64_t t_ms, int32_t zone_s);

/// Days from 1970-01-01 to its date, as written.
int32_t sp_civil_day(const struct sp_civil *civil);

/// "YYYY-MM-DD HH:MM:SS". Returns `out`.
const char *sp_civil_print(const struct sp_civil *civil, char out[SP_CIVIL_TEXT]);
