// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Heads of WebSocket frames.
#include "ndt7_frame.h"

#include <errno.h>
#include <string.h>

enum { FINAL = 0x80, RESERVED = 0x70, MASKED = 0x80, LENGTH16 = 126, LENGTH64 = 127 };

static uint64_t big_endian(const uint8_t *data, size_t size)
{
	uint64_t value = 0;
	while (size--)
		value = value << 8 | *data++;
	return value;
}

static bool known(unsigned opcode)
{
	return opcode <= SP_NDT7_BINARY || (opcode >= SP_NDT7_CLOSE && opcode <= SP_NDT7_PONG);
}

int sp_ndt7_frame_parse(const uint8_t *data, size_t length, struct sp_ndt7_frame *out)
{
	if (length < 2)
		return 0;
	unsigned opcode = data[0] & 0x0f, code = data[1] & 0x7f;
	// No extension was agreed on, and a server never masks.
	if (!known(opcode) || (data[0] & RESERVED) || (data[1] & MASKED))
		return -EPROTO;
	*out = (struct sp_ndt7_frame){(enum sp_ndt7_opcode)opcode, data[0] & FINAL, code};
	if (opcode >= SP_NDT7_CLOSE && (!out->final || code > SP_NDT7_CONTROL))
		return -EPROTO;
	size_t more = code == LENGTH16 ? 2 : code == LENGTH64 ? 8 : 0;
	if (length < 2 + more)
		return 0;
	if (more)
		out->length = big_endian(data + 2, more);
	return out->length >> 63 ? -EPROTO : (int)(2 + more);
}

size_t sp_ndt7_frame_write(uint8_t out[SP_NDT7_FRAME_HEAD], enum sp_ndt7_opcode opcode, uint64_t length,
			   const uint8_t mask[4])
{
	size_t more = length <= SP_NDT7_CONTROL ? 0 : length <= UINT16_MAX ? 2 : 8;
	unsigned code = more == 0 ? (unsigned)length : more == 2 ? LENGTH16 : LENGTH64;
	out[0] = (uint8_t)(FINAL | (unsigned)opcode);
	out[1] = (uint8_t)(MASKED | code);
	for (size_t i = 0; i < more; i++)
		out[2 + i] = (uint8_t)(length >> (8 * (more - 1 - i)));
	memcpy(out + 2 + more, mask, 4);
	return 2 + more + 4;
}

void sp_ndt7_frame_mask(uint8_t *data, size_t length, const uint8_t mask[4])
{
	for (size_t i = 0; i < length; i++)
		data[i] ^= mask[i & 3];
}
