// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Any datagram at the STAMP reflector: never a longer answer, never a byte beyond the packet, and the
// sender's own words come back to him.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tools/anchor/stamp_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct sp_stamp_reflection with = {7, 8, 9, 0x8001, 64};
	uint8_t *packet = malloc(size + 1);
	memcpy(packet, data, size);
	packet[size] = 0x5a;
	uint16_t ssid = sp_stamp_ssid(packet, size);
	int result = sp_stamp_reflect(packet, size, &with);
	if (packet[size] != 0x5a || (result == 0) != (size >= SP_STAMP_LEAST))
		abort();
	if (result == 0 && (memcmp(packet + 24, data, 14) != 0 || sp_stamp_ssid(packet, size) != ssid))
		abort();
	// Behind the base packet only the flags of TLVs may differ.
	for (size_t i = SP_STAMP_BASE; result == 0 && i < size; i++) {
		if ((packet[i] ^ data[i]) & 0x3f)
			abort();
	}
	free(packet);
	return 0;
}
