// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// ndt7 in numbers.
#include "ndt7_plan.h"

enum { SECOND_US = 1000 * 1000, SCALING = 16 };

const struct sp_ndt7_times sp_ndt7_times_standard = {
    .setup_us = 10 * SECOND_US,
    .down_us = 15 * SECOND_US,
    .up_us = 10 * SECOND_US,
    .drain_us = SECOND_US,
    .stall_us = 7 * SECOND_US,
    .update_us = SECOND_US / 4,
    .nominal_us = 9 * SECOND_US,
    .agreed_us = 5 * SECOND_US,
    .least_us = SECOND_US,
};

struct sp_ndt7_times sp_ndt7_times_scaled(int64_t total_us)
{
	struct sp_ndt7_times times = sp_ndt7_times_standard;
	times.down_us = total_us + total_us / 2;
	times.up_us = total_us;
	times.nominal_us = total_us - total_us / 10;
	times.agreed_us = total_us / 2;
	times.least_us = total_us / 10;
	return times;
}

int64_t sp_ndt7_message_next(int64_t size, int64_t sent)
{
	return size < SP_NDT7_MESSAGE_SENT && size <= sent / SCALING ? size * 2 : size;
}

static enum sp_speed_outcome ended_early(const char *word, bool figure, const char **reason)
{
	*reason = word;
	return figure ? SP_SPEED_PARTIAL : SP_SPEED_FAILED;
}

enum sp_speed_outcome sp_ndt7_worth(const struct sp_ndt7_times *times, enum sp_ndt7_end end,
				    int64_t elapsed_us, int64_t bytes, const char **reason)
{
	bool figure = elapsed_us >= times->least_us && bytes > 0;
	*reason = "";
	switch (end) {
	case SP_NDT7_RUNNING:
	case SP_NDT7_TIME:
		return figure ? SP_SPEED_WHOLE : ended_early("stalled", false, reason);
	case SP_NDT7_AGREED:
		if (figure && elapsed_us >= times->agreed_us)
			return SP_SPEED_WHOLE;
		return ended_early("closed", figure, reason);
	case SP_NDT7_BROKEN:
		if (figure && elapsed_us >= times->nominal_us)
			return SP_SPEED_WHOLE;
		return ended_early("closed", figure, reason);
	case SP_NDT7_STALLED:
		return ended_early("stalled", figure, reason);
	case SP_NDT7_LIMIT:
		// Fast lines reach it before there is a second: a figure all the same, and said to be one of
		// too little time by its duration.
		return ended_early("byte_limit", bytes > 0 && elapsed_us > 0, reason);
	case SP_NDT7_CANCELLED:
		return ended_early("cancelled", false, reason);
	case SP_NDT7_PROTOCOL:
		break;
	}
	return ended_early("protocol", false, reason);
}

int64_t sp_ndt7_worst_bytes(double mbps, int64_t byte_limit)
{
	// Locating, and four servers that refuse, with their certificates. Then both directions to their
	// ends, with the other direction's acknowledgements and segments that were sent twice.
	const double before = 256e3, both = 1.08;
	double seconds = (double)(sp_ndt7_times_standard.down_us + sp_ndt7_times_standard.up_us +
				  sp_ndt7_times_standard.drain_us) /
			 SECOND_US;
	double worst = before + mbps * 1e6 / 8 * seconds * both;
	// What was in flight when the limit was seen comes on top: a quarter of a second at most.
	double limited = before + (double)byte_limit + mbps * 1e6 / 8 * 0.25;
	if (byte_limit > 0 && limited < worst)
		worst = limited;
	return worst < 9e18 ? (int64_t)worst : INT64_MAX;
}
