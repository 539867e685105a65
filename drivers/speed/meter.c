// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The byte counter as a function of time.
#include "meter.h"

enum { SECOND_US = 1000 * 1000 };

void sp_meter_start(struct sp_meter *meter, int64_t now_us)
{
	meter->points[0] = (struct sp_meter_point){.at_us = now_us};
	meter->count = 1;
}

void sp_meter_look(struct sp_meter *meter, int64_t now_us, int64_t bytes)
{
	struct sp_meter_point *last = &meter->points[meter->count - 1];
	struct sp_meter_point point = {now_us, bytes};
	if (point.at_us < last->at_us)
		point.at_us = last->at_us;
	if (point.bytes < last->bytes)
		point.bytes = last->bytes;
	// The start stays where it is; the newest look always counts.
	bool close = meter->count > 1 && point.at_us - last[-1].at_us < SP_METER_GRAIN_US;
	if (close || meter->count == SP_METER_POINTS)
		*last = point;
	else
		meter->points[meter->count++] = point;
}

int64_t sp_meter_at(const struct sp_meter *meter, int64_t at_us)
{
	unsigned low = 0, high = meter->count; // the first look that is later
	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		if (meter->points[middle].at_us <= at_us)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return 0;
	const struct sp_meter_point *before = &meter->points[low - 1];
	if (low == meter->count)
		return before->bytes;
	double part = (double)(at_us - before->at_us) / (double)(before[1].at_us - before->at_us);
	return before->bytes + (int64_t)(part * (double)(before[1].bytes - before->bytes));
}

int64_t sp_meter_between(const struct sp_meter *meter, int64_t from_us, int64_t to_us)
{
	return to_us > from_us ? sp_meter_at(meter, to_us) - sp_meter_at(meter, from_us) : 0;
}

double sp_meter_now(const struct sp_meter *meter, int64_t over_us)
{
	int64_t to = meter->points[meter->count - 1].at_us, from = to - over_us;
	if (from < meter->points[0].at_us)
		from = meter->points[0].at_us;
	if (to <= from)
		return 0;
	return 8e6 * (double)sp_meter_between(meter, from, to) / (double)(to - from);
}

int64_t sp_meter_moved_us(const struct sp_meter *meter)
{
	unsigned i = meter->count - 1;
	while (i > 0 && meter->points[i - 1].bytes == meter->points[i].bytes)
		i--;
	return meter->points[i].at_us;
}

bool sp_meter_result(const struct sp_meter *meter, int64_t warmup_us, int64_t end_us, int64_t least_us,
		     struct sp_speed_result *out)
{
	int64_t start = meter->points[0].at_us;
	out->curve_count = 0;
	out->bytes = out->duration_us = out->warmup_us = 0;
	for (int64_t at = start; out->curve_count < SP_SPEED_CURVE && at + SECOND_US <= end_us;
	     at += SECOND_US)
		out->curve[out->curve_count++] = 8.0 * (double)sp_meter_between(meter, at, at + SECOND_US);
	if (end_us - start - warmup_us < least_us || end_us - start <= warmup_us)
		return false;
	out->warmup_us = warmup_us;
	out->duration_us = end_us - start - warmup_us;
	out->bytes = sp_meter_between(meter, start + warmup_us, end_us);
	return true;
}
