// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// How a thread proves that it is alive: before anything that may block it announces by when it
// will be back. The watchdog is fed only while every announcement holds.
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/// One per thread, in memory that outlives it. Zero: idle, no promise.
struct sp_deadline {
	const char *thread;
	_Atomic int64_t until_us; ///< monotonic; 0: idle
};

/// "I shall be back within `within_ms`."
void sp_deadline_announce(struct sp_deadline *deadline, int64_t within_ms);
/// "I wait for work and may do so for ever."
void sp_deadline_idle(struct sp_deadline *deadline);
/// By how much the promise is overdue at `now_us`, in microseconds; ≤ 0 while it holds.
int64_t sp_deadline_overdue_us(const struct sp_deadline *deadline, int64_t now_us);

/// Joins the thread; gives it `timeout_ms`, whatever is done to the wall clock meanwhile. -ETIMEDOUT: it
/// hangs, and is left behind, detached.
int sp_deadline_join(pthread_t thread, int64_t timeout_ms);
