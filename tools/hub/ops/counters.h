// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What ingest counts while it runs, for /metrics and `status`. One set per process, from 0 with each start;
// safe from every thread. What must last stands in the store.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/buf.h"
#include "tools/hub/ops/expo.h"

enum sp_count_message {
	SP_COUNT_FACTS,
	SP_COUNT_ATTENDANCE,
	SP_COUNT_BULK,
	SP_COUNT_STATE,
	SP_COUNT_ASIDE, ///< could not be read
	SP_COUNT_MESSAGES,
};
enum { SP_COUNT_VERDICTS = 5, SP_COUNT_FAULTS = 16, SP_COUNT_SESSIONS = 128, SP_COUNT_SHARDS = 64 };

/// From when on is counted, and by whom: once, before threads.
void sp_counters_start(int64_t now_ms);
bool sp_counters_started(void);

// ---- after a commit: what was tried again counts once ------------------------------------------------

void sp_count_message(enum sp_count_message kind);
/// `fault` as the index and constant word of an enum sp_feed_fault.
void sp_count_fault(unsigned fault, const char *word);
/// `verdict` as enum sp_verdict; `events`: records of the batch. `delay_ms`: from the board's sending to the
/// commit, or < 0 when one of the clocks is not synchronised.
void sp_count_batch(unsigned verdict, int64_t events, int64_t delay_ms);
void sp_count_commit(int64_t duration_us, int64_t now_ms);

// ---- at once --------------------------------------------------------------------------------------------

/// A commit failed, and is tried again.
void sp_count_store_error(void);
void sp_count_queue(int64_t messages, int64_t bytes);
void sp_count_acks(int64_t sent);
/// A shard's session for facts or for samples connected, or lost its connection.
void sp_count_connected(const char *shard, bool samples, bool connected);
/// This process may write the shard, or may no longer.
void sp_count_lease(const char *shard, bool held);

/// All of it; nothing when no ingest was started here.
void sp_counters_expose(struct sp_buf *out, enum sp_expo_format format);
