// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the first bytes of an Ethernet frame say: who sends it to whom, and whether it is a step of a TCP
// handshake or a DNS question or answer. A pure function over hostile bytes; it never looks at payload.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sp_frame_kind {
	SP_FRAME_OTHER,
	SP_FRAME_SYN,
	SP_FRAME_SYN_ACK,
	SP_FRAME_ACK, ///< without payload: it may be the third of a handshake
	SP_FRAME_DNS_QUERY,
	SP_FRAME_DNS_ANSWER,
};

enum sp_frame_cast { SP_FRAME_UNICAST, SP_FRAME_MULTICAST, SP_FRAME_BROADCAST };

enum {
	/// Ethernet, two VLAN tags, PPPoE, IPv4 or IPv6 with options, and what is read of TCP: no frame is
	/// looked at beyond.
	SP_FRAME_HEADERS = 128,
	SP_FRAME_MAC = 6,
	SP_FRAME_DNS_PORT = 53,
};

struct sp_frame {
	enum sp_frame_kind kind;
	enum sp_frame_cast cast;
	const uint8_t *source_mac, *dest_mac; ///< into the frame
	unsigned carries;                     ///< 4 or 6: it says that IP of that version follows; else 0
	unsigned version;                     ///< the same, but 0 when cut off before the addresses
	const uint8_t *source, *dest;         ///< addresses, 4 or 16 bytes; NULL unless `version`
	size_t link_bytes;                    ///< before IP's header, or what stands in its place
	uint16_t source_port, dest_port;      ///< unless OTHER
	uint16_t id;                          ///< of DNS
	uint32_t seq, ack;                    ///< of TCP
};

/// False when the bytes are no Ethernet header.
bool sp_frame_parse(const uint8_t *data, size_t length, struct sp_frame *out);
