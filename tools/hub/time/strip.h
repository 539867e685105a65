// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A stretch of time of one line as up, degraded, down or unknown. A state holds from the fact that
// says so for as long as the board is known to have watched; a silence, or facts that are missing,
// end what is known until the next fact. Pure.
#pragma once

#include <stddef.h>

#include "tools/hub/store/store.h"

struct sp_span {
	int64_t from_ms, to_ms;
};

struct sp_point {
	int64_t t_ms;
	enum sp_line_state state;
	const char *cause;
};

/// A silence that is explained: where nothing else is known, it is unknown for this cause.
struct sp_quiet {
	int64_t from_ms, to_ms;
	const char *cause;
};

struct sp_strip {
	struct sp_span *heard; ///< the board watched; any order, may overlap
	size_t heard_count;
	struct sp_span *holes; ///< facts of this time are missing; any order, may overlap
	size_t hole_count;
	const struct sp_point *points; ///< in order of time
	size_t point_count;
	const struct sp_quiet *quiet; ///< in order of time, disjoint
	size_t quiet_count;
};

/// Sorts `heard` and `holes` in place. Pieces that join from `from_ms` to `to_ms`, free() them;
/// causes point into points and quiet. None when the stretch is empty.
struct sp_segment *sp_strip_segments(struct sp_strip *strip, int64_t from_ms, int64_t to_ms, size_t *count);
