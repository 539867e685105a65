// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Between the card and the hub: sessions that begin, break and leave wills, batches as they go over the wire,
// acknowledgements. The publisher's thread and the broker in one, on the virtual clock.
#pragma once

#include <sys/types.h>

#include "tests/sim/card.h"
#include "tests/sim/clock.h"
#include "tests/sim/frames.h"

struct sim_wire {
	struct sim_world *world;
	struct sim_clock *clock;
	struct sim_card *card;
	struct sim_rng rng;
	pid_t pid;
	int to, from; ///< the hub's program
	char boot[37];
	struct sp_loop *loop; ///< while the agent runs
	struct sp_loop_timer *attempt, *broken;
	unsigned failures;
	bool connected, breaking;
	int64_t connected_us; ///< monotonic
	char session[SP_ID_LENGTH + 1];
	int64_t will_ms; ///< true time at which the broker publishes the will; INT64_MAX: it has none
	char will[SP_ID_LENGTH + 1];
	int64_t batches, bytes, births;
	/// The session began or ended. May be NULL.
	void (*changed)(void *arg);
	void *arg;
};

/// Starts the hub's program on a database in the card's folder. False with a line on stderr.
bool sim_wire_init(struct sim_wire *wire, const char *hub_program, uint64_t seed);
void sim_wire_free(struct sim_wire *wire);

void sim_wire_start(struct sim_wire *wire, struct sp_loop *loop, const char *boot);
void sim_wire_stop(struct sim_wire *wire); ///< says so to the hub, if it hears
/// The board is gone without a word; `power`: its TCP, too.
void sim_wire_kill(struct sim_wire *wire, bool power);
void sim_wire_world(struct sim_wire *wire); ///< it may have changed
void sim_wire_doubt(struct sim_wire *wire); ///< something fell silent: does the broker live?
void sim_wire_hurry(struct sim_wire *wire); ///< now is a good time to connect
void sim_wire_flush(struct sim_wire *wire); ///< something was committed
/// The will is due: the broker says it.
void sim_wire_will(struct sim_wire *wire, int64_t true_ms);

/// A question to the hub; the items are the caller's, free(). Ends the simulation when the hub is gone.
void *sim_wire_ask(struct sim_wire *wire, enum sim_frame_kind kind, int64_t now_ms, int64_t from_ms,
		   int64_t to_ms, size_t *count);
