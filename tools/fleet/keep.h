// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A board's journal, in memory: streams with their chains, batches that wait for the hub's acknowledgement.
// Pure: no clock, no socket. Records are texts of sp_feed_record().
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/feed.h"
#include "tools/fleet/rng.h"

struct sp_batch {
	struct sp_batch *next, *before;
	char stream[SP_ID_LENGTH + 1], boot[SP_FEED_BOOT_LENGTH + 1], digest[SP_DIGEST_LENGTH + 1];
	enum sp_record_class cls;
	int64_t first, last;
	char *text; ///< the "ev" array
	size_t length;
	int64_t ready_ms; ///< by the board's time: not to be sent before
	// The sender's.
	int64_t first_sent_us; ///< monotonic; 0: never sent
	int64_t due_us;        ///< when it is to be sent again; 0: it is not under way
	uint16_t mid;
	bool taken;  ///< the broker has answered
	bool spoilt; ///< the broker refused it
	bool again;  ///< a replay: settled before
	bool steady; ///< first sent after the warm-up, before the end
	bool old;    ///< made while the board's life lay behind the present
};

struct sp_keep_stream {
	char id[SP_ID_LENGTH + 1], prev[SP_ID_LENGTH + 1];
	int64_t prev_last, next; ///< `next`: the seq of the next record; prev "": a new journal
	struct sp_buf pending;   ///< records of the next batch
	int64_t pending_first;
};

struct sp_keep {
	struct sp_keep_stream streams[SP_RECORD_CLASSES];
	char boot[SP_FEED_BOOT_LENGTH + 1];
	struct sp_batch *oldest, *newest; ///< all that is not settled, in the order of its making
	size_t waiting;
	struct sp_batch *settled; ///< the last ones, newest first, where replays are wanted
	size_t settled_count, settled_keep;
	int64_t records, facts, batches, acknowledged; ///< made; batches settled
	uint64_t digest;                               ///< of all batches, whatever the order of boards
};

/// A new opening: the streams that were so far become the predecessors. Nothing may be pending. Their first
/// records are added by the caller.
void sp_keep_open(struct sp_keep *keep, struct sp_rng *rng, const char *boot);
/// Forgets what was not committed, as a power cut does.
void sp_keep_lose_pending(struct sp_keep *keep);
void sp_keep_add(struct sp_keep *keep, enum sp_record_class cls, const char *record);
/// `count` numbers whose records are gone, from *from on; nothing may be pending. Returns the stream's name.
const char *sp_keep_skip(struct sp_keep *keep, enum sp_record_class cls, int64_t count, int64_t *from);
/// The next opening begins a new journal: it names no predecessors.
void sp_keep_renew(struct sp_keep *keep);
size_t sp_keep_pending(const struct sp_keep *keep, enum sp_record_class cls); ///< records
/// The pending records become a batch; NULL: there are none.
struct sp_batch *sp_keep_commit(struct sp_keep *keep, enum sp_record_class cls, int64_t ready_ms);
/// Obeys: each batch that is settled is told, then gone. How many.
size_t sp_keep_ack(struct sp_keep *keep, const struct sp_feed_ack *ack,
		   void (*settled)(void *arg, const struct sp_batch *batch), void *arg);
/// Puts up to `count` settled ones back among the waiting. How many.
size_t sp_keep_replay(struct sp_keep *keep, size_t count);
/// For a birth: oldest streams first.
size_t sp_keep_held(const struct sp_keep *keep, struct sp_feed_held held[SP_FEED_HELD_MAX]);
void sp_keep_free(struct sp_keep *keep);
