// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A device's state from the outcomes of its rounds, with hysteresis. Pure.
//
//   unknown  until the first answer, or three failures in a row
//   up       on the first answer from unknown; from anything worse after 2 answers in a row
//   degraded after 2 failures in a row while up
//   down     after 3 failures in a row
#pragma once

#include <stdbool.h>

enum sp_device_state {
	SP_DEVICE_UNKNOWN,
	SP_DEVICE_UP,
	SP_DEVICE_DEGRADED,
	SP_DEVICE_DOWN,
};

enum { SP_HEALTH_DEGRADED_AFTER = 2, SP_HEALTH_DOWN_AFTER = 3, SP_HEALTH_UP_AFTER = 2 };

struct sp_health {
	enum sp_device_state state;
	unsigned failures, successes; ///< in a row
};

/// Each returns true when the state changed.
bool sp_health_success(struct sp_health *health);
bool sp_health_failure(struct sp_health *health);
/// Nothing can be said of it now; the next success or failures count afresh.
bool sp_health_unmeasured(struct sp_health *health);
/// "up", "degraded", "down", "unknown"
const char *sp_device_state_name(enum sp_device_state state);
