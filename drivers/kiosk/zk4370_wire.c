// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// See the header.
#include "zk4370_wire.h"

#include <assert.h>
#include <string.h>

#include "civil_time.h"

static const uint8_t magic[4] = {0x50, 0x50, 0x82, 0x7d};

const enum sp_zk_command sp_zk_commands[] = {
    SP_ZK_CONNECT,  SP_ZK_EXIT,         SP_ZK_AUTHENTICATE, SP_ZK_OPTION,    SP_ZK_SIZES, SP_ZK_TIME,
    SP_ZK_FIRMWARE, SP_ZK_PREPARE_READ, SP_ZK_READ,         SP_ZK_FREE_READ, 0,
};

static void put16(uint8_t *out, uint32_t value)
{
	out[0] = (uint8_t)value;
	out[1] = (uint8_t)(value >> 8);
}

/// One's complement of the sum of 16-bit words, the checksum's own place zero.
static uint16_t checksum(const uint8_t *packet, size_t length)
{
	uint32_t sum = 0;
	for (size_t i = 0; i + 1 < length; i += 2)
		sum += sp_zk_u16(packet + i);
	if (length % 2)
		sum += packet[length - 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

size_t sp_zk_encode(uint8_t out[SP_ZK_QUESTION_MAX], bool framed, enum sp_zk_command command,
		    uint16_t connection, uint16_t reply, const void *data, size_t length)
{
	uint8_t *packet = framed ? out + SP_ZK_HEADER : out;
	size_t size = SP_ZK_HEADER + length;
	assert(length <= SP_ZK_QUESTION_MAX - 2 * SP_ZK_HEADER);
	put16(packet, command);
	put16(packet + 2, 0);
	put16(packet + 4, connection);
	put16(packet + 6, reply);
	if (length)
		memcpy(packet + SP_ZK_HEADER, data, length);
	put16(packet + 2, checksum(packet, size));
	if (!framed)
		return size;
	memcpy(out, magic, sizeof(magic));
	put16(out + 4, (uint32_t)size);
	put16(out + 6, 0);
	return SP_ZK_HEADER + size;
}

int sp_zk_decode(const uint8_t *data, size_t length, struct sp_zk_packet *out)
{
	if (length < SP_ZK_HEADER || length > SP_ZK_PACKET_MAX)
		return -EBADMSG;
	*out = (struct sp_zk_packet){
	    .command = (uint16_t)sp_zk_u16(data),
	    .connection = (uint16_t)sp_zk_u16(data + 4),
	    .reply = (uint16_t)sp_zk_u16(data + 6),
	    .data = data + SP_ZK_HEADER,
	    .length = length - SP_ZK_HEADER,
	};
	return 0;
}

uint8_t *sp_zk_stream_room(struct sp_zk_stream *stream, size_t *size)
{
	if (stream->taken) {
		stream->length -= stream->taken;
		memmove(stream->data, stream->data + stream->taken, stream->length);
		stream->taken = 0;
	}
	*size = sizeof(stream->data) - stream->length;
	return stream->data + stream->length;
}

void sp_zk_stream_got(struct sp_zk_stream *stream, size_t length)
{
	stream->length += length;
}

int sp_zk_stream_next(struct sp_zk_stream *stream, struct sp_zk_packet *out)
{
	const uint8_t *frame = stream->data + stream->taken;
	size_t have = stream->length - stream->taken;
	if (memcmp(frame, magic, have < sizeof(magic) ? have : sizeof(magic)) != 0)
		return -EBADMSG;
	if (have < SP_ZK_HEADER)
		return 0;
	uint32_t length = sp_zk_u32(frame + 4);
	if (length < SP_ZK_HEADER || length > SP_ZK_PACKET_MAX)
		return -EBADMSG;
	if (have < SP_ZK_HEADER + length)
		return 0;
	stream->taken += SP_ZK_HEADER + length;
	int result = sp_zk_decode(frame + SP_ZK_HEADER, length, out);
	return result < 0 ? result : 1;
}

void sp_zk_token(uint32_t key, uint16_t connection, uint8_t out[4])
{
	uint32_t reversed = 0;
	for (unsigned bit = 0; bit < 32; bit++)
		reversed |= (key >> bit & 1) << (31 - bit);
	reversed += connection;
	static const uint8_t word[4] = {'Z', 'K', 'S', 'O'};
	uint8_t mixed[4];
	for (unsigned i = 0; i < 4; i++)
		mixed[i] = (uint8_t)((reversed >> 8 * i) ^ word[i]);
	// The halves change places; 50 is what clients send for the tick count.
	const uint8_t ticks = 50;
	out[0] = mixed[2] ^ ticks;
	out[1] = mixed[3] ^ ticks;
	out[2] = ticks;
	out[3] = mixed[1] ^ ticks;
}

int sp_zk_time(uint32_t value, int64_t *local_s)
{
	uint32_t of_day = value % 86400, days = value / 86400;
	struct sp_civil civil = {
	    .year = (int)(days / 31 / 12) + 2000,
	    .month = (int)(days / 31 % 12) + 1,
	    .day = (int)(days % 31) + 1,
	    .hour = (int)(of_day / 3600),
	    .minute = (int)(of_day / 60 % 60),
	    .second = (int)(of_day % 60),
	};
	static const uint8_t month_days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = civil.year % 4 == 0 && (civil.year % 100 != 0 || civil.year % 400 == 0);
	if (civil.day > month_days[civil.month - 1] + (leap && civil.month == 2))
		return -ERANGE;
	*local_s = sp_civil_ms(&civil, 0) / 1000;
	return 0;
}

int sp_zk_sizes(const uint8_t *data, size_t length, struct sp_zk_sizes *out)
{
	enum { FIELDS = 20, USERS = 4, RECORDS = 8, CAPACITY = 16 };
	*out = (struct sp_zk_sizes){-1, -1, -1};
	if (length < FIELDS * 4)
		return -EBADMSG;
	int32_t *const fields[] = {&out->users, &out->records, &out->capacity};
	static const unsigned places[] = {USERS, RECORDS, CAPACITY};
	for (size_t i = 0; i < SP_COUNT(places); i++) {
		int32_t value = (int32_t)sp_zk_u32(data + 4 * places[i]);
		*fields[i] = value >= 0 ? value : -1;
	}
	return 0;
}
