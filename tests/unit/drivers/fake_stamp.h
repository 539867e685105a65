// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// drivers/link/stamp_socket.h without sockets: a reflector with a clock of its own, and a way to it on which
// a test decides what becomes of each packet.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sp_device;

struct fake_packet {
	bool lost_forward, lost_backward;
	int64_t forward_us, backward_us; ///< 10 ms each at first
};

/// `number` counts the packets since fake_stamp().
typedef void (*fake_packet_fn)(unsigned number, struct fake_packet *out);

struct fake_reflector {
	bool stateless, refuses;
	int open_error, send_error; ///< of the socket
	int64_t offset_us;          ///< its clock ahead of ours
	uint16_t estimate;          ///< its Error Estimate
	bool old;                   ///< knows no SSID
	/// Bends an answer on its way; may be NULL.
	void (*bend)(unsigned number, uint8_t *data, size_t *length);
	unsigned copies; ///< of each answer, the first included; 0 is 1
	unsigned sent, sessions;
};
extern struct fake_reflector fake_reflector;

/// Resets everything; NULL: nothing is ever lost.
void fake_stamp(struct sp_device *dev, fake_packet_fn fn);
