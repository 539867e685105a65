// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Any bytes as what a raw or a ping socket of either family might deliver.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/link/icmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const uint8_t *data, size_t size, bool ipv6)
{
	struct sp_icmp_message message;
	sp_icmp_parse(data, size, ipv6, &message);
	if (message.kind == SP_ICMP_REPLY &&
	    (size < SP_ICMP_PROBE || message.size != size || !message.has_cookie))
		abort();
	// Only a router that asks for smaller packets has a size to name.
	if (message.kind != SP_ICMP_TOO_BIG && message.mtu != 0)
		abort();
	if (!ipv6 && message.mtu > UINT16_MAX)
		abort();
	if (!sp_icmp_error_text(ipv6, message.kind, message.code))
		abort();
	memset(&message, 0, sizeof(message));
	if (sp_icmp_parse_quoted(data, size, ipv6, &message) && message.has_cookie != (size >= SP_ICMP_PROBE))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	look(data, size, false);
	look(data, size, true);
	const uint8_t *inner = data;
	size_t length = size;
	if (sp_icmp_strip_ipv4(&inner, &length)) {
		if (inner < data || inner + length > data + size)
			abort();
		look(inner, length, false);
	}
	return 0;
}
