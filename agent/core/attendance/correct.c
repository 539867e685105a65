// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Clock judgement and correction (correct.h).
#include "agent/core/attendance/correct.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock_trust.h"
#include "agent/core/attendance/day.h"

enum {
	CLUSTER = 3,          ///< so many that agree are believed
	AGREE_MS = 10 * 1000, ///< so closely
	/// A kiosk may collect its events for a minute before it sends them, and nobody is late by a minute.
	TOLERANCE_MS = 60 * 1000,
	LATE_MS = 10 * 60 * 1000,
	HALF_HOUR_MS = 30 * 60 * 1000,
	ZONE_MOST_MS = 14 * 60 * 60 * 1000,
	/// UTC+7 told to a terminal as "7" that takes minutes for hours: it is behind by 7 h less 7 min.
	MINUTES_FOR_HOURS_MS = -(7 * 60 - 7) * 60 * 1000,
};
/// What comes closer together was sent together: a backlog at its time's pace is no witness.
static const int64_t APART_US = 30 * INT64_C(1000000);
static const int64_t DAY_US = 24 * 3600 * INT64_C(1000000);

const char *sp_correction_name(enum sp_correction correction)
{
	switch (correction) {
	case SP_CORRECTION_NONE:
		return "none";
	case SP_CORRECTION_KIOSK_CLOCK:
		return "kiosk_clock";
	case SP_CORRECTION_ZONE:
		return "zone";
	case SP_CORRECTION_RECEIVED:
		return "received";
	case SP_CORRECTION_UNKNOWN:
		return "unknown";
	}
	return "unknown";
}

const char *sp_punch_mark_name(enum sp_punch_mark mark)
{
	switch (mark) {
	case SP_MARK_LIVE:
		return "live";
	case SP_MARK_LATE:
		return "late";
	case SP_MARK_FUTURE:
		return "future";
	case SP_MARK_IMPLAUSIBLE:
		return "implausible";
	}
	return "implausible";
}

// ---- the kiosk's clock -------------------------------------------------------------------------------

void sp_kiosk_clock_live(struct sp_kiosk_clock *clock, const struct sp_clock_reading *received,
			 int64_t kiosk_ms)
{
	if (!received->synced || kiosk_ms < SP_PUNCH_LEAST_MS || kiosk_ms > received->wall_ms + SP_DAY_MS)
		return;
	int64_t ahead_ms = kiosk_ms - received->wall_ms;
	struct sp_kiosk_clock_sample *last = clock->count ? &clock->live[clock->count - 1] : NULL;
	if (last && received->mono_us - last->at_us < APART_US) {
		if (ahead_ms > last->ahead_ms)
			last->ahead_ms = ahead_ms;
		return;
	}
	if (clock->count == SP_KIOSK_CLOCK_SAMPLES) {
		clock->count--;
		memmove(&clock->live[0], &clock->live[1], clock->count * sizeof(clock->live[0]));
	}
	clock->live[clock->count++] = (struct sp_kiosk_clock_sample){received->mono_us, ahead_ms};
}

void sp_kiosk_clock_told(struct sp_kiosk_clock *clock, int64_t now_us, double ahead_s)
{
	if (!isfinite(ahead_s) || fabs(ahead_s) > 1e10)
		return;
	clock->measured = true;
	clock->told = (struct sp_kiosk_clock_sample){now_us, (int64_t)(ahead_s * 1000)};
}

/// The newest sample that agrees with two others; the latest of those that agree is the one that lagged
/// least.
static bool believe(const struct sp_kiosk_clock *clock, int64_t now_us, struct sp_kiosk_clock_sample *out)
{
	for (size_t i = clock->count; i-- > 0;) {
		size_t agree = 0;
		int64_t most = clock->live[i].ahead_ms;
		for (size_t j = 0; j < clock->count; j++) {
			const struct sp_kiosk_clock_sample *other = &clock->live[j];
			if (now_us - other->at_us > DAY_US ||
			    llabs(other->ahead_ms - clock->live[i].ahead_ms) > AGREE_MS)
				continue;
			agree++;
			most = other->ahead_ms > most ? other->ahead_ms : most;
		}
		if (agree >= CLUSTER) {
			*out = (struct sp_kiosk_clock_sample){clock->live[i].at_us, most};
			return true;
		}
	}
	return false;
}

bool sp_kiosk_clock_ahead(const struct sp_kiosk_clock *clock, int64_t now_us, int64_t *ahead_ms)
{
	struct sp_kiosk_clock_sample base = {.at_us = INT64_MIN};
	bool known = clock->measured && now_us - clock->told.at_us <= DAY_US;
	if (known)
		base = clock->told;
	else
		known = believe(clock, now_us, &base);
	// One event that is ahead is proof by itself.
	for (size_t i = 0; i < clock->count; i++) {
		const struct sp_kiosk_clock_sample *sample = &clock->live[i];
		if (sample->at_us <= base.at_us || now_us - sample->at_us > DAY_US ||
		    sample->ahead_ms <= TOLERANCE_MS || sample->ahead_ms <= base.ahead_ms + TOLERANCE_MS)
			continue;
		base.ahead_ms = sample->ahead_ms;
		known = true;
	}
	*ahead_ms = base.ahead_ms;
	return known;
}

// ---- one event --------------------------------------------------------------------------------------

/// Whole and half hours are nobody's drift.
static bool zone_error(int64_t ahead_ms, int64_t *zone_ms)
{
	int64_t sign = ahead_ms < 0 ? -1 : 1;
	int64_t nearest = (ahead_ms + sign * (HALF_HOUR_MS / 2)) / HALF_HOUR_MS * HALF_HOUR_MS;
	if (llabs(ahead_ms - MINUTES_FOR_HOURS_MS) <= TOLERANCE_MS)
		nearest = MINUTES_FOR_HOURS_MS;
	*zone_ms = nearest;
	return nearest != 0 && llabs(nearest) <= ZONE_MOST_MS && llabs(ahead_ms - nearest) <= TOLERANCE_MS;
}

static void subtract(struct sp_corrected *out, int64_t ahead_ms)
{
	int64_t zone_ms;
	if (llabs(ahead_ms) <= TOLERANCE_MS)
		return;
	bool zone = zone_error(ahead_ms, &zone_ms);
	out->correction = zone ? SP_CORRECTION_ZONE : SP_CORRECTION_KIOSK_CLOCK;
	out->ahead_ms = zone ? zone_ms : ahead_ms;
	out->t_ms -= out->ahead_ms;
}

/// The kiosk's time says nothing.
static struct sp_corrected as_received(const struct sp_clock_reading *received, bool live,
				       enum sp_punch_mark mark)
{
	struct sp_corrected out = {.mark = mark, .correction = SP_CORRECTION_UNKNOWN};
	if (!live)
		return out;
	out.correction = SP_CORRECTION_RECEIVED;
	out.known = received->synced;
	out.t_ms = received->synced ? received->wall_ms : 0;
	return out;
}

struct sp_corrected sp_punch_correct(const struct sp_kiosk_clock *clock,
				     const struct sp_clock_reading *received, int64_t kiosk_ms, bool live)
{
	if (kiosk_ms == SP_PUNCH_NO_TIME)
		return as_received(received, live, live ? SP_MARK_LIVE : SP_MARK_IMPLAUSIBLE);
	if (kiosk_ms < SP_PUNCH_LEAST_MS)
		return as_received(received, live, SP_MARK_IMPLAUSIBLE);
	// A board that does not know the time itself: when it came is the better witness, once that is known.
	if (!received->synced && live)
		return as_received(received, live, SP_MARK_LIVE);
	struct sp_corrected out = {.known = true, .t_ms = kiosk_ms, .correction = SP_CORRECTION_NONE};
	int64_t ahead_ms;
	if (sp_kiosk_clock_ahead(clock, received->mono_us, &ahead_ms))
		subtract(&out, ahead_ms);
	int64_t latest_ms =
	    received->synced ? received->wall_ms + SP_DAY_MS : SP_CLOCK_BUILT_MS + SP_CLOCK_REACH_MS;
	// By a clock that far ahead it was no right one either when this happened.
	if (out.t_ms < SP_PUNCH_LEAST_MS)
		return as_received(received, live, SP_MARK_IMPLAUSIBLE);
	if (out.t_ms > latest_ms)
		return as_received(received, live, SP_MARK_FUTURE);
	bool late = received->synced ? received->wall_ms - out.t_ms > LATE_MS : true;
	out.mark = late ? SP_MARK_LATE : SP_MARK_LIVE;
	return out;
}
