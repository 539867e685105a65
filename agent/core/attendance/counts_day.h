// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One day's counts, and which of them may be told. Pure: no clock, no journal, no texts.
//
// A cell is how many persons of one group came (or went) in one slot. It is told if it is 5 or more, and if
// nobody can find a smaller one by subtraction from what is told. The attacker whom this is made for holds
// all that the board ever published, in all revisions, and knows besides, from elsewhere, exactly how many
// came in each slot, how many of each group came during the day, and both before and after a revision. He
// does not know which of the cells that are kept back are empty. Rules, per day and direction:
//
//  opening   the first two slots in which anybody came are kept back whole. With them each other cell that is
//            kept back stands in a rectangle of four such cells, as long as its slot has two: no sum of rows
//            and columns gives it.
//  column    a slot keeps back no cell or at least two, and if some of them are not empty, at least two that
//  are
//            not, of 5 persons in all: the smallest that might be told are kept back with the others.
//  row       a group's cell is told only while 5 or more persons of the group's day stand in cells kept back.
//  revision  what was told stays told, and grows only by 5 or more at a time; never does exactly one cell of
//  a
//            slot keep its growth back. It never falls: who is forgotten cannot be found by what is missing.
//
// Not protected: that nobody came (an empty cell), from someone who knows totals; a slot in which only one
// group comes at all, from someone who counts at the gate; what several kinds of number of one person add up
// to; and a cell from someone who knows the totals in both ways and which cells are empty.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/kiosk.h"

enum {
	SP_COUNTS_LEAST = 5,
	SP_COUNTS_DIRECTIONS = 3, ///< enum sp_punch_direction
	SP_COUNTS_OPENING = 2,
	SP_COUNTS_GROUPS_MAX = 512,
	SP_COUNTS_SLOTS_MAX = 288,
	SP_COUNTS_PERSONS_MAX = 32768, ///< in all cells of a day; more are not counted
	SP_COUNTS_NONE = -1,
};

struct sp_counts_day {
	size_t groups, slots;
	uint16_t *count;                                      ///< by sp_counts_cell(): persons
	uint16_t *told;                                       ///< what was published last; 0: nothing
	uint32_t *revision;                                   ///< of each slot; 0: none yet
	int opening[SP_COUNTS_DIRECTIONS][SP_COUNTS_OPENING]; ///< slots, or SP_COUNTS_NONE
	uint64_t *seen;                                       ///< who stands in which cell, hashed
	size_t seen_count, seen_room;
};

/// `groups` and `slots` within the limits above.
void sp_counts_day_init(struct sp_counts_day *day, size_t groups, size_t slots);
void sp_counts_day_free(struct sp_counts_day *day);

static inline size_t sp_counts_cell(const struct sp_counts_day *day, size_t slot, size_t direction,
				    size_t group)
{
	return (slot * SP_COUNTS_DIRECTIONS + direction) * day->groups + group;
}

/// Counts the person (its pseudonym's first 8 bytes) once per cell: true if he is new there.
bool sp_counts_day_add(struct sp_counts_day *day, size_t slot, size_t direction, size_t group,
		       uint64_t person);

/// The slot is over, or has changed since: decides what of it is told. True: `told` and `revision` have
/// changed, and the slot is to be published. `*kept` (may be NULL): whether the opening has changed.
bool sp_counts_day_decide(struct sp_counts_day *day, size_t slot, bool *kept);
