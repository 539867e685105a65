// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// io.h: HTTP transfers of a driver, and the loop that base's client borrows for them.
#include "agent/base/http_client.h"

#include <string.h>

#include "agent/base/mem.h"
#include "agent/core/device_priv.h"

/// One client for all devices: made at the first transfer, so that a board without HTTP pays nothing.
struct sp_http_pool {
	struct sp_loop *loop;
	struct sp_http_client *client;
	struct sp_loop_timer *timer;
	struct {
		int fd;
		struct sp_loop_watch *watch;
	} * watches;
	size_t count;
};

struct sp_http {
	struct sp_resource open;
	struct sp_http_transfer *transfer;
	bool over;
	sp_http_fn done;
	void *arg;
};

static void ready(void *arg, int fd, unsigned events)
{
	struct sp_http_pool *pool = arg;
	sp_http_client_ready(pool->client, fd, events);
}

static void expired(void *arg)
{
	struct sp_http_pool *pool = arg;
	sp_http_client_expired(pool->client);
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

static struct sp_http_pool *pool_of(struct sp_devices *devices)
{
	if (!devices->http) {
		struct sp_http_pool *pool = sp_alloc(sizeof(*pool));
		pool->loop = devices->config.loop;
		pool->timer = sp_loop_timer_new(pool->loop, expired, pool);
		pool->client = sp_http_client_new(&http_loop, pool);
		devices->http = pool;
	}
	return devices->http;
}

void sp_http_pool_free(struct sp_http_pool *pool)
{
	if (!pool)
		return;
	sp_http_client_free(pool->client);
	for (size_t i = 0; i < pool->count; i++)
		sp_loop_watch_free(pool->loop, pool->watches[i].watch);
	sp_loop_timer_free(pool->loop, pool->timer);
	free(pool->watches);
	free(pool);
}

static void close_http(struct sp_resource *resource)
{
	struct sp_http *http = (struct sp_http *)resource;
	sp_http_transfer_cancel(http->transfer);
	sp_resource_unlink(resource);
	free(http);
}

static void finished(void *arg, const struct sp_http_answer *answer)
{
	struct sp_http *http = arg;
	http->over = true;
	sp_resource_unlink(&http->open);
	http->done(http->open.dev, answer, http->arg);
	free(http);
}

struct sp_http *sp_http_get(struct sp_device *dev, const struct sp_http_request *request, sp_http_fn done,
			    void *arg)
{
	struct sp_http *http = sp_alloc(sizeof(*http));
	http->done = done;
	http->arg = arg;
	sp_resource_open(&http->open, dev, close_http);
	http->transfer = sp_http_transfer_get(pool_of(dev->set)->client, request, finished, http);
	return http;
}

void sp_http_cancel(struct sp_http *http)
{
	if (http && !http->over)
		close_http(&http->open);
}
