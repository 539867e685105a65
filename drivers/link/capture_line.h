// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What schoolpulse-capture tells the agent: one line of counts per second, and nothing of what was counted.
// Printing and reading, pure functions; the reader believes nothing.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SP_HISTOGRAM_BUCKETS = 288, ///< from 64 µs to 16.8 s, sixteen to each doubling: 6 % wide
	SP_HISTOGRAM_MOST = 20000,  ///< values that one holds; later ones are not counted
	SP_CAPTURE_LINE_MAX = 8000,
};

/// Times in microseconds.
struct sp_histogram {
	int64_t count;
	uint32_t buckets[SP_HISTOGRAM_BUCKETS];
};

void sp_histogram_add(struct sp_histogram *histogram, int64_t value_us);
void sp_histogram_merge(struct sp_histogram *into, const struct sp_histogram *from);
/// The value below which `share` (0 to 1) of all lie, in seconds, within 3 %; NAN of an empty one.
double sp_histogram_seconds(const struct sp_histogram *histogram, double share);

struct sp_capture_second {
	int64_t duration_us;
	int64_t down_bytes, up_bytes, other_bytes;          ///< of Ethernet frames, without their checksums
	int64_t frames, broadcast_frames, multicast_frames; ///< frames: all of them
	int64_t kernel_drops;                               ///< no room in our ring
	int64_t interface_drops;                            ///< the interface lost them before anybody looked
	int64_t dns_unanswered;
	struct sp_histogram outside, inside,
	    dns; ///< handshakes beyond us, handshakes on our side, DNS answers
};

/// Without a line break. Its length; 0 when it does not fit.
size_t sp_capture_print(const struct sp_capture_second *second, char *out, size_t size);
/// 0, or -EBADMSG when the line is not exactly what sp_capture_print() may have made.
int sp_capture_read(const char *line, size_t length, struct sp_capture_second *out);

/// Frames that were lost, of all that were there: 0 to 1.
double sp_capture_loss(const struct sp_capture_second *second);

/// How schoolpulse-capture ends by itself.
enum sp_capture_exit {
	SP_CAPTURE_USAGE = 2,
	SP_CAPTURE_NO_PERMISSION,
	SP_CAPTURE_NO_INTERFACE,
	SP_CAPTURE_DOWN,         ///< the interface is switched off, or has just gone
	SP_CAPTURE_NOT_ETHERNET, ///< a tunnel, a PPP link, loopback on some systems
	SP_CAPTURE_NOT_LOCKED,   ///< rights or filter could not be had as they must be: it refuses to read
	SP_CAPTURE_FAILED,
};
