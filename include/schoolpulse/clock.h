// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The only way to ask what time it is. A board has no RTC: wall time is a claim with an
// error, monotonic time within one boot is the truth. The source can be replaced, so that a
// simulation runs a month in seconds.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum sp_clock_from {
	SP_CLOCK_KERNEL, ///< which says that it is disciplined (adjtimex, not STA_UNSYNC), and that can be
			 ///< true
	SP_CLOCK_HUB,    ///< the kernel says nothing, or what cannot be true: learnt from the hub's word
};

struct sp_clock_reading {
	int64_t mono_us;         ///< CLOCK_MONOTONIC_RAW, microseconds since boot
	bool synced;             ///< somebody stands for wall time
	enum sp_clock_from from; ///< who; meaningless while !synced
	bool doubted;            ///< the kernel stands for a time that cannot be true
	int64_t wall_ms;         ///< Unix time in milliseconds; a mere hint while !synced
	int64_t err_ms; ///< half-width of the interval that holds true time; meaningless while !synced
};

/// What it says is the truth: nobody judges it as the kernel's word is judged.
struct sp_clock_source {
	void (*read)(void *arg, struct sp_clock_reading *out);
	void *arg;
};

/// One consistent reading of both clocks. Thread-safe, never fails.
struct sp_clock_reading sp_clock_now(void);

/// The monotonic part alone, in microseconds.
int64_t sp_clock_mono_us(void);

/// Replaces the source for the whole process; NULL restores the kernel's. Call it before any
/// other thread runs. `source` must outlive its use.
void sp_clock_set_source(const struct sp_clock_source *source);
