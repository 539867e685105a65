// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a measured direction is worth (feed/README.md, speed tests). Pure.
#pragma once

#include <stdbool.h>

#include "schoolpulse/speed.h"

/// The worst first: the first that holds is the label.
enum sp_speed_validity {
	SP_SPEED_IS_SKIPPED,
	SP_SPEED_IS_FAILED,
	SP_SPEED_IS_PARTIAL,
	SP_SPEED_IS_CONTENDED,
	SP_SPEED_IS_DEVICE_LIMITED,
	SP_SPEED_IS_LINK_LIMITED,
	SP_SPEED_IS_VALID,
};

/// The feed's words: "skipped", "failed", …
const char *sp_speed_validity_name(enum sp_speed_validity validity);

/// All that is known of one direction. What is not known is NAN, or 0 where it says so.
struct sp_speed_evidence {
	enum sp_speed_outcome outcome;
	const char *reason; ///< the driver's, or the core's where it skipped; "" without
	double goodput_bps;
	enum sp_family family;
	double others_bytes_per_second; ///< while loaded, what is not the test's own, both ways
	double busy_bytes_per_second;   ///< from here on the line is in use
	double cpu_ratio;               ///< of the busiest core while loaded
	int64_t link_mbps;              ///< of the board's port; 0: not known
	bool half_duplex;
	double bought_mbps; ///< of this direction; 0: not known
};

struct sp_speed_verdict {
	enum sp_speed_validity validity;
	const char *reason; ///< a word of the feed; "" when valid. Constant, or the evidence's
};
struct sp_speed_verdict sp_speed_label(const struct sp_speed_evidence *evidence);
