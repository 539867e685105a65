// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the tests of devices share: a driver that does what its script says, and a bench of devices on a
// virtual clock with what they reported.
#pragma once

#include "agent/core/device.h"
#include "tests/unit/core/loop_virtual.h"
#include "tests/unit/core/recorder_list.h"

struct script {
	const char
	    *rounds; ///< one letter per round: o ok, f fail, d late ok, s silent for ever; the last repeats
	int start_failures;
	bool leave_open; ///< timers that stop() does not free
	// what happened
	int starts, stops, polls;
	int64_t polled_at[4096];
	int late_ends;
};

struct conf {
	struct script *script;
};

struct script *script_of(const struct sp_device *dev);
/// Its devices' configuration is a `struct conf`, its deadline 3 s.
struct sp_driver scripted_driver(enum sp_driver_class cls, int64_t interval_ms);

struct bench {
	struct sp_loop *loop;
	struct recorder_list records;
	struct sp_devices *devices;
	struct sp_rung_report last_report;
	int reports;
	int64_t last_max_age_us;
};

/// What chance says on every bench; bench_begin() sets it to 0.5.
extern double bench_chance;

struct bench *bench_begin(void);
/// Stops and frees everything, and asserts that nothing is left open on the loop.
void bench_end(struct bench *bench);
/// A device on the line "main", if it is a link, else on none.
struct sp_device *bench_add(struct bench *bench, const struct sp_driver *driver, const struct conf *conf,
			    const char *name);
/// Of the first device.
enum sp_device_state bench_state(const struct bench *bench);
