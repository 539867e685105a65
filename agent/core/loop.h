// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The event loop as a table of operations: the scheduler, the helpers of io.h and the ledger know
// only this, so that a simulation on a virtual clock runs a month in seconds. loop_uv.c is the real one.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "schoolpulse/err.h"

struct sp_loop_timer;
struct sp_loop_watch;
struct sp_loop;

typedef void (*sp_loop_timer_fn)(void *arg);
typedef void (*sp_loop_watch_fn)(void *arg, int fd, unsigned events);
typedef void (*sp_loop_post_fn)(void *arg, void *arg2, int result);

struct sp_loop_ops {
	/// Microseconds of the clock that sp_clock_mono_us() reads.
	int64_t (*now_us)(struct sp_loop *loop);
	/// A stopped one-shot timer. Never NULL.
	struct sp_loop_timer *(*timer_new)(struct sp_loop *loop, sp_loop_timer_fn fn, void *arg);
	void (*timer_start)(struct sp_loop *loop, struct sp_loop_timer *timer, int64_t delay_ms);
	void (*timer_stop)(struct sp_loop *loop, struct sp_loop_timer *timer);
	void (*timer_free)(struct sp_loop *loop, struct sp_loop_timer *timer);
	/// `events`: SP_READABLE, SP_WRITABLE of io.h. NULL and errno on failure. At most one watch per
	/// descriptor. The caller may close the descriptor once watch_free() has returned.
	struct sp_loop_watch *(*watch_new)(struct sp_loop *loop, int fd, unsigned events, sp_loop_watch_fn fn,
					   void *arg);
	void (*watch_events)(struct sp_loop *loop, struct sp_loop_watch *watch, unsigned events);
	void (*watch_free)(struct sp_loop *loop, struct sp_loop_watch *watch);
	/// From any thread: runs fn(arg, arg2, result) on the loop's thread, in the order of posting.
	void (*post)(struct sp_loop *loop, sp_loop_post_fn fn, void *arg, void *arg2, int result);
	/// Runs work(arg) on a thread of a small pool, then, in a later turn, done(arg) on the loop's.
	void (*work)(struct sp_loop *loop, void (*work)(void *arg), void (*done)(void *arg), void *arg);
};

/// An implementation embeds it first.
struct sp_loop {
	const struct sp_loop_ops *ops;
};

static inline int64_t sp_loop_now_us(struct sp_loop *loop)
{
	return loop->ops->now_us(loop);
}

static inline struct sp_loop_timer *sp_loop_timer_new(struct sp_loop *loop, sp_loop_timer_fn fn, void *arg)
{
	return loop->ops->timer_new(loop, fn, arg);
}

static inline void sp_loop_timer_start(struct sp_loop *loop, struct sp_loop_timer *timer, int64_t delay_ms)
{
	loop->ops->timer_start(loop, timer, delay_ms < 0 ? 0 : delay_ms);
}

static inline void sp_loop_timer_stop(struct sp_loop *loop, struct sp_loop_timer *timer)
{
	loop->ops->timer_stop(loop, timer);
}

static inline void sp_loop_timer_free(struct sp_loop *loop, struct sp_loop_timer *timer)
{
	if (timer)
		loop->ops->timer_free(loop, timer);
}

static inline struct sp_loop_watch *sp_loop_watch_new(struct sp_loop *loop, int fd, unsigned events,
						      sp_loop_watch_fn fn, void *arg)
{
	return loop->ops->watch_new(loop, fd, events, fn, arg);
}

static inline void sp_loop_watch_events(struct sp_loop *loop, struct sp_loop_watch *watch, unsigned events)
{
	loop->ops->watch_events(loop, watch, events);
}

static inline void sp_loop_watch_free(struct sp_loop *loop, struct sp_loop_watch *watch)
{
	if (watch)
		loop->ops->watch_free(loop, watch);
}

static inline void sp_loop_post(struct sp_loop *loop, sp_loop_post_fn fn, void *arg, void *arg2, int result)
{
	loop->ops->post(loop, fn, arg, arg2, result);
}

static inline void sp_loop_work(struct sp_loop *loop, void (*work)(void *arg), void (*done)(void *arg),
				void *arg)
{
	loop->ops->work(loop, work, done, arg);
}

// ---- the real one ---------------------------------------------------------------------------

/// A loop on libuv. 0 or -errno.
int sp_loop_uv_new(struct sp_loop **out) SP_MUST_CHECK;
/// Runs until sp_loop_uv_stop().
void sp_loop_uv_run(struct sp_loop *loop);
/// From the loop's thread: run returns after this turn; what was posted stays for the next run.
void sp_loop_uv_stop(struct sp_loop *loop);
/// Runs what was posted so far, and what is due, without waiting.
void sp_loop_uv_drain(struct sp_loop *loop);
/// Runs until no work is under way, at most so long. False: some is, so that the loop cannot be freed.
bool sp_loop_uv_finish(struct sp_loop *loop, int64_t timeout_ms);
/// Every timer and watch must be freed, and every work done before. NULL is fine.
void sp_loop_uv_free(struct sp_loop *loop);
