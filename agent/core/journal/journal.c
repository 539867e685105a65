// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The journal as other threads see it: every call is a request in the queue of the journal's thread, and
// memory is accounted for here, where a caller can still be refused.
#include "agent/core/journal/journal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/core/journal/thread.h"

static void dispose(struct sp_queue_node *node)
{
	struct sp_journal_request *request = (struct sp_journal_request *)node;
	free(request->ack);
	free(request);
}

static void release(struct sp_journal *journal)
{
	sp_queue_free(journal->queue, dispose);
	pthread_mutex_destroy(&journal->mutex);
	free(journal->path);
	free(journal->boot);
	free(journal);
}

/// With every signal blocked: they belong to the main thread's loop.
static int start_thread(struct sp_journal *journal)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int result = pthread_create(&journal->thread, NULL, sp_journal_thread, journal);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (result == 0)
		(void)pthread_setname_np(journal->thread, "journal");
	return -result;
}

int sp_journal_open(struct sp_journal **out, const struct sp_journal_config *config,
		    const struct sp_journal_customers *customers, struct sp_deadline *deadline)
{
	struct sp_journal *journal = sp_alloc(sizeof(*journal));
	journal->config = *config;
	journal->config.path = journal->path = sp_strdup(config->path);
	journal->config.boot = journal->boot = sp_strdup(config->boot);
	journal->customers = *customers;
	journal->deadline = deadline;
	journal->queue = sp_queue_new(SP_JOURNAL_REQUESTS_MAX, NULL, NULL);
	journal->status.state = SP_JOURNAL_OPENING;
	journal->status.cap_bytes = config->cap_bytes;
	pthread_mutex_init(&journal->mutex, NULL);
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++)
		sp_journal_list_init(&journal->records[cls]);
	sp_journal_list_init(&journal->small);
	sp_journal_list_init(&journal->chores);
	int result = start_thread(journal);
	if (result < 0)
		release(journal);
	*out = result < 0 ? NULL : journal;
	return result;
}

struct sp_journal_request *sp_journal_request_new(enum sp_journal_kind kind, size_t text_bytes)
{
	struct sp_journal_request *request = sp_alloc(sizeof(*request) + text_bytes);
	request->kind = kind;
	return request;
}

int sp_journal_close(struct sp_journal *journal, int64_t timeout_ms)
{
	sp_queue_push_always(journal->queue, &sp_journal_request_new(SP_JOURNAL_STOP, 0)->node);
	if (sp_deadline_join(journal->thread, timeout_ms) < 0)
		return -ETIMEDOUT;
	release(journal);
	return 0;
}

/// Accounts for `bytes` unless that would pass the maximum.
static bool reserve(_Atomic int64_t *account, size_t bytes)
{
	int64_t after = atomic_fetch_add(account, (int64_t)bytes) + (int64_t)bytes;
	if (after <= SP_JOURNAL_WAITING_MAX)
		return true;
	atomic_fetch_sub(account, (int64_t)bytes);
	return false;
}

/// Refused for want of memory: a loss, unless it is attendance whose source waits for the answer and so still
/// has it.
static void count_refused(struct sp_journal *journal, enum sp_record_class cls, sp_journal_done_fn done)
{
	if (cls != SP_RECORD_ATTENDANCE || !done)
		atomic_fetch_add(&journal->lost[cls], 1);
}

int sp_journal_push_record(struct sp_journal *journal, struct sp_journal_request *request)
{
	enum sp_record_class cls = request->append.cls;
	int result = reserve(&journal->waiting_bytes[cls], request->bytes) ? 0 : -ENOBUFS;
	if (result == 0) {
		atomic_fetch_add(&journal->waiting_count, 1);
		result = sp_queue_push(journal->queue, &request->node);
		if (result == 0)
			return 0;
		atomic_fetch_sub(&journal->waiting_count, 1);
		atomic_fetch_sub(&journal->waiting_bytes[cls], (int64_t)request->bytes);
	}
	count_refused(journal, cls, request->append.done);
	free(request);
	return result;
}

int sp_journal_append(struct sp_journal *journal, enum sp_record_class cls, const char *record,
		      sp_journal_done_fn done, void *arg)
{
	size_t length = strnlen(record, SP_FEED_RECORD_MAX + 1);
	if (length > SP_FEED_RECORD_MAX || record[0] != '{')
		return -EINVAL;
	struct sp_journal_request *request = sp_journal_request_new(SP_JOURNAL_APPEND, length + 1);
	memcpy(request->text, record, length);
	request->bytes = sizeof(*request) + length + 1;
	request->append.cls = cls;
	request->append.done = done;
	request->append.arg = arg;
	return sp_journal_push_record(journal, request);
}

static int put(struct sp_journal *journal, const char *key, const char *value, bool later,
	       sp_journal_done_fn done, void *arg)
{
	size_t key_bytes = strlen(key) + 1, value_bytes = value ? strlen(value) + 1 : 0;
	size_t bytes = sizeof(struct sp_journal_request) + key_bytes + value_bytes;
	if (key_bytes > 64 + 1 || value_bytes > 64 * 1024 + 1)
		return -EINVAL;
	if (!reserve(&journal->small_bytes, bytes))
		return -ENOBUFS;
	struct sp_journal_request *request = sp_journal_request_new(SP_JOURNAL_PUT, key_bytes + value_bytes);
	memcpy(request->text, key, key_bytes);
	if (value) {
		memcpy(request->text + key_bytes, value, value_bytes);
		request->put.value = request->text + key_bytes;
	}
	request->bytes = bytes;
	request->put.done = done;
	request->put.arg = arg;
	request->put.later = later;
	int result = sp_queue_push(journal->queue, &request->node);
	if (result < 0) {
		atomic_fetch_sub(&journal->small_bytes, (int64_t)bytes);
		free(request);
	}
	return result;
}

int sp_journal_put(struct sp_journal *journal, const char *key, const char *value, sp_journal_done_fn done,
		   void *arg)
{
	return put(journal, key, value, false, done, arg);
}

int sp_journal_put_later(struct sp_journal *journal, const char *key, const char *value,
			 sp_journal_done_fn done, void *arg)
{
	return put(journal, key, value, true, done, arg);
}

void sp_journal_limit_bulk(struct sp_journal *journal, enum sp_bulk_limit limit)
{
	atomic_store(&journal->bulk_limit, (int)limit);
}

char *sp_journal_get(struct sp_journal *journal, const char *key)
{
	struct sp_journal_reply reply = {.done = false};
	size_t length = strlen(key) + 1;
	struct sp_journal_request *request = sp_journal_request_new(SP_JOURNAL_GET, length);
	memcpy(request->text, key, length);
	request->get.reply = &reply;
	pthread_mutex_init(&reply.mutex, NULL);
	pthread_cond_init(&reply.come, NULL);
	sp_queue_push_always(journal->queue, &request->node);
	pthread_mutex_lock(&reply.mutex);
	while (!reply.done)
		pthread_cond_wait(&reply.come, &reply.mutex);
	pthread_mutex_unlock(&reply.mutex);
	pthread_cond_destroy(&reply.come);
	pthread_mutex_destroy(&reply.mutex);
	return reply.value;
}

void sp_journal_status(struct sp_journal *journal, struct sp_journal_status *out)
{
	pthread_mutex_lock(&journal->mutex);
	*out = journal->status;
	pthread_mutex_unlock(&journal->mutex);
	out->waiting = atomic_load(&journal->waiting_count);
}

void sp_journal_fetch(struct sp_journal *journal, enum sp_lane lane, int64_t after, size_t max,
		      sp_journal_fetched_fn fetched, void *arg)
{
	struct sp_journal_request *request = sp_journal_request_new(SP_JOURNAL_FETCH, 0);
	request->fetch.lane = lane;
	request->fetch.after = after;
	request->fetch.max = max;
	request->fetch.fetched = fetched;
	request->fetch.arg = arg;
	sp_queue_push_always(journal->queue, &request->node);
}

void sp_journal_ack(struct sp_journal *journal, const struct sp_feed_ack *ack)
{
	if (atomic_fetch_add(&journal->acks, 1) >= SP_JOURNAL_ACKS_MAX) {
		atomic_fetch_sub(&journal->acks, 1);
		return;
	}
	struct sp_journal_request *request = sp_journal_request_new(SP_JOURNAL_ACK, 0);
	request->ack = sp_alloc(sizeof(*ack));
	*request->ack = *ack;
	sp_queue_push_always(journal->queue, &request->node);
}

void sp_journal_settle(struct sp_journal *journal, int64_t batch_id)
{
	struct sp_journal_request *request = sp_journal_request_new(SP_JOURNAL_SETTLE, 0);
	request->settle = batch_id;
	sp_queue_push_always(journal->queue, &request->node);
}

void sp_journal_held(struct sp_journal *journal, sp_journal_held_fn held, void *arg)
{
	struct sp_journal_request *request = sp_journal_request_new(SP_JOURNAL_HELD, 0);
	request->held.held = held;
	request->held.arg = arg;
	sp_queue_push_always(journal->queue, &request->node);
}
