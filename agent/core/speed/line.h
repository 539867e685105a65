// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the agent and the process that tests say to each other: one line of JSON each. Pure, bounded, fuzzed:
// the process has read what a server sent.
#pragma once

#include <stddef.h>

#include "agent/base/buf.h"
#include "schoolpulse/speed.h"

enum { SP_SPEED_LINE_MAX = 8000, SP_SPEED_TEXT_MAX = 256, SP_SPEED_WORD_MAX = 32 };

// Each appends one line without its break; an `out` of SP_SPEED_LINE_MAX holds any of them.

void sp_speed_line_order(struct sp_buf *out, const struct sp_speed_order *order);
/// `cpu_us`: processor time that the process has used.
void sp_speed_line_progress(struct sp_buf *out, enum sp_speed_phase phase, double done, double bps,
			    int64_t cpu_us);
void sp_speed_line_spent(struct sp_buf *out, int64_t bytes);
void sp_speed_line_report(struct sp_buf *out, const struct sp_speed_report *report);
/// The round is over.
void sp_speed_line_end(struct sp_buf *out, bool ok, const char *reason, const char *text);

/// 0 or -EBADMSG.
int sp_speed_line_read_order(const char *line, size_t length, struct sp_speed_order *out) SP_MUST_CHECK;

enum sp_speed_line_kind {
	SP_SPEED_LINE_PROGRESS,
	SP_SPEED_LINE_SPENT,
	SP_SPEED_LINE_REPORT,
	SP_SPEED_LINE_END,
};

/// A report with the texts that it points to; not to be copied by assignment.
struct sp_speed_tale {
	struct sp_speed_report report;
	char method[SP_SPEED_WORD_MAX + 1], server[254], address[46], scope[SP_SPEED_WORD_MAX + 1];
	struct {
		char reason[SP_SPEED_WORD_MAX + 1], text[SP_SPEED_TEXT_MAX + 1];
	} words[SP_SPEED_DIRECTIONS];
};

struct sp_speed_message {
	enum sp_speed_line_kind kind;
	enum sp_speed_phase phase; ///< of a progress, as the next three
	double done, bps;
	int64_t cpu_us;
	int64_t bytes; ///< spent
	bool ok;       ///< of an end, as the next two
	char reason[SP_SPEED_WORD_MAX + 1], text[SP_SPEED_TEXT_MAX + 1];
};

/// 0 or -EBADMSG. A report goes to `tale`, which nothing else touches; its numbers are in range, its reasons
/// are words.
int sp_speed_line_read(const char *line, size_t length, struct sp_speed_message *out,
		       struct sp_speed_tale *tale) SP_MUST_CHECK;
