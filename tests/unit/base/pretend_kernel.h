// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// adjtimex() as a test wants it: to be included by the one file of a test that says so. Stands before the C
// library's, so that sp_clock_now() meets kernels in every state.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/timex.h>
#include <time.h>

static _Atomic bool kernel_synced;
static _Atomic int64_t kernel_ahead_ms; ///< of the machine's own wall time

int adjtimex(struct timex *out)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	int64_t ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + kernel_ahead_ms;
	*out = (struct timex){.status = kernel_synced ? 0 : STA_UNSYNC, .maxerror = 1000};
	out->time.tv_sec = (time_t)(ms / 1000);
	out->time.tv_usec = ms % 1000 * 1000;
	return kernel_synced ? TIME_OK : TIME_ERROR;
}
