// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The inside of a ledger, shared by ledger.c, outage.c, silence.c and store.c.
#pragma once

#include "agent/core/ledger/ledger.h"

enum { SP_LEDGER_SLOTS = 256, SP_LEDGER_DETAIL = 160 };

/// What one source last said of one rung in one family.
struct sp_ledger_slot {
	char *source;
	enum sp_rung rung;
	enum sp_family family;
	enum sp_rung_status status;
	int64_t since_us, heard_us, last_ok_us, max_age_us, rtt_us;
	enum sp_rung_status known; ///< what it said last that was not "unknown"
	int64_t known_us;          ///< and when
	int64_t other_us;          ///< when it said otherwise last
	int64_t pace_us;           ///< how far apart its reports come; falls slowly, since a burst is no pace
	char detail[SP_LEDGER_DETAIL];
	char reason[41], host[129]; ///< "" without
};

/// A moment of some boot.
struct sp_ledger_moment {
	char boot[37];
	int64_t mono_us;
	bool placed;
	int64_t t_ms; ///< while placed
};

struct sp_ledger {
	const struct sp_ledger_events *events;
	void *arg;
	struct sp_ledger_slot *slots;
	size_t count;
	struct sp_line_view line;
	struct sp_outage outage;
	size_t part;                  ///< the one that holds
	int64_t counted_us;           ///< until then, in this boot, the parts are counted
	struct sp_ledger_moment kept; ///< until then the run before this one had counted
	/// The silence whose length only wall clocks tell: it is counted once this boot knows the time.
	struct sp_ledger_moment gap_start;
	int64_t gap_end_us;
	struct sp_clock_reading clock;    ///< the latest that was handed in
	struct sp_ledger_moment last_end; ///< of the outage before; boot "" while there is none
	int64_t loaded_us;                ///< when our own load ended last
	int64_t remember_until_us;
	int64_t better_us;    ///< since when a farther cause than the line's has been seen; 0: not now
	int64_t up_us;        ///< since when "up" waits for what is still open; 0: it does not
	int64_t asked_us;     ///< when everybody was asked last
	int64_t powered_us;   ///< the power came back then, for the router, too; 0: no such thing
	int64_t traffic_us;   ///< bytes from beyond the gateway came in last; SP_NEVER_US
	int64_t vetoed_us;    ///< the beginning of the silence that they contradicted last
	int64_t veto_came_us; ///< and when they came first in it
	int64_t veto_us;      ///< how long the next contradiction holds
	int64_t egress_us;    ///< since when it is that
	int64_t door_us;      ///< it left by another door until then; SP_NEVER_US
	int64_t confirmed_us; ///< when it was asked for last, with success
	enum sp_line_egress egress;
	unsigned remembered; ///< bits of causes of the restored outage that must be asked after
	char boot[37];
	bool worked[SP_FAMILIES];
	bool has_outage;
	bool resumed; ///< an outage was restored, and its silence not yet counted
	bool loading;
	bool egress_known; ///< there is a hop to ask
};

// ---- ledger.c ---------------------------------------------------------------------------------------

void sp_ledger_collect(const struct sp_ledger *ledger, int64_t now_us,
		       struct sp_rung_view views[SP_RUNGS][SP_FAMILIES]);
/// When the first of the reports that still hold grows too old.
int64_t sp_ledger_next_expiry(const struct sp_ledger *ledger, int64_t now_us);

// ---- hold.c ----------------------------------------------------------------------------------

/// Amends a verdict by what the rungs do not know (another uplink, incoming bytes, our own load), and returns
/// until when it must wait; 0: it stands.
int64_t sp_ledger_hold(struct sp_ledger *ledger, const struct sp_rung_view views[SP_RUNGS][SP_FAMILIES],
		       struct sp_verdict *verdict, int64_t now_us);
/// How far out a cause lies; families between the path and what runs over it.
int sp_ledger_distance(enum sp_cause cause);
/// Set of causes that stand on rungs above the path: bits.
unsigned sp_ledger_symptoms(const struct sp_outage *outage);

// ---- outage.c --------------------------------------------------------------------------------

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

// ---- silence.c -------------------------------------------------------------------------------

/// Nobody said why the last run ended: what it left open goes on, unresolved.
void sp_ledger_silence_untold(struct sp_ledger *ledger, const struct sp_clock_reading *now);
