// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Whether others use a line, and whether the board is busy itself. Pure: time and counters only by argument.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "schoolpulse/board.h"
#include "schoolpulse/io.h"

/// What better sources than the board's own counters told of one line, lately.
struct sp_guard;

struct sp_guard *sp_guard_new(void);
void sp_guard_free(struct sp_guard *guard); ///< NULL is fine

/// A reading, as it comes; `own_bytes`: the board's own counter of the line's port at this moment, both ways;
/// -1: not known. Two in a row make one that can be used: what the board itself moved meanwhile is known
/// then.
void sp_guard_reading(struct sp_guard *guard, const struct sp_traffic *traffic, int64_t own_bytes);

struct sp_guard_rate {
	enum sp_traffic_source source;
	double all, others; ///< byte/s, both ways; others: without what the board's port carried
};

/// The best source that saw at least half of that time, and our own part of it. False: there is none.
bool sp_guard_rate(const struct sp_guard *guard, int64_t from_us, int64_t to_us, struct sp_guard_rate *out);
/// A source that is read regularly has not told all of the time until `to_us`: it will, by then. 0: nothing
/// is to be waited for.
int64_t sp_guard_awaits(const struct sp_guard *guard, int64_t to_us, int64_t now_us);
/// How long the windows of the best live source are; 0 without one.
int64_t sp_guard_window_us(const struct sp_guard *guard, int64_t now_us);
const char *sp_guard_source_name(enum sp_traffic_source source); ///< the feed's word

enum sp_guard_answer { SP_GUARD_GO, SP_GUARD_BUSY, SP_GUARD_CPU };
/// NAN: not known, and no reason to wait.
enum sp_guard_answer sp_guard_decide(double bytes_per_second, double most_bytes_per_second, double cpu_ratio,
				     double most_cpu_ratio);

/// How busy the busiest processor was between two readings; NAN when that cannot be told.
double sp_guard_busiest(const struct sp_board_cores *from, const struct sp_board_cores *to);
/// What a port carried between two readings, both ways; -1 when that cannot be told (it was replaced).
int64_t sp_guard_carried(const char *interface, const struct sp_board_port *from,
			 const struct sp_board_port *to);
