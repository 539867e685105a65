// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Bytes of STAMP, the sender's side (stamp_wire.h).
#include "stamp_wire.h"

#include <endian.h>
#include <string.h>

enum {
	LEAST = 41, ///< to the sender's TTL
	// Of what we send.
	TIME = 4,
	ESTIMATE = 12,
	SSID = 14,
	// Of what comes back, beside those.
	RECEIVED = 16,
	OUR_SEQUENCE = 24,
	OUR_TIME = 28,
	// Error Estimate: S, Z, six bits of Scale, eight of Multiplier.
	SYNCED = 0x8000,
	PTP = 0x4000,
	SCALE_SHIFT = 8,
	SCALE_MOST = 63,
	MULTIPLIER_MOST = 0xff,
};
static const double UNITS = 4294967296.0; ///< of a fraction, in a second

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;
	memcpy(&value, at, sizeof(value));
	return be32toh(value);
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	value = htobe32(value);
	memcpy(at, &value, sizeof(value));
}

/// PTP's lower half counts nanoseconds: made a fraction, too.
static uint64_t get_time(const uint8_t *at, bool ptp)
{
	uint64_t seconds = get32(at), below = get32(at + 4);
	if (ptp)
		below = below < 1000000000 ? (below << 32) / 1000000000 : UINT32_MAX;
	return seconds << 32 | below;
}

uint16_t sp_stamp_estimate(int64_t error_us)
{
	unsigned scale = 0;
	if (error_us < 0)
		return SCALE_MOST << SCALE_SHIFT | MULTIPLIER_MOST;
	double units = (double)error_us / 1e6 * UNITS + 1;
	while (units > MULTIPLIER_MOST && scale < SCALE_MOST) {
		units /= 2;
		scale++;
	}
	unsigned multiplier = (unsigned)units + 1; // never less than it is
	if (multiplier > MULTIPLIER_MOST)
		multiplier = MULTIPLIER_MOST;
	return (uint16_t)(SYNCED | scale << SCALE_SHIFT | multiplier);
}

static struct sp_stamp_clock read_estimate(uint16_t estimate)
{
	struct sp_stamp_clock clock = {.synced = estimate & SYNCED, .ptp = estimate & PTP};
	clock.error = (estimate & MULTIPLIER_MOST) / UNITS;
	for (unsigned scale = estimate >> SCALE_SHIFT & SCALE_MOST; scale > 0; scale--)
		clock.error *= 2;
	if ((estimate & MULTIPLIER_MOST) == 0) // forbidden: it says nothing
		clock.synced = false;
	return clock;
}

void sp_stamp_encode(uint8_t out[SP_STAMP_PACKET], uint32_t sequence, uint64_t time, uint16_t estimate,
		     uint16_t ssid)
{
	memset(out, 0, SP_STAMP_PACKET);
	put32(out, sequence);
	put32(out + TIME, (uint32_t)(time >> 32));
	put32(out + TIME + 4, (uint32_t)time);
	put16(out + ESTIMATE, estimate);
	put16(out + SSID, ssid);
}

int sp_stamp_parse(const uint8_t *data, size_t length, struct sp_stamp_answer *out)
{
	if (length < LEAST)
		return -EBADMSG;
	out->sequence = get32(data);
	out->clock = read_estimate(get16(data + ESTIMATE));
	out->sent = get_time(data + TIME, out->clock.ptp);
	out->ssid = get16(data + SSID);
	out->received = get_time(data + RECEIVED, out->clock.ptp);
	out->our_sequence = get32(data + OUR_SEQUENCE);
	out->our_time = get_time(data + OUR_TIME, false);
	return 0;
}

double sp_stamp_between(uint64_t from, uint64_t to)
{
	return (double)(int64_t)(to - from) / UNITS;
}
