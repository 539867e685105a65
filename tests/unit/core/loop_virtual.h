// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A loop on a virtual clock: time passes only when a test lets it. It is the process's clock
// source, too. Watches never fire by themselves.
#pragma once

#include "agent/core/loop.h"

/// Begins at 1000 s of monotonic time, not synchronised. Becomes the clock's source.
struct sp_loop *sp_loop_virtual_new(void);
void sp_loop_virtual_free(struct sp_loop *loop);
/// The monotonic time to begin at instead; before any timer was started.
void sp_loop_virtual_begin(struct sp_loop *loop, int64_t mono_us);
/// Runs everything that falls due within the next `ms`, in order.
void sp_loop_virtual_run(struct sp_loop *loop, int64_t ms);
/// Wall time at this moment; 0: not synchronised.
void sp_loop_virtual_wall(struct sp_loop *loop, int64_t wall_ms);
/// Timers and watches that are still open: a leak of somebody.
size_t sp_loop_virtual_open(struct sp_loop *loop);
