// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The board as a device of its own, named "board": readings become samples, and the storage's
// state becomes facts. What cannot be read stays unavailable.
#pragma once

#include "agent/core/loop.h"
#include "agent/core/recorder.h"
#include "agent/core/samples.h"
#include "schoolpulse/board.h"

struct sp_board_watch;

struct sp_board_watch_config {
	struct sp_loop *loop;
	struct sp_recorder *recorder;
	struct sp_board_root root; ///< texts must outlive the watch
	int64_t interval_ms;
};

/// Reads at once, then every interval.
struct sp_board_watch *sp_board_watch_new(const struct sp_board_watch_config *config);
void sp_board_watch_free(struct sp_board_watch *watch);
/// The window of so many seconds is over; how many the digest is of now.
double sp_board_watch_fold(struct sp_board_watch *watch, double seconds);
/// Records the digest.
void sp_board_watch_flush(struct sp_board_watch *watch);

const struct sp_board *sp_board_watch_board(const struct sp_board_watch *watch);
const char *sp_board_watch_model(const struct sp_board_watch *watch);
/// The latest reading.
const struct sp_board_reading *sp_board_watch_reading(const struct sp_board_watch *watch);
