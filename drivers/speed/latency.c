// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Statistics of round trips.
#include "latency.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void sp_latency_add(struct sp_latency *latency, double seconds)
{
	if (latency->count == SP_LATENCY_MOST || !isfinite(seconds) || seconds < 0)
		return;
	if (latency->count > 0 && !latency->gap) {
		latency->jitter_sum += fabs(seconds - latency->values[latency->count - 1]);
		latency->pairs++;
	}
	latency->gap = false;
	latency->values[latency->count++] = seconds;
}

void sp_latency_gap(struct sp_latency *latency)
{
	latency->gap = true;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

void sp_latency_result(const struct sp_latency *latency, struct sp_speed_latency *out)
{
	double sorted[SP_LATENCY_MOST];
	unsigned n = latency->count;
	*out = (struct sp_speed_latency){.count = n};
	if (n == 0)
		return;
	memcpy(sorted, latency->values, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_value);
	out->min = sorted[0];
	out->median = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
	out->p95 = sorted[(n * 95 + 99) / 100 - 1];
	out->jitter = latency->pairs ? latency->jitter_sum / latency->pairs : 0;
}
