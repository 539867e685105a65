// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Which events are on the card, or were: a 16-byte key for each, by kiosk and day, kept far beyond the event,
// because terminals send their whole memory again. The keys of one day lie together, so a morning's events
// write the same few pages.
//
// Keys are not part of what the cap counts and are never given up to make room. Each kiosk has at most
// max(SP_JOURNAL_SEEN_MIN, twice its capacity) of them, some 40 bytes each; beyond that the oldest days go.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "schoolpulse/err.h"

struct sp_journal_store;
struct sp_journal_mark;

enum {
	SP_JOURNAL_SEEN_MIN = 200 * 1000,
	SP_JOURNAL_CAPACITY_MAX = 500 * 1000, ///< what a kiosk may claim to hold
	SP_JOURNAL_KIOSKS_MAX = 256,
};

struct sp_journal_kiosk {
	char *name;
	int64_t id;
	int64_t count; ///< keys; too many by up to 255 for each opening until they are counted, never too few
	int64_t written;  ///< as in the file: what count may rise to before that is written again
	int64_t capacity; ///< as its driver says; 0: not known
	bool used;        ///< by this opening
};

/// Notes the keys of the marks, inside the transaction of their events: mark->known is set for those that
/// were noted before.
int sp_journal_seen_note(struct sp_journal_store *store, struct sp_journal_mark *marks,
			 size_t count) SP_MUST_CHECK;
/// Some kiosk has more keys than it may.
bool sp_journal_seen_crowded(const struct sp_journal_store *store);
/// Keys of that kiosk and day.
int sp_journal_seen_count(struct sp_journal_store *store, const char *kiosk, int32_t day,
			  int64_t *out) SP_MUST_CHECK;
/// Counts are to be read again from the file: a commit failed.
void sp_journal_seen_reset(struct sp_journal_store *store);
void sp_journal_seen_free(struct sp_journal_store *store);
/// Inside a transaction: what `before_bytes` in use have become is due to keys.
int sp_journal_seen_account(struct sp_journal_store *store, int64_t before_bytes) SP_MUST_CHECK;
