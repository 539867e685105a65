// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Announcements are read by the watchdog from another thread: one atomic word each.
#include "agent/core/deadline.h"

#include <errno.h>
#include <time.h>

#include "schoolpulse/clock.h"

// ThreadSanitizer does not know pthread_clockjoin_np() before GCC 13 and LLVM 16, and would not see the join.
#if defined(__has_feature)
#define TSAN __has_feature(thread_sanitizer)
#elif defined(__SANITIZE_THREAD__)
#define TSAN 1
#else
#define TSAN 0
#endif
#define JOIN_CLOCK (TSAN ? CLOCK_REALTIME : CLOCK_MONOTONIC)

void sp_deadline_announce(struct sp_deadline *deadline, int64_t within_ms)
{
	atomic_store(&deadline->until_us, sp_clock_mono_us() + within_ms * 1000);
}

void sp_deadline_idle(struct sp_deadline *deadline)
{
	atomic_store(&deadline->until_us, 0);
}

int64_t sp_deadline_overdue_us(const struct sp_deadline *deadline, int64_t now_us)
{
	int64_t until_us = atomic_load(&deadline->until_us);
	return until_us ? now_us - until_us : 0;
}

int sp_deadline_join(pthread_t thread, int64_t timeout_ms)
{
	struct timespec until;
	clock_gettime(JOIN_CLOCK, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (long)(timeout_ms % 1000 * 1000000);
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
#if TSAN
	int result = pthread_timedjoin_np(thread, NULL, &until);
#else
	int result = pthread_clockjoin_np(thread, NULL, JOIN_CLOCK, &until);
#endif
	if (result == 0)
		return 0;
	pthread_detach(thread);
	return -ETIMEDOUT;
}
