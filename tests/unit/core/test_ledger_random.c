// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What must hold whatever is reported: states follow one another without a gap, outages never overlap, their
// parts add up, and everything ends within the time that has passed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tests/unit/core/ledger_bench.h"

enum { SEEDS = 400, STEPS = 600 };

struct world {
	struct sp_ledger *ledger;
	uint64_t seed;
	int64_t now_us;
	struct sp_line_view line;
	bool open;
	char id[SP_ID_LENGTH + 1];
	int64_t last_end_us;
	int outages, closes;
};

static uint32_t chance(struct world *world, uint32_t below)
{
	world->seed = world->seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(world->seed >> 33) % below;
}

static int64_t sum_of(const struct sp_outage *outage)
{
	int64_t sum = 0;
	for (size_t i = 0; i < outage->part_count; i++) {
		assert_true(outage->parts[i].us >= 0);
		assert_int_not_equal(outage->parts[i].state, SP_LINE_UP);
		sum += outage->parts[i].us;
	}
	return sum;
}

static void on_line(void *arg, const struct sp_line_view *view)
{
	struct world *world = arg;
	assert_true(view->since_us >= world->line.since_us);
	assert_true(view->since_us <= world->now_us);
	if (view->state == SP_LINE_UP)
		assert_true(view->whose == SP_WHOSE_NOBODY || view->whose == SP_WHOSE_OURS);
	if (view->whose == SP_WHOSE_PROVIDER)
		assert_true(view->state == SP_LINE_DOWN || view->state == SP_LINE_DEGRADED);
	world->line = *view;
}

static void on_outage(void *arg, const struct sp_outage *outage, enum sp_outage_phase phase)
{
	struct world *world = arg;
	bool begins = phase == SP_OUTAGE_OPEN || !world->open;
	assert_int_equal(begins, phase == SP_OUTAGE_OPEN);
	if (begins) {
		assert_true(outage->start_mono_us >= world->last_end_us);
		strcpy(world->id, outage->id);
		world->outages++;
	}
	assert_string_equal(outage->id, world->id);
	assert_int_not_equal(outage->state, SP_LINE_UP);
	assert_true(outage->part_count >= 1 && outage->part_count <= SP_OUTAGE_PARTS);
	world->open = phase != SP_OUTAGE_CLOSE;
	if (world->open) {
		assert_false(outage->closed);
		// So far, that is until the line's state began.
		assert_int_equal(sum_of(outage), world->line.since_us - outage->start_mono_us);
		return;
	}
	assert_true(outage->end_mono_us >= outage->start_mono_us);
	assert_true(outage->end_mono_us <= world->now_us);
	assert_int_equal(outage->end_mono_us, world->line.since_us);
	assert_int_equal(sum_of(outage), outage->end_mono_us - outage->start_mono_us);
	bool named = false;
	for (size_t i = 0; i < outage->part_count; i++)
		named |= outage->parts[i].cause == outage->cause && outage->parts[i].whose == outage->whose;
	assert_true(named);
	world->last_end_us = outage->end_mono_us;
	world->closes++;
}

static void on_save(void *arg)
{
	(void)arg;
}

static const struct sp_ledger_events events = {.line = on_line, .outage = on_outage, .save = on_save};

static void report(struct world *world, int rung, int family, enum sp_rung_status status)
{
	struct sp_rung_report it = {.rung = (enum sp_rung)rung,
				    .family = (enum sp_family)family,
				    .status = status,
				    .since_us = world->now_us - (int64_t)chance(world, 20000000),
				    .rtt_us = (int64_t)chance(world, 100000) - 10};
	sp_ledger_report(world->ledger, chance(world, 3) ? "a" : "b", &it, rung == CABLE ? 0 : us(60),
			 world->now_us);
}

static enum sp_rung_status status_of(struct world *world)
{
	static const enum sp_rung_status statuses[] = {OK, OK, OK, SILENT, SILENT, WRONG, SP_RUNG_UNKNOWN};
	return statuses[chance(world, SP_COUNT(statuses))];
}

/// Anything may be said of anything.
static void chaos(struct world *world)
{
	for (uint32_t i = chance(world, 12); i > 0; i--)
		report(world, (int)chance(world, SP_RUNGS), (int)chance(world, SP_FAMILIES),
		       status_of(world));
	if (chance(world, 30) == 0)
		sp_ledger_load_line(world->ledger, chance(world, 2), world->now_us);
	if (chance(world, 20) == 0)
		sp_ledger_traffic(world->ledger, world->now_us - (int64_t)chance(world, 5000000));
	if (chance(world, 40) == 0)
		sp_ledger_egress(world->ledger, (enum sp_line_egress)chance(world, 3), world->now_us,
				 world->now_us, chance(world, 2));
}

/// All answers, long enough for every wait to end.
static void calm(struct world *world)
{
	sp_ledger_load_line(world->ledger, false, world->now_us);
	sp_ledger_egress(world->ledger, SP_LINE_EGRESS_OWN, world->now_us, world->now_us, true);
	for (int i = 0; i < 30; i++) {
		world->now_us += us(10);
		for (int source = 0; source < 2; source++)
			for (int rung = 0; rung < SP_RUNGS; rung++)
				for (int family = 0; family < SP_FAMILIES; family++) {
					struct sp_rung_report it = {.rung = (enum sp_rung)rung,
								    .family = (enum sp_family)family,
								    .status = OK,
								    .since_us = world->now_us - us(5),
								    .rtt_us = 1000};
					sp_ledger_report(world->ledger, source ? "a" : "b", &it, us(60),
							 world->now_us);
				}
		struct sp_clock_reading now = {.mono_us = world->now_us};
		(void)sp_ledger_judge(world->ledger, &now);
	}
}

static void test_invariants(void **unused)
{
	(void)unused;
	int outages = 0, longest = 0;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world world = {.seed = seed, .now_us = us(1000)};
		world.ledger = sp_ledger_new(boot_one, &events, &world);
		for (int step = 0; step < STEPS; step++) {
			world.now_us += 1 + (int64_t)chance(&world, 8000000);
			chaos(&world);
			struct sp_clock_reading now = {.mono_us = world.now_us,
						       .synced = chance(&world, 2),
						       .wall_ms = (int64_t)chance(&world, 2000000000)};
			int64_t next = sp_ledger_judge(world.ledger, &now);
			assert_true(next > world.now_us);
		}
		calm(&world);
		struct sp_line_view view;
		sp_ledger_view(world.ledger, &view);
		assert_int_equal(view.state, SP_LINE_UP);
		assert_null(sp_ledger_outage(world.ledger));
		assert_int_equal(world.outages, world.closes);
		outages += world.outages;
		longest = world.outages > longest ? world.outages : longest;
		sp_ledger_free(world.ledger);
	}
	// It was no idle test.
	assert_true(outages > SEEDS);
	assert_true(longest > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_invariants),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
