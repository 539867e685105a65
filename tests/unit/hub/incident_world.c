// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A small province for the correlator.
#include "tests/unit/hub/incident_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"

int64_t world_random(struct world *world, int64_t n)
{
	uint64_t value = 0;
	for (int i = 0; i < 3; i++)
		value = value << 31 | (uint64_t)rand_r(&world->seed);
	return (int64_t)((value & INT64_MAX) % (uint64_t)n);
}

int32_t world_district(int district)
{
	return 1 + district;
}

int32_t world_commune(int district, int commune)
{
	return 1 + WORLD_DISTRICTS + district * WORLD_COMMUNES + commune;
}

size_t world_board(int district, int commune, int school)
{
	return (size_t)((district * WORLD_COMMUNES + commune) * WORLD_SCHOOLS + school);
}

struct world *world_new(unsigned seed)
{
	struct world *world = sp_alloc(sizeof(*world));
	world->rules = sp_incident_rules_default();
	world->seed = seed;
	for (int32_t i = 0; i < WORLD_AREAS; i++)
		world->depth[i] = i == 0 ? 0 : i <= WORLD_DISTRICTS ? 1 : 2;
	for (size_t i = 0; i < WORLD_BOARDS; i++) {
		int commune = (int)i / WORLD_SCHOOLS, district = commune / WORLD_COMMUNES;
		int32_t provider = i % 3 == 2 ? 1 : 0;
		world->areas[i][0] = world_commune(district, commune % WORLD_COMMUNES);
		world->areas[i][1] = world_district(district);
		world->areas[i][2] = WORLD_PROVINCE;
		world->lines[i] = (struct sp_incident_line){
		    (int64_t)i, provider, provider * 100 + commune / 5, world->areas[i], 3, 0, INT64_MAX};
	}
	return world;
}

void world_free(struct world *world)
{
	sp_incidents_free(world->found, world->count);
	free(world);
}

void world_lose(struct world *world, size_t board, enum sp_loss_kind kind, int64_t at_ms, int64_t width_ms,
		int64_t to_ms)
{
	if (world->loss_count == WORLD_LOSSES)
		abort();
	world->losses[world->loss_count++] =
	    (struct sp_loss){board, kind, at_ms - width_ms / 2, at_ms + (width_ms + 1) / 2, to_ms};
}

void world_noise(struct world *world, int64_t from_ms, int64_t to_ms, double per_day)
{
	int64_t losses = (int64_t)((double)(to_ms - from_ms) / (double)DAY * per_day * WORLD_BOARDS);
	for (int64_t i = 0; i < losses; i++) {
		int64_t at_ms = from_ms + world_random(world, to_ms - from_ms);
		world_lose(world, (size_t)world_random(world, WORLD_BOARDS),
			   world_random(world, 2) ? SP_LOSS_LINE : SP_LOSS_POWER, at_ms, 0,
			   at_ms + 10000 + world_random(world, 20 * MINUTE));
	}
}

void world_shuffle(struct world *world)
{
	for (size_t i = world->loss_count; i > 1; i--) {
		size_t k = (size_t)world_random(world, (int64_t)i);
		struct sp_loss other = world->losses[i - 1];
		world->losses[i - 1] = world->losses[k];
		world->losses[k] = other;
	}
}

struct sp_incident *world_look(struct world *world, int64_t from_ms, int64_t to_ms, size_t *count)
{
	const struct sp_incident_scene scene = {.rules = &world->rules,
						.lines = world->lines,
						.line_count = WORLD_BOARDS,
						.losses = world->losses,
						.loss_count = world->loss_count,
						.area_depth = world->depth,
						.boards = WORLD_BOARDS,
						.from_ms = from_ms,
						.to_ms = to_ms};
	return sp_incidents_find(&scene, count);
}

void world_find(struct world *world)
{
	sp_incidents_free(world->found, world->count);
	world->found = world_look(world, 0, INT64_MAX, &world->count);
}

const char *world_said(const struct world *world)
{
	static char text[4096];
	size_t used = 0;
	text[0] = '\0';
	for (size_t i = 0; i < world->count && used < sizeof(text) - 200; i++) {
		const struct sp_incident *incident = &world->found[i];
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i ? "; " : "",
					 sp_incident_scope_name(incident->scope));
		if (incident->provider >= 0)
			used += (size_t)snprintf(text + used, sizeof(text) - used, " %d", incident->provider);
		if (incident->area >= 0)
			used += (size_t)snprintf(text + used, sizeof(text) - used, " in %d", incident->area);
		if (incident->hop >= 0)
			used += (size_t)snprintf(text + used, sizeof(text) - used, " by %d", incident->hop);
		used += (size_t)snprintf(text + used, sizeof(text) - used, " %s %" PRId64,
					 sp_incident_cause_name(incident->cause), incident->boards);
	}
	return text;
}

static int by_text(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static char *print_members(const struct world *world, const struct sp_incident *incident)
{
	char **members = sp_alloc((incident->member_count + 1) * sizeof(*members));
	char *text = sp_alloc(incident->member_count * 64 + 1);
	size_t used = 0;
	for (size_t i = 0; i < incident->member_count; i++) {
		const struct sp_loss *loss = &world->losses[incident->members[i]];
		members[i] = sp_asprintf(" %zu:%d:%" PRId64 "-%" PRId64, loss->line, (int)loss->kind,
					 loss->lo_ms - T0, loss->to_ms == LASTS ? -1 : loss->to_ms - T0);
	}
	qsort(members, incident->member_count, sizeof(*members), by_text);
	for (size_t i = 0; i < incident->member_count; i++) {
		used += (size_t)sprintf(text + used, "%s", members[i]);
		free(members[i]);
	}
	free(members);
	return text;
}

char *world_print(const struct world *world, const struct sp_incident *incidents, size_t count)
{
	char *text = sp_strdup("");
	for (size_t i = 0; i < count; i++) {
		const struct sp_incident *incident = &incidents[i];
		char *members = print_members(world, incident);
		char *more =
		    sp_asprintf("%s%s p%d a%d h%d %s %" PRId64 "…%" PRId64 " %" PRId64 "/%" PRId64 ":%s\n",
				text, sp_incident_scope_name(incident->scope), incident->provider,
				incident->area, incident->hop, sp_incident_cause_name(incident->cause),
				incident->from_ms - T0, incident->to_ms == LASTS ? -1 : incident->to_ms - T0,
				incident->boards, incident->of_boards, members);
		free(members);
		free(text);
		text = more;
	}
	return text;
}
