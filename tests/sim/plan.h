// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Where a world's faults come from: a script, or a seed.
#pragma once

#include <stdio.h>

#include "tests/sim/world.h"

/// 2026-09-07 00:00 +07:00, a Monday at the beginning of a school year.
#define SIM_BEGIN_MS INT64_C(1788714000000)

/// Fills the school and the faults; `world` has its from_ms and to_ms.
void sim_plan_seed(struct sim_world *world, uint64_t seed);
/// Reads a script (README.md). False with `file:line: why` on stderr.
bool sim_plan_script(struct sim_world *world, FILE *file, const char *name);
