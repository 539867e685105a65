// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What is heard late, and in any order: only the stretch around it is looked at again, and what stands there
// in the end is what a look at everything at once finds.
#include "tests/unit/hub/hub_util.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/hub/incident_world.h"

/// What a store would hold.
struct kept {
	struct sp_incident *items;
	size_t count;
};

static void forget(struct kept *kept, int64_t from_ms, int64_t to_ms)
{
	size_t left = 0;
	for (size_t i = 0; i < kept->count; i++) {
		if (kept->items[i].from_ms >= from_ms && kept->items[i].from_ms < to_ms)
			free(kept->items[i].members);
		else
			kept->items[left++] = kept->items[i];
	}
	kept->count = left;
}

static int by_beginning(const void *left, const void *right)
{
	const struct sp_incident *a = left, *b = right;
	return a->from_ms != b->from_ms ? (a->from_ms < b->from_ms ? -1 : 1) : (int)a->scope - (int)b->scope;
}

static void look_again(struct world *world, struct kept *kept, int64_t from_ms, int64_t to_ms)
{
	size_t count;
	struct sp_incident *found = NULL;
	int64_t margin_ms = world->rules.rolling_ms + world->rules.again_ms;
	from_ms -= margin_ms;
	to_ms = to_ms > INT64_MAX - margin_ms ? INT64_MAX : to_ms + margin_ms;
	bool grew = true;
	while (grew) {
		(void)sp_incident_widen(&world->rules, kept->items, kept->count, world->losses,
					world->loss_count, &from_ms, &to_ms);
		if (found)
			sp_incidents_free(found, count);
		found = world_look(world, from_ms, to_ms, &count);
		grew = sp_incident_widen(&world->rules, found, count, world->losses, world->loss_count,
					 &from_ms, &to_ms);
	}
	forget(kept, from_ms, to_ms);
	kept->items = sp_realloc(kept->items, (kept->count + count + 1) * sizeof(*kept->items));
	if (count > 0)
		memcpy(kept->items + kept->count, found, count * sizeof(*found));
	kept->count += count;
	free(found);
	qsort(kept->items, kept->count, sizeof(*kept->items), by_beginning);
}

static void lose_all(struct world *world, enum sp_loss_kind kind, size_t first, size_t last, int32_t provider,
		     int64_t at_ms, int64_t to_ms)
{
	for (size_t i = first; i < last; i++) {
		if (provider < 0 || world->lines[i].provider == provider)
			world_lose(world, i, kind, at_ms + world_random(world, 3 * MINUTE),
				   world_random(world, 6 * MINUTE), to_ms + world_random(world, 10 * MINUTE));
	}
}

/// A week of faults of every kind, with noise.
static void week(struct world *world)
{
	world_noise(world, T0, T0 + 7 * DAY, 1);
	for (int i = 0; i < 12; i++) {
		int64_t at_ms = T0 + world_random(world, 7 * DAY);
		int64_t to_ms =
		    at_ms + 5 * MINUTE + world_random(world, world_random(world, 4) ? 3 * HOUR : 2 * DAY);
		size_t first = (size_t)world_random(world, 30) * 10;
		enum sp_loss_kind kind = (enum sp_loss_kind)world_random(world, 3);
		size_t last = first + 10 * (1 + (size_t)world_random(world, 10));
		lose_all(world, kind, first, last > WORLD_BOARDS ? WORLD_BOARDS : last,
			 (int32_t)world_random(world, 3) - 1, at_ms, to_ms);
	}
	for (int i = 0; i < 40; i++) { // those that only have bounds
		int64_t at_ms = T0 + world_random(world, 7 * DAY);
		world_lose(world, (size_t)world_random(world, WORLD_BOARDS), SP_LOSS_UNTOLD, at_ms,
			   world_random(world, 3 * HOUR), at_ms + 5 * HOUR);
	}
}

/// Each loss arrives once or twice: at first perhaps only as a silence that lasts.
static void arrive(struct world *world, const struct world *truth)
{
	struct kept kept = {0};
	size_t told = 0, *open = sp_alloc(truth->loss_count * sizeof(*open)), waiting = 0;
	while (told < truth->loss_count || waiting > 0) {
		int64_t from_ms = INT64_MAX, to_ms = INT64_MIN;
		for (int64_t n = 1 + world_random(world, 40); n > 0; n--) {
			struct sp_loss now;
			if (waiting > 0 && (told == truth->loss_count || world_random(world, 3) == 0)) {
				size_t which = (size_t)world_random(world, (int64_t)waiting);
				world->losses[open[which]] = now = truth->losses[open[which]];
				open[which] = open[--waiting];
				to_ms = INT64_MAX;
			} else if (told < truth->loss_count) {
				now = truth->losses[told];
				if (now.kind != SP_LOSS_OTHER && world_random(world, 4) == 0) {
					now.kind = SP_LOSS_UNTOLD;
					now.to_ms = LASTS;
					open[waiting++] = told;
				}
				world->losses[told++] = now;
				world->loss_count = told;
			} else {
				break;
			}
			from_ms = now.lo_ms < from_ms ? now.lo_ms : from_ms;
			to_ms = now.to_ms > to_ms ? now.to_ms : to_ms;
		}
		if (from_ms < INT64_MAX)
			look_again(world, &kept, from_ms, to_ms);
	}
	world_find(world);
	char *all = world_print(world, world->found, world->count);
	qsort(kept.items, kept.count, sizeof(*kept.items), by_beginning);
	char *late = world_print(world, kept.items, kept.count);
	assert_string_equal(late, all);
	free(late);
	free(all);
	free(open);
	sp_incidents_free(kept.items, kept.count);
}

static void order_of_arrival_does_not_matter(void **state)
{
	(void)state;
	int64_t incidents = 0;
	for (unsigned seed = 1; seed <= 3; seed++) {
		struct world *truth = world_new(seed), *world = world_new(seed + 1000);
		week(truth);
		world_shuffle(truth);
		arrive(world, truth);
		incidents += (int64_t)world->count;
		world_free(world);
		world_free(truth);
	}
	assert_true(incidents >= 15);
}

/// Days later boards that were thought to be silent for themselves tell that they were part of it.
static void late_members_join(void **state)
{
	(void)state;
	struct world *world = world_new(1);
	struct kept kept = {0};
	lose_all(world, SP_LOSS_LINE, 0, 100, 0, T0, T0 + HOUR);
	look_again(world, &kept, T0, T0 + 2 * HOUR);
	assert_int_equal(kept.count, 1);
	assert_int_equal(kept.items[0].boards, 67);
	assert_int_equal(kept.items[0].scope, SP_SCOPE_PROVIDER_AREA);
	size_t before = world->loss_count;
	lose_all(world, SP_LOSS_LINE, 100, WORLD_BOARDS, 0, T0, T0 + HOUR);
	look_again(world, &kept, world->losses[before].lo_ms, T0 + 2 * HOUR);
	assert_int_equal(kept.count, 1);
	assert_int_equal(kept.items[0].boards, 200);
	assert_int_equal(kept.items[0].scope, SP_SCOPE_PROVIDER);
	sp_incidents_free(kept.items, kept.count);
	world_free(world);
}

/// One incident of which nobody had told falls into a power cut and a cut of lines.
static void returns_split_what_seemed_one(void **state)
{
	(void)state;
	struct world *world = world_new(1);
	struct kept kept = {0};
	for (size_t i = 0; i < 100; i++)
		world_lose(world, i, SP_LOSS_UNTOLD, T0, MINUTE, LASTS);
	look_again(world, &kept, T0, LASTS);
	assert_int_equal(kept.count, 1);
	assert_int_equal(kept.items[0].cause, SP_INCIDENT_UNKNOWN);
	for (size_t i = 0; i < 100; i++)
		world->losses[i].kind = i < 50 ? SP_LOSS_POWER : SP_LOSS_LINE;
	look_again(world, &kept, T0, LASTS);
	int64_t line = 0, power = 0;
	for (size_t i = 0; i < kept.count; i++) {
		assert_int_not_equal(kept.items[i].cause, SP_INCIDENT_UNKNOWN);
		line += kept.items[i].cause == SP_INCIDENT_LINE ? kept.items[i].boards : 0;
		power += kept.items[i].cause == SP_INCIDENT_POWER ? kept.items[i].boards : 0;
	}
	assert_int_equal(line, 50);
	assert_int_equal(power, 50);
	sp_incidents_free(kept.items, kept.count);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(order_of_arrival_does_not_matter),
	    cmocka_unit_test(late_members_join),
	    cmocka_unit_test(returns_split_what_seemed_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
