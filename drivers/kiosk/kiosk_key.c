// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The layout must never change: keys outlive their events in every board's journal.
#include "kiosk_key.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

size_t sp_zk_punch_key(uint8_t out[SP_PUNCH_KEY_MAX], const char *serial, const char *pin, size_t pin_length,
		       int64_t local_s, unsigned status, unsigned verify)
{
	size_t length = strnlen(serial, SP_ZK_SERIAL_MAX + 1);
	if (!length || length > SP_ZK_SERIAL_MAX || !pin_length || pin_length > SP_PERSON_MAX)
		return 0;
	for (const char *c = serial; *c; c++)
		if (*c <= ' ' || *c > '~')
			return 0;
	// No part but the last may hold a line break, so no two punches share a text.
	int head = snprintf((char *)out, SP_PUNCH_KEY_MAX, "zk1\n%s\n%" PRId64 "\n%u\n%u\n", serial, local_s,
			    status, verify);
	if (head < 0 || (size_t)head + pin_length > SP_PUNCH_KEY_MAX)
		return 0;
	memcpy(out + head, pin, pin_length);
	return (size_t)head + pin_length;
}
