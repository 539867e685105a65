// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The inside of a ledger, shared by ledger.c and ledger_store.c.
#pragma once

#include "agent/core/ledger.h"

enum { SP_LEDGER_SLOTS = 256, SP_LEDGER_DETAIL = 160 };

/// What one source last said of one rung in one family.
struct sp_ledger_slot {
	char *source;
	enum sp_rung rung;
	enum sp_family family;
	enum sp_rung_status status;
	int64_t since_us, heard_us, last_ok_us, max_age_us, rtt_us;
	int64_t pace_us; ///< how far apart its reports come; falls slowly, since a burst is no pace
	char detail[SP_LEDGER_DETAIL];
};

struct sp_ledger {
	char boot[37];
	const struct sp_ledger_events *events;
	void *arg;
	struct sp_ledger_slot *slots;
	size_t count;
	bool worked[SP_FAMILIES];
	struct sp_line_view line;
	bool has_outage;
	struct sp_outage outage;
	enum sp_cause remembered; ///< the trouble in which the last run ended; NONE once it was looked at
	int64_t remember_until_us;
	int64_t better_us; ///< since when a farther cause than the line's has been seen; 0: not now
};
