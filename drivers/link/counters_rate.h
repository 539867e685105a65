// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From two readings of a router's counters to what moved between them, or to the knowledge that nothing can
// be said: wraps, reboots and cached counters. Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct sp_counters_reading {
	int64_t at_us;          ///< monotonic
	uint32_t uptime_cs;     ///< sysUpTime, 1/100 s; wraps after 497 days
	uint32_t discontinuity; ///< ifCounterDiscontinuityTime; 0 where the router has none
	uint32_t index;         ///< ifIndex
	bool wide;              ///< the counters have 64 bits, not 32
	uint64_t in, out;       ///< bytes, of the outer interface: in is towards the school
	uint64_t speed_bps;     ///< of the interface; 0: not known
};

struct sp_counters {
	bool has;
	struct sp_counters_reading base;
};

struct sp_counters_moved {
	int64_t from_us, to_us;
	uint64_t in, out;
};

enum sp_counters_news {
	SP_COUNTERS_FIRST, ///< nothing to compare with
	SP_COUNTERS_MOVED, ///< `out` says what
	/// Neither counter moved, though our own probes pass there every few seconds: the router told what it
	/// had remembered. The next reading will cover this time, too.
	SP_COUNTERS_OLD,
	SP_COUNTERS_RESET, ///< rebooted, replaced or wrapped too often: counting begins anew
};

enum sp_counters_news sp_counters_step(struct sp_counters *counters, const struct sp_counters_reading *now,
				       struct sp_counters_moved *out);
