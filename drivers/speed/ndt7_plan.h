// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What ndt7 prescribes in numbers (spec v0.11.0): sizes of messages, and when a direction is over and what
// that is worth. Pure functions.
#pragma once

#include "schoolpulse/speed.h"

enum {
	SP_NDT7_MESSAGE_FIRST = 1 << 13,
	SP_NDT7_MESSAGE_SENT = 1 << 20, ///< where growing stops, as in the reference's code
	SP_NDT7_MESSAGE_MOST = 1 << 24, ///< that must be accepted
};

/// Of the test, in microseconds; the protocol's own where a test of ours does not want it shorter.
struct sp_ndt7_times {
	int64_t setup_us;   ///< for name, connection, TLS and upgrade
	int64_t down_us;    ///< a download ends by then, whatever the server does
	int64_t up_us;      ///< so long we send
	int64_t drain_us;   ///< and so long we wait for the server's last word
	int64_t stall_us;   ///< nothing moved for so long
	int64_t update_us;  ///< between two messages of ours
	int64_t nominal_us; ///< a connection that breaks off after that has done its work
	int64_t agreed_us;  ///< and one that the server closes properly, after that
	int64_t least_us;   ///< less gives no figure
};
extern const struct sp_ndt7_times sp_ndt7_times_standard;
/// The same for tests of `total_us` instead of ten seconds; limits on silence stay.
struct sp_ndt7_times sp_ndt7_times_scaled(int64_t total_us);

/// The next message's size after one of `size`, with `sent` bytes sent in all.
int64_t sp_ndt7_message_next(int64_t size, int64_t sent);

enum sp_ndt7_end {
	SP_NDT7_RUNNING,
	SP_NDT7_TIME,   ///< as long as we wanted
	SP_NDT7_AGREED, ///< the server said that it is over
	SP_NDT7_BROKEN, ///< end of file or reset
	SP_NDT7_STALLED,
	SP_NDT7_LIMIT, ///< of bytes
	SP_NDT7_CANCELLED,
	SP_NDT7_PROTOCOL, ///< what came was no ndt7
};
/// What a direction that ended so after `elapsed_us` with `bytes` is worth, and the feed's word for it.
enum sp_speed_outcome sp_ndt7_worth(const struct sp_ndt7_times *times, enum sp_ndt7_end end,
				    int64_t elapsed_us, int64_t bytes, const char **reason);

/// Most bytes of IP of one test at `mbps`, both directions, with all that may go wrong before.
int64_t sp_ndt7_worst_bytes(double mbps, int64_t byte_limit);
