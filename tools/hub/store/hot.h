// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The short way of ordinary samples: what their board's stream, boot and clock were like when a batch was
// stored last is kept in the handle of the ingest that owns the shard, so that the next batch reads nothing
// and writes many rows at once. Whatever is not ordinary takes the long way (batch.c), to the same rows.
// Private to the store/ room.
#pragma once

#include "tools/hub/store/store_priv.h"

/// What is kept of a board: the boot and the stream of its latest samples.
struct sp_hot_board {
	struct sp_hot_board *next; ///< in its bucket
	char name[33], shard[33];
	char stream_name[SP_ID_LENGTH + 1], boot_name[SP_FEED_BOOT_LENGTH + 1];
	bool ordinary;         ///< false: looked at, and not fit for the short way
	unsigned wait, waited; ///< then so many messages pass before it is looked at again
	int64_t device, stream, boot;
	int64_t issued, from_ms, to_ms;     ///< of the stream
	int64_t last_heard_ms, events;      ///< of the device
	int64_t heard_ms;                   ///< of the boot
	struct sp_anchor arrival;           ///< of the boot
	struct sp_anchor *anchors;          ///< of the boot: the latest ones, in order; all agree
	size_t anchor_count;                ///< at most SP_HOT_ANCHORS
	bool older;                         ///< there are others before them
	bool pending;                       ///< rows of it are not written yet
	bool acknowledged;                  ///< in this transaction: an acknowledgement is to be sent
	int64_t sealed_ms, sealed_heard_ms; ///< when its people's topics were looked at, and as heard when
};

enum {
	SP_HOT_BUCKETS = 4096, ///< a power of two
	SP_HOT_ANCHORS = 64,
	SP_HOT_BOARDS_MAX = 100000,
};

struct sp_hot {
	bool off;
	int64_t
	    register_rev; ///< as it was when the boards were looked up; -1: not looked in this transaction
	bool rev_seen;
	struct sp_bulk *events, *batches, *anchors;
	struct sp_hot_board *buckets[SP_HOT_BUCKETS];
	size_t count;
	int64_t taken;                 ///< batches, since the handle was opened
	struct sp_hot_board **pending; ///< with rows that are not written yet
	size_t pending_count, pending_room;
	struct sp_hot_board **acks; ///< to be acknowledged
	size_t ack_count, ack_room;
	struct sp_placed placed[SP_FEED_BATCH_MAX];
};

/// 1: it was ordinary, and is stored as far as the caller can see; 0: it takes the long way; -errno.
int sp_hot_batch(struct sp_store *store, const struct sp_arrival *arrival,
		 const struct sp_feed_message *message) SP_MUST_CHECK;
/// A transaction begins.
void sp_hot_begin(struct sp_store *store);
/// Before the long way is taken with a message of that board: what is pending of it is written, and it is
/// looked up again when it is ordinary again.
int sp_hot_leave(struct sp_store *store, const char *device) SP_MUST_CHECK;
/// Writes what is pending.
int sp_hot_flush(struct sp_store *store) SP_MUST_CHECK;
/// Acknowledgements of what went the short way go to `news`, which has room for them; their boards' topics
/// are touched when they may have changed.
void sp_hot_seal(struct sp_store *store, struct sp_store_news *news);
/// After a rollback: what was thought to be in the database may not be there.
void sp_hot_forget(struct sp_store *store);
void sp_hot_free(struct sp_store *store);

/// The board as it is in the database (hot_board.c). NULL with *result 0: it has to take the long way.
struct sp_hot_board *sp_hot_board(struct sp_store *store, const struct sp_arrival *arrival,
				  const struct sp_feed_envelope *envelope, int *result);
void sp_hot_pending(struct sp_hot *hot, struct sp_hot_board *board);
