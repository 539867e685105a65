// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Reads a capture file (pcap, microseconds, little-endian) out of memory: the corpus of the fuzzer and of the
// unit tests. Any bytes may stand in it.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct pcap_frame {
	int64_t time_us;
	const uint8_t *data;
	size_t kept, length; ///< length: as it was on the wire
};

/// Calls `fn` for each whole frame; returns how many.
size_t pcap_file_read(const uint8_t *file, size_t size, void (*fn)(const struct pcap_frame *frame, void *arg),
		      void *arg);
