// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The option `direction` (direction.h).
#include "direction.h"

enum sp_punch_direction sp_direction(enum sp_direction_option option, enum sp_punch_direction said)
{
	switch (option) {
	case SP_DIRECTION_AUTO:
		return said;
	case SP_DIRECTION_IN:
		return SP_PUNCH_IN;
	case SP_DIRECTION_OUT:
		return SP_PUNCH_OUT;
	case SP_DIRECTION_UNKNOWN:
		break;
	}
	return SP_PUNCH_UNKNOWN;
}
