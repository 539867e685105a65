// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the board said, in true time: the simulation knows when each of its monotonic moments was.
#pragma once

#include "agent/core/ledger/ledger.h"
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

/// What a driver reported of a rung, where it was another status than before.
struct sim_rung {
	int64_t at_ms, since_ms; ///< true time
	enum sp_rung rung;
	enum sp_family family;
	enum sp_rung_status status;
};

struct sim_span {
	int64_t from_ms, to_ms;
};

struct sim_watch {
	const struct sim_clock *clock;
	const char *boot; ///< the present one's id
	struct sim_boot *boots;
	struct sim_said *said;
	struct sim_outage *outages;
	struct sim_rung *rungs;
	struct sim_span *timeless; ///< boots that nobody can place
	size_t timeless_count;
	enum sp_rung_status now[SP_RUNGS][SP_FAMILIES];
	size_t boot_count, said_count, outage_count, rung_count;
	char fault[256]; ///< the first thing said that cannot be; ""
	int64_t fault_ms;
};

/// A time in which nobody measured, told as an outage.
bool sim_is_silence(enum sp_cause cause);
void sim_watch_free(struct sim_watch *watch);
/// For the card's `heard`.
void sim_watch_heard(void *watch, const char *type, const char *device, const struct sp_field *fields,
		     size_t count);
/// For the board's `rung`.
void sim_watch_rung(void *watch, const struct sp_rung_report *report);
/// For the board's `timeless`.
void sim_watch_timeless(void *watch, int64_t from_ms, int64_t to_ms);
/// Is that moment in a boot that nobody can place?
bool sim_is_timeless(const struct sim_watch *watch, int64_t t_ms);
