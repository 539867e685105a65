// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Many measurements as one: of each metric and target how many there were, the least, the mean and the most.
// Of the text of `samples` and `minute` records, and of summaries themselves. Pure; what is not understood is
// left out.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/buf.h"

enum {
	SP_SUMMARY_FIGURES = 256, ///< of one summary; more are not ours
	SP_SUMMARY_BYTES = 65536, ///< of its text
};

struct sp_summary {
	double seconds;          ///< covered by the records
	double state_seconds[4]; ///< of a line: unknown, up, degraded, down
	struct sp_summary_figure {
		char metric[49], target[49];
		double count, least, mean, most;
	} figures[SP_SUMMARY_FIGURES];
	size_t figure_count;
};

/// A record's members, or what sp_summary_print() wrote. False: it is no JSON object.
bool sp_summary_add(struct sp_summary *summary, const char *text);
/// {"seconds":…,"state_seconds":{…},"metrics":{"rtt_seconds":{"domestic":[n,min,mean,max]}}}
void sp_summary_print(struct sp_buf *out, const struct sp_summary *summary);
