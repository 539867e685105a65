// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The reflector's half of STAMP in unauthenticated mode (RFC 8762 §4.2.1, §4.3.1; RFC 8972 §3, §4): a packet
// that came becomes the packet that goes back. Pure functions over bytes.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
	SP_STAMP_BASE = 44,  ///< bytes of the base packet, both ways
	SP_STAMP_LEAST = 41, ///< a TWAMP-Light sender that pads to the size of its answer (RFC 5357 §4.2.1)
};

/// NTP's 64-bit format of a Unix time (RFC 8762 §4.2.1).
uint64_t sp_stamp_time(int64_t seconds, int64_t nanoseconds);

/// RFC 4656 §4.1.2: `error_us` as Scale and Multiplier, never less than it is; the S bit when the clock is
/// synchronised. Less than 0: not known.
uint16_t sp_stamp_error(int64_t error_us, int synced);

struct sp_stamp_reflection {
	uint32_t sequence; ///< ours, of this session
	uint64_t received, sent;
	uint16_t error;
	uint8_t ttl; ///< of the packet that came; 0: not known
};

/// The session's name within its addresses and ports; 0 of senders that know none.
uint16_t sp_stamp_ssid(const uint8_t *data, size_t length);

/// Turns the packet into its answer, in place; the length stays. 0, or -EBADMSG when it is too short for an
/// answer that is not longer than itself. What follows the base packet goes back as it came, but that TLVs
/// are marked: nobody here understands any but padding.
int sp_stamp_reflect(uint8_t *data, size_t length, const struct sp_stamp_reflection *with);
