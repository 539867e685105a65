// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Handshakes and DNS questions under way: matched by a hash with a random key of this run, so that no
// address is kept, and forgotten within seconds. Of fixed size, whatever comes.
#pragma once

#include <stdint.h>

#include "capture_frame.h"
#include "capture_line.h"

enum sp_way { SP_WAY_OTHER, SP_WAY_DOWN, SP_WAY_UP };

struct sp_flows;

/// `key`: 16 random bytes. NULL when there is no memory.
struct sp_flows *sp_flows_new(const uint8_t key[16]);
void sp_flows_free(struct sp_flows *flows);

/// One more frame, captured at `time_us`; round trips that it completes go to `out`.
void sp_flows_frame(struct sp_flows *flows, const struct sp_frame *frame, enum sp_way way, int64_t time_us,
		    struct sp_capture_second *out);
/// Forgets what has waited too long, and counts the questions among it.
void sp_flows_sweep(struct sp_flows *flows, int64_t time_us, struct sp_capture_second *out);

/// SipHash-2-4 (Aumasson, Bernstein 2012).
uint64_t sp_flows_hash(const uint8_t key[16], const uint8_t *data, size_t length);
