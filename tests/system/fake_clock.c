// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// For LD_PRELOAD in tests: a kernel whose wall time stands elsewhere. The file named by SP_TEST_CLOCK holds
// two numbers, read each time: 1 if the clock is disciplined, and by how many milliseconds it is ahead.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timex.h>
#include <time.h>

static int read_file(int64_t *ahead_ms)
{
	const char *name = getenv("SP_TEST_CLOCK");
	FILE *file = name ? fopen(name, "re") : NULL;
	int synced = 0;
	*ahead_ms = 0;
	if (file && fscanf(file, "%d %" SCNd64, &synced, ahead_ms) != 2)
		synced = 0;
	if (file)
		fclose(file);
	return synced;
}

int clock_gettime(clockid_t id, struct timespec *out)
{
	static int (*real)(clockid_t, struct timespec *);
	if (!real)
		real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	int result = real(id, out);
	if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
		int64_t ahead_ms;
		read_file(&ahead_ms);
		out->tv_sec += (time_t)(ahead_ms / 1000);
	}
	return result;
}

time_t time(time_t *out)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (out)
		*out = now.tv_sec;
	return now.tv_sec;
}

int adjtimex(struct timex *kernel)
{
	struct timespec now;
	int64_t ahead_ms;
	int synced = read_file(&ahead_ms);
	clock_gettime(CLOCK_REALTIME, &now);
	*kernel = (struct timex){.status = synced ? 0 : STA_UNSYNC, .maxerror = synced ? 12000 : 16000000};
	kernel->time.tv_sec = now.tv_sec;
	kernel->time.tv_usec = now.tv_nsec / 1000;
	return synced ? TIME_OK : TIME_ERROR;
}
