// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The correlator on days of which it is known what happened.
#include "tests/unit/hub/hub_util.h"

#include <stdlib.h>

#include "tests/unit/hub/incident_world.h"

#define UNTOLD SP_LOSS_UNTOLD
#define LINE   SP_LOSS_LINE
#define POWER  SP_LOSS_POWER
#define OTHER  SP_LOSS_OTHER

static int setup(void **state)
{
	*state = world_new(7);
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

/// Every board of the provider, within two minutes.
static void cut_provider(struct world *world, int32_t provider, enum sp_loss_kind kind, int64_t at_ms,
			 int64_t to_ms)
{
	for (size_t i = 0; i < WORLD_BOARDS; i++) {
		if (world->lines[i].provider == provider)
			world_lose(world, i, kind, at_ms + world_random(world, 2 * MINUTE), 1000,
				   to_ms == LASTS ? LASTS : to_ms + world_random(world, 5 * MINUTE));
	}
}

/// Every board of a district, whoever its provider is; power is lost between two commits of a card.
static void cut_district(struct world *world, int district, enum sp_loss_kind kind, int64_t at_ms,
			 int64_t to_ms)
{
	for (int commune = 0; commune < WORLD_COMMUNES; commune++) {
		for (int school = 0; school < WORLD_SCHOOLS; school++)
			world_lose(world, world_board(district, commune, school), kind,
				   at_ms - world_random(world, 2 * MINUTE), 5 * MINUTE,
				   to_ms == LASTS ? LASTS : to_ms + world_random(world, 5 * MINUTE));
	}
}

static void a_provider_is_one_incident(void **state)
{
	struct world *world = *state;
	world_noise(world, T0, T0 + 10 * HOUR, 1);
	cut_provider(world, 0, UNTOLD, T0 + 10 * HOUR, LASTS);
	world_find(world);
	assert_string_equal(world_said(world), "provider 0 unknown 200");
	assert_true(world->found[0].from_ms >= T0 + 10 * HOUR - world->rules.together_ms);
	assert_true(world->found[0].from_ms <= T0 + 10 * HOUR + MINUTE);
	assert_true(world->found[0].to_ms == LASTS);
	assert_true(world->found[0].of_boards >= 195);
}

static void what_boards_tell_on_their_return_decides(void **state)
{
	struct world *world = *state;
	cut_provider(world, 0, UNTOLD, T0 + HOUR, LASTS);
	for (size_t i = 0; i < 19; i++)
		world->losses[i].kind = LINE;
	world_find(world);
	assert_string_equal(world_said(world), "provider 0 unknown 200");
	world->losses[19].kind = LINE; // a tenth has told
	world_find(world);
	assert_string_equal(world_said(world), "provider 0 line 200");
}

static void a_power_cut_beside_is_another(void **state)
{
	struct world *world = *state;
	world_noise(world, T0, T0 + DAY, 0.5);
	for (size_t i = 0; i < WORLD_BOARDS; i++) {
		bool dark = world->lines[i].areas[1] == world_district(1);
		if (!dark && world->lines[i].provider == 0)
			world_lose(world, i, LINE, T0 + 10 * HOUR + world_random(world, MINUTE), 1000,
				   T0 + 12 * HOUR);
	}
	cut_district(world, 1, POWER, T0 + 10 * HOUR, T0 + 11 * HOUR);
	world_find(world);
	assert_int_equal(world->count, 2);
	const struct sp_incident *power = &world->found[world->found[0].cause == SP_INCIDENT_POWER ? 0 : 1];
	const struct sp_incident *line = &world->found[world->found[0].cause == SP_INCIDENT_POWER ? 1 : 0];
	assert_int_equal(power->cause, SP_INCIDENT_POWER);
	assert_int_equal(power->scope, SP_SCOPE_AREA);
	assert_int_equal(power->area, world_district(1));
	assert_in_range(power->boards, 97, 100); // some had been lost before, by chance
	assert_int_equal(line->cause, SP_INCIDENT_LINE);
	assert_int_equal(line->scope, SP_SCOPE_PROVIDER);
	assert_in_range(line->boards, 130, 140);
}

static void nobody_has_told_yet_and_both_are_seen(void **state)
{
	struct world *world = *state;
	cut_provider(world, 0, UNTOLD, T0 + HOUR, LASTS);
	cut_district(world, 1, UNTOLD, T0 + HOUR, LASTS);
	world_find(world);
	// Those of provider 0 in the district may belong to either, until they tell.
	assert_int_equal(world->count, 2);
	assert_int_equal(world->found[0].boards + world->found[1].boards, 200 + 33);
}

static void the_lowest_area_that_explains_it(void **state)
{
	struct world *world = *state;
	for (int school = 0; school < WORLD_SCHOOLS; school++)
		world_lose(world, world_board(2, 4, school), UNTOLD, T0 + HOUR, 3 * MINUTE, LASTS);
	world_find(world);
	assert_string_equal(world_said(world), "area in 28 unknown 10"); // the commune, not the district
	assert_int_equal(world->found[0].area, world_commune(2, 4));
	for (int commune = 0; commune < WORLD_COMMUNES; commune++) {
		for (int school = 0; commune != 4 && school < 9; school++)
			world_lose(world, world_board(2, commune, school), UNTOLD, T0 + HOUR, 3 * MINUTE,
				   LASTS);
	}
	world_find(world);
	assert_string_equal(world_said(world), "area in 3 unknown 91");
}

static void a_hop_and_a_provider_within_an_area(void **state)
{
	struct world *world = *state;
	int32_t hop = world->lines[0].hop;
	for (size_t i = 0; i < WORLD_BOARDS; i++) {
		if (world->lines[i].hop == hop)
			world_lose(world, i, LINE, T0 + HOUR, 1000, T0 + 3 * HOUR);
		if (world->lines[i].provider == 1 && world->areas[i][1] == world_district(2))
			world_lose(world, i, LINE, T0 + 9 * HOUR, 1000, T0 + 10 * HOUR);
	}
	world_find(world);
	assert_string_equal(world_said(world), "hop 0 by 0 line 34; provider_area 1 in 3 line 34");
}

static void a_slow_beginning_is_one_incident(void **state)
{
	struct world *world = *state;
	int64_t lost = 0;
	world_noise(world, T0, T0 + DAY, 0.5);
	for (size_t i = 0; i < WORLD_BOARDS; i++) {
		if (world->lines[i].provider == 0) // one every 20 s: 67 minutes
			world_lose(world, i, LINE, T0 + 10 * HOUR + lost++ * 20000, 1000, T0 + 14 * HOUR);
	}
	world->rules.share = 0.4; // 90 of 200 within half an hour
	world_find(world);
	assert_int_equal(world->count, 1);
	assert_in_range(world->found[0].boards, 190, 200);
	assert_in_range(world->found[0].from_ms, T0 + 10 * HOUR - 6 * MINUTE, T0 + 10 * HOUR + 10 * MINUTE);
	world_free(world);
	*state = world = world_new(8);
	lost = 0;
	for (size_t i = 0; i < 100; i++) // a district in 25 minutes
		world_lose(world, 100 + i, UNTOLD, T0 + 10 * HOUR + lost++ * 15000, 3 * MINUTE, LASTS);
	world_find(world);
	assert_string_equal(world_said(world), "area in 2 unknown 100");
	assert_in_range(world->found[0].from_ms, T0 + 10 * HOUR - MINUTE, T0 + 10 * HOUR + MINUTE);
}

static void wrong_clocks_belong_all_the_same(void **state)
{
	struct world *world = *state;
	for (size_t i = 0; i < WORLD_BOARDS; i++) {
		if (world->lines[i].provider == 0)
			world_lose(world, i, LINE, T0 + HOUR + world_random(world, 8 * MINUTE) - 4 * MINUTE,
				   world_random(world, 6 * MINUTE), T0 + 2 * HOUR);
	}
	world_find(world);
	assert_string_equal(world_said(world), "provider 0 line 200");
}

static void bounds_alone_join_and_found_nothing(void **state)
{
	struct world *world = *state;
	for (int school = 0; school < WORLD_SCHOOLS; school++)
		world_lose(world, world_board(0, 0, school), UNTOLD, T0 + HOUR, 2 * HOUR, LASTS);
	world_find(world);
	assert_int_equal(world->count, 0);
	for (int school = 0; school < WORLD_SCHOOLS; school++)
		world_lose(world, world_board(0, 1, school), UNTOLD, T0 + HOUR, MINUTE, LASTS);
	world_lose(world, world_board(0, 1, 0) + 200, UNTOLD, T0 + HOUR, 2 * HOUR, LASTS); // elsewhere
	world_find(world);
	assert_string_equal(world_said(world), "area in 5 unknown 10");
	world_free(world);
	*state = world = world_new(8);
	for (int school = 0; school < WORLD_SCHOOLS; school++)
		world_lose(world, world_board(0, 1, school), UNTOLD, T0 + HOUR,
			   school < 8 ? MINUTE : 2 * HOUR, LASTS);
	world_lose(world, world_board(0, 1, 0), OTHER, T0 - DAY, DAY + 2 * HOUR, LASTS);
	world_find(world);
	assert_string_equal(world_said(world), "area in 5 unknown 10");
}

static void half_of_them_return_earlier(void **state)
{
	struct world *world = *state;
	int64_t n = 0;
	for (size_t i = 0; i < WORLD_BOARDS; i++) {
		if (world->lines[i].provider == 0)
			world_lose(world, i, n % 2 ? LINE : UNTOLD, T0 + HOUR, 1000,
				   n % 2 ? T0 + HOUR + 20 * MINUTE : LASTS);
		n++;
	}
	world_find(world);
	assert_string_equal(world_said(world), "provider 0 line 200");
	assert_true(world->found[0].to_ms == LASTS);
	for (size_t i = 0; i < world->loss_count; i++) { // two thirds of the rest
		if (world->losses[i].to_ms == LASTS && i % 3)
			world->losses[i].to_ms = T0 + 3 * HOUR;
	}
	world_find(world);
	assert_int_equal(world->count, 1);
	assert_int_equal(world->found[0].to_ms,
			 T0 + 3 * HOUR); // those who are still away do not hold it open
}

static void a_flapping_fault_is_one_incident(void **state)
{
	struct world *world = *state;
	for (int flap = 0; flap < 6; flap++)
		cut_provider(world, 0, LINE, T0 + HOUR + flap * 15 * MINUTE,
			     T0 + HOUR + flap * 15 * MINUTE + 3 * MINUTE);
	cut_provider(world, 0, LINE, T0 + 5 * HOUR, T0 + 6 * HOUR); // much later: another one
	world_find(world);
	assert_string_equal(world_said(world), "provider 0 line 200; provider 0 line 200");
	assert_int_equal(world->found[0].member_count, 1200);
	assert_int_equal(world->found[1].member_count, 200);
}

static void coincidences_and_switches_are_none(void **state)
{
	struct world *world = *state;
	world_noise(world, T0, T0 + 20 * DAY, 1);
	world_find(world);
	assert_int_equal(world->count, 0);
	cut_district(world, 0, OTHER, T0 + 10 * HOUR, T0 + 24 * HOUR); // the main switch, after school
	world_find(world);
	assert_int_equal(world->count, 0);
	for (int school = 0; school < 4; school++) // fewer than five
		world_lose(world, world_board(1, 1, school), LINE, T0 + HOUR, 0, T0 + 3 * HOUR);
	world_find(world);
	assert_int_equal(world->count, 0);
}

static void who_follows_while_it_lasts_joins(void **state)
{
	struct world *world = *state;
	cut_provider(world, 0, LINE, T0 + HOUR, T0 + 9 * HOUR);
	world->losses[5].lo_ms = world->losses[5].hi_ms = T0 + 4 * HOUR;
	world->losses[6].lo_ms = world->losses[6].hi_ms = T0 + 10 * HOUR; // after it was over
	world->losses[6].to_ms = T0 + 11 * HOUR;
	world_lose(world, 2, LINE, T0 + 2 * HOUR, 0, T0 + 3 * HOUR); // of the other provider
	world_find(world);
	assert_string_equal(world_said(world), "provider 0 line 199");
}

static void no_board_is_in_two_at_once(void **state)
{
	struct world *world = *state;
	// Two lines of one board, of two providers that fail at once.
	for (size_t i = 1; i < WORLD_BOARDS; i++) {
		if (i % 3 == 2)
			world->lines[i].board = world->lines[i - 1].board;
	}
	cut_provider(world, 0, LINE, T0 + HOUR, T0 + 9 * HOUR);
	cut_provider(world, 1, LINE, T0 + HOUR, T0 + 9 * HOUR);
	world_find(world);
	bool seen[WORLD_BOARDS] = {false};
	for (size_t i = 0; i < world->count; i++) {
		bool mine[WORLD_BOARDS] = {false};
		for (size_t k = 0; k < world->found[i].member_count; k++)
			mine[world->lines[world->losses[world->found[i].members[k]].line].board] = true;
		for (size_t board = 0; board < WORLD_BOARDS; board++) {
			assert_false(mine[board] && seen[board]);
			seen[board] |= mine[board];
		}
	}
	assert_true(world->count >= 1);
}

static void the_order_does_not_matter(void **state)
{
	struct world *world = *state;
	world_noise(world, T0, T0 + 2 * DAY, 2);
	cut_provider(world, 0, LINE, T0 + 10 * HOUR, T0 + 11 * HOUR);
	cut_district(world, 1, UNTOLD, T0 + 10 * HOUR + 3 * MINUTE, T0 + 14 * HOUR);
	cut_district(world, 2, POWER, T0 + 30 * HOUR, T0 + 31 * HOUR);
	world_find(world);
	assert_true(world->count >= 3);
	char *first = world_print(world, world->found, world->count);
	for (int i = 0; i < 20; i++) {
		world_shuffle(world);
		world_find(world);
		char *again = world_print(world, world->found, world->count);
		assert_string_equal(again, first);
		free(again);
	}
	free(first);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(a_provider_is_one_incident),          TEST(what_boards_tell_on_their_return_decides),
	    TEST(a_power_cut_beside_is_another),       TEST(nobody_has_told_yet_and_both_are_seen),
	    TEST(the_lowest_area_that_explains_it),    TEST(a_hop_and_a_provider_within_an_area),
	    TEST(a_slow_beginning_is_one_incident),    TEST(wrong_clocks_belong_all_the_same),
	    TEST(bounds_alone_join_and_found_nothing), TEST(half_of_them_return_earlier),
	    TEST(a_flapping_fault_is_one_incident),    TEST(coincidences_and_switches_are_none),
	    TEST(who_follows_while_it_lasts_joins),    TEST(no_board_is_in_two_at_once),
	    TEST(the_order_does_not_matter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
