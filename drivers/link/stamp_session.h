// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One STAMP session: a few packets and what became of each. A stateful reflector numbers the packets that
// reach it, so a gap in its numbers was lost on the way back, and what is missing beyond that on the way
// there. No I/O.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stamp_wire.h"

enum { SP_STAMP_PACKETS = 24 }; ///< of a session

enum sp_stamp_fate {
	SP_STAMP_OPEN,     ///< not answered
	SP_STAMP_ANSWERED, ///< and what follows is by sp_stamp_tally()
	SP_STAMP_FORWARD,  ///< lost on the way to the reflector
	SP_STAMP_BACKWARD, ///< lost on the way back
	SP_STAMP_EITHER,   ///< lost; where is not known, since nothing answered came after it
};

struct sp_stamp_probe {
	int64_t sent_us; ///< monotonic
	uint64_t time;   ///< as it stands in the packet
	enum sp_stamp_fate fate;
	uint32_t number;          ///< the reflector's
	double rtt;               ///< seconds, without the reflector's own time; NAN when its times cannot be
	double forward, backward; ///< seconds one way by both clocks, their difference included
	struct sp_stamp_clock peer; ///< the reflector's
};

struct sp_stamp_session {
	uint16_t ssid;
	uint32_t first; ///< sequence number of the first packet
	size_t count;
	struct sp_stamp_probe probes[SP_STAMP_PACKETS];
	bool stateless; ///< it numbers nothing: no direction can be told
};

/// `random` makes names that nobody can guess.
void sp_stamp_session_begin(struct sp_stamp_session *session, const uint8_t random[6]);
/// The next packet goes out. `count` must be less than SP_STAMP_PACKETS.
void sp_stamp_session_sent(struct sp_stamp_session *session, int64_t now_us, uint64_t time);
/// Something came, at `now_us` by the monotonic clock and `time` by the wall's. True when it answers a packet
/// of ours that had no answer yet: one that is forged, old or doubled changes nothing.
bool sp_stamp_session_take(struct sp_stamp_session *session, const uint8_t *data, size_t length,
			   int64_t now_us, uint64_t time);
size_t sp_stamp_session_answered(const struct sp_stamp_session *session);
/// Nothing more will come: gives every packet without answer its fate.
void sp_stamp_tally(struct sp_stamp_session *session);
