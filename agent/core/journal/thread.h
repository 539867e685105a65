// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the journal's API (journal.c) and its thread (thread.c) share.
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "agent/base/queue.h"
#include "agent/core/journal/journal.h"
#include "agent/core/journal/store.h"

enum {
	SP_JOURNAL_WAITING_MAX = 1024 * 1024, ///< bytes per class, and of small state, in memory
	SP_JOURNAL_REQUESTS_MAX = 65536,      ///< queued: the bytes above are the real bound
	SP_JOURNAL_ACKS_MAX = 256,            ///< queued acknowledgements: the hub repeats itself
};

enum sp_journal_kind {
	SP_JOURNAL_APPEND,
	SP_JOURNAL_PUT,
	SP_JOURNAL_GET,
	SP_JOURNAL_FETCH,
	SP_JOURNAL_ACK,
	SP_JOURNAL_SETTLE,
	SP_JOURNAL_HELD,
	SP_JOURNAL_SEEN,
	SP_JOURNAL_EVENTS,
	SP_JOURNAL_ERASE,
	SP_JOURNAL_STOP,
};

/// A reply that the asking thread waits for.
struct sp_journal_reply {
	pthread_mutex_t mutex;
	pthread_cond_t come;
	bool done;
	char *value;
};

struct sp_journal_request {
	struct sp_queue_node node; ///< in the queue, then in a list of what waits
	enum sp_journal_kind kind;
	size_t bytes; ///< accounted for while it waits
	union {
		struct {
			enum sp_record_class cls;
			sp_journal_done_fn done;
			void *arg;
			const char *kiosk; ///< in `text`, behind the record; NULL: no event of a kiosk
			int64_t capacity;
			int32_t day;
			uint8_t key[16], other[16];
			bool has_key, has_other, local, known;
		} append;
		struct {
			const char *value; ///< in `text`, behind the key; NULL: delete
			bool later;
			sp_journal_done_fn done;
			void *arg;
		} put;
		struct {
			struct sp_journal_reply *reply;
		} get;
		struct {
			enum sp_lane lane;
			int64_t after;
			size_t max;
			sp_journal_fetched_fn fetched;
			void *arg;
		} fetch;
		struct {
			sp_journal_held_fn held;
			void *arg;
		} held;
		int64_t settle;
		struct {
			sp_journal_count_fn done;
			void *arg;
			int32_t day;
		} seen; ///< of the kiosk in `text`
		struct {
			struct sp_journal_walk walk;
			struct sp_journal_visit visit; ///< SP_JOURNAL_EVENTS
			sp_journal_done_fn done;       ///< the same
			sp_journal_count_fn counted;   ///< SP_JOURNAL_ERASE: the persons are in `text`
			void *arg;
			size_t persons;
		} chore;
	};
	struct sp_feed_ack *ack;
	char text[]; ///< record, or key
};

struct sp_journal_list {
	struct sp_queue_node *head, **tail;
	size_t count;
};

struct sp_journal {
	char *path, *boot;
	struct sp_journal_config config;
	struct sp_journal_customers customers;
	struct sp_deadline *deadline;
	pthread_t thread;
	struct sp_queue *queue;

	// Any thread.
	_Atomic int64_t waiting_bytes[SP_RECORD_CLASSES], waiting_count, small_bytes, acks;
	_Atomic int64_t lost[SP_RECORD_CLASSES];
	_Atomic int bulk_limit; ///< enum sp_bulk_limit
	pthread_mutex_t mutex;
	struct sp_journal_status status; ///< under mutex

	// The journal's thread.
	struct sp_journal_store *store;
	struct sp_journal_list records[SP_RECORD_CLASSES], small;
	struct sp_journal_list chores;     ///< long ones, done in portions, one after the other
	size_t small_now;                  ///< of `small`: those that do not wait for company
	int64_t due_us[SP_RECORD_CLASSES]; ///< of what waits
	int64_t noted_us;                  ///< since when something is settled in memory alone; 0: nothing
	int64_t forget_us;
	int64_t retry_us; ///< while failing: not before
	unsigned failures, unreadable;
	ino_t corrupt; ///< the file that the next opening sets aside; 0: none
	int error;     ///< 0: writable
	bool stop;
};

void *sp_journal_thread(void *arg);

// ---- attend.c, journal.c --------------------------------------------------------------------------

struct sp_journal_request *sp_journal_request_new(enum sp_journal_kind kind, size_t text_bytes);
/// Accounts for a record of request->bytes, and queues it; frees it on failure.
int sp_journal_push_record(struct sp_journal *journal, struct sp_journal_request *request) SP_MUST_CHECK;

// ---- chore.c: on the journal's thread ---------------------------------------------------------

/// Runs a portion of the first chore.
void sp_journal_chore(struct sp_journal *j);
/// Ends all of them.
void sp_journal_end_chores(struct sp_journal *j, int result);
void sp_journal_answer_seen(struct sp_journal *j, const struct sp_journal_request *request);

// ---- group.c: on the journal's thread ---------------------------------------------------------

void sp_journal_list_init(struct sp_journal_list *list);
void sp_journal_list_push(struct sp_journal_list *list, struct sp_journal_request *request);
/// Ends every request of the list with the result.
void sp_journal_finish_all(struct sp_journal *j, struct sp_journal_list *list, int result);
/// Attendance that somebody waits for does not outlive a failed commit: its source still has it.
void sp_journal_refuse_attendance(struct sp_journal *j);
void sp_journal_set_status(struct sp_journal *j);
/// Sets a file aside that is known to be corrupt.
void sp_journal_open_store(struct sp_journal *j);
/// What the file's state becomes of an error; 0 is none.
void sp_journal_judge(struct sp_journal *j, int error);
/// Commits facts, attendance and small state, with `bulk` bulk, too.
void sp_journal_commit_waiting(struct sp_journal *j, bool bulk, bool clean);
