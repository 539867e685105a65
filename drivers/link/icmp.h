// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// ICMP and ICMPv6 echo as pure functions over bytes (RFC 792, RFC 4443). A probe carries a random
// cookie, so that neither another program's reply nor a forged one passes for an answer to ours.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SP_ICMP_COOKIE = 4,                 ///< with identifier and sequence 64 bits to guess
	SP_ICMP_PROBE = 8 + SP_ICMP_COOKIE, ///< at least; with the IP header 32 bytes (IPv4), 52 (IPv6)
	SP_ICMP_MOST = 1480,                ///< so that with the IPv4 header it fills 1500 bytes
};

struct sp_icmp_echo {
	uint16_t id, seq; ///< host order
	uint8_t cookie[SP_ICMP_COOKIE];
};

enum sp_icmp_kind {
	SP_ICMP_OTHER, ///< nothing that concerns a probe, or broken
	SP_ICMP_REPLY,
	SP_ICMP_UNREACHABLE,
	SP_ICMP_EXPIRED, ///< the hop limit: time exceeded in transit
	SP_ICMP_TOO_BIG, ///< fragmentation needed, packet too big
};

struct sp_icmp_message {
	enum sp_icmp_kind kind;
	uint8_t code;
	struct sp_icmp_echo echo; ///< the reply's, or that of our probe as an error quotes it
	bool has_cookie;          ///< errors may quote as little as 8 bytes of ICMP
	size_t size;              ///< of a reply, ICMP header included
	uint32_t mtu;             ///< of "too big"; 0: the router did not say
	uint8_t target[16];       ///< an error's: where our probe was going; 4 bytes of it for IPv4
};

/// The echo request, `size` bytes from SP_ICMP_PROBE to SP_ICMP_MOST, zeros behind the cookie. The IPv6
/// checksum is left 0: the kernel fills it in.
void sp_icmp_encode(uint8_t *out, size_t size, bool ipv6, const struct sp_icmp_echo *echo);

/// An ICMP message without its IP header, as a ping socket or a raw IPv6 socket gives it. Of IPv4 the
/// checksum is verified; of IPv6 the kernel has done it.
void sp_icmp_parse(const uint8_t *data, size_t length, bool ipv6, struct sp_icmp_message *out);

/// Cuts the IPv4 header off what a raw socket gives. False when it is no whole IPv4 ICMP packet.
bool sp_icmp_strip_ipv4(const uint8_t **data, size_t *length);

/// The echo request that an error quotes, from its ICMP header on (what the socket's error queue holds).
/// False when it is not an echo request.
bool sp_icmp_parse_quoted(const uint8_t *data, size_t length, bool ipv6, struct sp_icmp_message *out);

/// What an ICMP type and code are to us.
enum sp_icmp_kind sp_icmp_kind_of(bool ipv6, uint8_t type, uint8_t code);

/// "host unreachable", "filtered", … for people.
const char *sp_icmp_error_text(bool ipv6, enum sp_icmp_kind kind, uint8_t code);

uint16_t sp_icmp_checksum(const uint8_t *data, size_t length);
