// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The journal's file, without threads and with time as an argument, so that tests drive it through every
// failure. journal.c runs it on the journal's thread.
//
//   stream   one row per opening and class; `last` is what it issued, kept when its batches are gone
//   batch    id rises for ever within an opening; `settled` is the hub's word; `age_ms` when that came, or
//            when the batch came, as long as it is not settled
//   local    attendance that is not published; `age_ms` when it came
//   kiosk    of whom keys are kept: see seen.h
//   seen     the keys
//   small    durable small state
//
// Ages are counted in powered-on time (a board has no RTC), which is itself kept in `small`.
#pragma once

#include <sqlite3.h>

#include "agent/core/journal/journal.h"
#include "agent/core/journal/seen.h"

enum {
	SP_JOURNAL_SCHEMA = 2,
	SP_JOURNAL_PENDING_MAX = 128, ///< settled batches that are not yet written down as such
	SP_JOURNAL_LOSSES_MAX = 64,   ///< `dropped` facts in one commit
	SP_JOURNAL_SMALL_MAX = 64 * 1024,
	SP_JOURNAL_KEY_MAX = 64,
};

struct sp_journal_store_config {
	const char *path;
	const char *vfs; ///< NULL: SQLite's own; tests inject failures with another
	int64_t cap_bytes, keep_acked_ms;
	int64_t keep_attendance_ms, unsent_attendance_ms; ///< the latter 0: for ever
	bool withhold_attendance;
	const char *boot;
	/// Non-NULL: do not use what is there but move it to journal.db.<this>-<n> first.
	const char *set_aside;
};

struct sp_journal_stream {
	int64_t row; ///< 0: this opening has none yet
	char name[SP_ID_LENGTH + 1];
	int64_t last; ///< the last seq issued
};

/// What a failed commit takes back.
struct sp_journal_now {
	struct sp_journal_stream stream[SP_RECORD_CLASSES]; ///< of this opening
	int64_t next_id;
	int64_t unsettled[SP_RECORD_CLASSES]; ///< records
	int64_t committed, dropped;           ///< records, since this opening
	int64_t bytes, pages;                 ///< in use, without keys; of the file: after the last commit
	int64_t seen_bytes;                   ///< of the keys
};

struct sp_journal_pending {
	int64_t id, row, first, last;
	enum sp_record_class cls;
};

struct sp_journal_loss {
	enum sp_record_class cls;
	int64_t row, from, to;
	char stream[SP_ID_LENGTH + 1];
	const char *reason;
};

struct sp_journal_store {
	sqlite3 *db;
	char *path, *vfs, *boot;
	int64_t cap_bytes, keep_acked_ms, page_bytes;
	int64_t keep_attendance_ms, unsent_attendance_ms;
	bool withhold_attendance;
	char *clean;             ///< boot id of the clean close that was found, or NULL
	bool set_aside;          ///< this opening begins a new chain after an old file was set aside
	bool mark;               ///< the clean mark is still in the file: the next commit deletes it
	int64_t age_ms, tick_ms; ///< powered-on time as of the monotonic `tick_ms`
	int64_t settled_seq;
	int64_t reserved_bytes; ///< what the file is known to have room for
	struct sp_journal_now now, before;
	struct sp_journal_pending pending[SP_JOURNAL_PENDING_MAX];
	size_t pending_count;
	bool pending_written;           ///< by the transaction that runs
	struct sp_journal_loss *losses; ///< of the commit that runs
	size_t loss_count;
	enum sp_bulk_limit bulk_limit;
	struct sp_journal_kiosk *kiosks;
	size_t kiosk_count;
	bool kiosks_known;
	int64_t live_id, hour_id; ///< bulk up to live_id is two hours old or more, up to hour_id one
};

/// Opens the file, or sets a corrupt, foreign or newer one aside and begins a new one. What small state can
/// still be read goes over. 0 or -errno of sp_sql_error(), *out NULL.
int sp_journal_store_open(struct sp_journal_store **out, const struct sp_journal_store_config *config,
			  int64_t now_ms) SP_MUST_CHECK;
/// NULL is fine. Nothing is committed here.
void sp_journal_store_close(struct sp_journal_store *store);

struct sp_journal_small {
	const char *key, *value; ///< NULL value: delete
};

/// What makes a record of attendance an event of a kiosk.
struct sp_journal_mark {
	const char *kiosk;    ///< NULL: it is none
	const uint8_t *key;   ///< 16 bytes; NULL: it is always new
	const uint8_t *other; ///< known under this one, it is known, too; NULL: none
	int64_t capacity;
	int32_t day;
	bool local; ///< not to be published
	bool known; ///< out: it was there, and was not written again
};

/// One transaction. Records are sp_feed_record() texts in order.
struct sp_journal_commit {
	const char *const *records[SP_RECORD_CLASSES];
	size_t count[SP_RECORD_CLASSES];
	struct sp_journal_mark *marks; ///< one for each record of attendance, or NULL
	const struct sp_journal_small *small;
	size_t small_count;
	int64_t lost[SP_RECORD_CLASSES]; ///< refused for want of memory since the last commit
	bool probe;                      ///< write something in any case: did the file recover?
	bool clean;                      ///< the last commit of an opening: leaves the clean mark
	int64_t corrupt;                 ///< a batch to drop because its text is not what it was; 0: none
	bool expire;                     ///< drop attendance that could not be sent for too long
};

/// All or nothing; also writes down what is settled. On a full disk unsettled bulk makes room inside the
/// file. -errno as sp_sql_error(), or -ESTALE when the file is not at its path any more.
int sp_journal_store_commit(struct sp_journal_store *store, const struct sp_journal_commit *what,
			    int64_t now_ms) SP_MUST_CHECK;
/// Deletes what was settled long enough ago, and attendance that has its age; truncates the WAL when
/// something was deleted.
int sp_journal_store_forget(struct sp_journal_store *store, int64_t now_ms) SP_MUST_CHECK;
/// Deletes the oldest keys of kiosks that have too many.
int sp_journal_store_prune(struct sp_journal_store *store, int64_t now_ms) SP_MUST_CHECK;
/// NULL when there is none; the caller frees.
char *sp_journal_store_get(struct sp_journal_store *store, const char *key);

/// SP_JOURNAL_LAST's value; NULL when no batch is held, or none that can be read.
char *sp_journal_store_last(struct sp_journal_store *store);
/// The stored bytes of a batch as text; NULL when they cannot be what was stored.
char *sp_journal_unpack(const void *body, size_t length, bool deflated);

/// An hour is over: bulk grows old.
void sp_journal_store_hour(struct sp_journal_store *store);

/// As sp_journal_fetch(), within bulk_limit. A batch whose text is not what its digest says is dropped for
/// good, with a fact.
int sp_journal_store_fetch(struct sp_journal_store *store, enum sp_lane lane, int64_t after, size_t max,
			   struct sp_journal_batch **out, size_t *count, int64_t now_ms) SP_MUST_CHECK;
/// *unsettled: something is to be sent again. -EINVAL for an acknowledgement that cannot be true.
int sp_journal_store_ack(struct sp_journal_store *store, const struct sp_feed_ack *ack, bool *unsettled,
			 int64_t now_ms) SP_MUST_CHECK;
int sp_journal_store_settle(struct sp_journal_store *store, int64_t id, int64_t now_ms) SP_MUST_CHECK;
/// At most SP_FEED_HELD_MAX, oldest first.
int sp_journal_store_held(struct sp_journal_store *store, struct sp_feed_held *held,
			  size_t *count) SP_MUST_CHECK;

/// How far a walk over attendance has come; all 0 at the beginning.
struct sp_journal_walk {
	bool local; ///< batches are through
	int64_t after, erased;
};
struct sp_journal_visit {
	bool (*event)(void *arg, const char *record);
	void *arg;
};
struct sp_journal_persons {
	const char *const *names;
	size_t count;
};
/// A portion of sp_journal_events(). 1: there is more; 0: that was all; -errno.
int sp_journal_store_walk(struct sp_journal_store *store, struct sp_journal_walk *walk,
			  const struct sp_journal_visit *visit) SP_MUST_CHECK;
/// A portion of sp_journal_erase(), as above; walk->erased counts.
int sp_journal_store_erase(struct sp_journal_store *store, struct sp_journal_walk *walk,
			   const struct sp_journal_persons *persons, int64_t now_ms) SP_MUST_CHECK;

// ---- between the files of the journal ---------------------------------------------------------------

/// BEGIN, with the means to take everything back; `now_ms` moves the age clock.
int sp_journal_begin(struct sp_journal_store *store, int64_t now_ms) SP_MUST_CHECK;
/// COMMIT when result is 0, else takes everything back. The first error.
int sp_journal_end(struct sp_journal_store *store, int result) SP_MUST_CHECK;
/// Writes down what is pending; inside a transaction.
int sp_journal_settle_pending(struct sp_journal_store *store) SP_MUST_CHECK;
/// Opens this opening's stream of the class unless there is one; *opened gets the text of its first record
/// then (the caller frees), NULL otherwise.
int sp_journal_stream_begin(struct sp_journal_store *store, enum sp_record_class cls,
			    char **opened) SP_MUST_CHECK;
/// Gives up batches until `need_bytes` more fit under the cap. `squeeze`: frees a portion whatever the cap
/// says, but no unsettled facts or attendance.
int sp_journal_make_room(struct sp_journal_store *store, int64_t need_bytes, bool squeeze) SP_MUST_CHECK;
/// Gives up the stream that can best be missed, when as many are held as a birth can name.
int sp_journal_limit_streams(struct sp_journal_store *store) SP_MUST_CHECK;
/// Deletes a batch and notes its loss; leaves it, with 0, when this commit cannot tell of another.
int sp_journal_lose(struct sp_journal_store *store, int64_t id, const char *reason) SP_MUST_CHECK;
/// Remembers what the stream issued before its last batch may go.
int sp_journal_keep_last(struct sp_journal_store *store, int64_t row) SP_MUST_CHECK;
int sp_journal_delete_batch(struct sp_journal_store *store, int64_t id) SP_MUST_CHECK;
int sp_journal_write_age(struct sp_journal_store *store) SP_MUST_CHECK;
/// In use, with and without keys. Inside a transaction as it stands in it.
int sp_journal_gross_bytes(struct sp_journal_store *store, int64_t *out) SP_MUST_CHECK;
int sp_journal_used_bytes(struct sp_journal_store *store, int64_t *out) SP_MUST_CHECK;
/// The key under which stands seen_bytes.
#define SP_JOURNAL_SEEN_BYTES "journal.seen_bytes"
/// Gives up unsettled attendance that came too long ago, as far as the losses can be told.
int sp_journal_expire(struct sp_journal_store *store) SP_MUST_CHECK;
/// Copies attendance that waits, and keys, out of the file that was set aside under that name. Whatever
/// cannot be read stays out.
void sp_journal_salvage(struct sp_journal_store *store, const char *aside);
/// The key under which that name stands until it is done.
#define SP_JOURNAL_SALVAGE "journal.salvage"
/// Drops a batch whose text is not what it was, with a fact.
int sp_journal_drop_corrupt(struct sp_journal_store *store, int64_t id, int64_t now_ms) SP_MUST_CHECK;
/// local.c, inside a transaction: adds; deletes what came before `limit_ms`, some `max` rows; gives up rows
/// until no more than `target` bytes are in use.
int sp_journal_local_add(struct sp_journal_store *store, const char *const *records,
			 size_t count) SP_MUST_CHECK;
int sp_journal_local_forget(struct sp_journal_store *store, int64_t limit_ms, int64_t max,
			    int64_t *done) SP_MUST_CHECK;
int sp_journal_local_shrink(struct sp_journal_store *store, int64_t target, int64_t *used) SP_MUST_CHECK;
/// Updates now.bytes and now.pages.
int sp_journal_measure(struct sp_journal_store *store) SP_MUST_CHECK;
/// Allocates the file ahead of its growth by `need_bytes`, since what a commit left in the WAL must fit into
/// the file later, or the WAL could never begin anew on a disk that filled up meanwhile.
int sp_journal_reserve(struct sp_journal_store *store, int64_t need_bytes) SP_MUST_CHECK;
/// Rows of streams that hold nothing and are nobody's predecessor.
int sp_journal_sweep_streams(struct sp_journal_store *store) SP_MUST_CHECK;
