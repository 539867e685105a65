// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One visit to a terminal, without I/O: what to ask next, what an answer means. It asks who the terminal is,
// what time it has, how full it is, and for the whole log, since there is no way to ask for a part; then it
// frees the buffer and says goodbye. It never disables the terminal, which would leave it "Working…" should
// we die.
#pragma once

#include "zk4370_log.h"
#include "zk4370_wire.h"

enum { SP_ZK_TEXT = 64 };

enum sp_zk_step {
	SP_ZK_WAIT, ///< for the rest of the answer
	SP_ZK_SEND, ///< `question` goes out
	SP_ZK_DONE,
	SP_ZK_FAILED, ///< `reason` and `why` say it
};

enum sp_zk_stage {
	SP_ZK_AT_CONNECT,
	SP_ZK_AT_AUTHENTICATE,
	SP_ZK_AT_SERIAL,
	SP_ZK_AT_MODEL,
	SP_ZK_AT_FIRMWARE,
	SP_ZK_AT_TIME,
	SP_ZK_AT_SIZES,
	SP_ZK_AT_PREPARE,
	SP_ZK_AT_READ,
	SP_ZK_AT_FREE,
	SP_ZK_AT_EXIT,
	SP_ZK_AT_END,
};

struct sp_zk_session {
	// ---- set before the start
	bool framed; ///< TCP
	uint32_t comm_key;
	const char *serial_wanted; ///< "": whichever it has
	// ---- what it learnt
	char serial[SP_ZK_TEXT + 1], model[SP_ZK_TEXT + 1], firmware[SP_ZK_TEXT + 1]; ///< "": not told
	bool has_time, has_sizes;
	int64_t local_s; ///< of its dial
	struct sp_zk_sizes sizes;
	/// The log as it was sent, in pages that no core file holds; sp_zk_session_end() wipes them.
	uint8_t *log;
	size_t log_length;
	const char *reason;
	char why[128];
	// ---- its own
	enum sp_zk_stage stage;
	uint16_t connection, reply;
	size_t log_room, log_size; ///< mapped; announced
	size_t part_from, part_size;
	bool announced; ///< 1500 came: the part ends with a packet of its own
	uint8_t question[SP_ZK_QUESTION_MAX];
	size_t question_length;
};

/// The first question.
enum sp_zk_step sp_zk_session_start(struct sp_zk_session *session);
enum sp_zk_step sp_zk_session_take(struct sp_zk_session *session, const struct sp_zk_packet *packet);
/// A question may be sent again, as over UDP it must be: what came of its answer is forgotten.
void sp_zk_session_again(struct sp_zk_session *session);
/// A goodbye to be sent when the visit is broken off: true with it in `question`.
bool sp_zk_session_leave(struct sp_zk_session *session);
void sp_zk_session_end(struct sp_zk_session *session);
