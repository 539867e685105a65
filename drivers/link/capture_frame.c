// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Ethernet (IEEE 802.3, 802.1Q), PPPoE sessions (RFC 2516), IPv4 (RFC 791), IPv6 (RFC 8200), TCP (RFC 9293),
// UDP, DNS (RFC 1035).
#include "capture_frame.h"

#include <string.h>

enum {
	ETHERNET = 14,
	TAG = 4,
	TAGS_MAX = 2,
	PPPOE = 8, ///< with PPP's protocol field
	TYPE_IPV4 = 0x0800,
	TYPE_IPV6 = 0x86dd,
	TYPE_VLAN = 0x8100,
	TYPE_QINQ = 0x88a8,
	TYPE_PPPOE = 0x8864,
	PPP_IPV4 = 0x0021,
	PPP_IPV6 = 0x0057,
	IPV4 = 20,
	IPV6 = 40,
	TCP_READ = 14, ///< as far as the flags
	UDP_READ = 12, ///< the header, and DNS's id and flags
	PROTOCOL_HOP_BY_HOP = 0,
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	PROTOCOL_DEST_OPTIONS = 60,
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_ACK = 0x10,
	DNS_RESPONSE = 0x80,
};

struct bytes {
	const uint8_t *at;
	size_t left;
};

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static bool skip(struct bytes *bytes, size_t count)
{
	if (bytes->left < count)
		return false;
	bytes->at += count;
	bytes->left -= count;
	return true;
}

static enum sp_frame_cast cast_of(const uint8_t *mac)
{
	static const uint8_t all[SP_FRAME_MAC] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	if (memcmp(mac, all, sizeof(all)) == 0)
		return SP_FRAME_BROADCAST;
	return (mac[0] & 1) ? SP_FRAME_MULTICAST : SP_FRAME_UNICAST;
}

/// `payload`: bytes behind IP's header by its own word.
static void read_tcp(struct bytes bytes, size_t payload, struct sp_frame *out)
{
	if (bytes.left < TCP_READ)
		return;
	unsigned flags = bytes.at[13] & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK);
	size_t header = (size_t)(bytes.at[12] >> 4) * 4;
	if (flags == TCP_SYN)
		out->kind = SP_FRAME_SYN;
	else if (flags == (TCP_SYN | TCP_ACK))
		out->kind = SP_FRAME_SYN_ACK;
	else if (flags == TCP_ACK && payload == header)
		out->kind = SP_FRAME_ACK;
	else
		return;
	out->source_port = get16(bytes.at);
	out->dest_port = get16(bytes.at + 2);
	out->seq = get32(bytes.at + 4);
	out->ack = get32(bytes.at + 8);
}

static void read_udp(struct bytes bytes, struct sp_frame *out)
{
	if (bytes.left < UDP_READ)
		return;
	bool answer = (bytes.at[10] & DNS_RESPONSE) != 0;
	uint16_t source = get16(bytes.at), dest = get16(bytes.at + 2);
	if (dest == SP_FRAME_DNS_PORT && !answer)
		out->kind = SP_FRAME_DNS_QUERY;
	else if (source == SP_FRAME_DNS_PORT && answer)
		out->kind = SP_FRAME_DNS_ANSWER;
	else
		return;
	out->source_port = source;
	out->dest_port = dest;
	out->id = get16(bytes.at + 8);
}

static void read_transport(struct bytes bytes, unsigned protocol, size_t payload, struct sp_frame *out)
{
	if (protocol == PROTOCOL_TCP)
		read_tcp(bytes, payload, out);
	else if (protocol == PROTOCOL_UDP)
		read_udp(bytes, out);
}

static void read_ipv4(struct bytes bytes, struct sp_frame *out)
{
	if (bytes.left < IPV4 || bytes.at[0] >> 4 != 4)
		return;
	out->version = 4;
	out->source = bytes.at + 12;
	out->dest = bytes.at + 16;
	size_t header = (size_t)(bytes.at[0] & 0x0f) * 4, total = get16(bytes.at + 2);
	bool later_fragment = (get16(bytes.at + 6) & 0x1fff) != 0;
	unsigned protocol = bytes.at[9];
	if (header < IPV4 || total < header || later_fragment || !skip(&bytes, header))
		return;
	read_transport(bytes, protocol, total - header, out);
}

static void read_ipv6(struct bytes bytes, struct sp_frame *out)
{
	if (bytes.left < IPV6 || bytes.at[0] >> 4 != 6)
		return;
	out->version = 6;
	out->source = bytes.at + 8;
	out->dest = bytes.at + 24;
	size_t payload = get16(bytes.at + 4);
	unsigned protocol = bytes.at[6];
	skip(&bytes, IPV6);
	// One header of options, as multicast or a probe may have; whoever has more is not measured.
	if (protocol == PROTOCOL_HOP_BY_HOP || protocol == PROTOCOL_DEST_OPTIONS) {
		if (bytes.left < 2)
			return;
		size_t options = ((size_t)bytes.at[1] + 1) * 8;
		protocol = bytes.at[0];
		if (payload < options || !skip(&bytes, options))
			return;
		payload -= options;
	}
	read_transport(bytes, protocol, payload, out);
}

bool sp_frame_parse(const uint8_t *data, size_t length, struct sp_frame *out)
{
	*out = (struct sp_frame){0};
	if (length < ETHERNET)
		return false;
	struct bytes bytes = {data, length < SP_FRAME_HEADERS ? length : SP_FRAME_HEADERS};
	out->dest_mac = data;
	out->source_mac = data + SP_FRAME_MAC;
	out->cast = cast_of(data);
	uint16_t type = get16(data + 12);
	skip(&bytes, ETHERNET);
	for (int tags = 0; tags < TAGS_MAX && (type == TYPE_VLAN || type == TYPE_QINQ); tags++) {
		if (bytes.left < TAG)
			break;
		type = get16(bytes.at + 2);
		skip(&bytes, TAG);
	}
	if (type == TYPE_PPPOE && bytes.left >= PPPOE) {
		uint16_t protocol = get16(bytes.at + 6);
		type = protocol == PPP_IPV4 ? TYPE_IPV4 : protocol == PPP_IPV6 ? TYPE_IPV6 : 0;
		skip(&bytes, PPPOE);
	}
	out->link_bytes = (size_t)(bytes.at - data);
	out->carries = type == TYPE_IPV4 ? 4 : type == TYPE_IPV6 ? 6 : 0;
	if (type == TYPE_IPV4)
		read_ipv4(bytes, out);
	else if (type == TYPE_IPV6)
		read_ipv6(bytes, out);
	return true;
}
