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
	int64_t keep_acked_ms;   ///< how long settled batches stay recyclable, but for attendance
	/// How long attendance stays: a published event after the hub's commit, a local one after it came.
	int64_t keep_attendance_ms;
	int64_t unsent_attendance_ms; ///< published and not acknowledged for so long: dropped, with a fact
	/// The school does not publish events (any more), or may not: what was not sent stays on the card
	/// until then.
	bool withhold_attendance;
	const char *boot; ///< this boot's id
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

// ---- attendance -------------------------------------------------------------------------------------

struct sp_journal_event {
	const char *record; ///< sp_feed_record()'s text
	const char *kiosk;  ///< its section's name, 1 to SP_JOURNAL_KIOSK_MAX bytes
	/// Days since 1970 by the kiosk's own time: the same each time the kiosk sends the event, as the key
	/// is. Neighbours in time are neighbours on the card.
	int32_t day;
	uint8_t key[16];   ///< what tells it from every other event of this kiosk, for ever
	bool has_key;      ///< false: it is always new
	uint8_t other[16]; ///< known under this one, it is known, too; not noted itself
	bool has_other;
	bool publish;     ///< false: it stays on the card, in no stream that the hub hears of
	int64_t capacity; ///< how many events the kiosk can store; 0: not known
};
enum { SP_JOURNAL_KIOSK_MAX = 255 };

/// The event was on the card before, or was in this very commit: `done` gets this instead of 0.
#define SP_JOURNAL_KNOWN 1

/// From any thread. Event and key are committed together, all or nothing. `done`: 0, SP_JOURNAL_KNOWN, or
/// -errno, and then the kiosk still has it: it is refused while the file cannot be written (-ENOSPC when
/// the disk is really full, -EROFS, -EIO); keys are never given up to make room.
///
/// -ENOBUFS: SP_JOURNAL_WAITING_MAX bytes (1 MiB, some 2,000 events) wait for their commit, `done` does not
/// run. No loss: stop reading from the kiosk (io.h lets a driver pause a connection), go on when the last of
/// its own events in flight has answered, and offer the refused event again. A driver that keeps no more
/// than some hundred events in flight never sees it.
int sp_journal_append_event(struct sp_journal *journal, const struct sp_journal_event *event,
			    sp_journal_done_fn done, void *arg) SP_MUST_CHECK;

/// On main, as sp_journal_done_fn. `result` 0 or -errno; `count` is 0 then.
typedef void (*sp_journal_count_fn)(void *arg, int result, int64_t count);
/// How many distinct events with a key came from that kiosk on that day: by its keys, so beyond the events'
/// retention. 0 or -EINVAL.
int sp_journal_seen(struct sp_journal *journal, const char *kiosk, int32_t day, sp_journal_count_fn done,
		    void *arg) SP_MUST_CHECK;
/// Every attendance event on the card, published or not, settled or not, as it was appended: `event` is
/// called on the journal's thread, false ends the walk with -ECANCELED. What is appended meanwhile may
/// be among them. Goes in portions, so that punches are committed in between. 0 or -errno.
int sp_journal_events(struct sp_journal *journal, bool (*event)(void *arg, const char *record),
		      sp_journal_done_fn done, void *arg) SP_MUST_CHECK;
/// Erases every event of these pseudonyms that was appended before; `done` tells how many. In a stream each
/// becomes {"type":"forgotten"} of the same seq, its batch gets a new digest and a higher `redacted`. 0 to
/// `done`: the old text is nowhere in the journal's file, its WAL, or what was set aside (whole files are
/// deleted for that, but for a stranger's). What the file system and the card's controller keep in blocks
/// that they count as free is beyond it. -errno: call it again, to which it is indifferent; so after a
/// restart before `done`.
///
/// A batch that was handed to the publisher before may still go out with the old text for as long as its
/// session to the broker takes to deliver or to give it up (minutes); what is fetched later has the new one.
/// That does no harm: the hub refuses events of whom it must forget, whenever they come, and its
/// acknowledgement names seqs, not digests, so it settles the batch with the new text, which has nothing to
/// add.
int sp_journal_erase(struct sp_journal *journal, const char *const *persons, size_t count,
		     sp_journal_count_fn done, void *arg) SP_MUST_CHECK;

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
