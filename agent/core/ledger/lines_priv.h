// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The inside of the lines: lines.c feeds the ledgers, lines_facts.c carries out what they say, lines_egress.c
// knows by which door each leaves.
#pragma once

#include "agent/core/ledger/egress.h"
#include "agent/core/ledger/lines.h"

enum {
	SP_LINES_HISTORY = 32,         ///< closed outages kept per line
	SP_LINES_EVIDENCE = 8,         ///< of them, the latest, with their evidence
	SP_LINES_SAVED_MAX = 60 * 1024 ///< a value of the journal's durable state holds 64 KiB
};

struct cJSON;

struct sp_line {
	struct sp_lines *lines;
	char *name, *provider;
	struct sp_ledger *ledger;
	struct sp_loop_timer *timer;
	bool judging;
	unsigned loads; ///< devices that fill the line by themselves
	struct sp_egress_book *egress;
	const struct sp_line *shares; ///< the line behind whose router it stands; NULL: none
	bool fixed;                   ///< its door is configured
	int64_t egress_saved_us;
	struct sp_outage history[SP_LINES_HISTORY]; ///< ring; `closed` counts all
	size_t closed;
	struct cJSON *evidence; ///< of the open outage, NULL without one; lines_evidence.c, like all below
	enum sp_cause evidence_cause;
	enum sp_line_state evidence_state;
	struct cJSON *past_evidence[SP_LINES_HISTORY]; ///< beside `history`
};

struct sp_lines {
	struct sp_lines_config config;
	struct sp_line **items;
	size_t count;
};

extern const struct sp_ledger_events sp_lines_events;

struct sp_line *sp_lines_find(const struct sp_lines *lines, const char *name);
/// Once per turn of the loop: a round reports several rungs, and they are judged together.
void sp_line_judge_soon(struct sp_line *line);
/// Durable state of that line: `what` names it, NULL text forgets it.
void sp_line_put(const struct sp_line *line, const char *what, const char *text);
/// NULL when there is none; the caller frees it.
char *sp_line_get(const struct sp_line *line, const char *what);
void sp_line_load_egress(struct sp_line *line);
