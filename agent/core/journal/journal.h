// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The durable queue between measuring and publishing: the sole SQLite handle, on its own thread.
// Nothing is published that was not journalled; nothing is forgotten that the hub has not
// committed, except by the byte cap, and then a `dropped` fact says what.
//
// A *batch* is the unit of commit, of sending and of acknowledgement: records of one class and one
// boot with contiguous seqs in one stream. It is stored once, as text (facts, attendance) or
// deflated (bulk), and sent with the same digest for ever.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/feed.h"
#include "agent/core/deadline.h"

struct sp_journal;

struct sp_journal_config {
	const char *path;        ///< journal.db; its -wal beside it
	int64_t cap_bytes;       ///< of the database's pages in use
	int64_t bulk_commit_ms;  ///< how long bulk may wait in memory
	int64_t group_commit_ms; ///< how long attendance may wait for company, ≤ 50
	int64_t keep_acked_ms;   ///< how long settled batches stay recyclable
	const char *boot;        ///< this boot's id
};

struct sp_journal_status {
	enum {
		SP_JOURNAL_OPENING,
		SP_JOURNAL_WRITABLE,
		SP_JOURNAL_FULL,
		SP_JOURNAL_READ_ONLY,
		SP_JOURNAL_FAILED
	} state;
	int error; ///< errno behind FULL, READ_ONLY, FAILED
	/// How often it became FULL or READ_ONLY since the start, and the errno behind the last time: who
	/// looks now and then misses nothing.
	unsigned stumbles;
	int stumble;
	int64_t unsettled[SP_RECORD_CLASSES]; ///< records not yet settled by the hub
	int64_t waiting;                      ///< records in memory, not yet committed
	int64_t bytes, cap_bytes;
	int64_t committed, dropped; ///< records, since this opening
	int64_t settled_seq;        ///< of the facts stream of this opening: the hub's upto
};

/// Called on the thread given by `post` (see sp_journal_open). result 0: on the card.
typedef void (*sp_journal_done_fn)(void *arg, int result);

/// One batch as the publisher sends it. Freed by sp_journal_batch_free().
struct sp_journal_batch {
	int64_t id;                       ///< rises with commit order
	struct sp_feed_envelope envelope; ///< all but device and clk
	char *text;                       ///< the JSON array
	bool deflate;
};
void sp_journal_batch_free(struct sp_journal_batch *batch);

/// What the journal tells its two customers; each is called on the journal's thread and must
/// only hand over (queue, post) and return.
struct sp_journal_customers {
	/// Runs `done(arg, result)` on the main thread.
	void (*post)(void *arg, sp_journal_done_fn done, void *done_arg, int result);
	void *post_arg;
	/// New batches were committed: fetch again. Or settled ones became unsettled: their ids lie below
	/// what was fetched, so that the publisher's next sweep finds them, 1 to 5 minutes later. A hub that
	/// takes things back with each word must not make everything be read each time.
	void (*news)(void *arg);
	void *news_arg;
};

/// Starts the thread, which opens (or sets aside and renews) the file; later failures are states,
/// never ends. 0 or -errno when not even a thread can be had.
int sp_journal_open(struct sp_journal **out, const struct sp_journal_config *config,
		    const struct sp_journal_customers *customers, struct sp_deadline *deadline) SP_MUST_CHECK;
/// Commits what waits, writes the clean-shutdown mark, closes, joins (bounded by `timeout_ms`).
/// -ETIMEDOUT when the thread hangs in the kernel: it is then left behind.
int sp_journal_close(struct sp_journal *journal, int64_t timeout_ms);

/// From any thread. `record` is sp_feed_record()'s text; copied. -ENOBUFS when too much waits in
/// memory (the loss is counted and becomes a `dropped` fact, but for attendance with a `done`); `done` may be
/// NULL. While the file cannot be written, facts and bulk wait in memory; attendance with a `done` is refused
/// there with the reason (not a loss: the kiosk still has it).
int sp_journal_append(struct sp_journal *journal, enum sp_record_class cls, const char *record,
		      sp_journal_done_fn done, void *arg) SP_MUST_CHECK;
/// Durable small state (open outages, budgets, boot marks): committed together with the next facts,
/// or at once. `value` NULL deletes. Values ≤ 64 KiB. `done` may be NULL.
int sp_journal_put(struct sp_journal *journal, const char *key, const char *value, sp_journal_done_fn done,
		   void *arg) SP_MUST_CHECK;
/// The same, but committed together with whatever is committed next, so that it wears no card by itself.
int sp_journal_put_later(struct sp_journal *journal, const char *key, const char *value,
			 sp_journal_done_fn done, void *arg) SP_MUST_CHECK;
/// The key under which a clean close leaves its boot id; gone while the journal is in use.
#define SP_JOURNAL_CLEAN "journal.clean"
/// The key under which stands the last record that an earlier opening has left on the card, as long as this
/// opening has written nothing: "<boot> <mono_us> <t_ms, or -1>". Read from the batches: it costs no write.
#define SP_JOURNAL_LAST "journal.last"
/// What sp_journal_open() found, before any append of this opening. Blocks until the file is open or
/// has failed; main calls it once, at start. The caller frees; NULL when there is none.
char *sp_journal_get(struct sp_journal *journal, const char *key);

void sp_journal_status(struct sp_journal *journal, struct sp_journal_status *out);

// ---- the publisher's side -------------------------------------------------------------------------

enum sp_lane {
	SP_LANE_LIVE,    ///< facts and attendance committed since the journal was opened
	SP_LANE_BACKLOG, ///< everything else
};

/// Which bulk may be fetched. What may not stays, under the cap, until it may.
enum sp_bulk_limit {
	SP_BULK_ALL,
	SP_BULK_LIVE, ///< made at most two hours ago: the line is metered
	SP_BULK_NONE, ///< the line's budget is used up
};
/// From any thread. Tell the publisher that there may be news, too.
void sp_journal_limit_bulk(struct sp_journal *journal, enum sp_bulk_limit limit);

/// Asks for up to `max` unsettled batches of the lane with id > `after`, oldest first; `fetched`
/// is called on the journal's thread with an array that it owns then (batches to be freed one by
/// one, the array by free()).
typedef void (*sp_journal_fetched_fn)(void *arg, enum sp_lane lane, struct sp_journal_batch **batches,
				      size_t count);
void sp_journal_fetch(struct sp_journal *journal, enum sp_lane lane, int64_t after, size_t max,
		      sp_journal_fetched_fn fetched, void *arg);
/// The hub's word is law: what the acknowledgement covers is settled, and what it does not cover of
/// that stream is unsettled again (a restored hub), if it is still held.
void sp_journal_ack(struct sp_journal *journal, const struct sp_feed_ack *ack);
/// Does the acknowledgement settle all of first…last?
bool sp_journal_ack_covers(const struct sp_feed_ack *ack, int64_t first, int64_t last);
/// ack_mode = broker: this batch was taken with reason 0x00.
void sp_journal_settle(struct sp_journal *journal, int64_t batch_id);

/// Every stream still held, for the birth; `held` is called on the journal's thread, with NULL while the
/// journal cannot say.
typedef void (*sp_journal_held_fn)(void *arg, const struct sp_feed_held *held, size_t count);
void sp_journal_held(struct sp_journal *journal, sp_journal_held_fn held, void *arg);
