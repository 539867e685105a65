// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The journal's thread: takes requests and decides when what waits is committed.
//
//   facts, small state   at once, with what else is queued at that moment
//   attendance           once its group_commit_ms are over, or with the facts
//   bulk                 every bulk_commit_ms, at BULK_EARLY_BYTES, and at the clean close
#include "agent/core/journal/thread.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/core/journal/store.h"
#include "schoolpulse/clock.h"
#include "schoolpulse/log.h"

enum {
	WORK_MS = 300 * 1000, ///< a card that collects its garbage may stall for minutes
	BULK_EARLY_BYTES = 192 * 1024,
	SETTLE_MS = 30 * 1000, ///< how long settling may wait for a commit to go with
	FORGET_MS = 3600 * 1000,
	REQUESTS_AT_ONCE = 4096,
};

static int64_t now_us(void)
{
	return sp_clock_mono_us();
}

static int64_t now_ms(void)
{
	return now_us() / 1000;
}

static bool bulk_due(const struct sp_journal *j, int64_t now)
{
	return j->records[SP_RECORD_BULK].count > 0 &&
	       (now >= j->due_us[SP_RECORD_BULK] ||
		atomic_load(&j->waiting_bytes[SP_RECORD_BULK]) >= BULK_EARLY_BYTES);
}

static bool lost_any(struct sp_journal *j)
{
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++) {
		if (atomic_load(&j->lost[cls]) > 0)
			return true;
	}
	return false;
}

static bool due(struct sp_journal *j, int64_t now)
{
	return j->records[SP_RECORD_FACTS].count > 0 || j->small_now > 0 || lost_any(j) || bulk_due(j, now) ||
	       (j->records[SP_RECORD_ATTENDANCE].count > 0 && now >= j->due_us[SP_RECORD_ATTENDANCE]) ||
	       (j->noted_us && now >= j->noted_us + SETTLE_MS * INT64_C(1000)) ||
	       (j->error && now >= j->retry_us);
}

/// When turn() next has something to do, absolute; -1: only when a request comes.
static int64_t next_due(struct sp_journal *j)
{
	int64_t next = j->forget_us;
	if (j->error || !j->store)
		return j->retry_us;
	if (j->chores.count > 0)
		return 0;
	if (j->records[SP_RECORD_BULK].count > 0 && j->due_us[SP_RECORD_BULK] < next)
		next = j->due_us[SP_RECORD_BULK];
	if (j->records[SP_RECORD_ATTENDANCE].count > 0 && j->due_us[SP_RECORD_ATTENDANCE] < next)
		next = j->due_us[SP_RECORD_ATTENDANCE];
	if (j->noted_us && j->noted_us + SETTLE_MS * INT64_C(1000) < next)
		next = j->noted_us + SETTLE_MS * INT64_C(1000);
	return next;
}

static void turn(struct sp_journal *j)
{
	int64_t now = now_us();
	if (j->error && now < j->retry_us) {
		sp_journal_refuse_attendance(j);
		sp_journal_end_chores(j, j->error);
		return;
	}
	if (!j->store)
		sp_journal_open_store(j);
	if (j->store && due(j, now))
		sp_journal_commit_waiting(j, bulk_due(j, now) || j->error, false);
	if (j->store && !j->error && now >= j->forget_us) {
		j->forget_us = now + FORGET_MS * INT64_C(1000);
		sp_journal_store_hour(j->store);
		sp_journal_judge(j, sp_journal_store_forget(j->store, now_ms()));
	}
	if (j->store && !j->error && sp_journal_seen_crowded(j->store))
		sp_journal_judge(j, sp_journal_store_prune(j->store, now_ms()));
	sp_journal_chore(j);
}

// ---- requests -----------------------------------------------------------------------------------------

static void take_record(struct sp_journal *j, struct sp_journal_request *request)
{
	const int64_t wait_ms[SP_RECORD_CLASSES] = {0, j->config.group_commit_ms, j->config.bulk_commit_ms};
	enum sp_record_class cls = request->append.cls;
	if (j->records[cls].count == 0)
		j->due_us[cls] = now_us() + wait_ms[cls] * 1000;
	sp_journal_list_push(&j->records[cls], request);
}

static void answer_get(struct sp_journal *j, const struct sp_journal_request *request)
{
	struct sp_journal_reply *reply = request->get.reply;
	char *value = j->store ? sp_journal_store_get(j->store, request->text) : NULL;
	pthread_mutex_lock(&reply->mutex);
	reply->value = value;
	reply->done = true;
	pthread_cond_signal(&reply->come);
	pthread_mutex_unlock(&reply->mutex);
}

static void answer_fetch(struct sp_journal *j, const struct sp_journal_request *request)
{
	size_t count = 0;
	// Who asks sees what was appended before: the last facts before a stop go out with it.
	if (j->store && !j->error && j->records[SP_RECORD_FACTS].count > 0)
		sp_journal_commit_waiting(j, false, false);
	struct sp_journal_batch **batches = sp_alloc((request->fetch.max + 1) * sizeof(*batches));
	if (j->store) {
		j->store->bulk_limit = (enum sp_bulk_limit)atomic_load(&j->bulk_limit);
		int result = sp_journal_store_fetch(j->store, request->fetch.lane, request->fetch.after,
						    request->fetch.max, batches, &count, now_ms());
		if (result == -EBADMSG)
			sp_journal_judge(j, result);
		else if (result < 0)
			sp_err("journal", "reading %s: %s", j->path, strerror(-result));
	}
	request->fetch.fetched(request->fetch.arg, request->fetch.lane, batches, count);
}

static void answer_held(struct sp_journal *j, const struct sp_journal_request *request)
{
	struct sp_feed_held held[SP_FEED_HELD_MAX];
	size_t count = 0;
	int result = j->store ? sp_journal_store_held(j->store, held, &count) : -EAGAIN;
	if (result < 0 && j->store)
		sp_err("journal", "reading %s: %s", j->path, strerror(-result));
	request->held.held(request->held.arg, result < 0 ? NULL : held, count);
	if (result == -EBADMSG)
		sp_journal_judge(j, result);
}

static void take_ack(struct sp_journal *j, const struct sp_journal_request *request)
{
	bool unsettled = false;
	int result = 0;
	if (request->kind == SP_JOURNAL_ACK)
		atomic_fetch_sub(&j->acks, 1);
	if (!j->store)
		return;
	if (request->kind == SP_JOURNAL_ACK)
		result = sp_journal_store_ack(j->store, request->ack, &unsettled, now_ms());
	else
		result = sp_journal_store_settle(j->store, request->settle, now_ms());
	if (result < 0 && result != -EINVAL)
		sp_journal_judge(j, result);
	else if (j->store->pending_count > 0 && !j->noted_us)
		j->noted_us = now_us();
	if (unsettled)
		j->customers.news(j->customers.news_arg);
}

static void handle(struct sp_journal *j, struct sp_journal_request *request)
{
	switch (request->kind) {
	case SP_JOURNAL_APPEND:
		take_record(j, request);
		return;
	case SP_JOURNAL_PUT:
		sp_journal_list_push(&j->small, request);
		j->small_now += !request->put.later;
		return;
	case SP_JOURNAL_GET:
		answer_get(j, request);
		break;
	case SP_JOURNAL_FETCH:
		answer_fetch(j, request);
		break;
	case SP_JOURNAL_ACK:
	case SP_JOURNAL_SETTLE:
		take_ack(j, request);
		break;
	case SP_JOURNAL_HELD:
		answer_held(j, request);
		break;
	case SP_JOURNAL_SEEN:
		sp_journal_answer_seen(j, request);
		break;
	case SP_JOURNAL_EVENTS:
	case SP_JOURNAL_ERASE:
		// What was appended before belongs to it.
		if (j->store && !j->error && j->records[SP_RECORD_ATTENDANCE].count > 0)
			sp_journal_commit_waiting(j, false, false);
		sp_journal_list_push(&j->chores, request);
		return;
	case SP_JOURNAL_STOP:
		j->stop = true;
		break;
	}
	free(request->ack);
	free(request);
}

static void handle_queued(struct sp_journal *j, struct sp_queue_node *node)
{
	for (int i = 1; node; i++) {
		handle(j, (struct sp_journal_request *)node);
		node = i < REQUESTS_AT_ONCE || j->stop ? sp_queue_pop(j->queue, 0) : NULL;
	}
}

/// The last commit, with everything that waits.
static void end(struct sp_journal *j)
{
	if (!j->store)
		sp_journal_open_store(j);
	if (j->store)
		sp_journal_commit_waiting(j, true, true);
	// A file that proved corrupt now has a successor.
	if (j->store && j->error == -EBADMSG)
		sp_journal_commit_waiting(j, true, true);
	size_t left = 0;
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++)
		left += j->records[cls].count;
	if (left > 0)
		sp_err("journal", "%zu records could not be written before the end and are lost", left);
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++)
		sp_journal_finish_all(j, &j->records[cls], j->error ? j->error : -EIO);
	sp_journal_finish_all(j, &j->small, j->error ? j->error : -EIO);
	sp_journal_end_chores(j, -ECANCELED);
	sp_journal_store_close(j->store);
	j->store = NULL;
}

void *sp_journal_thread(void *arg)
{
	struct sp_journal *j = arg;
	sp_deadline_announce(j->deadline, WORK_MS);
	j->forget_us = now_us() + FORGET_MS * INT64_C(1000);
	sp_journal_open_store(j);
	sp_journal_set_status(j);
	while (!j->stop) {
		int64_t wait_us = next_due(j) - now_us();
		sp_deadline_idle(j->deadline);
		struct sp_queue_node *node = sp_queue_pop(j->queue, wait_us > 0 ? wait_us : 0);
		sp_deadline_announce(j->deadline, WORK_MS);
		handle_queued(j, node);
		turn(j);
		sp_journal_set_status(j);
	}
	end(j);
	sp_deadline_idle(j->deadline);
	return NULL;
}
