// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What may be told of a day (counts_day.h).
#include "agent/core/attendance/counts_day.h"

#include <string.h>

#include "agent/base/mem.h"

enum { SEEN_ROOM = 256 };

void sp_counts_day_init(struct sp_counts_day *day, size_t groups, size_t slots)
{
	size_t cells = groups * slots * SP_COUNTS_DIRECTIONS;
	*day = (struct sp_counts_day){.groups = groups, .slots = slots};
	day->count = sp_alloc(cells * sizeof(*day->count) + 1);
	day->told = sp_alloc(cells * sizeof(*day->told) + 1);
	day->revision = sp_alloc(slots * sizeof(*day->revision) + 1);
	for (size_t d = 0; d < SP_COUNTS_DIRECTIONS; d++)
		for (size_t i = 0; i < SP_COUNTS_OPENING; i++)
			day->opening[d][i] = SP_COUNTS_NONE;
}

void sp_counts_day_free(struct sp_counts_day *day)
{
	free(day->count);
	free(day->told);
	free(day->revision);
	free(day->seen);
	*day = (struct sp_counts_day){0};
}

// ---- counting ------------------------------------------------------------------------------------------

/// Spreads the bits (the finisher of MurmurHash3): pseudonyms are random already, cells are not.
static uint64_t spread(uint64_t value)
{
	value ^= value >> 33;
	value *= UINT64_C(0xff51afd7ed558ccd);
	value ^= value >> 33;
	value *= UINT64_C(0xc4ceb9fe1a85ec53);
	return value ^ value >> 33;
}

static bool insert(uint64_t *seen, size_t room, uint64_t mark)
{
	size_t at = (size_t)(mark % room);
	while (seen[at] && seen[at] != mark)
		at = (at + 1) % room;
	if (seen[at])
		return false;
	seen[at] = mark;
	return true;
}

static void widen(struct sp_counts_day *day)
{
	size_t room = day->seen_room ? 2 * day->seen_room : SEEN_ROOM;
	uint64_t *seen = sp_alloc(room * sizeof(*seen));
	for (size_t i = 0; i < day->seen_room; i++)
		if (day->seen[i])
			insert(seen, room, day->seen[i]);
	free(day->seen);
	day->seen = seen;
	day->seen_room = room;
}

bool sp_counts_day_add(struct sp_counts_day *day, size_t slot, size_t direction, size_t group,
		       uint64_t person)
{
	if (slot >= day->slots || direction >= SP_COUNTS_DIRECTIONS || group >= day->groups ||
	    day->seen_count == SP_COUNTS_PERSONS_MAX)
		return false;
	size_t cell = sp_counts_cell(day, slot, direction, group);
	uint64_t mark = spread(person ^ spread(cell + 1));
	if (2 * (day->seen_count + 1) > day->seen_room)
		widen(day);
	// 0 stands for nobody; who hashes to it is counted as 1.
	if (!insert(day->seen, day->seen_room, mark ? mark : 1))
		return false;
	day->seen_count++;
	day->count[cell]++;
	return true;
}

// ---- telling -------------------------------------------------------------------------------------------

/// Persons of the group's day in cells that are kept back, but for this slot's.
static unsigned row_reserve(const struct sp_counts_day *day, size_t slot, size_t direction, size_t group)
{
	unsigned sum = 0;
	for (size_t i = 0; i < day->slots; i++) {
		size_t cell = sp_counts_cell(day, i, direction, group);
		if (i != slot && day->told[cell] == 0)
			sum += day->count[cell];
	}
	return sum;
}

/// What a column keeps back.
struct back {
	size_t cells, filled; ///< filled: not empty
	unsigned persons;
};

static struct back kept_back(const uint16_t *count, const uint16_t *told, size_t groups)
{
	struct back back = {0};
	for (size_t g = 0; g < groups; g++) {
		if (told[g])
			continue;
		back.cells++;
		back.filled += count[g] > 0;
		back.persons += count[g];
	}
	return back;
}

static bool column_good(const struct back *back)
{
	return back->cells != 1 &&
	       (back->filled == 0 || (back->filled >= 2 && back->persons >= SP_COUNTS_LEAST));
}

/// Of the cells that were not told before the one with the fewest; SP_COUNTS_NONE: there is none.
static int smallest_new(const uint16_t *before, const uint16_t *told, size_t groups)
{
	int found = SP_COUNTS_NONE;
	for (size_t g = 0; g < groups; g++)
		if (told[g] && !before[g] && (found < 0 || told[g] < told[found]))
			found = (int)g;
	return found;
}

/// Never exactly one cell that a revision does not tell anew, which would follow from the total at that
/// moment: beside it the smallest growth is not told either.
static void keep_growth(const uint16_t *before, const uint16_t *count, uint16_t *told, size_t groups)
{
	size_t kept = 0, grown = 0;
	int least = SP_COUNTS_NONE;
	for (size_t g = 0; g < groups; g++) {
		bool same = before[g] == told[g];
		kept += same;
		grown += same && count[g] > before[g];
		if (!same && (least < 0 || told[g] - before[g] < told[least] - before[least]))
			least = (int)g;
	}
	if ((kept == 1 || grown == 1) && least >= 0)
		told[least] = before[least];
}

static void decide_column(const struct sp_counts_day *day, size_t slot, size_t direction, uint16_t *told)
{
	size_t first = sp_counts_cell(day, slot, direction, 0);
	const uint16_t *count = &day->count[first], *before = &day->told[first];
	for (size_t g = 0; g < day->groups; g++) {
		bool grown = count[g] >= before[g] + SP_COUNTS_LEAST;
		if (before[g] || (grown && row_reserve(day, slot, direction, g) >= SP_COUNTS_LEAST))
			told[g] = grown ? count[g] : before[g];
	}
	if (day->revision[slot] > 0)
		keep_growth(before, count, told, day->groups);
	for (;;) {
		struct back back = kept_back(count, told, day->groups);
		int next = column_good(&back) ? SP_COUNTS_NONE : smallest_new(before, told, day->groups);
		if (next < 0)
			break;
		told[next] = 0;
	}
}

static bool anybody(const uint16_t *count, size_t groups)
{
	for (size_t g = 0; g < groups; g++)
		if (count[g])
			return true;
	return false;
}

/// Is the slot one of those with which the day opens? The first ones that are asked for with somebody in them
/// become so; never one of which something was told.
static bool opens(struct sp_counts_day *day, size_t slot, size_t direction, bool *kept)
{
	int *opening = day->opening[direction];
	size_t first = sp_counts_cell(day, slot, direction, 0);
	for (size_t i = 0; i < SP_COUNTS_OPENING; i++) {
		if (opening[i] == (int)slot)
			return true;
		if (opening[i] != SP_COUNTS_NONE)
			continue;
		if (!anybody(&day->count[first], day->groups))
			return false;
		opening[i] = (int)slot;
		*kept = true;
		return true;
	}
	return false;
}

bool sp_counts_day_decide(struct sp_counts_day *day, size_t slot, bool *kept)
{
	uint16_t told[SP_COUNTS_GROUPS_MAX];
	bool changed = false, opened = false;
	for (size_t d = 0; slot < day->slots && d < SP_COUNTS_DIRECTIONS; d++) {
		uint16_t *before = &day->told[sp_counts_cell(day, slot, d, 0)];
		size_t size = day->groups * sizeof(*told);
		if (opens(day, slot, d, &opened))
			continue;
		memset(told, 0, size);
		decide_column(day, slot, d, told);
		changed = changed || memcmp(before, told, size) != 0;
		memcpy(before, told, size);
	}
	if (changed)
		day->revision[slot]++;
	if (kept)
		*kept = opened;
	return changed;
}
