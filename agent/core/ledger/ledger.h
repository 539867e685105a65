// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The outage ledger of one line: reports of rungs in, states, causes and outages out. Pure logic: time only
// by argument, nothing is read, written or waited for. An outage lasts from the first trouble to the moment
// the line is up again; how long each state and cause held in between is told by `line` facts.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/buf.h"
#include "agent/base/ids.h"
#include "agent/core/ledger/judge.h"
#include "schoolpulse/clock.h"

struct sp_ledger;

/// How long one cause held within an outage.
struct sp_outage_part {
	enum sp_cause cause;
	enum sp_whose whose;
	enum sp_line_state state;
	int64_t us;
};
enum { SP_OUTAGE_PARTS = 12 };

struct sp_outage {
	char id[SP_ID_LENGTH + 1];
	char start_boot[37];
	int64_t start_mono_us; ///< in start_boot
	bool start_placed;
	int64_t start_t_ms;         ///< while placed
	double uncertainty_seconds; ///< -1: not known
	enum sp_line_state state;   ///< the worst so far
	enum sp_cause cause;        ///< the one that held longest in the worst state
	enum sp_whose whose;
	/// In the order of their first appearance; they add up to the outage. Those that held for no time are
	/// left out, but for the one that holds.
	struct sp_outage_part parts[SP_OUTAGE_PARTS];
	size_t part_count;
	int unmeasured; ///< the part that holds what the others leave: no clock told its length; -1: none
	bool closed;
	char end_boot[37];
	int64_t end_mono_us; ///< in end_boot
	bool end_placed;
	int64_t end_t_ms;
	double end_uncertainty_seconds; ///< -1: not known
};

/// The agent was not there to measure, from a moment in this boot or an earlier one until now.
struct sp_silence {
	enum sp_cause cause; ///< power, reboot or agent
	enum sp_whose whose;
	char boot[37];
	int64_t start_mono_us; ///< in that boot
	bool start_placed;
	int64_t start_t_ms;         ///< while placed
	double uncertainty_seconds; ///< of the start; < 0: not known
};

enum sp_outage_phase { SP_OUTAGE_OPEN, SP_OUTAGE_UPDATE, SP_OUTAGE_CLOSE };

/// By which door the line leaves.
enum sp_line_egress { SP_LINE_EGRESS_UNKNOWN, SP_LINE_EGRESS_OWN, SP_LINE_EGRESS_FOREIGN };

const char *sp_line_egress_name(enum sp_line_egress egress);

struct sp_line_view {
	enum sp_line_state state, previous;
	enum sp_cause cause;
	enum sp_whose whose;
	enum sp_line_state family[SP_FAMILIES];
	bool offered[SP_FAMILIES];
	int64_t since_us;                 ///< when this state with this cause began, as measured
	double since_uncertainty_seconds; ///< -1: not known
	bool began; ///< in this event state, cause or owner changed; false: only what follows, or a family
	bool self_loaded;
	enum sp_line_egress egress;
};

struct sp_ledger_events {
	void (*line)(void *arg, const struct sp_line_view *view);
	void (*outage)(void *arg, const struct sp_outage *outage, enum sp_outage_phase phase);
	/// What sp_ledger_save() writes has changed.
	void (*save)(void *arg);
	/// A verdict waits for rungs that are asked rarely: now is the time to ask them. May be NULL.
	void (*ask)(void *arg);
};

/// `boot` is copied: the id of this boot. `events` must outlive the ledger.
struct sp_ledger *sp_ledger_new(const char *boot, const struct sp_ledger_events *events, void *arg);
void sp_ledger_free(struct sp_ledger *ledger);

/// `source`: which device. A report is forgotten after `max_age_us`, or three times as long as its source
/// usually takes to repeat it; 0: it holds until the same source says otherwise. Judge afterwards.
void sp_ledger_report(struct sp_ledger *ledger, const char *source, const struct sp_rung_report *report,
		      int64_t max_age_us, int64_t now_us);
/// Begins the books of this run: what the agent did not see is an outage of its own, or a part of the one
/// that is open. Once, after sp_ledger_load() and before the first report.
void sp_ledger_silence(struct sp_ledger *ledger, const struct sp_silence *silence,
		       const struct sp_clock_reading *now);
/// Our own test fills the line since then, or does so no longer. Judge afterwards.
void sp_ledger_load_line(struct sp_ledger *ledger, bool loading, int64_t since_us);
/// Bytes from beyond the gateway came in at that time: what was silent since before is not down then. Judge
/// afterwards.
void sp_ledger_traffic(struct sp_ledger *ledger, int64_t at_us);
/// By which door the line leaves since `since_us`, asked for last at `confirmed_us`; `known`: there is a hop
/// that answers when asked. Judge afterwards.
void sp_ledger_egress(struct sp_ledger *ledger, enum sp_line_egress egress, int64_t since_us,
		      int64_t confirmed_us, bool known);
/// The outage that ended last in an earlier run: none begins before its end.
void sp_ledger_past(struct sp_ledger *ledger, const struct sp_outage *past);

/// Judges by what is known and calls the events. Returns the monotonic time at which it wants to be called
/// again if nothing is reported before; INT64_MAX: never.
int64_t sp_ledger_judge(struct sp_ledger *ledger, const struct sp_clock_reading *now);

void sp_ledger_view(const struct sp_ledger *ledger, struct sp_line_view *out);
/// The open outage, or NULL.
const struct sp_outage *sp_ledger_outage(const struct sp_ledger *ledger);

/// What stood behind a verdict: every rung that has been heard of.
struct sp_evidence {
	enum sp_rung rung;
	enum sp_family family;
	enum sp_rung_status status;
	int64_t rtt_us; ///< -1: none
	const char *detail;
	const char *reason, *host; ///< NULL without
};
enum { SP_EVIDENCE_MAX = SP_RUNGS * SP_FAMILIES + 1 };
/// Valid until the next report. Returns the count.
size_t sp_ledger_evidence(const struct sp_ledger *ledger, int64_t now_us,
			  struct sp_evidence out[SP_EVIDENCE_MAX]);

/// The open outage, and which families are offered also without one, as text for the journal; "": nothing.
void sp_ledger_save(const struct sp_ledger *ledger, struct sp_buf *out);
/// Continues where the text left off. Before the first report. 0 or -EINVAL (nothing is taken then).
int sp_ledger_load(struct sp_ledger *ledger, const char *text) SP_MUST_CHECK;

/// One outage as JSON: store.c.
struct cJSON;
struct cJSON *sp_outage_to_json(const struct sp_outage *outage);
int sp_outage_from_json(const struct cJSON *json, struct sp_outage *out) SP_MUST_CHECK;
