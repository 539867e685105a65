// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a group of anchors in one family proves, as pure logic over losses and answers: one lost probe only
// raises a suspicion, which a burst over all anchors clears or confirms.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "schoolpulse/io.h"

enum { SP_SCOPE_ANCHORS = 16 };

struct sp_scope {
	unsigned anchors, next;
	enum sp_rung_status status; ///< UNKNOWN, OK or SILENT
	int64_t since_us;
	bool suspected;
	int64_t first_lost_us; ///< sending time; while suspected
	int64_t answered_us;   ///< sending time of the latest answered probe
	int64_t least_rtt_us;  ///< seen so far; 0 before any
	int64_t last_lost_us;  ///< when the last burst or sweep without an answer began
	struct {
		bool ever;        ///< it has answered
		unsigned strikes; ///< losses in a row that others' answers cleared
		int64_t benched_until_us;
	} anchor[SP_SCOPE_ANCHORS];
};

void sp_scope_init(struct sp_scope *scope, unsigned anchors);

/// The anchor to ask next: in turn, those passed over for now that stayed silent while others answered.
unsigned sp_scope_pick(struct sp_scope *scope, int64_t now_us);
/// How often a burst asks each anchor: enough that 3 % random loss each way fells no working line.
unsigned sp_scope_tries(const struct sp_scope *scope);

/// A single probe was lost. True when this is the first: time for a burst.
bool sp_scope_lost(struct sp_scope *scope, unsigned anchor, int64_t sent_us);
/// A burst begins without a loss of our own: another scope lost a probe sent at `lost_us`. If this one proves
/// silent it was so since then, unless it has answered a later one.
void sp_scope_doubt(struct sp_scope *scope, int64_t lost_us, int64_t now_us);
/// Any answer, also a late one. True when the status changed.
bool sp_scope_answered(struct sp_scope *scope, unsigned anchor, int64_t sent_us, int64_t now_us);
/// The burst ended without an answer. True when the status changed.
bool sp_scope_silent(struct sp_scope *scope, int64_t now_us);
/// Nothing can be sent. True when the status changed.
bool sp_scope_unmeasured(struct sp_scope *scope, int64_t now_us);
