// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A board: the agent put together as agent.c does it, but on the virtual clock, the simulated net and the
// card; and its life of boots, crashes and stops.
#pragma once

#include "agent/core/clocks.h"
#include "agent/core/device.h"
#include "agent/core/ledger/lines.h"
#include "agent/core/summaries.h"
#include "tests/sim/card.h"
#include "tests/sim/clock.h"
#include "tests/sim/net.h"
#include "tests/sim/wire.h"

enum { SIM_DEVICES = 4 };

struct sim_board {
	struct sim_world *world;
	struct sim_clock clock;
	struct sim_net net;
	struct sim_card card;
	struct sim_wire wire;
	struct sim_rng rng;
	/// What the drivers report, beside the ledger. May be NULL.
	void (*rung)(void *arg, const struct sp_rung_report *report);
	void *rung_arg;
	// ---- one boot
	char boot[37];
	int64_t boots;
	int64_t boot_ms;     ///< true time of its beginning
	int64_t boot_births; ///< sessions before it
	/// A boot ends in which neither NTP nor the hub was ever heard: nobody can place it. May be NULL.
	void (*timeless)(void *arg, int64_t from_ms, int64_t to_ms);
	bool warm;                   ///< the last reset was by software
	struct sp_loop *loop;        ///< NULL: no power
	struct sp_loop_timer *edges; ///< of the world
	// ---- one run of the agent
	bool running;
	struct sp_lines *lines;
	struct sp_devices *devices;
	struct sp_clocks clocks;
	struct sp_loop_timer *beat, *window;
	void *confs[SIM_DEVICES];
	struct sp_summaries *summaries;
	int64_t start_us, hub_lost_us;
	bool hub_met;
};

/// False with a line on stderr.
bool sim_board_init(struct sim_board *board, struct sim_world *world, const char *hub_program, uint64_t seed);
void sim_board_free(struct sim_board *board, bool keep); ///< `keep`: its files stay
/// From the world's beginning to its end. `day` (may be NULL) is called at each midnight.
void sim_board_run(struct sim_board *board, void (*day)(void *arg, int64_t true_ms), void *arg);
