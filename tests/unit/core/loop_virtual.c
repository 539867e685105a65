// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The virtual clock's loop. One thread only.
#include "tests/unit/core/loop_virtual.h"

#include <stdlib.h>

#include "agent/base/mem.h"
#include "schoolpulse/clock.h"

struct sp_loop_timer {
	sp_loop_timer_fn fn;
	void *arg;
	size_t place; ///< in the heap, from 1; 0: stopped
	int64_t due_us;
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
	struct sp_loop_timer **heap; ///< of started timers, the next at [1]
	size_t heap_count, heap_room;
	uint64_t order;
	size_t timers, watches; ///< that exist
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

// ---- the heap: a month has some ten million timers ---------------------------------------------

static bool sooner(const struct sp_loop_timer *a, const struct sp_loop_timer *b)
{
	return a->due_us < b->due_us || (a->due_us == b->due_us && a->order < b->order);
}

static void put(struct virtual_loop *loop, size_t place, struct sp_loop_timer *timer)
{
	loop->heap[place] = timer;
	timer->place = place;
}

static void rise(struct virtual_loop *loop, size_t place, struct sp_loop_timer *timer)
{
	for (; place > 1 && sooner(timer, loop->heap[place / 2]); place /= 2)
		put(loop, place, loop->heap[place / 2]);
	put(loop, place, timer);
}

static void sink(struct virtual_loop *loop, size_t place, struct sp_loop_timer *timer)
{
	for (size_t child; (child = 2 * place) <= loop->heap_count; place = child) {
		child += child < loop->heap_count && sooner(loop->heap[child + 1], loop->heap[child]);
		if (!sooner(loop->heap[child], timer))
			break;
		put(loop, place, loop->heap[child]);
	}
	put(loop, place, timer);
}

static void take_out(struct virtual_loop *loop, struct sp_loop_timer *timer)
{
	size_t place = timer->place;
	if (place == 0)
		return;
	timer->place = 0;
	struct sp_loop_timer *last = loop->heap[loop->heap_count--];
	if (last == timer)
		return;
	if (place > 1 && sooner(last, loop->heap[place / 2]))
		rise(loop, place, last);
	else
		sink(loop, place, last);
}

static void put_in(struct virtual_loop *loop, struct sp_loop_timer *timer)
{
	if (loop->heap_count + 1 >= loop->heap_room) {
		loop->heap_room = loop->heap_room ? 2 * loop->heap_room : 64;
		loop->heap = sp_realloc(loop->heap, loop->heap_room * sizeof(struct sp_loop_timer *));
	}
	rise(loop, ++loop->heap_count, timer);
}

static struct sp_loop_timer *timer_new(struct sp_loop *loop, sp_loop_timer_fn fn, void *arg)
{
	struct sp_loop_timer *timer = sp_alloc(sizeof(*timer));
	timer->fn = fn;
	timer->arg = arg;
	of(loop)->timers++;
	return timer;
}

static void timer_start(struct sp_loop *loop, struct sp_loop_timer *timer, int64_t delay_ms)
{
	take_out(of(loop), timer);
	timer->due_us = of(loop)->now_us + delay_ms * 1000;
	timer->order = of(loop)->order++;
	put_in(of(loop), timer);
}

static void timer_stop(struct sp_loop *loop, struct sp_loop_timer *timer)
{
	take_out(of(loop), timer);
}

static void timer_free(struct sp_loop *loop, struct sp_loop_timer *timer)
{
	take_out(of(loop), timer);
	of(loop)->timers--;
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

struct work {
	void (*work)(void *arg);
	void (*done)(void *arg);
	void *arg;
};

static void run_work(void *arg, void *arg2, int result)
{
	struct work *work = arg;
	(void)arg2;
	(void)result;
	work->work(work->arg);
	work->done(work->arg);
	free(work);
}

/// Nothing takes time that nobody lets pass: the work is done in the next turn.
static void start_work(struct sp_loop *loop, void (*run)(void *arg), void (*done)(void *arg), void *arg)
{
	struct work *work = sp_alloc(sizeof(*work));
	*work = (struct work){.work = run, .done = done, .arg = arg};
	post(loop, run_work, work, NULL, 0);
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
	free(of(loop)->heap);
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

void sp_loop_virtual_run(struct sp_loop *base, int64_t ms)
{
	struct virtual_loop *loop = of(base);
	int64_t until = loop->now_us + ms * 1000;
	run_posted(loop);
	while (loop->heap_count > 0 && loop->heap[1]->due_us <= until) {
		struct sp_loop_timer *timer = loop->heap[1];
		if (timer->due_us > loop->now_us)
			loop->now_us = timer->due_us;
		take_out(loop, timer);
		timer->fn(timer->arg);
		run_posted(loop);
	}
	loop->now_us = until;
}

void sp_loop_virtual_begin(struct sp_loop *loop, int64_t mono_us)
{
	of(loop)->now_us = mono_us;
}

void sp_loop_virtual_wall(struct sp_loop *base, int64_t wall_ms)
{
	struct virtual_loop *loop = of(base);
	loop->synced = wall_ms != 0;
	loop->wall_offset_ms = wall_ms - loop->now_us / 1000;
}

size_t sp_loop_virtual_open(struct sp_loop *base)
{
	return of(base)->watches + of(base)->timers;
}
