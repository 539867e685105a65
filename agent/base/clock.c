// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The kernel's clocks, read as one: wall time and its error from a single adjtimex(), bracketed
// by two readings of the raw monotonic clock.
#include "schoolpulse/clock.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/timex.h>
#include <time.h>

#include "agent/base/clock_trust.h"

enum {
	ATTEMPTS = 3,
	CLOSE_US = 200, ///< a bracket this narrow was not interrupted
	/// systemd-timesyncd sets maxerror to 0 at each answer of its server: nobody on the Internet knows
	/// the time that well.
	LEAST_ERROR_US = 50 * 1000,
};

static int64_t raw_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/// Wall time in microseconds; the error, too, when the kernel stands for it.
static int64_t wall_us(bool *synced, int64_t *error_us)
{
	struct timex kernel = {.modes = 0};
	*synced = false;
	*error_us = 0;
	if (adjtimex(&kernel) < 0) { // a sandbox that forbids even asking: no claim then
		struct timespec now;
		clock_gettime(CLOCK_REALTIME, &now);
		return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	}
	*synced = !(kernel.status & STA_UNSYNC);
	int64_t unit = kernel.status & STA_NANO ? 1000 : 1; // of the fraction and the offset, per microsecond
	*error_us = kernel.maxerror + llabs(kernel.offset / unit); // what is still being slewed away counts
	if (*error_us < LEAST_ERROR_US)
		*error_us = LEAST_ERROR_US;
	return (int64_t)kernel.time.tv_sec * 1000000 + kernel.time.tv_usec / unit;
}

static int64_t floor_div(int64_t value, int64_t by)
{
	return value / by - (value % by < 0);
}

/// The thread may lose the processor between the two clocks: the narrowest of a few brackets
/// is taken, and half of what remains goes into the error.
static void read_kernel(struct sp_clock_reading *out)
{
	int64_t best = INT64_MAX;
	for (int i = 0; i < ATTEMPTS && best > CLOSE_US; i++) {
		bool synced;
		int64_t error_us, before = raw_us(), wall = wall_us(&synced, &error_us), after = raw_us();
		if (after - before >= best)
			continue;
		best = after - before;
		int64_t half = (best + 1) / 2;
		*out = (struct sp_clock_reading){
		    .mono_us = before + best / 2,
		    .synced = synced,
		    .wall_ms = floor_div(wall, 1000),
		    // Rounded up, and the millisecond that wall_ms cut off belongs to it.
		    .err_ms = synced ? (error_us + half + 999) / 1000 + 1 : 0,
		};
	}
}

static const struct sp_clock_source *replaced; ///< NULL: the kernel

static pthread_mutex_t trust_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sp_clock_trust trust; ///< under trust_lock

struct sp_clock_reading sp_clock_now(void)
{
	struct sp_clock_reading out = {0};
	if (replaced) {
		replaced->read(replaced->arg, &out);
		return out;
	}
	read_kernel(&out);
	pthread_mutex_lock(&trust_lock);
	sp_clock_trust_judge(&trust, &out);
	pthread_mutex_unlock(&trust_lock);
	return out;
}

int64_t sp_clock_mono_us(void)
{
	struct sp_clock_reading out = {0};
	if (!replaced)
		return raw_us();
	replaced->read(replaced->arg, &out);
	return out.mono_us;
}

void sp_clock_set_source(const struct sp_clock_source *source)
{
	replaced = source;
}

void sp_clock_saved(int64_t saved_ms)
{
	pthread_mutex_lock(&trust_lock);
	trust = (struct sp_clock_trust){.saved_ms = saved_ms};
	pthread_mutex_unlock(&trust_lock);
}

int sp_clock_hub_says(int64_t sent_us, int64_t heard_us, int64_t t_ms, int64_t err_ms)
{
	pthread_mutex_lock(&trust_lock);
	int result = sp_clock_trust_learn(&trust, sent_us, heard_us, t_ms, err_ms);
	pthread_mutex_unlock(&trust_lock);
	return result;
}

bool sp_clock_hub(int64_t mono_us, int64_t *t_ms, int64_t *err_ms)
{
	pthread_mutex_lock(&trust_lock);
	bool known = sp_clock_trust_hub(&trust, mono_us, t_ms, err_ms);
	pthread_mutex_unlock(&trust_lock);
	return known;
}

bool sp_clock_possible(int64_t t_ms, int64_t err_ms)
{
	pthread_mutex_lock(&trust_lock);
	bool can_be = sp_clock_trust_possible(&trust, t_ms, err_ms);
	pthread_mutex_unlock(&trust_lock);
	return can_be;
}
