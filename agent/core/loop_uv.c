// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The event loop on libuv: the only file that knows it.
#include "agent/core/loop.h"

#include <errno.h>
#include <stddef.h>
#include <uv.h>

#include "agent/base/mem.h"
#include "agent/base/queue.h"
#include "schoolpulse/clock.h"
#include "schoolpulse/io.h"

struct uv {
	struct sp_loop base;
	uv_loop_t loop;
	uv_async_t wake;
	struct sp_queue *posted;
	size_t works;   ///< under way
	bool finishing; ///< stop once they are done
};

struct sp_loop_timer {
	uv_timer_t handle;
	sp_loop_timer_fn fn;
	void *arg;
};

struct sp_loop_watch {
	uv_poll_t handle;
	int fd, wanted; ///< wanted: UV_READABLE, UV_WRITABLE
	sp_loop_watch_fn fn;
	void *arg;
};

struct work {
	uv_work_t request;
	struct uv *uv;
	void (*work)(void *arg);
	void (*done)(void *arg);
	void *arg;
};

struct posted {
	struct sp_queue_node node;
	sp_loop_post_fn fn;
	void *arg, *arg2;
	int result;
};

static struct uv *of(struct sp_loop *loop)
{
	return (struct uv *)loop;
}

static int64_t now_us(struct sp_loop *loop)
{
	(void)loop;
	return sp_clock_mono_us();
}

static void closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void fired(uv_timer_t *handle)
{
	struct sp_loop_timer *timer = handle->data;
	timer->fn(timer->arg);
}

static struct sp_loop_timer *timer_new(struct sp_loop *loop, sp_loop_timer_fn fn, void *arg)
{
	struct sp_loop_timer *timer = sp_alloc(sizeof(*timer));
	timer->fn = fn;
	timer->arg = arg;
	uv_timer_init(&of(loop)->loop, &timer->handle);
	timer->handle.data = timer;
	return timer;
}

static void timer_start(struct sp_loop *loop, struct sp_loop_timer *timer, int64_t delay_ms)
{
	// libuv counts from the time it read at the start of this turn.
	uv_update_time(&of(loop)->loop);
	uv_timer_start(&timer->handle, fired, (uint64_t)delay_ms, 0);
}

static void timer_stop(struct sp_loop *loop, struct sp_loop_timer *timer)
{
	(void)loop;
	uv_timer_stop(&timer->handle);
}

static void timer_free(struct sp_loop *loop, struct sp_loop_timer *timer)
{
	(void)loop;
	uv_close((uv_handle_t *)&timer->handle, closed);
}

static void ready(uv_poll_t *handle, int status, int events)
{
	struct sp_loop_watch *watch = handle->data;
	unsigned seen = 0;
	// On an error the owner learns it from its next read or write.
	if (status < 0 || (events & UV_READABLE))
		seen |= SP_READABLE;
	if (status < 0 || (events & UV_WRITABLE))
		seen |= SP_WRITABLE;
	// libuv ends the poll at an error; a netlink overrun or a queued ICMP error is none that ends the
	// socket.
	if (status < 0)
		uv_poll_start(handle, watch->wanted, ready);
	if (seen)
		watch->fn(watch->arg, watch->fd, seen);
}

static void watch_events(struct sp_loop *loop, struct sp_loop_watch *watch, unsigned events)
{
	(void)loop;
	watch->wanted =
	    ((events & SP_READABLE) ? UV_READABLE : 0) | ((events & SP_WRITABLE) ? UV_WRITABLE : 0);
	if (watch->wanted)
		uv_poll_start(&watch->handle, watch->wanted, ready);
	else
		uv_poll_stop(&watch->handle);
}

static struct sp_loop_watch *watch_new(struct sp_loop *loop, int fd, unsigned events, sp_loop_watch_fn fn,
				       void *arg)
{
	struct sp_loop_watch *watch = sp_alloc(sizeof(*watch));
	int err = uv_poll_init(&of(loop)->loop, &watch->handle, fd);
	if (err) {
		free(watch);
		errno = -err;
		return NULL;
	}
	watch->handle.data = watch;
	watch->fd = fd;
	watch->fn = fn;
	watch->arg = arg;
	watch_events(loop, watch, events);
	return watch;
}

static void watch_free(struct sp_loop *loop, struct sp_loop_watch *watch)
{
	(void)loop;
	// Leaves epoll now, so that the owner may close the descriptor; the memory goes later.
	uv_close((uv_handle_t *)&watch->handle, closed);
}

static void post(struct sp_loop *loop, sp_loop_post_fn fn, void *arg, void *arg2, int result)
{
	struct posted *posted = sp_alloc(sizeof(*posted));
	posted->fn = fn;
	posted->arg = arg;
	posted->arg2 = arg2;
	posted->result = result;
	sp_queue_push_always(of(loop)->posted, &posted->node);
}

static void run_work(uv_work_t *request)
{
	struct work *work = request->data;
	work->work(work->arg);
}

static void work_done(uv_work_t *request, int status)
{
	struct work *work = request->data;
	struct uv *uv = work->uv;
	(void)status; // nothing is cancelled
	work->done(work->arg);
	free(work);
	if (--uv->works == 0 && uv->finishing)
		uv_stop(&uv->loop);
}

static void start_work(struct sp_loop *loop, void (*run)(void *arg), void (*done)(void *arg), void *arg)
{
	struct work *work = sp_alloc(sizeof(*work));
	*work = (struct work){.uv = of(loop), .work = run, .done = done, .arg = arg};
	work->request.data = work;
	of(loop)->works++;
	// It can only refuse a missing function.
	uv_queue_work(&of(loop)->loop, &work->request, run_work, work_done);
}

static const struct sp_loop_ops ops = {
    .now_us = now_us,
    .timer_new = timer_new,
    .timer_start = timer_start,
    .timer_stop = timer_stop,
    .timer_free = timer_free,
    .watch_new = watch_new,
    .watch_events = watch_events,
    .watch_free = watch_free,
    .post = post,
    .work = start_work,
};

static void wake(void *arg)
{
	struct uv *uv = arg;
	uv_async_send(&uv->wake);
}

static void woken(uv_async_t *handle)
{
	struct uv *uv = handle->data;
	// Only what is there now: a callback that posts again must not keep the loop here.
	size_t count = sp_queue_length(uv->posted);
	while (count-- > 0) {
		struct posted *posted = (struct posted *)sp_queue_pop(uv->posted, 0);
		if (!posted)
			return;
		posted->fn(posted->arg, posted->arg2, posted->result);
		free(posted);
	}
	if (sp_queue_length(uv->posted) > 0)
		uv_async_send(&uv->wake);
}

int sp_loop_uv_new(struct sp_loop **out)
{
	struct uv *uv = sp_alloc(sizeof(*uv));
	uv->base.ops = &ops;
	int err = uv_loop_init(&uv->loop);
	if (err) {
		free(uv);
		return err;
	}
	err = uv_async_init(&uv->loop, &uv->wake, woken);
	if (err) {
		uv_loop_close(&uv->loop);
		free(uv);
		return err;
	}
	uv->wake.data = uv;
	uv->posted = sp_queue_new(SIZE_MAX, wake, uv);
	*out = &uv->base;
	return 0;
}

void sp_loop_uv_run(struct sp_loop *loop)
{
	uv_run(&of(loop)->loop, UV_RUN_DEFAULT);
}

void sp_loop_uv_stop(struct sp_loop *loop)
{
	uv_stop(&of(loop)->loop);
}

void sp_loop_uv_drain(struct sp_loop *loop)
{
	uv_run(&of(loop)->loop, UV_RUN_NOWAIT);
}

static void give_up(void *arg)
{
	struct sp_loop *loop = arg;
	sp_loop_uv_stop(loop);
}

bool sp_loop_uv_finish(struct sp_loop *loop, int64_t timeout_ms)
{
	struct uv *uv = of(loop);
	if (uv->works == 0)
		return true;
	struct sp_loop_timer *timer = sp_loop_timer_new(loop, give_up, loop);
	sp_loop_timer_start(loop, timer, timeout_ms);
	uv->finishing = true;
	uv_run(&uv->loop, UV_RUN_DEFAULT);
	uv->finishing = false;
	sp_loop_timer_free(loop, timer);
	return uv->works == 0;
}

static void dispose(struct sp_queue_node *node)
{
	free(node);
}

void sp_loop_uv_free(struct sp_loop *loop)
{
	if (!loop)
		return;
	struct uv *uv = of(loop);
	uv_close((uv_handle_t *)&uv->wake, NULL);
	uv_run(&uv->loop, UV_RUN_DEFAULT);
	uv_loop_close(&uv->loop);
	sp_queue_free(uv->posted, dispose);
	free(uv);
}
