// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What may be told of a day: by hand, and random days against the attacker of counts_day.h, who holds every
// revision and knows the totals of slots and groups.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/attendance/counts_day.h"

#ifdef SP_TEST_SHORT
enum { DAYS = 300 };
#else
enum { DAYS = 1500 };
#endif
enum { IN = SP_PUNCH_IN, GROUPS = 8, SLOTS = 12 };

static uint64_t next_person = 1;

static void come(struct sp_counts_day *day, size_t slot, size_t group, unsigned persons)
{
	while (persons-- > 0)
		assert_true(sp_counts_day_add(day, slot, IN, group, next_person++));
}

static unsigned told(const struct sp_counts_day *day, size_t slot, size_t group)
{
	return day->told[sp_counts_cell(day, slot, IN, group)];
}

static unsigned count(const struct sp_counts_day *day, size_t slot, size_t group)
{
	return day->count[sp_counts_cell(day, slot, IN, group)];
}

/// A day whose opening is over, with 5 of each group in it.
static struct sp_counts_day opened_day(size_t groups, size_t slots)
{
	struct sp_counts_day day;
	sp_counts_day_init(&day, groups, slots);
	for (size_t slot = 0; slot < SP_COUNTS_OPENING; slot++) {
		for (size_t g = 0; g < groups; g++)
			come(&day, slot, g, slot == 0 ? 5 : 1);
		bool kept;
		assert_false(sp_counts_day_decide(&day, slot, &kept));
		assert_true(kept);
	}
	return day;
}

static void a_person_counts_once_in_a_cell(void **state)
{
	(void)state;
	struct sp_counts_day day;
	sp_counts_day_init(&day, 2, 4);
	assert_true(sp_counts_day_add(&day, 1, IN, 0, 77));
	assert_false(sp_counts_day_add(&day, 1, IN, 0, 77));
	assert_true(sp_counts_day_add(&day, 1, IN, 1, 77));
	assert_true(sp_counts_day_add(&day, 2, IN, 0, 77));
	assert_true(sp_counts_day_add(&day, 1, SP_PUNCH_OUT, 0, 77));
	assert_true(sp_counts_day_add(&day, 1, IN, 0, 0));
	assert_false(sp_counts_day_add(&day, 1, IN, 0, 0));
	assert_int_equal(count(&day, 1, 0), 2);
	assert_false(sp_counts_day_add(&day, 4, IN, 0, 1));
	assert_false(sp_counts_day_add(&day, 0, 3, 0, 1));
	assert_false(sp_counts_day_add(&day, 0, IN, 2, 1));
	for (uint64_t i = 0; i < 2 * SP_COUNTS_PERSONS_MAX; i++)
		if (!sp_counts_day_add(&day, 3, IN, 0, i))
			break;
	assert_int_equal(day.seen_count, SP_COUNTS_PERSONS_MAX);
	sp_counts_day_free(&day);
}

static void few_are_kept_back_and_not_alone(void **state)
{
	(void)state;
	struct sp_counts_day day = opened_day(5, 6);
	const unsigned persons[] = {4, 12, 9, 20, 30};
	for (size_t g = 0; g < 5; g++)
		come(&day, 2, g, persons[g]);
	assert_true(sp_counts_day_decide(&day, 2, NULL));
	const unsigned expected[] = {0, 12, 0, 20, 30}; // 9, the next smallest, is kept back with the 4
	for (size_t g = 0; g < 5; g++)
		assert_int_equal(told(&day, 2, g), expected[g]);
	// Nobody of one group: it would be alone, and so would be the next smallest, if it is not empty.
	for (size_t g = 1; g < 5; g++)
		come(&day, 3, g, 10 + (unsigned)g);
	assert_true(sp_counts_day_decide(&day, 3, NULL));
	const unsigned without[] = {0, 0, 0, 13, 14};
	for (size_t g = 0; g < 5; g++)
		assert_int_equal(told(&day, 3, g), without[g]);
	// 1 and 2 make 3: too few together.
	const unsigned small[] = {1, 2, 7, 8, 9};
	for (size_t g = 0; g < 5; g++)
		come(&day, 4, g, small[g]);
	assert_true(sp_counts_day_decide(&day, 4, NULL));
	const unsigned more[] = {0, 0, 0, 8, 9};
	for (size_t g = 0; g < 5; g++)
		assert_int_equal(told(&day, 4, g), more[g]);
	// Nothing to hide.
	for (size_t g = 0; g < 5; g++)
		come(&day, 5, g, 5);
	assert_true(sp_counts_day_decide(&day, 5, NULL));
	for (size_t g = 0; g < 5; g++)
		assert_int_equal(told(&day, 5, g), 5);
	assert_false(sp_counts_day_decide(&day, 5, NULL));
	assert_int_equal(day.revision[5], 1);
	sp_counts_day_free(&day);
}

static void a_group_tells_nothing_before_five_of_it_are_kept_back(void **state)
{
	(void)state;
	struct sp_counts_day day;
	sp_counts_day_init(&day, 2, 6);
	come(&day, 0, 1, 6);
	come(&day, 1, 1, 1);
	for (size_t slot = 0; slot < 2; slot++)
		assert_false(sp_counts_day_decide(&day, slot, NULL));
	// Of group 0 nobody stands in the opening: its first slot is kept back for the sake of later ones,
	// and with it, since it would be alone, that of group 1.
	for (size_t slot = 2; slot < 4; slot++) {
		come(&day, slot, 0, 14);
		come(&day, slot, 1, 14);
		assert_int_equal(sp_counts_day_decide(&day, slot, NULL), slot == 3);
	}
	assert_int_equal(told(&day, 3, 0), 14);
	assert_int_equal(told(&day, 3, 1), 14);
	sp_counts_day_free(&day);
}

static void revisions_grow_by_five_or_not_at_all(void **state)
{
	(void)state;
	struct sp_counts_day day = opened_day(4, 4);
	for (size_t g = 0; g < 4; g++)
		come(&day, 2, g, 10);
	assert_true(sp_counts_day_decide(&day, 2, NULL));
	come(&day, 2, 0, 4);
	assert_false(sp_counts_day_decide(&day, 2, NULL));
	come(&day, 2, 0, 1);
	assert_true(sp_counts_day_decide(&day, 2, NULL));
	assert_int_equal(told(&day, 2, 0), 15);
	assert_int_equal(day.revision[2], 2);
	// All but one grow so that it could be told: the one whose growth is not would follow from a total.
	come(&day, 2, 0, 9);
	come(&day, 2, 1, 8);
	come(&day, 2, 2, 7);
	come(&day, 2, 3, 2);
	assert_true(sp_counts_day_decide(&day, 2, NULL));
	assert_int_equal(told(&day, 2, 0), 24);
	assert_int_equal(told(&day, 2, 1), 18);
	assert_int_equal(told(&day, 2, 2), 10);
	assert_int_equal(told(&day, 2, 3), 10);
	// Who is forgotten is not missing.
	day.count[sp_counts_cell(&day, 2, IN, 0)] = 3;
	assert_false(sp_counts_day_decide(&day, 2, NULL));
	assert_int_equal(told(&day, 2, 0), 24);
	sp_counts_day_free(&day);
}

// ---- the attacker ----------------------------------------------------------------------------------------

struct table {
	size_t groups, slots;
	bool unknown[SLOTS][GROUPS];
	bool active[SLOTS];
};

/// Can this unknown cell be found by sums of rows and columns? It can, exactly if it is a bridge of the graph
/// whose vertices are rows and columns and whose edges are the unknown cells.
static bool follows(const struct table *table, size_t slot, size_t group)
{
	bool row[GROUPS] = {false}, column[SLOTS] = {false};
	row[group] = true;
	for (bool grown = true; grown;) {
		grown = false;
		for (size_t s = 0; s < table->slots; s++) {
			for (size_t g = 0; g < table->groups && table->active[s]; g++) {
				if (!table->unknown[s][g] || (s == slot && g == group) || row[g] == column[s])
					continue;
				row[g] = column[s] = grown = true;
			}
		}
	}
	return !column[slot];
}

static void fill(struct table *table, const struct sp_counts_day *day, bool published)
{
	*table = (struct table){.groups = day->groups, .slots = day->slots};
	for (size_t s = 0; s < day->slots; s++) {
		for (size_t g = 0; g < day->groups; g++) {
			table->active[s] = table->active[s] || count(day, s, g) > 0;
			// What has grown since it was told is not known any more.
			table->unknown[s][g] =
			    !published || !told(day, s, g) || told(day, s, g) != count(day, s, g);
		}
	}
}

/// Nothing follows from what was told that would not follow from the attacker's own totals alone.
static void check_sums(const struct sp_counts_day *day)
{
	struct table with, without;
	fill(&with, day, true);
	fill(&without, day, false);
	for (size_t s = 0; s < day->slots; s++)
		for (size_t g = 0; g < day->groups; g++)
			if (with.active[s] && !told(day, s, g) && follows(&with, s, g))
				assert_true(follows(&without, s, g));
}

/// Also to somebody who knows which cells are empty: no total of one row or one column gives a small cell.
static void check_lines(const struct sp_counts_day *day, bool late)
{
	for (size_t s = 0; s < day->slots; s++) {
		unsigned filled = 0, persons = 0, visible = 0;
		for (size_t g = 0; g < day->groups; g++) {
			visible += told(day, s, g) > 0;
			if (told(day, s, g))
				assert_true(told(day, s, g) >= SP_COUNTS_LEAST &&
					    told(day, s, g) <= count(day, s, g));
			filled += !told(day, s, g) && count(day, s, g) > 0;
			persons += told(day, s, g) ? 0 : count(day, s, g);
		}
		// Who comes late to a slot of which all is told may belong to any group: check_growth().
		if (visible > 0 && filled > 0 && !late)
			assert_true(filled >= 2 && persons >= SP_COUNTS_LEAST);
	}
	for (size_t g = 0; g < day->groups; g++) {
		unsigned persons = 0, visible = 0;
		for (size_t s = 0; s < day->slots; s++) {
			visible += told(day, s, g) > 0;
			persons += told(day, s, g) ? 0 : count(day, s, g);
		}
		if (visible > 0)
			assert_true(persons >= SP_COUNTS_LEAST);
	}
}

/// Between two revisions of a slot. A cell is exact when it is told anew; `exact` says of which this was so
/// the last time, and then of which it is so now.
static void check_growth(const struct sp_counts_day *day, size_t slot, const uint16_t *before, bool *exact)
{
	unsigned untold = 0, kept = 0;
	for (size_t g = 0; g < day->groups; g++) {
		unsigned now = told(day, slot, g), was = before[g];
		assert_true(now == was || (now >= was + SP_COUNTS_LEAST && now >= SP_COUNTS_LEAST));
		untold += !(exact[g] && now != was);
		kept += now == was;
		exact[g] = now != was;
	}
	if (day->groups > 1 && day->revision[slot] > 1) {
		assert_int_not_equal(untold, 1);
		assert_int_not_equal(kept, 1);
	}
}

struct sums {
	unsigned long told, cells, persons, persons_told;
};

/// Groups that come around their hour, some of them late, some in small numbers.
static unsigned crowd(size_t slot, size_t hour, unsigned size)
{
	size_t away = slot > hour ? slot - hour : hour - slot;
	unsigned most = away == 0 ? size : away == 1 ? size / 2 : away == 2 ? size / 8 + 2 : 1;
	return (unsigned)rand() % (most + 1);
}

static void decide(struct sp_counts_day *day, size_t slot, bool *exact, bool late)
{
	uint16_t before[GROUPS];
	const uint16_t *at = &day->told[sp_counts_cell(day, slot, IN, 0)];
	memcpy(before, at, day->groups * sizeof(*before));
	unsigned revision = day->revision[slot];
	bool changed = sp_counts_day_decide(day, slot, NULL);
	assert_int_equal(changed, memcmp(before, at, day->groups * sizeof(*before)) != 0);
	assert_int_equal(day->revision[slot], revision + changed);
	if (changed)
		check_growth(day, slot, before, exact);
	check_sums(day);
	check_lines(day, late);
}

static void random_day(struct sums *sums, bool late)
{
	struct sp_counts_day day;
	bool exact[SLOTS][GROUPS] = {{false}};
	size_t groups = 2 + (size_t)rand() % (GROUPS - 1), hours[GROUPS];
	unsigned sizes[GROUPS];
	sp_counts_day_init(&day, groups, SLOTS);
	for (size_t g = 0; g < groups; g++) {
		hours[g] = (size_t)rand() % SLOTS;
		sizes[g] = (unsigned)rand() % 40;
	}
	for (size_t step = 0; step < (late ? 2 * SLOTS : SLOTS); step++) {
		size_t slot = step < SLOTS ? step : (size_t)rand() % SLOTS;
		for (size_t g = 0; g < groups; g++)
			come(&day, slot, g,
			     step < SLOTS ? crowd(slot, hours[g], sizes[g]) : (unsigned)rand() % 9);
		if (late && step < SLOTS && step > 2 && rand() % 3 == 0)
			come(&day, (size_t)rand() % step, (size_t)rand() % groups, 1 + (unsigned)rand() % 9);
		decide(&day, slot, exact[slot], late);
	}
	for (size_t s = 0; s < SLOTS; s++) {
		for (size_t g = 0; g < groups; g++) {
			sums->cells += count(&day, s, g) >= SP_COUNTS_LEAST;
			sums->told += told(&day, s, g) > 0;
			sums->persons += count(&day, s, g);
			sums->persons_told += told(&day, s, g);
		}
	}
	sp_counts_day_free(&day);
}

static void nothing_small_follows_on_random_days(void **state)
{
	(void)state;
	for (int late = 0; late <= 1; late++) {
		struct sums sums = {0};
		srand(20261123);
		for (int i = 0; i < DAYS; i++)
			random_day(&sums, late);
		printf("%d days%s: told %lu of %lu cells of 5 or more, %lu of %lu persons\n", DAYS,
		       late ? " with late events" : "", sums.told, sums.cells, sums.persons_told,
		       sums.persons);
		// Who tells nothing hides everything, and needs no such rules.
		assert_true(sums.told * 4 > sums.cells);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_person_counts_once_in_a_cell),
	    cmocka_unit_test(few_are_kept_back_and_not_alone),
	    cmocka_unit_test(a_group_tells_nothing_before_five_of_it_are_kept_back),
	    cmocka_unit_test(revisions_grow_by_five_or_not_at_all),
	    cmocka_unit_test(nothing_small_follows_on_random_days),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
