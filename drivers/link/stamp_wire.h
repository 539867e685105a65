// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The sender's half of STAMP in unauthenticated mode (RFC 8762 §4.2.1, §4.3.1; the SSID of RFC 8972 §3).
// Pure functions over bytes.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/err.h"

enum { SP_STAMP_PACKET = 44 };

/// What an Error Estimate says (RFC 4656 §4.1.2).
struct sp_stamp_clock {
	bool synced;  ///< to UTC, it claims
	bool ptp;     ///< times are PTP's, whose seconds are not UTC's
	double error; ///< seconds; meaningless while !synced
};

struct sp_stamp_answer {
	uint32_t sequence;       ///< the reflector's own; of a stateless one ours again
	uint64_t received, sent; ///< when it got and answered ours: 32.32 seconds since 1900 (of PTP: 1970)
	struct sp_stamp_clock clock;
	uint16_t ssid;
	uint32_t our_sequence;
	uint64_t our_time;
};

/// An Error Estimate in NTP's format; `error_us` < 0: not known, not synchronised.
uint16_t sp_stamp_estimate(int64_t error_us);

void sp_stamp_encode(uint8_t out[SP_STAMP_PACKET], uint32_t sequence, uint64_t time, uint16_t estimate,
		     uint16_t ssid);

/// 0 or -EBADMSG. An answer may be longer (TLVs), or of 41 bytes (TWAMP Light).
int sp_stamp_parse(const uint8_t *data, size_t length, struct sp_stamp_answer *out) SP_MUST_CHECK;

/// Seconds from `from` to `to`, which may be less than 0.
double sp_stamp_between(uint64_t from, uint64_t to);
