// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Linux' TCP: 20 bytes of options in SYN, 12 (timestamps) in all others (cost.h).
#include "cost.h"

#include <errno.h>

enum {
	IP4 = 20,
	IP6 = 40,
	SYN = 40,
	SEGMENT = 32,
	RESET = 20,
};

size_t sp_cost_connect(bool ipv6, int result)
{
	size_t ip = ipv6 ? IP6 : IP4;
	if (result == 0)
		return 2 * (ip + SYN) + 4 * (ip + SEGMENT);
	return result == -ECONNREFUSED ? 2 * ip + SYN + RESET : ip + SYN;
}
