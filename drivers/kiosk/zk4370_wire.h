// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The ZK protocol of port 4370: packets, the frames that carry them over TCP, the token of a communication
// key, and the few answers that are no log. Sources: public notes on the protocol and open clients; no vendor
// document.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/err.h"

/// Every command that we can send. All of them ask; none changes anything in a terminal but its connection
/// and the buffer that it has set aside for our reading. There is no other place where a command's number is
/// chosen.
enum sp_zk_command {
	SP_ZK_CONNECT = 1000,
	SP_ZK_EXIT = 1001,
	SP_ZK_AUTHENTICATE = 1102,
	SP_ZK_OPTION = 11, ///< read one; 12 would write
	SP_ZK_SIZES = 50,
	SP_ZK_TIME = 201, ///< read; 202 would set
	SP_ZK_FIRMWARE = 1100,
	SP_ZK_PREPARE_READ = 1503,
	SP_ZK_READ = 1504,
	SP_ZK_FREE_READ = 1502,
};
extern const enum sp_zk_command sp_zk_commands[]; ///< ends with 0

enum {
	SP_ZK_ATTENDANCE = 13, ///< what 1503 is asked for
	SP_ZK_PREPARE_DATA = 1500,
	SP_ZK_DATA = 1501,
	SP_ZK_OK = 2000,
	SP_ZK_ERROR = 2001,
	SP_ZK_UNAUTHORISED = 2005,
	SP_ZK_EVENT = 500,
	SP_ZK_HEADER = 8, ///< of a packet, and of the frame around it
	SP_ZK_CHUNK_TCP = 0xffc0,
	SP_ZK_CHUNK_UDP = 1000, ///< one datagram: what is lost or doubled shows
	SP_ZK_PACKET_MAX = SP_ZK_HEADER + 0x10000,
	SP_ZK_QUESTION_MAX = 64,
};

struct sp_zk_packet {
	uint16_t command, connection, reply;
	const uint8_t *data;
	size_t length;
};

/// A packet of ours, in a frame if `framed` (TCP). Its length. The data are SP_ZK_QUESTION_MAX - 16 bytes at
/// most.
size_t sp_zk_encode(uint8_t out[SP_ZK_QUESTION_MAX], bool framed, enum sp_zk_command command,
		    uint16_t connection, uint16_t reply, const void *data, size_t length);
/// One without a frame: 0 or -EBADMSG. Its checksum is not looked at: terminals send wrong ones.
int sp_zk_decode(const uint8_t *data, size_t length, struct sp_zk_packet *out) SP_MUST_CHECK;

/// What comes over TCP, in any pieces. Zeroed to begin with; wipe it after use.
struct sp_zk_stream {
	size_t length, taken;
	uint8_t data[SP_ZK_HEADER + SP_ZK_PACKET_MAX];
};

/// Where the next bytes go, and how many may; never 0 while sp_zk_stream_next() is called after each.
uint8_t *sp_zk_stream_room(struct sp_zk_stream *stream, size_t *size);
void sp_zk_stream_got(struct sp_zk_stream *stream, size_t length);
/// The next packet, valid until the next room(). 1, 0: not whole yet, -EBADMSG: this is no such stream.
int sp_zk_stream_next(struct sp_zk_stream *stream, struct sp_zk_packet *out) SP_MUST_CHECK;

void sp_zk_token(uint32_t key, uint16_t connection, uint8_t out[4]);
/// Seconds since 1970 of the terminal's own dial; -ERANGE for 30 February and the like, or more than a day
/// has.
int sp_zk_time(uint32_t value, int64_t *local_s) SP_MUST_CHECK;

struct sp_zk_sizes {
	int32_t users, records, capacity; ///< -1: makes no sense
};
int sp_zk_sizes(const uint8_t *data, size_t length, struct sp_zk_sizes *out) SP_MUST_CHECK;

static inline uint32_t sp_zk_u16(const uint8_t *data)
{
	return (uint32_t)(data[0] | data[1] << 8);
}

static inline uint32_t sp_zk_u32(const uint8_t *data)
{
	return sp_zk_u16(data) | sp_zk_u16(data + 2) << 16;
}
