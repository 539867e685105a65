// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the two ends of a cable agreed on.
#pragma once

#include <stdint.h>

struct sp_link_mode {
	int64_t speed_mbps; ///< -1: unknown
	const char *duplex; ///< "full", "half", or NULL: unknown
};

struct sp_link_mode sp_ethtool_mode(const char *interface);
