// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// See the header.
#include "agent/core/publisher/backoff.h"

enum {
	FIRST_MS = 3000,
	STEP_MS = 6000,
	LEAST_MS = 250,
	STOOD_MS = 60 * 1000,
	FAILURES_MAX = 16,
};

int64_t sp_backoff_first_ms(int64_t max_ms, double chance)
{
	return (int64_t)((double)(max_ms < FIRST_MS ? max_ms : FIRST_MS) * chance);
}

int64_t sp_backoff_next_ms(struct sp_backoff *backoff, int64_t max_ms, double chance)
{
	int64_t window = (int64_t)STEP_MS << backoff->failures;
	if (backoff->failures < FAILURES_MAX)
		backoff->failures++;
	if (window > max_ms)
		window = max_ms;
	int64_t delay = (int64_t)((double)window * chance);
	return delay < LEAST_MS ? LEAST_MS : delay;
}

void sp_backoff_stood(struct sp_backoff *backoff, int64_t stood_ms)
{
	if (stood_ms >= STOOD_MS)
		backoff->failures = 0;
}
