// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Bytes of STAMP, the reflector's side (stamp_wire.h).
#include "tools/anchor/stamp_wire.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

enum {
	NTP_TO_UNIX_DAYS = 25567, ///< from 1900 to 1970
	// Of a sender's packet.
	IN_ERROR = 12,
	IN_SSID = 14,
	// Of a reflector's.
	OUT_TIME = 4,
	OUT_ERROR = 12,
	OUT_SSID = 14,
	OUT_RECEIVED = 16,
	OUT_SENDER = 24, ///< its sequence number, time and error: 14 bytes
	OUT_SENDER_MBZ = 38,
	OUT_TTL = 40,
	OUT_MBZ = 41,
	// TLVs: flags, type, length of two bytes.
	TLV_HEAD = 4,
	TLV_PADDING = 1,
	TLV_UNRECOGNISED = 0x80,
	TLV_MALFORMED = 0x40,
	TLV_OURS = TLV_UNRECOGNISED | TLV_MALFORMED,
	// Error Estimate.
	ERROR_SYNCED = 0x8000,
	ERROR_SCALE_MOST = 63,
};

uint64_t sp_stamp_time(int64_t seconds, int64_t nanoseconds)
{
	uint64_t whole = (uint64_t)(seconds + INT64_C(86400) * NTP_TO_UNIX_DAYS) & UINT32_MAX;
	return whole << 32 | ((uint64_t)nanoseconds << 32) / UINT64_C(1000000000);
}

uint16_t sp_stamp_error(int64_t error_us, int synced)
{
	// In units of 2^-32 s: Multiplier · 2^Scale.
	unsigned scale = 0;
	if (error_us < 0 || error_us > INT64_C(1000000) * INT32_MAX)
		return ERROR_SCALE_MOST << 8 | 0xff;
	uint64_t units = (((uint64_t)error_us << 16) / 1000000 + 1) << 16;
	while (units > 0xff) {
		units = (units + 1) >> 1;
		scale++;
	}
	return (uint16_t)((synced ? ERROR_SYNCED : 0) | scale << 8 | units);
}

uint16_t sp_stamp_ssid(const uint8_t *data, size_t length)
{
	if (length < SP_STAMP_BASE)
		return 0;
	return (uint16_t)(data[IN_SSID] << 8 | data[IN_SSID + 1]);
}

static void put32(uint8_t *at, uint32_t value)
{
	value = htobe32(value);
	memcpy(at, &value, sizeof(value));
}

static void put64(uint8_t *at, uint64_t value)
{
	value = htobe64(value);
	memcpy(at, &value, sizeof(value));
}

/// RFC 8972 §4: U where the type means nothing to us, M where the length cannot be, and then nothing more is
/// read. Type 0 is reserved: what begins so is the padding of a sender that knows no TLVs.
static void mark_tlvs(uint8_t *data, size_t length)
{
	size_t at = 0;
	while (length - at >= TLV_HEAD && data[at + 1] != 0) {
		uint8_t *tlv = data + at;
		size_t size = TLV_HEAD + (size_t)(tlv[2] << 8 | tlv[3]);
		tlv[0] &= (uint8_t)~TLV_OURS;
		if (size > length - at) {
			tlv[0] |= TLV_MALFORMED;
			return;
		}
		if (tlv[1] != TLV_PADDING)
			tlv[0] |= TLV_UNRECOGNISED;
		at += size;
	}
}

int sp_stamp_reflect(uint8_t *data, size_t length, const struct sp_stamp_reflection *with)
{
	uint8_t sender[IN_SSID], ssid[2] = {0};
	uint8_t out[SP_STAMP_BASE] = {0};
	if (length < SP_STAMP_LEAST)
		return -EBADMSG;
	memcpy(sender, data, sizeof(sender));
	if (length >= SP_STAMP_BASE)
		memcpy(ssid, data + IN_SSID, sizeof(ssid));
	put32(out, with->sequence);
	put64(out + OUT_TIME, with->sent);
	out[OUT_ERROR] = (uint8_t)(with->error >> 8);
	out[OUT_ERROR + 1] = (uint8_t)with->error;
	memcpy(out + OUT_SSID, ssid, sizeof(ssid));
	put64(out + OUT_RECEIVED, with->received);
	memcpy(out + OUT_SENDER, sender, sizeof(sender));
	out[OUT_TTL] = with->ttl;
	memcpy(data, out, length < sizeof(out) ? length : sizeof(out));
	if (length > SP_STAMP_BASE)
		mark_tlvs(data + SP_STAMP_BASE, length - SP_STAMP_BASE);
	return 0;
}
