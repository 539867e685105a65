// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// How much that is new a board may make the hub keep. But for the numbers private to the store/ room.
#pragma once

#include <stdint.h>

#include "schoolpulse/err.h"

struct sp_store;

/// What one board, or the strangers of a shard, may make the hub keep.
struct sp_store_limits {
	int64_t new_devices;    ///< that the register does not know: of a shard in an hour
	int64_t streams, boots; ///< of a device in a day: three streams for each boot
	int64_t lines;          ///< of a device
	int64_t instances;      ///< of a device; and as many kiosks
};
#define SP_STORE_LIMITS ((struct sp_store_limits){1000, 6000, 2000, 32, 1000})

enum sp_limit {
	SP_LIMIT_DEVICES, ///< of a shard
	SP_LIMIT_STREAMS, ///< of a device, as those that follow
	SP_LIMIT_BOOTS,
	SP_LIMIT_LINES,
	SP_LIMIT_INSTANCES,
	SP_LIMIT_KIOSKS,
};
#define SP_LIMITS 6

/// One more, by a name. -EDQUOT when there have been enough: what asked for it is to be undone, and noted
/// with sp_limit_refused().
int sp_limit_spend(struct sp_store *store, enum sp_limit limit, const char *owner) SP_MUST_CHECK;
int sp_limit_spend_of(struct sp_store *store, enum sp_limit limit, int64_t device) SP_MUST_CHECK;
/// Counts the last refusal under its own word.
int sp_limit_refused(struct sp_store *store, const char *device, const char *about) SP_MUST_CHECK;
