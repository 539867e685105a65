// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The inside of a ledger, shared by ledger.c, ledger_outage.c, ledger_silence.c and ledger_store.c.
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

/// A moment of some boot.
struct sp_ledger_moment {
	char boot[37];
	int64_t mono_us;
	bool placed;
	int64_t t_ms; ///< while placed
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
	size_t part;                  ///< the one that holds
	int64_t counted_us;           ///< until then, in this boot, the parts are counted
	struct sp_ledger_moment kept; ///< until then the run before this one had counted
	bool resumed;                 ///< an outage was restored, and its silence not yet counted
	/// The silence whose length only wall clocks tell: it is counted once this boot knows the time.
	struct sp_ledger_moment gap_start;
	int64_t gap_end_us;
	struct sp_clock_reading clock;    ///< the latest that was handed in
	struct sp_ledger_moment last_end; ///< of the outage before; boot "" while there is none
	bool loading;
	int64_t loaded_us;        ///< when our own load ended last
	enum sp_cause remembered; ///< the trouble in which the last run ended; NONE once it was looked at
	int64_t remember_until_us;
	int64_t better_us; ///< since when a farther cause than the line's has been seen; 0: not now
};

// ---- ledger_outage.c --------------------------------------------------------------------------------

int64_t sp_ledger_wall_ms(const struct sp_clock_reading *now, int64_t mono_us);
struct sp_ledger_moment sp_ledger_moment(const struct sp_ledger *ledger, const struct sp_clock_reading *now,
					 int64_t mono_us);
/// A line's state turned at `at_us`, which is not before anything that was counted.
void sp_ledger_outage_open(struct sp_ledger *ledger, int64_t at_us, double uncertainty_seconds,
			   const struct sp_clock_reading *now);
void sp_ledger_outage_turn(struct sp_ledger *ledger, int64_t at_us, const struct sp_clock_reading *now);
void sp_ledger_outage_close(struct sp_ledger *ledger, int64_t at_us, double uncertainty_seconds,
			    const struct sp_clock_reading *now);
/// Counts up to `at_us`, and from there on for that part.
void sp_ledger_outage_count(struct sp_ledger *ledger, const struct sp_outage_part *next, int64_t at_us);
/// A clock that was learnt during the outage places its beginning, and its silences. True: something changed.
bool sp_ledger_outage_place(struct sp_ledger *ledger, const struct sp_clock_reading *now);
/// Worst state, cause and owner, from the parts.
void sp_ledger_outage_headline(struct sp_ledger *ledger, int64_t now_us);
/// In the same boot by its monotonic clock, else by wall time; -1: it cannot be told.
int64_t sp_ledger_between_us(const struct sp_ledger_moment *from, const struct sp_ledger_moment *to);

// ---- ledger_silence.c -------------------------------------------------------------------------------

/// Nobody said why the last run ended: what it left open goes on, unresolved.
void sp_ledger_silence_untold(struct sp_ledger *ledger, const struct sp_clock_reading *now);
