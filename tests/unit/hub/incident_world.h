// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A small province for the correlator: districts of communes of schools, two providers, hops, and what is
// done to them. What it tells the correlator may be put into any order.
#pragma once

#include "tools/hub/incident/correlate.h"

enum {
	WORLD_DISTRICTS = 3,
	WORLD_COMMUNES = 10, ///< of each district
	WORLD_SCHOOLS = 10,  ///< of each commune
	WORLD_BOARDS = WORLD_DISTRICTS * WORLD_COMMUNES * WORLD_SCHOOLS,
	WORLD_PROVINCE = 0, ///< areas: the province, then districts, then communes
	WORLD_AREAS = 1 + WORLD_DISTRICTS + WORLD_DISTRICTS * WORLD_COMMUNES,
	WORLD_LOSSES = 20000,
};
#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define LASTS  INT64_MAX
#define T0     INT64_C(1795000000000)

struct world {
	struct sp_incident_rules rules;
	struct sp_incident_line lines[WORLD_BOARDS];
	int32_t areas[WORLD_BOARDS][3], depth[WORLD_AREAS];
	struct sp_loss losses[WORLD_LOSSES];
	size_t loss_count;
	unsigned seed;
	struct sp_incident *found;
	size_t count;
};

struct world *world_new(unsigned seed);
void world_free(struct world *world);
/// From 0 to below `n`, by the world's own seed.
int64_t world_random(struct world *world, int64_t n);

int32_t world_district(int district);
int32_t world_commune(int district, int commune);
/// The board of a school; provider 0 has two of three schools, provider 1 the third.
size_t world_board(int district, int commune, int school);

void world_lose(struct world *world, size_t board, enum sp_loss_kind kind, int64_t at_ms, int64_t width_ms,
		int64_t to_ms);
/// Losses by chance: each board `per_day` times a day, for up to 20 minutes.
void world_noise(struct world *world, int64_t from_ms, int64_t to_ms, double per_day);
void world_shuffle(struct world *world);
/// Over all that there is; again after more was lost.
void world_find(struct world *world);
/// Only what began between both.
struct sp_incident *world_look(struct world *world, int64_t from_ms, int64_t to_ms, size_t *count);
/// "provider 0 line 200/200; …"
const char *world_said(const struct world *world);
/// Everything that was found, member by member, without anything that depends on order.
char *world_print(const struct world *world, const struct sp_incident *incidents, size_t count);
