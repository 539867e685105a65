// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// drivers/link/ping.h without sockets: a test says what becomes of each probe.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct sp_device;

struct fake_echo {
	// ---- the question
	unsigned ttl; ///< 0: the kernel's
	size_t size;  ///< of the IP packet
	// ---- what becomes of it
	int sent; ///< result of sp_ping_ask()
	bool answer;
	int64_t rtt_ms;      ///< beyond the timeout: late
	const char *refuse;  ///< a router's error instead, NULL
	const char *expired; ///< "time exceeded" from this address instead, NULL
	unsigned mtu;        ///< "packet too big" instead, 0
};

/// What sp_route_look() says: IPv4 and IPv6. An empty address: no route.
extern struct fake_route {
	const char *source;
	unsigned mtu;
} fake_routes[2];

/// Time goes on by so much before a probe is sent, as it does really; 0 at first.
extern int64_t fake_ping_takes_us;

/// Asked for each probe; `to` as text. Unset: everything is lost.
typedef void (*fake_echo_fn)(struct sp_device *dev, const char *to, struct fake_echo *out);

void fake_ping(fake_echo_fn fn, bool permitted);
/// A kernel with both families, 192.168.1.10 and 2001:db8:77::10, and Ethernet's MTU; fake_ping() calls it.
void fake_routes_reset(void);
/// Probes sent since fake_ping(), to that address or (NULL) to all.
unsigned fake_ping_count(const char *to);
