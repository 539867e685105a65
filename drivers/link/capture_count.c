// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Directions by MAC or by network, and what the wire carried of frames that the system has joined.
#include "capture_count.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int sp_capture_mac(const char *text, uint8_t out[SP_FRAME_MAC])
{
	unsigned byte[SP_FRAME_MAC];
	int end = 0;
	if (strlen(text) != 17 || strspn(text, "0123456789abcdefABCDEF:") != 17 ||
	    sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &byte[0], &byte[1], &byte[2], &byte[3], &byte[4],
		   &byte[5], &end) != SP_FRAME_MAC ||
	    end != 17)
		return -EINVAL;
	for (size_t i = 0; i < SP_FRAME_MAC; i++)
		out[i] = (uint8_t)byte[i];
	return (out[0] & 1) ? -EINVAL : 0; // a group has no router
}

int sp_capture_prefix_parse(const char *text, struct sp_capture_prefix *out)
{
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	if (!slash || (size_t)(slash - text) >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	*out = (struct sp_capture_prefix){0};
	unsigned most;
	if (inet_pton(AF_INET, address, out->address) == 1) {
		out->version = 4;
		most = 32;
	} else if (inet_pton(AF_INET6, address, out->address) == 1) {
		out->version = 6;
		most = 128;
	} else {
		return -EINVAL;
	}
	size_t digits = strspn(slash + 1, "0123456789");
	if (digits == 0 || digits > 3 || slash[1 + digits] != '\0')
		return -EINVAL;
	out->bits = (unsigned)atoi(slash + 1);
	return out->bits <= most ? 0 : -EINVAL;
}

static bool within(const struct sp_capture_prefix *prefix, const uint8_t *address)
{
	size_t bytes = prefix->bits / 8;
	unsigned rest = prefix->bits % 8;
	if (memcmp(prefix->address, address, bytes) != 0)
		return false;
	return rest == 0 || ((prefix->address[bytes] ^ address[bytes]) >> (8 - rest)) == 0;
}

static bool is_inside(const struct sp_capture_sides *sides, unsigned version, const uint8_t *address)
{
	for (size_t i = 0; i < sides->prefix_count; i++)
		if (sides->inside[i].version == version && within(&sides->inside[i], address))
			return true;
	return false;
}

static bool is_router(const struct sp_capture_sides *sides, const uint8_t *mac)
{
	for (size_t i = 0; i < sides->mac_count; i++)
		if (memcmp(sides->macs[i], mac, SP_FRAME_MAC) == 0)
			return true;
	return false;
}

enum sp_way sp_capture_way(const struct sp_capture_sides *sides, const struct sp_frame *frame)
{
	bool from, to;
	if (sides->prefix_count > 0) {
		if (frame->version == 0)
			return SP_WAY_OTHER;
		from = is_inside(sides, frame->version, frame->source);
		to = is_inside(sides, frame->version, frame->dest);
		// What is meant for all stays where it is.
		if (frame->cast != SP_FRAME_UNICAST && from)
			return SP_WAY_OTHER;
	} else {
		from = is_router(sides, frame->source_mac) == sides->wan;
		to = is_router(sides, frame->dest_mac) == sides->wan;
	}
	return from == to ? SP_WAY_OTHER : from ? SP_WAY_UP : SP_WAY_DOWN;
}

/// A receiver that joins segments (GRO), or a sender that has not yet cut them (TSO), shows one frame larger
/// than the wire's: the headers of the others are added. Of TCP with time stamps, as nearly all of it is.
static void unjoin(const struct sp_frame *frame, size_t length, unsigned mtu, int64_t *bytes, int64_t *frames)
{
	*bytes = (int64_t)length;
	*frames = 1;
	size_t headers = frame->carries == 4 ? 52 : 72, link = frame->link_bytes;
	if (frame->carries == 0 || mtu <= 2 * headers || length <= link + mtu)
		return;
	size_t each = mtu - headers, payload = length - link - headers;
	int64_t segments = (int64_t)((payload + each - 1) / each);
	*frames = segments;
	*bytes += (segments - 1) * (int64_t)(link + headers);
}

void sp_capture_count(const struct sp_capture_sides *sides, struct sp_flows *flows, const uint8_t *data,
		      size_t kept, size_t length, unsigned mtu, int64_t time_us,
		      struct sp_capture_second *out)
{
	struct sp_frame frame;
	if (!sp_frame_parse(data, kept, &frame)) {
		out->frames++;
		out->other_bytes += (int64_t)length;
		return;
	}
	enum sp_way way = sp_capture_way(sides, &frame);
	int64_t bytes, frames;
	unjoin(&frame, length, mtu, &bytes, &frames);
	out->frames += frames;
	switch (way) {
	case SP_WAY_OTHER:
		out->other_bytes += bytes;
		break;
	case SP_WAY_DOWN:
		out->down_bytes += bytes;
		break;
	case SP_WAY_UP:
		out->up_bytes += bytes;
		break;
	}
	if (frame.cast == SP_FRAME_BROADCAST)
		out->broadcast_frames += frames;
	else if (frame.cast == SP_FRAME_MULTICAST)
		out->multicast_frames += frames;
	sp_flows_frame(flows, &frame, way, time_us, out);
}
