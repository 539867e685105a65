// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Which cards were at a reader a moment ago: one that is held there, or shown twice, is one event.
#pragma once

#include "card_reader_number.h"

enum { SP_SEEN_MAX = 64 };

enum sp_seen_state {
	SP_SEEN_FREE,
	SP_SEEN_PENDING, ///< handed over, not on the card (the board's) yet
	SP_SEEN_TAKEN,   ///< committed
};

/// Zeroed to begin with.
struct sp_seen {
	struct sp_seen_entry {
		enum sp_seen_state state;
		int64_t at_us; ///< last read
		int64_t answered_us;
		struct sp_card card;
	} entries[SP_SEEN_MAX];
};

/// The entry of a card that was read within the window, which begins anew now; else NULL.
struct sp_seen_entry *sp_seen_again(struct sp_seen *seen, const struct sp_card *card, int64_t now_us,
				    int64_t window_us);
/// Its entry, pending, in the place of the oldest that is not; NULL while all are pending.
struct sp_seen_entry *sp_seen_add(struct sp_seen *seen, const struct sp_card *card, int64_t now_us);
void sp_seen_forget(struct sp_seen_entry *entry);
/// Wipes what is past the window; when to come again, -1: there is nothing left.
int64_t sp_seen_expire(struct sp_seen *seen, int64_t now_us, int64_t window_us);
