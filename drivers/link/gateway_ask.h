// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Asking the first router itself, by ARP or neighbour discovery, instead of waiting for the kernel to do it.
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "schoolpulse/err.h"

struct sp_device;
struct sp_ask;

struct sp_ask_whom {
	uint32_t index;
	char interface[IF_NAMESIZE];
	int family; ///< of the address
	uint8_t address[16];
};

/// An answer came. `rtt_us` -1 when several questions were out: it does not say to which. May free the ask.
typedef void (*sp_ask_fn)(struct sp_device *dev, int64_t rtt_us, void *arg);

/// Listens for answers until freed: not longer than needed, since everybody on the link may talk to it. 0, or
/// -errno: -EPERM without CAP_NET_RAW, -EOPNOTSUPP where the link has no neighbours to be asked so.
int sp_ask_open(struct sp_device *dev, const struct sp_ask_whom *whom, sp_ask_fn fn, void *arg,
		struct sp_ask **out) SP_MUST_CHECK;
/// One question: to the router alone where its link address is known, or to all (`broad`). 0 or -errno.
int sp_ask_send(struct sp_ask *ask, bool broad) SP_MUST_CHECK;
void sp_ask_free(struct sp_ask *ask); ///< NULL is fine
