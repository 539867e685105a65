// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The driver contract. A driver owns one protocol and nothing else: the core owns schedule,
// jitter, deadline, back-off, the device's state and its hysteresis. Start from
// drivers/skeleton.c; drivers/README.md is the guide.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/err.h"

struct sp_device; ///< one configured instance of a driver; owned by the core (io.h)

enum sp_driver_class {
	SP_DRIVER_LINK,
	SP_DRIVER_SPEED,
	SP_DRIVER_GEAR,
	SP_DRIVER_KIOSK,
};

enum sp_maturity {
	SP_MATURITY_EXPERIMENTAL, ///< runs against a simulated peer
	SP_MATURITY_BETA,         ///< runs against a real peer program
	SP_MATURITY_STABLE,       ///< runs in schools
};

/// How a value is written in the file, and the C type that stands at `offset`.
enum sp_option_type {
	SP_OPTION_STRING,   ///< char *; min, max: length in bytes
	SP_OPTION_INT,      ///< int64_t; min, max: value
	SP_OPTION_DURATION, ///< int64_t milliseconds, written "300ms", "2s", "5min", "1h", "7d"; a bare
			    ///< number is refused
	SP_OPTION_SIZE,     ///< int64_t bytes, written "512", "64k", "16M", "1G" (powers of 1024)
	SP_OPTION_BOOL,     ///< bool, written yes/no, true/false, on/off
	SP_OPTION_ENUM,     ///< int: index into `choices`
	SP_OPTION_LIST,     ///< struct sp_strings, comma-separated; min, max: number of items
};

struct sp_strings {
	size_t count;
	char **items;
};

/// One row of an option table: parsing, --check-config, the docs and `schoolpulse drivers`
/// all read it. A table ends with a row whose key is NULL.
struct sp_option {
	const char *key;
	enum sp_option_type type;
	const char *def;     ///< as it would be written in the file; NULL: the key is mandatory
	int64_t min, max;    ///< both 0: no limit
	size_t offset;       ///< offsetof(struct x_conf, member)
	const char *choices; ///< SP_OPTION_ENUM: space-separated words
	const char *help;    ///< one sentence, starts with a capital, no full stop
};

enum sp_metric_kind {
	SP_METRIC_GAUGE,   ///< summarised per window as count, min, mean, max
	SP_METRIC_COUNTER, ///< monotonic; summarised as the last value
};

/// One row of a metric table; ends with a row whose name is NULL. The unit is part of the
/// name ("rtt_seconds") and repeated here for the docs.
struct sp_metric {
	const char *name;
	const char *unit;
	enum sp_metric_kind kind;
	const char *help;
};

/// All of it const and static. No static mutable data in a driver: two devices are two
/// instances of `state_size` zeroed bytes each.
struct sp_driver {
	const char *name; ///< the section's first word: [name "instance"]
	const char *summary;
	enum sp_driver_class cls;
	enum sp_maturity maturity;
	const struct sp_option *options; ///< may be NULL
	const struct sp_metric *metrics; ///< may be NULL
	size_t conf_size;                ///< parsed from `options`, const after start
	size_t state_size;
	int64_t interval_ms; ///< default time between rounds; 0: no rounds, events only
	int64_t deadline_ms; ///< a round that has not ended by then has failed: the core says so

	/// SP_DRIVER_SPEED only. A test takes no more bytes of IP than this at `mbps` (the faster of both
	/// directions), whatever happens: it is what the line's budget sets aside. And for unattended tests a
	/// method may demand a pace of its own, exponential intervals of that mean between least and most,
	/// instead of the windows of the configuration; 0: the windows.
	int64_t (*worst_bytes)(const void *conf, double mbps);
	struct sp_pace {
		int64_t mean_s, least_s, most_s;
	} pace;

	/// Looks at parsed options for what a table cannot say; called by --check-config and before start,
	/// once every key could be read.
	/// Writes what is wrong to `why` and the key that it concerns to `key`. 0 or -EINVAL. May be NULL.
	int (*check)(const void *conf, const char **key, char *why, size_t size);
	/// Allocates what the device needs. 0 or -errno; the core retries with back-off. May not block.
	/// sp_round_failed(dev, "start", …) before a failure says more than an errno: which file, which port.
	int (*start)(struct sp_device *dev) SP_MUST_CHECK;
	/// Begins one round, never blocks, never exits. The round ends with sp_round_ok() or
	/// sp_round_failed(), now or later; a late end, after the deadline, is ignored. NULL when
	/// interval_ms is 0. Called earlier than the interval when the line is suspected
	/// (sp_line_suspect), never while a round is under way.
	void (*poll)(struct sp_device *dev);
	/// Frees everything; safe after a failed start. Timers, watches and exchanges that are
	/// still open are closed by the core afterwards.
	void (*stop)(struct sp_device *dev);
};

/// Every driver that this build knows, in the order of the docs; ends with NULL. drivers/registry.c.
extern const struct sp_driver *const sp_driver_registry[];
