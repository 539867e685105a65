// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The journal's thread: takes requests, groups records into commits, and turns everything that can go
// wrong with a card into a state that is retried.
//
//   facts, small state   at once, with what else is queued at that moment
//   attendance           once its group_commit_ms are over, or with the facts
//   bulk                 every bulk_commit_ms, at BULK_EARLY_BYTES, and at the clean close
//
// While the file cannot be written: facts and bulk wait (bounded, in journal.c), attendance that somebody
// waits for is refused, and the file is tried again after 1 s, 2 s, … 60 s.
#include "agent/core/journal_thread.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/core/journal_store.h"
#include "schoolpulse/clock.h"
#include "schoolpulse/log.h"

enum {
	WORK_MS = 300 * 1000, ///< a card that collects its garbage may stall for minutes
	BULK_EARLY_BYTES = 192 * 1024,
	SETTLE_MS = 30 * 1000, ///< how long settling may wait for a commit to go with
	FORGET_MS = 3600 * 1000,
	RETRY_FIRST_MS = 1000,
	RETRY_MAX_MS = 60 * 1000,
	UNREADABLE_MAX = 5, ///< openings that fail with an I/O error before the file is set aside
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

static void list_push(struct sp_journal_list *list, struct sp_journal_request *request)
{
	request->node.next = NULL;
	*list->tail = &request->node;
	list->tail = &request->node.next;
	list->count++;
}

static void post(struct sp_journal *j, sp_journal_done_fn done, void *arg, int result)
{
	if (done)
		j->customers.post(j->customers.post_arg, done, arg, result);
}

static void finish(struct sp_journal *j, struct sp_journal_request *request, int result)
{
	if (request->kind == SP_JOURNAL_APPEND) {
		atomic_fetch_sub(&j->waiting_bytes[request->append.cls], (int64_t)request->bytes);
		atomic_fetch_sub(&j->waiting_count, 1);
		post(j, request->append.done, request->append.arg, result);
	} else {
		atomic_fetch_sub(&j->small_bytes, (int64_t)request->bytes);
		post(j, request->put.done, request->put.arg, result);
	}
	free(request);
}

static void finish_all(struct sp_journal *j, struct sp_journal_list *list, int result)
{
	struct sp_queue_node *node = list->head;
	list->head = NULL;
	list->tail = &list->head;
	list->count = 0;
	while (node) {
		struct sp_queue_node *next = node->next;
		finish(j, (struct sp_journal_request *)node, result);
		node = next;
	}
}

/// Attendance that somebody waits for does not outlive a failed commit: its source still has it.
static void refuse_attendance(struct sp_journal *j)
{
	struct sp_journal_list *list = &j->records[SP_RECORD_ATTENDANCE];
	struct sp_queue_node *node = list->head;
	list->head = NULL;
	list->tail = &list->head;
	list->count = 0;
	while (node) {
		struct sp_journal_request *request = (struct sp_journal_request *)node;
		node = node->next;
		if (request->append.done)
			finish(j, request, j->error);
		else
			list_push(list, request);
	}
}

// ---- states -------------------------------------------------------------------------------------

static const char *reason(int error)
{
	switch (error) {
	case -ENOSPC:
		return "the disk is full";
	case -EROFS:
		return "the file cannot be written (read-only or no permission)";
	case -EBUSY:
		return "another process uses it";
	case -EBADMSG:
		return "the file is corrupt";
	case -ESTALE:
		return "the file was moved away or deleted";
	}
	return strerror(-error);
}

static void set_status(struct sp_journal *j)
{
	pthread_mutex_lock(&j->mutex);
	struct sp_journal_status *s = &j->status;
	switch (j->error) {
	case 0:
		s->state = j->store ? SP_JOURNAL_WRITABLE : SP_JOURNAL_OPENING;
		break;
	case -ENOSPC:
		s->state = SP_JOURNAL_FULL;
		break;
	case -EROFS:
		s->state = SP_JOURNAL_READ_ONLY;
		break;
	default:
		s->state = SP_JOURNAL_FAILED;
	}
	s->error = -j->error;
	if (j->store) {
		const struct sp_journal_now *now = &j->store->now;
		memcpy(s->unsettled, now->unsettled, sizeof(s->unsettled));
		s->bytes = now->bytes;
		s->committed = now->committed;
		s->dropped = now->dropped;
		s->settled_seq = j->store->settled_seq;
	}
	pthread_mutex_unlock(&j->mutex);
}

static void failed(struct sp_journal *j, int error)
{
	int64_t delay_ms = RETRY_MAX_MS;
	if (j->failures < 6)
		delay_ms = (int64_t)RETRY_FIRST_MS << j->failures;
	if (delay_ms > RETRY_MAX_MS)
		delay_ms = RETRY_MAX_MS;
	j->failures++;
	j->retry_us = now_us() + (int64_t)((double)delay_ms * 1000 * (0.75 + 0.5 * sp_random_unit()));
	if (j->error != error)
		sp_err("journal", "%s: %s; records wait in memory, trying again", j->path, reason(error));
	j->error = error;
	set_status(j);
	refuse_attendance(j);
}

static void recovered(struct sp_journal *j)
{
	if (j->error)
		sp_notice("journal", "%s can be written again", j->path);
	j->error = 0;
	j->failures = 0;
	j->retry_us = 0;
}

static void open_store(struct sp_journal *j, const char *set_aside)
{
	struct sp_journal_store_config config = {.path = j->path,
						 .cap_bytes = j->config.cap_bytes,
						 .keep_acked_ms = j->config.keep_acked_ms,
						 .boot = j->boot,
						 .set_aside = set_aside};
	if (j->unreadable >= UNREADABLE_MAX)
		config.set_aside = "unreadable";
	int result = sp_journal_store_open(&j->store, &config, now_ms());
	j->unreadable = result == -EIO ? j->unreadable + 1 : 0;
	if (result < 0) {
		failed(j, result);
		return;
	}
	if (!j->error)
		j->failures = 0;
	j->noted_us = 0;
	j->customers.news(j->customers.news_arg);
}

/// The file can no longer be used by its handle: begins a new one, at once the first time.
static void renew(struct sp_journal *j, int error)
{
	sp_journal_store_close(j->store);
	j->store = NULL;
	bool again = j->failures > 0;
	failed(j, error);
	if (again)
		return;
	open_store(j, error == -EBADMSG ? "corrupt" : NULL);
	if (!j->store)
		return;
	j->store->set_aside = true;
	j->retry_us = now_us();
}

/// A request met an error: what the file's state becomes of it.
static void judge(struct sp_journal *j, int error)
{
	if (error == -EBADMSG || error == -ESTALE)
		renew(j, error);
	else if (error < 0)
		failed(j, error);
}

// ---- commits --------------------------------------------------------------------------------------

struct gathered {
	const char **texts[SP_RECORD_CLASSES];
	struct sp_journal_small *small;
	struct sp_journal_commit what;
};

static void gather(struct sp_journal *j, bool bulk, struct gathered *g)
{
	*g = (struct gathered){0};
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++) {
		size_t n = 0;
		g->what.lost[cls] = atomic_load(&j->lost[cls]);
		if (j->records[cls].count == 0 || (cls == SP_RECORD_BULK && !bulk))
			continue;
		g->texts[cls] = sp_alloc(j->records[cls].count * sizeof(char *));
		for (struct sp_queue_node *node = j->records[cls].head; node; node = node->next)
			g->texts[cls][n++] = ((struct sp_journal_request *)node)->text;
		g->what.records[cls] = g->texts[cls];
		g->what.count[cls] = n;
	}
	if (j->small.count > 0)
		g->small = sp_alloc(j->small.count * sizeof(*g->small));
	for (struct sp_queue_node *node = j->small.head; node; node = node->next) {
		const struct sp_journal_request *put = (struct sp_journal_request *)node;
		g->small[g->what.small_count++] =
		    (struct sp_journal_small){.key = put->text, .value = put->put.value};
	}
	g->what.small = g->small;
}

static void committed(struct sp_journal *j, const struct gathered *g)
{
	bool news = false;
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++) {
		atomic_fetch_sub(&j->lost[cls], g->what.lost[cls]);
		news = news || g->what.count[cls] > 0 || g->what.lost[cls] > 0;
	}
	recovered(j);
	j->noted_us = 0;
	set_status(j);
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++) {
		if (g->what.count[cls] > 0)
			finish_all(j, &j->records[cls], 0);
	}
	finish_all(j, &j->small, 0);
	if (news)
		j->customers.news(j->customers.news_arg);
}

static void commit(struct sp_journal *j, bool bulk, bool clean)
{
	struct gathered g;
	gather(j, bulk, &g);
	g.what.clean = clean;
	g.what.probe = j->error != 0;
	int result = sp_journal_store_commit(j->store, &g.what, now_ms());
	if (result == 0)
		committed(j, &g);
	else
		judge(j, result);
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++)
		free(g.texts[cls]);
	free(g.small);
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
	return j->records[SP_RECORD_FACTS].count > 0 || j->small.count > 0 || lost_any(j) ||
	       bulk_due(j, now) ||
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
		refuse_attendance(j);
		return;
	}
	if (!j->store)
		open_store(j, NULL);
	if (j->store && due(j, now))
		commit(j, bulk_due(j, now) || j->error, false);
	if (j->store && !j->error && now >= j->forget_us) {
		j->forget_us = now + FORGET_MS * INT64_C(1000);
		judge(j, sp_journal_store_forget(j->store, now_ms()));
	}
}

// ---- requests -----------------------------------------------------------------------------------------

static void take_record(struct sp_journal *j, struct sp_journal_request *request)
{
	static const int64_t no_wait = 0;
	const int64_t wait_ms[SP_RECORD_CLASSES] = {no_wait, j->config.group_commit_ms,
						    j->config.bulk_commit_ms};
	enum sp_record_class cls = request->append.cls;
	if (j->records[cls].count == 0)
		j->due_us[cls] = now_us() + wait_ms[cls] * 1000;
	list_push(&j->records[cls], request);
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
	struct sp_journal_batch **batches = sp_alloc((request->fetch.max + 1) * sizeof(*batches));
	if (j->store) {
		int result = sp_journal_store_fetch(j->store, request->fetch.lane, request->fetch.after,
						    request->fetch.max, batches, &count, now_ms());
		if (result == -EBADMSG)
			judge(j, result);
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
		judge(j, result);
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
		judge(j, result);
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
		list_push(&j->small, request);
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
		open_store(j, NULL);
	if (j->store)
		commit(j, true, true);
	// A file that proved corrupt now has a successor.
	if (j->store && j->error == -EBADMSG)
		commit(j, true, true);
	size_t left = 0;
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++)
		left += j->records[cls].count;
	if (left > 0)
		sp_err("journal", "%zu records could not be written before the end and are lost", left);
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++)
		finish_all(j, &j->records[cls], j->error ? j->error : -EIO);
	finish_all(j, &j->small, j->error ? j->error : -EIO);
	sp_journal_store_close(j->store);
	j->store = NULL;
}

void *sp_journal_thread(void *arg)
{
	struct sp_journal *j = arg;
	sp_deadline_announce(j->deadline, WORK_MS);
	j->forget_us = now_us() + FORGET_MS * INT64_C(1000);
	open_store(j, NULL);
	set_status(j);
	while (!j->stop) {
		int64_t wait_us = next_due(j) - now_us();
		sp_deadline_idle(j->deadline);
		struct sp_queue_node *node = sp_queue_pop(j->queue, wait_us > 0 ? wait_us : 0);
		sp_deadline_announce(j->deadline, WORK_MS);
		handle_queued(j, node);
		turn(j);
		set_status(j);
	}
	end(j);
	sp_deadline_idle(j->deadline);
	return NULL;
}
