// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What to send next, and what is under way. Pure: time is an argument, chance is a function.
//
//   window   ≤ 16 batches under way; backlog ≤ 12 of them; batches sent before ≤ 4 of them, so that
//            what is never acknowledged (two boards with one identity) cannot block what is new
//   slot     taken by sending; freed by the acknowledgement, or after a jittered resend_min…max
//   fresh    per lane, ids rise: fetch after the highest id sent
//   sweep    a second cursor from the beginning, begun when a slot ran out or after the same jittered
//            time in any case: finds everything unsettled that is not under way, and sends it again
//   tokens   backlog batches per second; resending backlog costs tokens, too
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/core/journal/journal.h"

enum {
	SP_WINDOW_SLOTS = 16,
	SP_WINDOW_BACKLOG = 12,
	SP_WINDOW_REPEATS = 4,
	SP_WINDOW_FETCH = 4, ///< batches in memory at a time
	SP_LANES = 2,
};

struct sp_window_slot {
	bool used, taken, repeat; ///< taken: the broker answered
	enum sp_lane lane;
	int64_t id, first, last, until_us;
	char stream[SP_ID_LENGTH + 1];
	int mid;
};

struct sp_window_lane {
	int64_t high;     ///< the highest id sent
	int64_t sweep;    ///< cursor of the sweep
	int64_t sweep_us; ///< when the next one begins at the latest
	bool exhausted;   ///< nothing fresh, until there is news
	bool sweeping, wanted;
};

struct sp_window {
	int64_t resend_min_us, resend_max_us, per_second;
	double (*chance)(void); ///< uniform in [0, 1)
	bool hold_backlog;      ///< the hub is away
	bool hushed;            ///< a speed test has the line: the backlog waits, too
	double tokens;
	int64_t tokens_us;
	struct sp_window_slot slots[SP_WINDOW_SLOTS];
	struct sp_window_lane lanes[SP_LANES];
};

void sp_window_init(struct sp_window *window, int64_t resend_min_ms, int64_t resend_max_ms,
		    int64_t backlog_per_second, double (*chance)(void), int64_t now_us);
/// Everything unsettled is due again; nothing is under way.
void sp_window_reset(struct sp_window *window, int64_t now_us);
/// There may be something fresh.
void sp_window_news(struct sp_window *window);

struct sp_window_want {
	enum sp_lane lane;
	bool repeat;
	int64_t after;
	size_t max;
};
/// What to fetch now; false: nothing. The window counts on an answer before it is asked again.
bool sp_window_want(struct sp_window *window, struct sp_window_want *out, int64_t now_us);
/// The answer has arrived: `count` batches.
void sp_window_answered(struct sp_window *window, const struct sp_window_want *want, size_t count);
/// One batch of the answer, in order: should it be sent?
bool sp_window_admit(struct sp_window *window, const struct sp_window_want *want, int64_t id);
/// It was handed to the broker.
void sp_window_sent(struct sp_window *window, const struct sp_window_want *want,
		    const struct sp_journal_batch *batch, int mid, int64_t now_us);

/// The slot that this PUBACK answers, now taken; NULL when it is not known (any more).
struct sp_window_slot *sp_window_puback(struct sp_window *window, int mid);
void sp_window_release(struct sp_window_slot *slot);
/// Frees what the acknowledgement covers; how many.
size_t sp_window_ack(struct sp_window *window, const struct sp_feed_ack *ack);
/// Frees slots whose time is over. *mute: the broker had not even answered one of them.
void sp_window_expire(struct sp_window *window, int64_t now_us, bool *mute);

size_t sp_window_in_flight(const struct sp_window *window);
/// Nothing fresh is left and nothing is under way; `taken`: being taken by the broker is enough.
bool sp_window_idle(const struct sp_window *window, bool taken);
/// When to look again at the latest.
int64_t sp_window_next_us(const struct sp_window *window, int64_t now_us);
