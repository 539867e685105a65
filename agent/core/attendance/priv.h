// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The inside of attendance, shared by attendance.c, punch.c and kiosk.c.
#pragma once

#include "agent/core/attendance/attendance.h"
#include "agent/core/attendance/correct.h"
#include "agent/core/attendance/day.h"

enum { KIOSK_TEXT = 64, KIOSK_DAYS = 8 };

struct sp_kiosk {
	struct sp_attendance *set;
	char *name, *driver;
	char *same; ///< whose keys its events have: its own name, or that of the same kiosk asked in another
		    ///< way
	struct sp_kiosk_clock clock;
	struct sp_kiosk_health health; ///< its texts are the two below
	char model[KIOSK_TEXT + 1], firmware[KIOSK_TEXT + 1];
	bool heard;              ///< the driver has said how it is
	int64_t accepted, known; ///< events since start
	int64_t last_us;         ///< when the last event came; 0: none
	struct sp_kiosk_today {
		int32_t day;
		int64_t accepted, known;
	} today;
	bool asked;               ///< how many came today before the agent's start
	struct sp_kiosk_counted { ///< the kiosk's own count of a day beside ours, the latest first
		int32_t day;
		int64_t kiosk, taken;
	} totals[KIOSK_DAYS];
	size_t total_count;
	/// What the last fact said.
	struct sp_kiosk_told {
		int64_t at_us; ///< 0: there was none
		int64_t ahead_ms;
		bool ahead_known;
		struct sp_kiosk_health health;
		char model[KIOSK_TEXT + 1], firmware[KIOSK_TEXT + 1];
	} told;
};

struct sp_attendance {
	struct sp_attendance_config config;
	struct sp_keys *keys;
	char why[SP_KEYS_WHY]; ///< nothing is recorded; "" : it is
	struct sp_kiosk **kiosks;
	size_t count;
	int64_t hub_days; ///< 0: no hub has said
	int64_t day_us;   ///< when the keys were looked at last
};

/// Once: how many of today's events the card has from before the start.
void sp_kiosk_ask_today(struct sp_kiosk *kiosk, const struct sp_clock_reading *now);
/// A fact when something has changed in substance, or a day is over.
void sp_kiosk_look(struct sp_kiosk *kiosk, int64_t now_us);
