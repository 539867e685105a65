// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Punches of ZKTeco terminals (zk_punch.h). The key's layout must never change: keys outlive their events in
// every board's journal.
#include "zk_punch.h"

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

enum sp_punch_direction sp_zk_direction(enum sp_direction_option option, bool status_is_direction,
					unsigned status)
{
	enum sp_punch_direction said = SP_PUNCH_UNKNOWN;
	// In, break-in, overtime-in; out, break-out, overtime-out.
	if (status_is_direction && (status == 0 || status == 3 || status == 4))
		said = SP_PUNCH_IN;
	else if (status_is_direction && (status == 1 || status == 2 || status == 5))
		said = SP_PUNCH_OUT;
	return sp_direction(option, said);
}

enum sp_punch_method sp_zk_method(enum sp_zk_verify codes, unsigned verify)
{
	static const enum sp_punch_method
	    v5[] = {[2] = SP_PUNCH_BY_PIN, [3] = SP_PUNCH_BY_PASSWORD, [4] = SP_PUNCH_BY_CARD},
	    old[] = {[0] = SP_PUNCH_BY_PASSWORD, [2] = SP_PUNCH_BY_CARD, [3] = SP_PUNCH_BY_PIN};
	switch (verify) {
	case 1:
		return SP_PUNCH_BY_FINGER;
	case 15:
		return SP_PUNCH_BY_FACE;
	case 21:
		return SP_PUNCH_BY_VEIN;
	case 25:
		return SP_PUNCH_BY_PALM;
	case 200:
		return SP_PUNCH_BY_OTHER;
	}
	if (codes == SP_ZK_VERIFY_V5 && verify < SP_COUNT(v5))
		return v5[verify];
	if (codes == SP_ZK_VERIFY_OLD && verify < SP_COUNT(old))
		return old[verify];
	return SP_PUNCH_BY_UNKNOWN;
}
