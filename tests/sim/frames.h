// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Between sp_sim and sp_sim_hub, its hub, over pipes: two programs, since the board's core and the hub's
// store have words in common that mean different things, and since the board's memory is to be measured
// alone. Both ends are of one build; nothing of this is for anybody else.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sim_frame_kind {
	SIM_FRAME_BATCH,    ///< an envelope; answered by acknowledgements (struct sp_feed_ack)
	SIM_FRAME_STATE,    ///< a birth, stop or will; answered likewise
	SIM_FRAME_SEGMENTS, ///< `from_ms`, `to_ms`: one day; answered by struct sim_segment
	SIM_FRAME_OUTAGES,  ///< answered by struct sim_hub_outage
	SIM_FRAME_TROUBLE,  ///< gaps, anomalies and messages set aside; answered by struct sim_trouble
};

struct sim_frame {
	enum sim_frame_kind kind;
	uint32_t length; ///< of the payload that follows
	int64_t now_ms;  ///< the hub's clock
	int64_t from_ms, to_ms;
	bool deflated;
};

/// The answer's head: `count` items of `size` bytes follow.
struct sim_reply {
	uint32_t count, size;
};

struct sim_segment {
	int64_t from_ms, to_ms;
	int state; ///< unknown, up, degraded, down: as in the feed and on both sides
	char cause[33];
};

struct sim_hub_outage {
	char id[33], cause[33];
	int phase, state;
	bool measured;
	int64_t start_ms, start_err_ms, end_ms, end_err_ms; ///< -1: not known
};

struct sim_trouble {
	char text[256];
};

/// All of it or false: the other end is gone.
bool sim_frame_write(int fd, const void *data, size_t length);
bool sim_frame_read(int fd, void *data, size_t length);
