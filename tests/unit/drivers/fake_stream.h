// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// io.h's HTTP sessions and speed.h on virtual time, beside fake_io.[ch]: a server that a test scripts behind
// a line of a given rate, shared evenly by all that moves in one direction.
#pragma once

#include "fake_io.h"
#include "schoolpulse/speed.h"

/// What the server does with one request; as it comes: 200, no body, at once, whatever was sent is taken.
struct fake_script {
	int result;        ///< < 0: it ends so, after `after_bytes` of body or `head_ms` if there is none
	long status;       ///< 0: no head ever comes
	int64_t head_ms;   ///< from the request's end (GET) or beginning (a POST that is refused) to the head
	int64_t length;    ///< of the answer's body
	int64_t announced; ///< -1: not
	int64_t after_bytes; ///< of body, ours or theirs, until `result`, or until nothing moves any more
	bool stalls;         ///< after `after_bytes`, without a word
	const char *retry_after, *location, *address;
};
typedef void (*fake_serve_fn)(const struct sp_http_stream_request *request, struct fake_script *out);

struct fake_line {
	double down_bps, up_bps;
	fake_serve_fn serve;
	unsigned sessions, open; ///< now
	unsigned requests, most_open;
	int64_t wire; ///< all bytes of body that moved
	struct sp_speed_order order;
	// ---- what the driver said
	bool reported;
	struct sp_speed_report report; ///< texts are copies
	char texts[SP_SPEED_DIRECTIONS][2][256], server[256], address[64], scope[32];
	unsigned progress[4]; ///< by phase
	bool began[4], ended[4];
};

/// One for all devices of a test.
extern struct fake_line fake_line;
/// As new: nobody serves, both directions are wanted, no limit.
void fake_line_reset(double down_bps, double up_bps, fake_serve_fn serve);
