// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html
#include "pcap_file.h"

enum { FILE_HEADER = 24, FRAME_HEADER = 16 };

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

size_t pcap_file_read(const uint8_t *file, size_t size, void (*fn)(const struct pcap_frame *frame, void *arg),
		      void *arg)
{
	size_t count = 0;
	for (size_t at = FILE_HEADER; at <= size && size - at >= FRAME_HEADER;) {
		const uint8_t *header = file + at;
		struct pcap_frame frame = {.time_us = (int64_t)get32(header) * 1000000 + get32(header + 4),
					   .data = header + FRAME_HEADER,
					   .kept = get32(header + 8),
					   .length = get32(header + 12)};
		at += FRAME_HEADER;
		if (frame.kept > size - at)
			break;
		at += frame.kept;
		fn(&frame, arg);
		count++;
	}
	return count;
}
