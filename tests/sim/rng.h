// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Chance out of a seed (splitmix64, Steele, Lea and Flood 2014): the same everywhere, for ever.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_rng {
	uint64_t state;
};

static inline uint64_t sim_rng_next(struct sim_rng *rng)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/// A stream of its own for each use: what one asks for does not move the others.
static inline struct sim_rng sim_rng_fork(uint64_t seed, uint64_t use)
{
	struct sim_rng rng = {seed * 0x2545f4914f6cdd1du + use * 0x9e3779b97f4a7c15u};
	(void)sim_rng_next(&rng);
	return rng;
}

/// In [from, to].
static inline int64_t sim_rng_between(struct sim_rng *rng, int64_t from, int64_t to)
{
	return from + (int64_t)(sim_rng_next(rng) % (uint64_t)(to - from + 1));
}

/// True so often in a million.
static inline bool sim_rng_chance(struct sim_rng *rng, unsigned per_million)
{
	return sim_rng_next(rng) % 1000000 < per_million;
}
