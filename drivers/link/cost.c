// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Linux' TCP: 20 bytes of options in SYN, 12 (timestamps) in all others (cost.h).
#include "cost.h"

#include <errno.h>
#include <string.h>

#include "schoolpulse/io.h"

enum {
	IP4 = 20,
	IP6 = 40,
	SYN = 40,
	SEGMENT = 32,
	RESET = 20,
	PAYLOAD = 1400,       ///< of a full segment, with room for tunnels
	REQUEST_HEADER = 160, ///< method, Host, User-Agent, Accept
	ANSWER_HEADER = 400,
	NAME_LOOKUP = 2 * (45 + 110 + 2 * 28), ///< A and AAAA, each way
	TLS = 5500, ///< hellos, a chain of two or three certificates, finished, tickets
};

size_t sp_cost_connect(bool ipv6, int result)
{
	size_t ip = ipv6 ? IP6 : IP4;
	if (result == 0)
		return 2 * (ip + SYN) + 4 * (ip + SEGMENT);
	return result == -ECONNREFUSED ? 2 * ip + SYN + RESET : ip + SYN;
}

static size_t segments(size_t bytes, size_t ip)
{
	size_t count = (bytes + PAYLOAD - 1) / PAYLOAD;
	return bytes + 2 * count * (ip + SEGMENT); // each with its acknowledgement
}

size_t sp_cost_http(const struct sp_http_request *request, const struct sp_http_answer *answer)
{
	bool tls = strncmp(request->url, "https:", 6) == 0;
	// By name it may be either family: the dearer one.
	bool ipv6 = !request->resolve || strchr(request->resolve, ':');
	size_t ip = ipv6 ? IP6 : IP4, cost = request->resolve ? 0 : NAME_LOOKUP;
	if (answer->status == 0)
		return cost + sp_cost_connect(ipv6, answer->result ? answer->result : -ETIMEDOUT) +
		       (tls ? TLS / 2 : 0);
	cost += sp_cost_connect(ipv6, 0);
	cost += segments(REQUEST_HEADER + strlen(request->url), ip);
	cost += segments(ANSWER_HEADER + answer->length, ip);
	return cost + (tls ? segments(TLS, ip) : 0);
}
