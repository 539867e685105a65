// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The agent's loop as base's HTTP client borrows it.
#include <stdlib.h>

#include "agent/base/mem.h"
#include "agent/core/device_priv.h"
#include "agent/core/io/http.h"

static void dispose(struct sp_http_pool *pool)
{
	sp_http_client_free(pool->client);
	for (size_t i = 0; i < pool->count; i++)
		sp_loop_watch_free(pool->loop, pool->watches[i].watch);
	sp_loop_timer_free(pool->loop, pool->timer);
	free(pool->watches);
	free(pool);
}

static void leave(struct sp_http_pool *pool)
{
	if (--pool->depth == 0 && pool->doomed)
		dispose(pool);
}

static void ready(void *arg, int fd, unsigned events)
{
	struct sp_http_pool *pool = arg;
	pool->depth++;
	sp_http_client_ready(pool->client, fd, events);
	leave(pool);
}

static void expired(void *arg)
{
	struct sp_http_pool *pool = arg;
	pool->depth++;
	sp_http_client_expired(pool->client);
	leave(pool);
}

static void watch(void *arg, int fd, unsigned events)
{
	struct sp_http_pool *pool = arg;
	size_t at = 0;
	while (at < pool->count && pool->watches[at].fd != fd)
		at++;
	if (at < pool->count && events == 0) {
		sp_loop_watch_free(pool->loop, pool->watches[at].watch);
		pool->watches[at] = pool->watches[--pool->count];
	} else if (at < pool->count) {
		sp_loop_watch_events(pool->loop, pool->watches[at].watch, events);
	} else if (events != 0) {
		struct sp_loop_watch *made = sp_loop_watch_new(pool->loop, fd, events, ready, pool);
		if (!made)
			return; // the transfer's own timeout ends it
		pool->watches = sp_realloc(pool->watches, (pool->count + 1) * sizeof(*pool->watches));
		pool->watches[pool->count].fd = fd;
		pool->watches[pool->count++].watch = made;
	}
}

static void timer(void *arg, int64_t delay_ms)
{
	struct sp_http_pool *pool = arg;
	if (delay_ms < 0)
		sp_loop_timer_stop(pool->loop, pool->timer);
	else
		sp_loop_timer_start(pool->loop, pool->timer, delay_ms);
}

static const struct sp_http_loop http_loop = {.watch = watch, .timer = timer};

struct sp_http_pool *sp_http_pool_new(struct sp_loop *loop)
{
	struct sp_http_pool *pool = sp_alloc(sizeof(*pool));
	pool->loop = loop;
	pool->timer = sp_loop_timer_new(loop, expired, pool);
	pool->client = sp_http_client_new(&http_loop, pool);
	return pool;
}

void sp_http_pool_free(struct sp_http_pool *pool)
{
	if (!pool)
		return;
	pool->doomed = true;
	if (pool->depth == 0)
		dispose(pool);
}
