// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// When it happened: a kiosk's clock judged by what comes live and by what its driver measured, and a punch's
// time corrected by that. What the kiosk said is never changed. Pure.
//
// An event that has just happened says: the clock is at least so far ahead, since nothing arrives before it
// happens. That many agree, minutes apart, says: it is just so far off. One that lagged says little.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/clock.h"
#include "schoolpulse/kiosk.h"

enum { SP_KIOSK_CLOCK_SAMPLES = 16 };

struct sp_kiosk_clock {
	struct sp_kiosk_clock_sample {
		int64_t at_us, ahead_ms; ///< what the kiosk said less true time
	} live[SP_KIOSK_CLOCK_SAMPLES], told;
	size_t count;  ///< of `live`, oldest first
	bool measured; ///< `told` holds what the driver measured
};

/// An event came that has just happened, as far as the protocol tells.
void sp_kiosk_clock_live(struct sp_kiosk_clock *clock, const struct sp_clock_reading *received,
			 int64_t kiosk_ms);
/// The driver asked the kiosk for its time. NAN: it does not know.
void sp_kiosk_clock_told(struct sp_kiosk_clock *clock, int64_t now_us, double ahead_s);
/// By how much it is ahead of true time; false: not known.
bool sp_kiosk_clock_ahead(const struct sp_kiosk_clock *clock, int64_t now_us, int64_t *ahead_ms);

enum sp_correction {
	SP_CORRECTION_NONE,
	SP_CORRECTION_KIOSK_CLOCK,
	SP_CORRECTION_ZONE,
	SP_CORRECTION_RECEIVED,
	SP_CORRECTION_UNKNOWN,
};
const char *sp_correction_name(enum sp_correction correction);

enum sp_punch_mark { SP_MARK_LIVE, SP_MARK_LATE, SP_MARK_FUTURE, SP_MARK_IMPLAUSIBLE };
const char *sp_punch_mark_name(enum sp_punch_mark mark);

struct sp_corrected {
	bool known; ///< `t_ms` is when it happened
	int64_t t_ms;
	enum sp_correction correction;
	int64_t ahead_ms; ///< what was subtracted: of KIOSK_CLOCK and ZONE, 0 else
	enum sp_punch_mark mark;
};

/// `kiosk_ms` and `live` as in a struct sp_punch; a live event's sample was taken before.
struct sp_corrected sp_punch_correct(const struct sp_kiosk_clock *clock,
				     const struct sp_clock_reading *received, int64_t kiosk_ms, bool live);

/// 2020-01-01: no kiosk's event is older.
#define SP_PUNCH_LEAST_MS INT64_C(1577836800000)
