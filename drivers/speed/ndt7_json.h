// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What ndt7 servers and their locator say in JSON: hostile until it is in these structs. Pure functions.
#pragma once

#include "ndt7_url.h"

enum {
	SP_NDT7_SERVERS = 4,
	SP_NDT7_JSON = 64 * 1024,        ///< longest answer of a locator that is read
	SP_NDT7_MEASUREMENT = 16 * 1024, ///< longest measurement that is read
};

struct sp_ndt7_server {
	struct sp_ndt7_url urls[SP_SPEED_DIRECTIONS];
};

/// The servers of a locate v2 answer that have both directions for this scheme, in its order, at most
/// SP_NDT7_SERVERS, each with its access token as it came. Returns how many, or -EPROTO when the text is no
/// such answer.
int sp_ndt7_locate_parse(const char *text, size_t length, bool tls,
			 struct sp_ndt7_server *servers) SP_MUST_CHECK;

/// A measurement; -1 where it says nothing, or nothing possible. Bytes, and microseconds.
struct sp_ndt7_measurement {
	int64_t app_elapsed_us, app_bytes;
	int64_t tcp_elapsed_us, bytes_received, bytes_acked, bytes_sent, bytes_retrans;
	int64_t min_rtt_us, rtt_us;
};

/// 0, or -EPROTO for what is no JSON object.
int sp_ndt7_measurement_parse(const char *text, size_t length, struct sp_ndt7_measurement *out) SP_MUST_CHECK;
