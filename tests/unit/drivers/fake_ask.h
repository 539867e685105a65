// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// drivers/link/gateway_ask.h without sockets: a test says who answers.
#pragma once

#include <stdbool.h>
#include <stdint.h>

extern struct fake_asks {
	int open_result; ///< -EPERM: nobody may ask
	int send_result;
	bool answers4, answers6; ///< the routers speak ARP, NDP
	bool broad_only;         ///< the link address that the kernel knows is an old one
	int64_t rtt_ms;
	unsigned opened, sent, broad, open; ///< `open`: not freed yet
} fake_asks;

/// Not permitted, as for an agent without CAP_NET_RAW.
void fake_ask_reset(void);
