// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Counts frames: which way each went, how much the wire carried, and what it completed. No clock, no I/O.
#pragma once

#include "capture_flows.h"

enum { SP_CAPTURE_MACS = 4, SP_CAPTURE_PREFIXES = 16 };

struct sp_capture_prefix {
	unsigned version, bits; ///< 4 or 6
	uint8_t address[16];
};

/// By what directions are told: networks where there are any, else the router's MACs.
struct sp_capture_sides {
	size_t mac_count, prefix_count;
	uint8_t macs[SP_CAPTURE_MACS][SP_FRAME_MAC];
	bool wan; ///< the frames are those between the router and its provider: what the router sends goes up
	struct sp_capture_prefix inside[SP_CAPTURE_PREFIXES];
};

/// "aa:bb:cc:dd:ee:ff". 0 or -EINVAL.
int sp_capture_mac(const char *text, uint8_t out[SP_FRAME_MAC]);
/// "192.168.0.0/16", "2001:db8::/48". 0 or -EINVAL.
int sp_capture_prefix_parse(const char *text, struct sp_capture_prefix *out);

enum sp_way sp_capture_way(const struct sp_capture_sides *sides, const struct sp_frame *frame);

/// One frame of `length` bytes, of which `kept` are at hand, through an interface of this MTU (0: unknown).
void sp_capture_count(const struct sp_capture_sides *sides, struct sp_flows *flows, const uint8_t *data,
		      size_t kept, size_t length, unsigned mtu, int64_t time_us,
		      struct sp_capture_second *out);
