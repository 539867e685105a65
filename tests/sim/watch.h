// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the board said, in true time: the simulation knows when each of its monotonic moments was.
#pragma once

#include "agent/core/ledger.h"
#include "tests/sim/clock.h"

struct sim_said {
	int64_t at_ms; ///< when it was said
	enum sp_line_state state;
	enum sp_cause cause;
	bool outage;  ///< else a line fact
	size_t which; ///< of the outages
	char phase[8];
};

struct sim_outage {
	char id[SP_ID_LENGTH + 1];
	enum sp_line_state state;
	enum sp_cause cause;
	int64_t opened_ms, start_ms, end_ms, closed_ms; ///< true time; end and closed -1 while open
	double uncertainty_seconds;
};

struct sim_boot {
	char id[37];
	struct sim_clock clock;
};

struct sim_watch {
	const struct sim_clock *clock;
	const char *boot; ///< the present one's id
	struct sim_boot *boots;
	struct sim_said *said;
	struct sim_outage *outages;
	size_t boot_count, said_count, outage_count;
	char fault[256]; ///< the first thing said that cannot be; ""
	int64_t fault_ms;
};

/// A time in which nobody measured, told as an outage.
bool sim_is_silence(enum sp_cause cause);
void sim_watch_free(struct sim_watch *watch);
/// For the card's `heard`.
void sim_watch_heard(void *watch, const char *type, const char *device, const struct sp_field *fields,
		     size_t count);
