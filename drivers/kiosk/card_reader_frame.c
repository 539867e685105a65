// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// See the header.
#include "card_reader_frame.h"

#include <string.h>

enum {
	STX = 0x02,
	ETX = 0x03,
	/// At 9600 baud a byte takes 1 ms; half a frame that stands so long is no beginning of the next one.
	STALE_US = 100 * 1000,
	RDM6300_LENGTH = 12,
	DUAL_LENGTH = 7, ///< between 02 and 03
	DUAL_TOTAL = 9,
	TYPE_ISO14443 = 1,
	TYPE_EM4100 = 2,
};

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool rdm6300(const uint8_t *data, struct sp_frame_card *out)
{
	uint8_t bytes[RDM6300_LENGTH / 2], sum = 0;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		int high = hex_digit(data[2 * i]), low = hex_digit(data[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		bytes[i] = (uint8_t)(high << 4 | low);
		sum ^= bytes[i]; // with the checksum itself: zero
	}
	for (size_t i = 1; i < 5; i++)
		out->number = out->number << 8 | bytes[i];
	out->bytes = 4;
	out->lf = true;
	explicit_bzero(bytes, sizeof(bytes));
	return sum == 0;
}

static bool dual(const uint8_t *data, struct sp_frame_card *out)
{
	uint8_t sum = 0;
	for (size_t i = 0; i < DUAL_LENGTH; i++)
		sum ^= data[i];
	if (sum != 0 || data[0] != DUAL_TOTAL)
		return false;
	for (size_t i = 2; i < 6; i++)
		out->number = out->number << 8 | data[i];
	out->bytes = 4;
	out->hf = data[1] == TYPE_ISO14443;
	out->lf = data[1] == TYPE_EM4100;
	return true;
}

bool sp_wiegand26(uint32_t bits, uint32_t *out)
{
	*out = bits >> 1 & 0xffffff;
	return bits >> 26 == 0 && !__builtin_parity(bits >> 13) && __builtin_parity(bits & 0x1fff);
}

static bool wiegand26(const uint8_t *data, size_t length, struct sp_frame_card *out)
{
	uint32_t bits = 0, number;
	unsigned shift = length == 26 ? 1 : 4;
	if (length != 26 && length != 7 && length != 8)
		return false;
	for (size_t i = 0; i < length; i++) {
		int digit = hex_digit(data[i]);
		if (digit < 0 || digit >> shift)
			return false;
		bits = bits << shift | (uint32_t)digit;
	}
	if (!sp_wiegand26(bits, &number))
		return false;
	out->number = number;
	out->bytes = 3;
	return true;
}

static enum sp_frame_result finish(struct sp_frame *frame, bool good, struct sp_frame_card *out)
{
	explicit_bzero(frame->data, sizeof(frame->data));
	frame->open = false;
	frame->length = 0;
	if (!good)
		explicit_bzero(out, sizeof(*out));
	return good ? SP_FRAME_CARD : SP_FRAME_BAD;
}

static size_t fixed_length(enum sp_frame_kind kind)
{
	return kind == SP_FRAME_RDM6300 ? RDM6300_LENGTH : DUAL_LENGTH;
}

/// A frame of known length: 02 and 03 stand at fixed places, and may stand within a binary one, too.
static enum sp_frame_result fixed(struct sp_frame *frame, uint8_t byte, struct sp_frame_card *out)
{
	size_t length = fixed_length(frame->kind);
	bool text = frame->kind == SP_FRAME_RDM6300;
	if (!frame->open || (text && byte == STX)) {
		enum sp_frame_result result = frame->open ? finish(frame, false, out) : SP_FRAME_MORE;
		frame->open = byte == STX;
		frame->length = 0;
		return result;
	}
	if (frame->length < length) {
		if (text && hex_digit(byte) < 0)
			return finish(frame, false, out);
		frame->data[frame->length++] = byte;
		return SP_FRAME_MORE;
	}
	return finish(frame, byte == ETX && (text ? rdm6300(frame->data, out) : dual(frame->data, out)), out);
}

static enum sp_frame_result line(struct sp_frame *frame, uint8_t byte, struct sp_frame_card *out)
{
	if (byte == STX || byte == ETX || byte == '\r' || byte == '\n') {
		bool empty = !frame->open;
		return empty ? SP_FRAME_MORE : finish(frame, wiegand26(frame->data, frame->length, out), out);
	}
	frame->open = true;
	// What is too long, or no digit, spoils the line to its end: it then has a length that no frame has.
	if (frame->length == sizeof(frame->data) || hex_digit(byte) < 0) {
		frame->length = 1;
		frame->data[0] = 'x';
	} else if (frame->length == 1 && frame->data[0] == 'x') {
		return SP_FRAME_MORE;
	} else {
		frame->data[frame->length++] = byte;
	}
	return SP_FRAME_MORE;
}

enum sp_frame_result sp_frame_byte(struct sp_frame *frame, uint8_t byte, int64_t now_us,
				   struct sp_frame_card *out)
{
	memset(out, 0, sizeof(*out));
	bool stale = frame->open && now_us - frame->last_us > STALE_US;
	frame->last_us = now_us;
	if (stale)
		finish(frame, false, out);
	enum sp_frame_result result =
	    frame->kind == SP_FRAME_WIEGAND26 ? line(frame, byte, out) : fixed(frame, byte, out);
	return stale && result == SP_FRAME_MORE ? SP_FRAME_BAD : result;
}
