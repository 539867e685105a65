// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a speed driver is asked and what it tells. Such a driver is an ordinary one (driver.h, io.h) of the
// class SP_DRIVER_SPEED, with two differences: its rounds come from the core's scheduler of tests, not from
// an interval, and each round runs in a short-lived child process that has this one device and a loop of its
// own. So it may be as busy as the line is fast. A round is one test: poll() begins it, sp_speed_report()
// tells it, also a failed one, and sp_round_ok() or sp_round_failed() ends it.
//
// The driver measures and nothing else. Whether the line was busy, what the board's processor and port allow,
// what was bought and what the result is therefore worth (the validity label) is the core's to add.
#pragma once

#include "schoolpulse/io.h"

enum sp_speed_direction { SP_SPEED_DOWN, SP_SPEED_UP };
#define SP_SPEED_DIRECTIONS 2
/// Seconds of a curve that are kept.
#define SP_SPEED_CURVE 60

/// What this test may do.
struct sp_speed_order {
	bool wanted[SP_SPEED_DIRECTIONS];
	/// Most bytes of IP, both ways and both directions together, that the line's budget leaves: a test
	/// that reaches it stops there (reason "byte_limit"). 0: no limit but the device's own.
	int64_t max_bytes;
	/// Nobody asked for it just now: rules for unattended tests apply.
	bool unattended;
};
/// Of the round that runs.
const struct sp_speed_order *sp_speed_order(const struct sp_device *dev);

enum sp_speed_phase {
	SP_SPEED_PREPARE, ///< looking for a server
	SP_SPEED_IDLE,    ///< latency without load
	SP_SPEED_LOAD_DOWN,
	SP_SPEED_LOAD_UP,
};
/// For a person who watches, as often as there is something new (5 times a second is plenty): how much of
/// this phase is over, 0 … 1, and what moves now; `bps` < 0: nothing is counted in this phase. The core also
/// takes from it when a direction begins and ends: say 0 at the first byte of load and 1 at the last.
void sp_speed_progress(struct sp_device *dev, enum sp_speed_phase phase, double done, double bps);

/// Round trips in seconds; count 0: not measured. `p95` by nearest rank: one that was measured, no mean of
/// two. `jitter`: mean difference of consecutive ones.
struct sp_speed_latency {
	unsigned count;
	double min, median, p95, jitter;
};

enum sp_speed_outcome {
	SP_SPEED_NOT_DONE, ///< not wanted, or never reached
	SP_SPEED_WHOLE,    ///< measured as long as the method wants
	SP_SPEED_PARTIAL,  ///< ended early, but enough was seen to give a figure; `reason` says why
	SP_SPEED_FAILED,   ///< no figure; `reason` says why
	SP_SPEED_SKIPPED,  ///< the server had no capacity for us, or a rule forbids it now
};

/// One direction. Goodput is 8 · bytes / duration: payload of the transport (what iperf3 counts), after the
/// warm-up, as the receiver counted it where the method tells; no factor for overhead.
struct sp_speed_result {
	enum sp_speed_outcome outcome;
	/// A word of the feed's vocabulary (feed/README.md, speed tests); "" without. Copied, as all texts
	/// are.
	const char *reason;
	const char *text; ///< for people, English; may be NULL
	int64_t bytes;
	int64_t duration_us;
	int64_t warmup_us; ///< that was left out before
	unsigned streams;
	double retransmit_ratio;        ///< of bytes sent, by the sender's kernel; NAN: not known
	struct sp_speed_latency loaded; ///< while this direction was loaded
	double curve[SP_SPEED_CURVE];   ///< bit/s in each second since the load began, warm-up included
	unsigned curve_count;
};

struct sp_speed_report {
	const char *method; ///< "librespeed", "ndt7"
	const char *server; ///< host name or address as configured or found, no path and no token; NULL: none
	const char *address; ///< literal; NULL: none was reached
	enum sp_family family;
	const char *scope; ///< "domestic" or "international"
	struct sp_speed_latency idle;
	struct sp_speed_result results[SP_SPEED_DIRECTIONS];
	int64_t wire_bytes; ///< of IP, both ways, everything that the test sent and received
};

/// Once per round, before its end; also after a failure, with what there is.
void sp_speed_report(struct sp_device *dev, const struct sp_speed_report *report);
