// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What there was to be found: the world's faults as the states and causes that design.md §7 gives them, and
// how soon and how exactly they must be found.
#pragma once

#include "agent/core/ledger/judge.h"
#include "tests/sim/world.h"

struct sim_stretch {
	int64_t from_ms, to_ms;
	enum sp_line_state state; ///< of the line, whether anybody looks or not
	unsigned causes;          ///< bits 1 << SP_CAUSE_…: each would be right
	bool watched;             ///< the agent ran
	bool portal;              ///< a captive portal: seen by its check
	bool lossy;               ///< packets are lost so often that a question or two goes amiss
};

/// Stretches that join, neighbours differ. free().
struct sim_stretch *sim_truth(struct sim_world *world, size_t *count);

/// How long a trouble may go unnoticed, and how far off its edges may be placed.
int64_t sim_detect_ms(const struct sim_stretch *stretch);
int64_t sim_edge_ms(const struct sim_stretch *stretch);
