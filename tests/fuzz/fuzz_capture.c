// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Any capture file as what passes an interface: all that schoolpulse-capture does with frames, and the line
// that it prints, which the agent must be able to read.
#include <stdlib.h>
#include <string.h>

#include "drivers/link/capture_count.h"
#include "tests/unit/drivers/pcap_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct sp_capture_sides sides[2];
	struct sp_flows *flows;
	struct sp_capture_second out;
};

static void one(const struct pcap_frame *frame, void *arg)
{
	struct world *world = arg;
	// In memory of exactly that size.
	uint8_t *copy = malloc(frame->kept + 1);
	memcpy(copy, frame->data, frame->kept);
	for (size_t i = 0; i < 2; i++)
		sp_capture_count(&world->sides[i], world->flows, copy, frame->kept, frame->length,
				 (unsigned)frame->kept % 3 * 750, frame->time_us, &world->out);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[16] = {1, 2, 3};
	struct world world = {.flows = sp_flows_new(key)};
	world.sides[0].mac_count = 1;
	world.sides[1].prefix_count = 1;
	if (!world.flows || sp_capture_mac("00:00:5e:00:53:01", world.sides[0].macs[0]) ||
	    sp_capture_prefix_parse("10.0.0.0/8", &world.sides[1].inside[0]))
		abort();
	pcap_file_read(data, size, one, &world);
	sp_flows_sweep(world.flows, INT64_C(1) << 53, &world.out);
	sp_flows_free(world.flows);
	world.out.duration_us = 1;
	char line[SP_CAPTURE_LINE_MAX];
	struct sp_capture_second again;
	size_t length = sp_capture_print(&world.out, line, sizeof(line));
	if (length == 0 || sp_capture_read(line, length, &again) ||
	    memcmp(&again, &world.out, sizeof(again)) != 0)
		abort();
	return 0;
}
