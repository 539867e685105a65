// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Chance that repeats: one generator per board and purpose, from the seed and names.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct sp_rng {
	uint64_t state;
};

/// Mixes one more name or number into a seed.
uint64_t sp_rng_mix(uint64_t seed, const char *text);
uint64_t sp_rng_mix_number(uint64_t seed, uint64_t number);
uint64_t sp_rng_next(struct sp_rng *rng);
double sp_rng_unit(struct sp_rng *rng); ///< uniform in [0, 1)
int64_t sp_rng_below(struct sp_rng *rng, int64_t limit);

/// From now on sp_id_new() and all of agent/base draw from `rng`, which must outlive its use.
void sp_rng_use(struct sp_rng *rng);
/// A boot id as the kernel writes it.
void sp_rng_boot(struct sp_rng *rng, char out[37]);
