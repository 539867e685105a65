// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Announcements are read by the watchdog from another thread: one atomic word each.
#include "agent/core/deadline.h"

#include "schoolpulse/clock.h"

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
