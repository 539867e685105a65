// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Device instances: one configured driver each. The core owns schedule, jitter, deadline, back-off
// and state; the driver owns the protocol.
//
// Schedule: a round every `interval` ± 10 %, counted from the beginning of the last one; the
// first within a second for link drivers, within ten for the rest. A round that has not ended by
// the driver's deadline has failed with "timeout". A failed start is tried again after 1 s, doubled up
// to 5 min, with half to full jitter. Rounds of failing gear are spaced out, doubling from the third
// failure in a row up to 10 min; link and kiosk drivers keep their pace, because the end of an outage must be
// seen as fast as its beginning.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/core/health.h"
#include "agent/core/loop.h"
#include "agent/core/recorder.h"
#include "agent/core/samples.h"
#include "schoolpulse/driver.h"
#include "schoolpulse/io.h"
#include "schoolpulse/speed.h"

struct sp_devices;    ///< all of them
struct sp_attendance; ///< attendance/attendance.h

/// Keys that every device section may have beside its driver's own.
struct sp_device_common {
	char *line; ///< name of a [line "…"] section; "" for gear
	int64_t interval_ms;
	bool enabled;
};

/// "link", "speed", "gear", "kiosk": as the feed has it.
const char *sp_driver_class_name(enum sp_driver_class cls);

struct sp_devices_config {
	struct sp_loop *loop;
	struct sp_recorder *recorder;
	/// A device saw something of its line; `max_age_us`: when the report is to be forgotten unless
	/// repeated, 0: never. May be NULL.
	void (*rung)(void *arg, const char *line, const char *device, const struct sp_rung_report *report,
		     int64_t max_age_us);
	/// A device saw a loss on its line. May be NULL.
	void (*suspect)(void *arg, const char *line);
	/// io.h: sp_egress_report(), sp_line_load(), sp_line_spent(), sp_line_frugal(), sp_line_usable().
	/// Each may be NULL.
	void (*egress)(void *arg, const char *line, const char *device, const struct sp_egress *egress);
	void (*load)(void *arg, const char *line, const char *device, bool loading, int64_t since_us);
	void (*spent)(void *arg, const char *line, enum sp_spending what, int64_t bytes);
	bool (*frugal)(void *arg, const char *line);
	bool (*usable)(void *arg, const char *line);
	/// io.h: sp_line_traffic(). May be NULL.
	void (*traffic)(void *arg, const char *line, const struct sp_traffic *traffic);
	/// kiosk.h. NULL: no event of a kiosk is taken.
	struct sp_attendance *attendance;
	/// speed.h, in the process that tests: what sp_speed_order() answers, and who is told. May be NULL.
	const struct sp_speed_order *order;
	void (*speed_progress)(void *arg, enum sp_speed_phase phase, double done, double bps);
	void (*speed_report)(void *arg, const struct sp_speed_report *report);
	/// A round of sp_devices_round() is over; `reason` and `text` are "" when it went well.
	void (*round)(void *arg, const char *device, bool ok, const char *reason, const char *text);
	const char *board_root; ///< of struct sp_board_root, for sp_answer(); NULL: ""
	void *arg;
	double (*random)(void); ///< in [0, 1); NULL: sp_random_unit
};

struct sp_devices *sp_devices_new(const struct sp_devices_config *config);
/// After sp_devices_stop(). NULL is fine.
void sp_devices_free(struct sp_devices *devices);

/// `name` and `common` are copied; `conf` (the driver's parsed options) must outlive the devices.
struct sp_device *sp_devices_add(struct sp_devices *devices, const struct sp_driver *driver, const char *name,
				 const struct sp_device_common *common, const void *conf);
/// Starts what is enabled; failures are retried.
void sp_devices_start(struct sp_devices *devices);
/// Stops every driver and closes what it left open. No callback of a device runs afterwards.
void sp_devices_stop(struct sp_devices *devices);

/// Every waiting device of that line begins a round now; at most once per 3 s and line.
void sp_devices_burst(struct sp_devices *devices, const char *line);
/// The first device begins a round now, also when its driver has no interval: how a speed test is begun. 0,
/// or -EAGAIN when it has not started.
int sp_devices_round(struct sp_devices *devices) SP_MUST_CHECK;
/// Every enabled device's measurements.
typedef void (*sp_devices_window_fn)(void *arg, const char *name, const char *line,
				     const struct sp_driver *driver, struct sp_samples *samples);
void sp_devices_windows(struct sp_devices *devices, sp_devices_window_fn fn, void *arg);

/// For the status.
struct sp_device_view {
	const char *name, *line;
	const struct sp_driver *driver;
	enum sp_device_state state;
	const char *reason, *text; ///< of the last failure while not up; "" otherwise
	int64_t since_us;          ///< when the state began, monotonic
	int64_t rounds, failed, overdue;
	int64_t interval_ms;
	bool enabled, started;
	const struct sp_samples *samples;
};

size_t sp_devices_count(const struct sp_devices *devices);
void sp_devices_view(const struct sp_devices *devices, size_t index, struct sp_device_view *out);
