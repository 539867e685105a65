// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One direction of an ndt7 test once its WebSocket is open, without any I/O: bytes that came go in, bytes to
// send come out, and the time is told. It counts, answers pings, reads measurements, tells its own, and knows
// when it is over.
#pragma once

#include "latency.h"
#include "meter.h"
#include "ndt7_frame.h"
#include "ndt7_json.h"
#include "ndt7_plan.h"

enum {
	SP_NDT7_BULK = 256 * 1024, ///< random bytes that all messages are made of
	SP_NDT7_SMALL = SP_NDT7_FRAME_HEAD + 256,
};

/// What the kernel tells of the connection; all since its beginning.
struct sp_ndt7_tcp {
	int64_t wire_bytes; ///< of IP, both ways
	int64_t acked, sent, retransmitted;
	int64_t rtt_us, min_rtt_us; ///< -1: not known
};

struct sp_ndt7_session {
	enum sp_speed_direction direction;
	enum sp_ndt7_end end;
	struct sp_ndt7_times times;
	int64_t max_wire;  ///< 0: no limit
	bool over;         ///< nothing more to send or to receive
	const char *fault; ///< of SP_NDT7_PROTOCOL; for people
	int64_t began_us, ended_us, moved_us;

	// ---- what comes
	uint8_t head[SP_NDT7_FRAME_HEAD];
	size_t head_length;
	struct sp_ndt7_frame frame;
	uint64_t left; ///< of the frame's payload
	bool in_frame;
	enum sp_ndt7_opcode message; ///< of which fragments come; SP_NDT7_CONTINUATION: none
	uint64_t message_bytes;
	uint8_t control[SP_NDT7_CONTROL];
	size_t control_length;
	size_t text_length;
	char text[SP_NDT7_MEASUREMENT];

	// ---- what goes
	uint8_t pong[SP_NDT7_CONTROL];
	bool close_due, close_sent, pong_due;
	bool used_up; ///< with what was handed over, the limit is reached
	size_t pong_length;
	int64_t ponged_us, told_us;
	size_t small_length, small_sent;
	int64_t message_size, message_sent,
	    message_head; ///< of the bulk message under way, its head included
	uint64_t dice;
	size_t offered; ///< of the bulk: what was not taken is offered again as it was, for TLS

	// ---- what was measured
	int64_t received, sent; ///< payload of messages
	int64_t handed;         ///< to the kernel, heads of frames included
	struct sp_ndt7_tcp tcp_first, tcp;
	unsigned measurements;           ///< that came and were read
	struct sp_ndt7_measurement last; ///< each member the last that was told
	int64_t first_min_rtt_us;
	struct sp_latency loaded;
	struct sp_meter meter;

	uint8_t small[SP_NDT7_SMALL];
	uint8_t bulk[SP_NDT7_FRAME_HEAD + SP_NDT7_BULK]; ///< room for a head, then random bytes
};

/// The connection is open now. `seed`: random, for masks and payload.
void sp_ndt7_session_begin(struct sp_ndt7_session *session, enum sp_speed_direction direction,
			   const struct sp_ndt7_times *times, int64_t max_wire, uint64_t seed,
			   const struct sp_ndt7_tcp *tcp, int64_t now_us);
void sp_ndt7_session_receive(struct sp_ndt7_session *session, const uint8_t *data, size_t length,
			     int64_t now_us);
/// What to send next, the same until some of it was sent; NULL: nothing now. Never more than what the limit
/// leaves for.
const uint8_t *sp_ndt7_session_piece(struct sp_ndt7_session *session, int64_t now_us, size_t *length);
void sp_ndt7_session_wrote(struct sp_ndt7_session *session, size_t length);
/// Every 50 ms or so, and when a sixteenth of the limit has moved.
void sp_ndt7_session_look(struct sp_ndt7_session *session, const struct sp_ndt7_tcp *tcp, int64_t now_us);
/// The connection is gone.
void sp_ndt7_session_lost(struct sp_ndt7_session *session, int64_t now_us);
/// It has to end now, for a reason of ours.
void sp_ndt7_session_stop(struct sp_ndt7_session *session, enum sp_ndt7_end end, int64_t now_us);
/// What it is worth. `text` holds what is said to people.
void sp_ndt7_session_result(const struct sp_ndt7_session *session, struct sp_speed_result *out, char *text,
			    size_t size);
