// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What becomes of the measurements of one window. A line gets its `minute`, always. The `samples` of its
// devices, place by place, are recorded window by window only while it is in trouble and a little after;
// of a healthy line, and of gear and board, a digest goes out now and then.
#pragma once

#include "agent/core/board_watch.h"
#include "agent/core/device.h"
#include "agent/core/ledger/ledger.h"
#include "agent/core/ledger/minute.h"

struct sp_summaries;

struct sp_summaries_config {
	struct sp_loop *loop;
	struct sp_recorder *recorder;
	int64_t window_ms;
	int64_t samples_ms; ///< between two digests of gear; those of a healthy line take four times as long
	/// May be NULL: none is. Of a frugal line, minutes are merged to an hour, and nothing else is said.
	bool (*frugal)(void *arg, const char *line);
	void *arg;
};

struct sp_summaries *sp_summaries_new(const struct sp_summaries_config *config);
void sp_summaries_free(struct sp_summaries *summaries); ///< NULL is fine
/// `line` is copied. Its minutes begin now.
void sp_summaries_add(struct sp_summaries *summaries, const char *line);

/// The ledger's word on a line.
void sp_summaries_line(struct sp_summaries *summaries, const char *line, const struct sp_line_view *view);

/// The window is over. `board` may be NULL.
void sp_summaries_close(struct sp_summaries *summaries, struct sp_devices *devices,
			struct sp_board_watch *board);
/// Every few seconds.
void sp_summaries_look(struct sp_summaries *summaries);
/// The agent stops: everything that was measured is recorded.
void sp_summaries_end(struct sp_summaries *summaries, struct sp_devices *devices,
		      struct sp_board_watch *board);
