// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Echo requests, replies and the errors that quote them (icmp.h).
#include "icmp.h"

#include <string.h>

enum {
	V4_REPLY = 0,
	V4_UNREACHABLE = 3,
	V4_REQUEST = 8,
	V4_EXPIRED = 11,
	V4_FRAGMENT = 4, // code of unreachable
	V6_UNREACHABLE = 1,
	V6_TOO_BIG = 2,
	V6_EXPIRED = 3,
	V6_REQUEST = 128,
	V6_REPLY = 129,
	HEADER = 8, // of ICMP, echo and errors alike
	V6_HEADER = 40,
	PROTOCOL_ICMP = 1,
	PROTOCOL_ICMP6 = 58,
};

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

uint16_t sp_icmp_checksum(const uint8_t *data, size_t length)
{
	uint32_t sum = 0;
	for (size_t i = 0; i + 1 < length; i += 2) {
		sum += get16(data + i);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	if (length & 1)
		sum += (uint32_t)data[length - 1] << 8;
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

void sp_icmp_encode(uint8_t *out, size_t size, bool ipv6, const struct sp_icmp_echo *echo)
{
	memset(out, 0, size);
	out[0] = ipv6 ? V6_REQUEST : V4_REQUEST;
	put16(out + 4, echo->id);
	put16(out + 6, echo->seq);
	memcpy(out + HEADER, echo->cookie, SP_ICMP_COOKIE);
	if (!ipv6)
		put16(out + 2, sp_icmp_checksum(out, size));
}

static void get_echo(const uint8_t *data, size_t length, struct sp_icmp_message *out)
{
	out->echo.id = get16(data + 4);
	out->echo.seq = get16(data + 6);
	out->has_cookie = length >= SP_ICMP_PROBE;
	if (out->has_cookie)
		memcpy(out->echo.cookie, data + HEADER, SP_ICMP_COOKIE);
}

bool sp_icmp_parse_quoted(const uint8_t *data, size_t length, bool ipv6, struct sp_icmp_message *out)
{
	if (length < HEADER || data[0] != (ipv6 ? V6_REQUEST : V4_REQUEST) || data[1] != 0)
		return false;
	get_echo(data, length, out);
	return true;
}

/// The packet inside an error: its IP header, then as much of our probe as fitted.
static bool parse_quoted_packet(const uint8_t *data, size_t length, bool ipv6, struct sp_icmp_message *out)
{
	size_t header = V6_HEADER;
	if (ipv6) {
		if (length < header || data[0] >> 4 != 6 || data[6] != PROTOCOL_ICMP6)
			return false;
		memcpy(out->target, data + 24, 16);
	} else {
		if (length < 20 || data[0] >> 4 != 4 || data[9] != PROTOCOL_ICMP)
			return false;
		header = (size_t)(data[0] & 15) * 4;
		if (header < 20 || header > length)
			return false;
		memcpy(out->target, data + 16, 4);
	}
	return sp_icmp_parse_quoted(data + header, length - header, ipv6, out);
}

enum sp_icmp_kind sp_icmp_kind_of(bool ipv6, uint8_t type, uint8_t code)
{
	if (type == (ipv6 ? V6_REPLY : V4_REPLY))
		return SP_ICMP_REPLY;
	if (ipv6 ? type == V6_TOO_BIG : type == V4_UNREACHABLE && code == V4_FRAGMENT)
		return SP_ICMP_TOO_BIG;
	if (type == (ipv6 ? V6_UNREACHABLE : V4_UNREACHABLE))
		return SP_ICMP_UNREACHABLE;
	// Code 1 is a reassembly that took too long: no hop limit.
	if (type == (ipv6 ? V6_EXPIRED : V4_EXPIRED) && code == 0)
		return SP_ICMP_EXPIRED;
	return SP_ICMP_OTHER;
}

void sp_icmp_parse(const uint8_t *data, size_t length, bool ipv6, struct sp_icmp_message *out)
{
	memset(out, 0, sizeof(*out));
	if (length < HEADER || (!ipv6 && sp_icmp_checksum(data, length) != 0))
		return;
	enum sp_icmp_kind kind = sp_icmp_kind_of(ipv6, data[0], data[1]);
	out->code = data[1];
	if (kind == SP_ICMP_REPLY) {
		get_echo(data, length, out);
		out->size = length;
		if (out->code == 0 && length >= SP_ICMP_PROBE)
			out->kind = kind;
	} else if (kind != SP_ICMP_OTHER) {
		if (!parse_quoted_packet(data + HEADER, length - HEADER, ipv6, out))
			return;
		out->kind = kind;
		if (kind == SP_ICMP_TOO_BIG)
			out->mtu = (ipv6 ? (uint32_t)get16(data + 4) << 16 : 0) | get16(data + 6);
	}
}

bool sp_icmp_strip_ipv4(const uint8_t **data, size_t *length)
{
	const uint8_t *packet = *data;
	if (*length < 20 || packet[0] >> 4 != 4 || packet[9] != PROTOCOL_ICMP)
		return false;
	size_t header = (size_t)(packet[0] & 15) * 4, total = get16(packet + 2);
	if (header < 20 || header > total || total > *length)
		return false;
	*data = packet + header;
	*length = total - header;
	return true;
}

const char *sp_icmp_error_text(bool ipv6, enum sp_icmp_kind kind, uint8_t code)
{
	static const char *const v4[] = {
	    [0] = "network unreachable", [1] = "host unreachable", [2] = "protocol unreachable",
	    [3] = "port unreachable",    [6] = "network unknown",  [7] = "host unknown",
	    [9] = "network prohibited",  [10] = "host prohibited", [13] = "filtered",
	};
	static const char *const v6[] = {
	    "no route",         "prohibited",
	    "beyond scope",     "address unreachable",
	    "port unreachable", "source address rejected",
	    "route rejected",
	};
	if (kind == SP_ICMP_EXPIRED)
		return "hop limit exceeded";
	if (kind == SP_ICMP_TOO_BIG)
		return "packet too big";
	const char *text = NULL;
	if (ipv6 && code < sizeof(v6) / sizeof(v6[0]))
		text = v6[code];
	else if (!ipv6 && code < sizeof(v4) / sizeof(v4[0]))
		text = v4[code];
	return text ? text : "unreachable";
}
