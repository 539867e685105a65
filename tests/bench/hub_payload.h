// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What boards send that were away and are back, for the benches of the hub: ordinary samples, as the agent
// writes them.
#pragma once

#include "agent/base/feed.h"

enum { BENCH_RECORDS = 20 }; ///< per message

struct bench_feed {
	const char *prefix;        ///< of boards' names: prefix-0, …
	unsigned boards, messages; ///< in all
	int64_t now_ms;
	char (*streams)[SP_ID_LENGTH + 1]; ///< of each board
};

struct payload {
	char *bytes;
	size_t length;
	char device[33], stream[SP_ID_LENGTH + 1];
	int64_t last; ///< seq
	int64_t arrived_ms;
};

struct bench_feed bench_feed_new(const char *prefix, unsigned boards, unsigned messages, int64_t now_ms);
/// Message `number` of all; those of a board follow each other. Its bytes are the caller's.
struct payload bench_payload(const struct bench_feed *feed, unsigned number);
