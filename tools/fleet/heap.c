// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The boards by the moment at which each wants to be called: a binary heap whose members know their place.
#include "tools/fleet/fleet.h"

static void put(struct sp_fleet *fleet, size_t place, struct sp_member *member)
{
	fleet->heap[place] = member;
	member->place = place;
}

static void up(struct sp_fleet *fleet, struct sp_member *member)
{
	size_t at = member->place;
	for (; at > 0 && fleet->heap[(at - 1) / 2]->due_us > member->due_us; at = (at - 1) / 2)
		put(fleet, at, fleet->heap[(at - 1) / 2]);
	put(fleet, at, member);
}

static void down(struct sp_fleet *fleet, struct sp_member *member)
{
	size_t at = member->place;
	for (size_t child; (child = 2 * at + 1) < fleet->count; at = child) {
		if (child + 1 < fleet->count && fleet->heap[child + 1]->due_us < fleet->heap[child]->due_us)
			child++;
		if (fleet->heap[child]->due_us >= member->due_us)
			break;
		put(fleet, at, fleet->heap[child]);
	}
	put(fleet, at, member);
}

void sp_heap_fix(struct sp_fleet *fleet, struct sp_member *member)
{
	up(fleet, member);
	down(fleet, member);
}
