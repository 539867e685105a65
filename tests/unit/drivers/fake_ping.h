// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// drivers/link/ping.h without sockets: a test says what becomes of each probe.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct sp_device;

struct fake_echo {
	int sent; ///< result of sp_ping_send()
	bool answer;
	int64_t rtt_ms;     ///< beyond the timeout: late
	const char *refuse; ///< a router's error instead, NULL
};

/// Asked for each probe; `to` as text. Unset: everything is lost.
typedef void (*fake_echo_fn)(struct sp_device *dev, const char *to, struct fake_echo *out);

void fake_ping(fake_echo_fn fn, bool permitted);
/// Probes sent since fake_ping(), to that address or (NULL) to all.
unsigned fake_ping_count(const char *to);
