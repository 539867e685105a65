// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The virtual clock's loop. One thread only.
#include "tests/unit/core/loop_virtual.h"

#include <stdlib.h>

#include "agent/base/mem.h"
#include "schoolpulse/clock.h"

struct sp_loop_timer {
	struct sp_loop_timer *next;
	sp_loop_timer_fn fn;
	void *arg;
	int64_t due_us; ///< -1: stopped
	uint64_t order; ///< of starting, for timers due together
};

struct sp_loop_watch {
	int fd;
};

struct posted {
	struct posted *next;
	sp_loop_post_fn fn;
	void *arg, *arg2;
	int result;
};

struct virtual_loop {
	struct sp_loop base;
	struct sp_clock_source source;
	int64_t now_us, wall_offset_ms;
	bool synced;
	struct sp_loop_timer *timers;
	uint64_t order;
	size_t watches;
	struct posted *posted, **posted_tail;
};

static struct virtual_loop *of(struct sp_loop *loop)
{
	return (struct virtual_loop *)loop;
}

static int64_t now_us(struct sp_loop *loop)
{
	return of(loop)->now_us;
}

static struct sp_loop_timer *timer_new(struct sp_loop *loop, sp_loop_timer_fn fn, void *arg)
{
	struct sp_loop_timer *timer = sp_alloc(sizeof(*timer));
	timer->fn = fn;
	timer->arg = arg;
	timer->due_us = -1;
	timer->next = of(loop)->timers;
	of(loop)->timers = timer;
	return timer;
}

static void timer_start(struct sp_loop *loop, struct sp_loop_timer *timer, int64_t delay_ms)
{
	timer->due_us = of(loop)->now_us + delay_ms * 1000;
	timer->order = of(loop)->order++;
}

static void timer_stop(struct sp_loop *loop, struct sp_loop_timer *timer)
{
	(void)loop;
	timer->due_us = -1;
}

static void timer_free(struct sp_loop *loop, struct sp_loop_timer *timer)
{
	struct sp_loop_timer **at = &of(loop)->timers;
	while (*at != timer)
		at = &(*at)->next;
	*at = timer->next;
	free(timer);
}

static struct sp_loop_watch *watch_new(struct sp_loop *loop, int fd, unsigned events, sp_loop_watch_fn fn,
				       void *arg)
{
	(void)events;
	(void)fn;
	(void)arg;
	struct sp_loop_watch *watch = sp_alloc(sizeof(*watch));
	watch->fd = fd;
	of(loop)->watches++;
	return watch;
}

static void watch_events(struct sp_loop *loop, struct sp_loop_watch *watch, unsigned events)
{
	(void)loop;
	(void)watch;
	(void)events;
}

static void watch_free(struct sp_loop *loop, struct sp_loop_watch *watch)
{
	of(loop)->watches--;
	free(watch);
}

static void post(struct sp_loop *loop, sp_loop_post_fn fn, void *arg, void *arg2, int result)
{
	struct posted *posted = sp_alloc(sizeof(*posted));
	*posted = (struct posted){.fn = fn, .arg = arg, .arg2 = arg2, .result = result};
	*of(loop)->posted_tail = posted;
	of(loop)->posted_tail = &posted->next;
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
};

static void read_clock(void *arg, struct sp_clock_reading *out)
{
	struct virtual_loop *loop = arg;
	*out = (struct sp_clock_reading){
	    .mono_us = loop->now_us,
	    .synced = loop->synced,
	    .wall_ms = loop->now_us / 1000 + loop->wall_offset_ms,
	    .err_ms = 5,
	};
}

struct sp_loop *sp_loop_virtual_new(void)
{
	struct virtual_loop *loop = sp_alloc(sizeof(*loop));
	loop->base.ops = &ops;
	loop->now_us = 1000LL * 1000 * 1000;
	loop->posted_tail = &loop->posted;
	loop->source = (struct sp_clock_source){.read = read_clock, .arg = loop};
	sp_clock_set_source(&loop->source);
	return &loop->base;
}

void sp_loop_virtual_free(struct sp_loop *loop)
{
	sp_clock_set_source(NULL);
	free(of(loop));
}

static void run_posted(struct virtual_loop *loop)
{
	while (loop->posted) {
		struct posted *posted = loop->posted;
		loop->posted = posted->next;
		if (!loop->posted)
			loop->posted_tail = &loop->posted;
		posted->fn(posted->arg, posted->arg2, posted->result);
		free(posted);
	}
}

static struct sp_loop_timer *next_due(const struct virtual_loop *loop, int64_t until_us)
{
	struct sp_loop_timer *first = NULL;
	for (struct sp_loop_timer *timer = loop->timers; timer; timer = timer->next) {
		if (timer->due_us < 0 || timer->due_us > until_us)
			continue;
		if (!first || timer->due_us < first->due_us ||
		    (timer->due_us == first->due_us && timer->order < first->order))
			first = timer;
	}
	return first;
}

void sp_loop_virtual_run(struct sp_loop *base, int64_t ms)
{
	struct virtual_loop *loop = of(base);
	int64_t until = loop->now_us + ms * 1000;
	run_posted(loop);
	struct sp_loop_timer *timer;
	while ((timer = next_due(loop, until))) {
		if (timer->due_us > loop->now_us)
			loop->now_us = timer->due_us;
		timer->due_us = -1;
		timer->fn(timer->arg);
		run_posted(loop);
	}
	loop->now_us = until;
}

void sp_loop_virtual_wall(struct sp_loop *base, int64_t wall_ms)
{
	struct virtual_loop *loop = of(base);
	loop->synced = wall_ms != 0;
	loop->wall_offset_ms = wall_ms - loop->now_us / 1000;
}

size_t sp_loop_virtual_open(struct sp_loop *base)
{
	size_t count = of(base)->watches;
	for (struct sp_loop_timer *timer = of(base)->timers; timer; timer = timer->next)
		count++;
	return count;
}
