// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What must hold of every run, whatever happened in it.
#pragma once

#include "tests/sim/truth.h"
#include "tests/sim/watch.h"
#include "tests/sim/wire.h"

struct sim_check {
	struct sim_world *world;
	const struct sim_watch *watch;
	const struct sim_stretch *truth;
	size_t truth_count;
	bool verbose, dump;
	// ---- what was found
	unsigned faults;
	size_t troubles, found; ///< that had to be found, and were
	/// The farthest that an edge was placed from the truth, by whole and partial loss.
	int64_t worst_start_ms[2], worst_end_ms[2], worst_detect_ms[2];
	int64_t up_ms, down_ms, degraded_ms, unknown_ms; ///< as the hub has it
};

/// Compares the board's outages with the truth.
void sim_check_outages(struct sim_check *check);
/// Compares the hub's tables and day strips with both; `now_ms`: the hub's clock.
void sim_check_hub(struct sim_check *check, struct sim_wire *wire, int64_t now_ms);
/// Prints all that was true and said.
void sim_check_dump(const struct sim_check *check);

// ---- between the files of the check --------------------------------------------------------------------

/// Prints the fault with its day and what was true and said around `at_ms`; the first few of a run.
void sim_fault_say(struct sim_check *check, int64_t at_ms, const char *format, ...) SP_PRINTF(3, 4);
/// "day 3 08:15:30.250"
const char *sim_when(const struct sim_check *check, int64_t t_ms, char out[40]);
