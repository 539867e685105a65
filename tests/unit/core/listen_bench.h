// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Devices that listen on the real loop, and plain sockets that play kiosks, all in one thread; the clock can
// be put forward.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/core/device.h"

/// What a device does with requests, and what it saw.
struct gate {
	struct sp_device *dev;
	struct sp_http_listener *listener;
	const char *prefix;        ///< claims paths that begin so; NULL: what nobody wants
	const char *reply_in_head; ///< claim() answers with this
	size_t pause_after;        ///< pieces; 0: never
	bool answer_at_once;       ///< else a test does by `last`
	size_t reply_after;        ///< bytes of body; 0: never
	// ---- seen
	unsigned claims, begins, wholes, gones;
	size_t pieces, bytes;
	uint32_t sum; ///< over the bytes in their order
	struct sp_http_inbound *last;
	char method[16], path[128], query[64], peer[64];
};

extern struct sp_loop *listen_loop;
extern struct sp_devices *listen_devices;
extern struct gate gates[2];
extern int64_t ahead_us; ///< the clock's lead
extern bool clock_synced;

int listen_set_up(void **state);
int listen_tear_down(void **state);
#define LISTEN_TEST(name) cmocka_unit_test_setup_teardown(name, listen_set_up, listen_tear_down)

/// gates[which] listens; returns errno, 0 when it does.
int gate_listen(unsigned which, const struct sp_http_listener_config *config);
/// Both gates on one port of loopback that is free; returns it.
uint16_t gates_listen(void);
void gate_reply(struct gate *gate, unsigned status, const char *text);

/// A connection from 127.0.0.`host`.
int dial_from(unsigned host, uint16_t port);
/// The loop's turns.
void turns(int count);
/// All of it, as fast as it is taken; false when it was not taken within `patience` turns. `*sent` may be
/// NULL.
bool pour(int fd, const char *data, size_t length, int patience, size_t *sent);
void say(int fd, const char *text);
/// Reads until `wanted` came (true) or the peer hung up (false); NULL: until it hung up. Fails after 30 s.
bool hear(int fd, char *out, size_t size, const char *wanted);
/// One request from 127.0.0.1, answered and closed by the peer. To be used at once.
const char *ask(uint16_t port, const char *request);
void has(const char *answer, const char *status, const char *part);
/// Over bytes in their order.
uint32_t sum_of(uint32_t sum, const void *data, size_t length);
