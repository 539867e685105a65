// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Heads of WebSocket frames (RFC 6455 §5.2). Payloads are never copied: most are only counted. Pure functions
// over bytes.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/err.h"

enum sp_ndt7_opcode {
	SP_NDT7_CONTINUATION = 0,
	SP_NDT7_TEXT = 1,
	SP_NDT7_BINARY = 2,
	SP_NDT7_CLOSE = 8,
	SP_NDT7_PING = 9,
	SP_NDT7_PONG = 10,
};

enum {
	SP_NDT7_FRAME_HEAD = 14,
	SP_NDT7_CONTROL = 125, ///< longest payload of a control frame
};

struct sp_ndt7_frame {
	enum sp_ndt7_opcode opcode;
	bool final;
	uint64_t length;
};

/// The head of a frame from a server, of which `length` bytes are there. Bytes of the head; 0: more must
/// come; -EPROTO: no frame that a server may send.
int sp_ndt7_frame_parse(const uint8_t *data, size_t length, struct sp_ndt7_frame *out) SP_MUST_CHECK;
/// The head of a whole message from a client, masked by `mask`. Returns its length.
size_t sp_ndt7_frame_write(uint8_t out[SP_NDT7_FRAME_HEAD], enum sp_ndt7_opcode opcode, uint64_t length,
			   const uint8_t mask[4]);
void sp_ndt7_frame_mask(uint8_t *data, size_t length, const uint8_t mask[4]);
