// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// splitmix64 (Vigna, 2015): small, and good enough for a simulation.
#include "tools/fleet/rng.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/ids.h"

static uint64_t finish(uint64_t z)
{
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t sp_rng_mix_number(uint64_t seed, uint64_t number)
{
	return finish(seed * UINT64_C(0x9e3779b97f4a7c15) + finish(number + 1));
}

uint64_t sp_rng_mix(uint64_t seed, const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return sp_rng_mix_number(seed, hash);
}

uint64_t sp_rng_next(struct sp_rng *rng)
{
	rng->state += UINT64_C(0x9e3779b97f4a7c15);
	return finish(rng->state);
}

double sp_rng_unit(struct sp_rng *rng)
{
	return (double)(sp_rng_next(rng) >> 11) * 0x1p-53;
}

int64_t sp_rng_below(struct sp_rng *rng, int64_t limit)
{
	return limit > 0 ? (int64_t)(sp_rng_unit(rng) * (double)limit) : 0;
}

static struct sp_rng *current;

static void fill(void *arg, void *out, size_t length)
{
	unsigned char *at = out;
	(void)arg;
	for (size_t i = 0; i < length; i += sizeof(uint64_t)) {
		uint64_t bits = sp_rng_next(current);
		size_t left = length - i;
		memcpy(at + i, &bits, left < sizeof(bits) ? left : sizeof(bits));
	}
}

void sp_rng_use(struct sp_rng *rng)
{
	static const struct sp_random_source source = {.fill = fill};
	if (!current)
		sp_random_set_source(&source);
	current = rng;
}

void sp_rng_boot(struct sp_rng *rng, char out[37])
{
	uint64_t a = sp_rng_next(rng), b = sp_rng_next(rng);
	snprintf(out, 37, "%08x-%04x-4%03x-8%03x-%04x%08x", (unsigned)(a >> 32), (unsigned)(a >> 16) & 0xffff,
		 (unsigned)a & 0xfff, (unsigned)(b >> 52), (unsigned)(b >> 32) & 0xffff, (unsigned)b);
}
