// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Hysteresis of device states: see health.h for the table.
#include "agent/core/health.h"

#include <limits.h>

static bool move(struct sp_health *health, enum sp_device_state state)
{
	bool changed = health->state != state;
	health->state = state;
	return changed;
}

bool sp_health_success(struct sp_health *health)
{
	health->failures = 0;
	if (health->successes < UINT_MAX)
		health->successes++;
	if (health->state == SP_DEVICE_UNKNOWN || health->successes >= SP_HEALTH_UP_AFTER)
		return move(health, SP_DEVICE_UP);
	return false;
}

bool sp_health_failure(struct sp_health *health)
{
	health->successes = 0;
	if (health->failures < UINT_MAX)
		health->failures++;
	if (health->failures >= SP_HEALTH_DOWN_AFTER)
		return move(health, SP_DEVICE_DOWN);
	if (health->failures >= SP_HEALTH_DEGRADED_AFTER && health->state == SP_DEVICE_UP)
		return move(health, SP_DEVICE_DEGRADED);
	return false;
}

bool sp_health_unmeasured(struct sp_health *health)
{
	health->failures = health->successes = 0;
	return move(health, SP_DEVICE_UNKNOWN);
}

const char *sp_device_state_name(enum sp_device_state state)
{
	switch (state) {
	case SP_DEVICE_UNKNOWN:
		return "unknown";
	case SP_DEVICE_UP:
		return "up";
	case SP_DEVICE_DEGRADED:
		return "degraded";
	case SP_DEVICE_DOWN:
		return "down";
	}
	return "unknown";
}
