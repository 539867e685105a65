// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Regional incidents: which losses of single lines are one fault of a provider, of an area, or of a hop
// upstream. Pure: plain rows in, incidents out; the same rows give the same incidents, whatever their order.
// README.md says by which rules, and why.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// [incident] of the configuration; README.md gives the reasons of the defaults.
struct sp_incident_rules {
	int64_t boards;               ///< fewer are never an incident
	double share;                 ///< of the boards behind the key that were up
	double losses_per_day;        ///< of one board, by chance
	double coincidences_per_year; ///< how many incidents chance alone may make
	int64_t rolling_ms;           ///< losses so far apart can still be one fault
	int64_t together_ms;          ///< a gap that parts what came before from what it began with
	int64_t sharp_ms, bounds_ms;  ///< a start known worse than the first founds nothing, worse than the
				     ///< second joins nothing
	int64_t again_ms;   ///< back and gone again within this is the same incident
	int64_t longest_ms; ///< after this nobody joins any more
	int64_t tellers;    ///< so many boards have to say what it was
	double told_share;  ///< and such a part of its boards
};
struct sp_incident_rules sp_incident_rules_default(void);

/// What is known of one loss.
enum sp_loss_kind {
	SP_LOSS_UNTOLD, ///< the board has not said anything, or does not know
	SP_LOSS_LINE,   ///< the provider's line was down, and the board lived
	SP_LOSS_POWER,
	SP_LOSS_OTHER, ///< the school's own: switched off, a cable, a reboot
};

/// A line of a board, and all that it stands behind. The lines of one board stand together in the list.
struct sp_incident_line {
	int64_t board;
	int32_t provider, hop; ///< -1: not known
	const int32_t *areas;  ///< from the lowest to the highest, of one tree or of several
	size_t area_count;
	int64_t from_ms, to_ms; ///< watched: from_ms ≤ t < to_ms
};

struct sp_loss {
	size_t line; ///< index into lines
	enum sp_loss_kind kind;
	int64_t lo_ms, hi_ms; ///< it began between these
	int64_t to_ms;        ///< INT64_MAX: it lasts
};

struct sp_incident_scene {
	const struct sp_incident_rules *rules;
	const struct sp_incident_line *lines;
	size_t line_count;
	const struct sp_loss *losses;
	size_t loss_count;
	const int32_t *area_depth; ///< by area: 0 for a root
	int64_t boards;            ///< of the whole register: how many coincidences there may be
	int64_t from_ms, to_ms;    ///< what began in from_ms ≤ t < to_ms is looked at
};

enum sp_incident_scope { SP_SCOPE_AREA, SP_SCOPE_HOP, SP_SCOPE_PROVIDER, SP_SCOPE_PROVIDER_AREA };
enum sp_incident_cause { SP_INCIDENT_UNKNOWN, SP_INCIDENT_LINE, SP_INCIDENT_POWER };
const char *sp_incident_scope_name(enum sp_incident_scope scope);
const char *sp_incident_cause_name(enum sp_incident_cause cause);

struct sp_incident {
	enum sp_incident_scope scope;
	int32_t provider, area, hop; ///< -1: not part of the scope
	enum sp_incident_cause cause;
	int64_t from_ms, to_ms;        ///< to_ms INT64_MAX: it lasts
	int64_t boards, of_boards;     ///< members; how many were up behind the key as it began
	int64_t told_line, told_power; ///< boards that said so
	double weight;                 ///< how much more likely than chance: natural logarithm
	size_t *members;               ///< losses, by index; of one board there may be several
	size_t member_count;
};

/// In order of their beginning; free with sp_incidents_free().
struct sp_incident *sp_incidents_find(const struct sp_incident_scene *scene, size_t *count);
void sp_incidents_free(struct sp_incident *incidents, size_t count);

/// A stretch of time in which something was said, widened until nothing that is found within depends on what
/// lies outside, as far as `incidents` (known before or found since) and `losses` tell. True: it grew.
bool sp_incident_widen(const struct sp_incident_rules *rules, const struct sp_incident *incidents,
		       size_t count, const struct sp_loss *losses, size_t loss_count, int64_t *from_ms,
		       int64_t *to_ms);
