// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the parts of the `capture` driver share: its options, and how its helper is told the directions.
#pragma once

#include "capture_count.h"
#include "schoolpulse/driver.h"

enum sp_capture_side { SP_CAPTURE_LAN, SP_CAPTURE_WAN };

struct sp_capture_conf {
	char *interface;
	struct sp_strings router_mac; ///< "auto" or MACs
	int side;
	struct sp_strings inside;
};

/// The driver's `check`.
int sp_capture_check(const void *conf, const char **key, char *why, size_t size);

/// Whose frames go which way, as things stand now. 0; -ENOENT: the default gateway's MAC is not known.
int sp_capture_sides_now(const struct sp_capture_conf *conf, struct sp_capture_sides *out) SP_MUST_CHECK;

/// The helper's command line; points into itself and into `conf`.
struct sp_capture_command {
	char macs[SP_CAPTURE_MACS][18];
	const char *argv[4 + 2 * SP_CAPTURE_MACS + 2 * SP_CAPTURE_PREFIXES + 1];
};
void sp_capture_command(const struct sp_capture_conf *conf, const struct sp_capture_sides *sides,
			struct sp_capture_command *out);
