// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// io.h: timers and watches of a driver, closed with its device.
#include "schoolpulse/io.h"

#include "agent/base/mem.h"
#include "agent/core/device_priv.h"

struct sp_timer {
	struct sp_resource open;
	struct sp_loop_timer *timer;
	sp_timer_fn fn;
	void *arg;
};

struct sp_watch {
	struct sp_resource open;
	struct sp_loop_watch *watch;
	sp_watch_fn fn;
	void *arg;
};

static void close_timer(struct sp_resource *resource)
{
	struct sp_timer *timer = (struct sp_timer *)resource;
	sp_loop_timer_free(sp_device_loop(resource->dev), timer->timer);
	sp_resource_unlink(resource);
	free(timer);
}

static void timer_fired(void *arg)
{
	struct sp_timer *timer = arg;
	timer->fn(timer->open.dev, timer->arg);
}

struct sp_timer *sp_timer_new(struct sp_device *dev, sp_timer_fn fn, void *arg)
{
	struct sp_timer *timer = sp_alloc(sizeof(*timer));
	timer->fn = fn;
	timer->arg = arg;
	timer->timer = sp_loop_timer_new(sp_device_loop(dev), timer_fired, timer);
	sp_resource_open(&timer->open, dev, close_timer);
	return timer;
}

void sp_timer_start(struct sp_timer *timer, int64_t delay_ms)
{
	sp_loop_timer_start(sp_device_loop(timer->open.dev), timer->timer, delay_ms);
}

void sp_timer_stop(struct sp_timer *timer)
{
	sp_loop_timer_stop(sp_device_loop(timer->open.dev), timer->timer);
}

void sp_timer_free(struct sp_timer *timer)
{
	if (timer)
		close_timer(&timer->open);
}

static void close_watch(struct sp_resource *resource)
{
	struct sp_watch *watch = (struct sp_watch *)resource;
	sp_loop_watch_free(sp_device_loop(resource->dev), watch->watch);
	sp_resource_unlink(resource);
	free(watch);
}

static void watch_fired(void *arg, int fd, unsigned events)
{
	struct sp_watch *watch = arg;
	watch->fn(watch->open.dev, fd, events, watch->arg);
}

struct sp_watch *sp_watch_new(struct sp_device *dev, int fd, unsigned events, sp_watch_fn fn, void *arg)
{
	struct sp_watch *watch = sp_alloc(sizeof(*watch));
	watch->fn = fn;
	watch->arg = arg;
	watch->watch = sp_loop_watch_new(sp_device_loop(dev), fd, events, watch_fired, watch);
	if (!watch->watch) {
		free(watch);
		return NULL;
	}
	sp_resource_open(&watch->open, dev, close_watch);
	return watch;
}

void sp_watch_events(struct sp_watch *watch, unsigned events)
{
	sp_loop_watch_events(sp_device_loop(watch->open.dev), watch->watch, events);
}

void sp_watch_free(struct sp_watch *watch)
{
	if (watch)
		close_watch(&watch->open);
}
