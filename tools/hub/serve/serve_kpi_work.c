// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The thread that reads KPIs for the server, and its queue. Calls belong to the serving thread. When they end
// first, with the server, the reading stops.
#include "tools/hub/serve/serve_kpi_work.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "schoolpulse/clock.h"
#include "schoolpulse/log.h"
#include "tools/hub/serve/api.h"
#include "tools/hub/serve/api_kpi.h"
#include "tools/hub/serve/serve_priv.h"

enum {
	WAITING_MAX = 16,
	ANSWER_MS = 10 * 60 * 1000, ///< with those before it in the queue
};

enum state { WAITING, WORKING, DONE, ANSWERED };

struct question {
	struct question *next;
	struct sp_kpi_work *work;
	enum state state;
	atomic_bool gone; ///< nobody waits for it any more
	struct sp_http_call *call;
	struct sp_kpi_ask ask;
	char *area, *tree;
	struct sp_plan plan;
	bool with_plan;
	int result;
	struct sp_buf out;
	char why[256];
};

struct sp_kpi_work {
	const struct sp_hub_config *config;
	struct sp_store *store; ///< the thread's
	int fd;
	pthread_t thread;
	pthread_mutex_t lock; ///< of what follows
	pthread_cond_t more;
	struct question *waiting, *done;
	size_t count;
	bool stop;
};

static void question_free(struct question *q)
{
	sp_buf_free(&q->out);
	sp_plan_free(&q->plan);
	free(q->area);
	free(q->tree);
	free(q);
}

// ---- the thread --------------------------------------------------------------------------------------

static int read_kpis(struct sp_kpi_work *work, struct question *q)
{
	int64_t now_ms = sp_clock_now().wall_ms;
	if (!work->store) {
		int opened = sp_store_open(&work->store, work->config->hub.db, SP_STORE_READ, q->why);
		if (opened < 0)
			return opened;
	}
	sp_store_set_silence(work->store, work->config->hub.silence_ms);
	int result = sp_store_read_begin(work->store, now_ms);
	if (result == 0)
		result = sp_api_kpi(work->store, q->with_plan ? &q->plan : NULL, &q->ask, &q->out);
	if (result < 0 && result != -ENOENT)
		snprintf(q->why, sizeof(q->why), "%s", sp_store_error(work->store));
	sp_store_read_end(work->store);
	if (result < 0 && result != -ENOENT && result != -ECANCELED) {
		sp_store_close(work->store);
		work->store = NULL;
	}
	return result;
}

static struct question *next_question(struct sp_kpi_work *work)
{
	struct question *q = NULL;
	pthread_mutex_lock(&work->lock);
	while (!work->stop && !work->waiting)
		pthread_cond_wait(&work->more, &work->lock);
	if (!work->stop) {
		q = work->waiting;
		work->waiting = q->next;
		work->count--;
		q->state = WORKING;
	}
	pthread_mutex_unlock(&work->lock);
	return q;
}

static void *run(void *arg)
{
	struct sp_kpi_work *work = arg;
	const uint64_t one = 1;
	for (struct question *q; (q = next_question(work));) {
		q->result = read_kpis(work, q);
		pthread_mutex_lock(&work->lock);
		q->state = DONE;
		q->next = work->done;
		work->done = q;
		pthread_mutex_unlock(&work->lock);
		if (write(work->fd, &one, sizeof(one)) < 0)
			sp_warning("serve", "eventfd: %s", strerror(errno));
	}
	sp_store_close(work->store);
	return NULL;
}

// ---- the serving thread ------------------------------------------------------------------------------

/// Also when the asker has gone before.
static void on_ended(const struct sp_http_moved *moved, void *context)
{
	struct question *q = context;
	struct sp_kpi_work *work = q->work;
	(void)moved;
	pthread_mutex_lock(&work->lock);
	enum state state = q->state;
	if (state == WAITING) {
		struct question **at = &work->waiting;
		while (*at != q)
			at = &(*at)->next;
		*at = q->next;
		work->count--;
	}
	atomic_store(&q->gone, true);
	pthread_mutex_unlock(&work->lock);
	if (state == WAITING || state == ANSWERED)
		question_free(q);
}

void sp_kpi_work_ask(struct sp_kpi_work *work, struct sp_http_call *call, const struct sp_kpi_ask *ask,
		     struct sp_plan *plan)
{
	pthread_mutex_lock(&work->lock);
	bool full = work->count >= WAITING_MAX;
	pthread_mutex_unlock(&work->lock);
	if (full) {
		sp_call_error(call, 503, "too many questions about KPIs at once; try again in a minute");
		return;
	}
	struct question *q = sp_alloc(sizeof(*q)), **at;
	q->work = work;
	q->call = call;
	q->ask = *ask;
	q->ask.area = q->area = ask->area ? sp_strdup(ask->area) : NULL;
	q->ask.tree = q->tree = ask->tree ? sp_strdup(ask->tree) : NULL;
	q->ask.cancelled = &q->gone;
	q->with_plan = plan != NULL;
	if (plan) {
		q->plan = *plan;
		*plan = (struct sp_plan){0};
	}
	q->out = SP_BUF(SP_API_MAX);
	sp_http_call_ended(call, on_ended, q);
	sp_http_call_pace(call, ANSWER_MS, ANSWER_MS);
	sp_http_call_defer(call);
	pthread_mutex_lock(&work->lock);
	for (at = &work->waiting; *at; at = &(*at)->next)
		;
	*at = q;
	work->count++;
	pthread_cond_signal(&work->more);
	pthread_mutex_unlock(&work->lock);
}

static void answer(struct question *q)
{
	char text[512];
	if (q->result == 0 && !q->out.overflowed) {
		sp_call_json(q->call, &q->out);
	} else if (q->result == 0) {
		sp_call_error(q->call, 500, "the answer is too large");
	} else if (q->result == -ENOENT && q->why[0] == '\0') {
		sp_call_error(q->call, 404, "the register has no such area");
	} else {
		snprintf(text, sizeof(text), "the store cannot be read: %s", q->why);
		sp_warning("serve", "%s", text);
		sp_call_error(q->call, 503, text);
	}
}

void sp_kpi_work_answer(struct sp_kpi_work *work)
{
	uint64_t count;
	if (read(work->fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&work->lock);
	struct question *done = work->done;
	work->done = NULL;
	for (struct question *q = done; q; q = q->next)
		q->state = ANSWERED;
	pthread_mutex_unlock(&work->lock);
	for (struct question *next; done; done = next) {
		next = done->next;
		if (atomic_load(&done->gone))
			question_free(done);
		else
			answer(done);
	}
}

int sp_kpi_work_fd(const struct sp_kpi_work *work)
{
	return work->fd;
}

// ---- life --------------------------------------------------------------------------------------------

struct sp_kpi_work *sp_kpi_work_new(const struct sp_hub_config *config, char why[256])
{
	struct sp_kpi_work *work = sp_alloc(sizeof(*work));
	work->config = config;
	pthread_mutex_init(&work->lock, NULL);
	pthread_cond_init(&work->more, NULL);
	work->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int error = work->fd < 0 ? errno : pthread_create(&work->thread, NULL, run, work);
	if (error == 0)
		return work;
	snprintf(why, 256, "no thread for KPIs: %s", strerror(error));
	if (work->fd >= 0)
		close(work->fd);
	free(work);
	return NULL;
}

void sp_kpi_work_free(struct sp_kpi_work *work)
{
	if (!work)
		return;
	pthread_mutex_lock(&work->lock);
	work->stop = true;
	pthread_cond_signal(&work->more);
	pthread_mutex_unlock(&work->lock);
	pthread_join(work->thread, NULL);
	for (struct question *q = work->done, *next; q; q = next) {
		next = q->next;
		question_free(q);
	}
	close(work->fd);
	pthread_cond_destroy(&work->more);
	pthread_mutex_destroy(&work->lock);
	free(work);
}
