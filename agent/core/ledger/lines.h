// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The lines of this board: a ledger each, tied to the loop, the journal and the devices.
#pragma once

#include "agent/core/ledger/ledger.h"
#include "agent/core/loop.h"
#include "agent/core/recorder.h"

struct sp_lines;

enum { SP_LINES_NAME_MAX = 55 }; ///< what is kept of a line has a key of 64 bytes at most in the journal

struct sp_lines_config {
	struct sp_loop *loop;
	struct sp_recorder *recorder;
	const char *boot;
	/// Durable small state: the journal's put and get. `get`'s answer is free()d here.
	void (*put)(void *arg, const char *key, const char *value);
	char *(*get)(void *arg, const char *key);
	/// A line's verdict changed for the better: now is the time to look around and to connect.
	void (*better)(void *arg, const char *line);
	/// Every verdict that differs from the one before. May be NULL.
	void (*verdict)(void *arg, const char *line, const struct sp_line_view *view);
	/// A verdict waits for rungs that are asked rarely: every device of the line should look now. May be
	/// NULL, like those below.
	void (*ask)(void *arg, const char *line);
	/// When bytes from beyond the gateway came in last, by whichever line; SP_NEVER_US.
	int64_t (*traffic)(void *arg);
	void *arg;
};

struct sp_lines *sp_lines_new(const struct sp_lines_config *config);
/// NULL is fine.
void sp_lines_free(struct sp_lines *lines);
/// Continues the outage that the journal kept of that line, if any.
void sp_lines_add(struct sp_lines *lines, const char *name, const char *provider);

void sp_lines_report(struct sp_lines *lines, const char *line, const char *device,
		     const struct sp_rung_report *report, int64_t max_age_us);
/// The hub's rung, of every line: we know only that our session lives.
void sp_lines_hub(struct sp_lines *lines, enum sp_rung_status status, int64_t since_us, const char *detail);

/// The agent was not there to measure from that moment until now, whatever the line did: told to every line,
/// once, after the lines were added and before the first report.
void sp_lines_silence(struct sp_lines *lines, const struct sp_silence *silence);
/// A device fills the line by itself, or does so no longer.
void sp_lines_load(struct sp_lines *lines, const char *line, const char *device, bool loading,
		   int64_t since_us);

/// A device saw by which door the line leaves.
void sp_lines_egress(struct sp_lines *lines, const char *line, const char *device,
		     const struct sp_egress *egress);

struct sp_lines_door {
	const char *fixed;  ///< NULL, "" or "auto": learn it; or a list of prefixes (egress.h)
	int64_t adopt_ms;   ///< another door for so long is the line's own; 0: never
	const char *shares; ///< the line whose router and devices it shares; NULL or "": none
};
/// How that line knows its door, unless by learning it and adopting another after a week. After every line
/// was added and before the first report.
void sp_lines_door(struct sp_lines *lines, const char *line, const struct sp_lines_door *door);

size_t sp_lines_count(const struct sp_lines *lines);
const char *sp_lines_name(const struct sp_lines *lines, size_t index);
const char *sp_lines_provider(const struct sp_lines *lines, size_t index);
const struct sp_ledger *sp_lines_ledger(const struct sp_lines *lines, size_t index);
/// The i-th closed outage of that line, the latest first; NULL beyond the last that is kept.
const struct sp_outage *sp_lines_history(const struct sp_lines *lines, size_t index, size_t outage);
struct cJSON;
/// The evidence of the line's open outage or of one that sp_lines_history() gave: a list, NULL when none is
/// kept.
const struct cJSON *sp_lines_evidence(const struct sp_lines *lines, size_t index,
				      const struct sp_outage *outage);
