// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a site's day adds up to: each line's segments become pieces of one meaning, the lines of a site become
// the site, and pieces are summed over the stretches that count. Pure.
#pragma once

#include "tools/hub/kpi/kpi.h"
#include "tools/hub/time/strip.h"

/// From the best to the least: of several lines the first one counts.
enum sp_piece_class {
	SP_PIECE_UP,
	SP_PIECE_DEGRADED,
	SP_PIECE_UNKNOWN,
	SP_PIECE_DOWN_OTHER,    ///< surely offline, by any other fault than the provider's
	SP_PIECE_DOWN_PROVIDER, ///< surely offline, and of every line the provider's fault
	SP_PIECE_NONE,          ///< no board watched a line here
};

struct sp_piece {
	int64_t from_ms, to_ms;
	enum sp_piece_class cls;
};
/// In order of time, joined, from the beginning to the end.
struct sp_pieces {
	struct sp_piece *items;
	size_t count, room;
};

/// A segment's cause may have "/whose" behind it. A line that is unknown because of a cable, an address or
/// the gateway (its board says so) or because the power was lost is one on which nobody was online.
enum sp_piece_class sp_piece_class_of(const struct sp_segment *segment);
/// Neighbours of one class are joined; nothing for an empty stretch.
void sp_pieces_add(struct sp_pieces *pieces, int64_t from_ms, int64_t to_ms, enum sp_piece_class cls);
/// `line` into `site`, which cover the same time: the better of both at each moment.
void sp_pieces_combine(struct sp_pieces *site, const struct sp_pieces *line);
/// Of from_ms…to_ms; what the pieces do not reach is unknown.
void sp_pieces_sum(const struct sp_pieces *pieces, int64_t from_ms, int64_t to_ms, struct sp_kpi_uptime *out);
void sp_pieces_free(struct sp_pieces *pieces);
