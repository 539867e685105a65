// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Any times that a kiosk may say, in any order: the judgement of its clock never overflows, and what it comes
// to is among what the feed allows.
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/attendance/correct.h"
#include "agent/core/attendance/keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static int64_t take(const uint8_t **at)
{
	int64_t value;
	memcpy(&value, *at, sizeof(value));
	*at += sizeof(value);
	return value;
}

/// Into [0, most].
static int64_t within(int64_t value, int64_t most)
{
	return (int64_t)((uint64_t)value % ((uint64_t)most + 1));
}

static void check_corrected(const struct sp_corrected *out, int64_t kiosk_ms,
			    const struct sp_clock_reading *now)
{
	bool shifted = out->correction == SP_CORRECTION_KIOSK_CLOCK || out->correction == SP_CORRECTION_ZONE;
	check(shifted == (out->ahead_ms != 0));
	check(!shifted || (out->known && out->t_ms + out->ahead_ms == kiosk_ms));
	check(out->correction != SP_CORRECTION_NONE || (out->known && out->t_ms == kiosk_ms));
	check(out->correction != SP_CORRECTION_UNKNOWN || !out->known);
	check(out->correction != SP_CORRECTION_RECEIVED || out->known == now->synced);
	check(!out->known || !now->synced || out->t_ms <= now->wall_ms + 24 * 3600 * INT64_C(1000));
	check(sp_correction_name(out->correction)[0] && sp_punch_mark_name(out->mark)[0]);
	if (out->known)
		check(out->t_ms >= SP_PUNCH_LEAST_MS && sp_school_year(out->t_ms, 8, 1) < 10000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_kiosk_clock clock = {0};
	struct sp_clock_reading now = {.mono_us = 1, .synced = true, .wall_ms = INT64_C(1795391921000)};
	for (const uint8_t *at = data, *end = data + size; end - at >= 18;) {
		uint8_t what = *at++;
		at++;
		int64_t step_ms = within(take(&at), INT64_C(400) * 24 * 3600 * 1000), value = take(&at);
		now.mono_us += step_ms * 1000;
		now.wall_ms += step_ms;
		now.synced = !(what & 1);
		bool live = what & 2;
		int64_t kiosk_ms = what & 4 ? SP_PUNCH_NO_TIME : within(value, INT64_C(253402300799999));
		if (what & 8)
			kiosk_ms = now.wall_ms + value % (INT64_C(30) * 24 * 3600 * 1000);
		if (what & 16) {
			double seconds;
			memcpy(&seconds, &value, sizeof(seconds));
			sp_kiosk_clock_told(&clock, now.mono_us, seconds);
		}
		if (kiosk_ms < 0 && kiosk_ms != SP_PUNCH_NO_TIME)
			continue;
		if (live && kiosk_ms != SP_PUNCH_NO_TIME)
			sp_kiosk_clock_live(&clock, &now, kiosk_ms);
		struct sp_corrected out = sp_punch_correct(&clock, &now, kiosk_ms, live);
		check_corrected(&out, kiosk_ms, &now);
	}
	return 0;
}
