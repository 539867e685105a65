// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// speed.h: what a speed driver is asked and what it tells, passed on to whoever runs the test.
#include "schoolpulse/speed.h"

#include "agent/core/device_priv.h"

const struct sp_speed_order *sp_speed_order(const struct sp_device *dev)
{
	static const struct sp_speed_order both = {.wanted = {true, true}, .unattended = true};
	const struct sp_speed_order *order = dev->set->config.order;
	return order ? order : &both;
}

void sp_speed_progress(struct sp_device *dev, enum sp_speed_phase phase, double done, double bps)
{
	const struct sp_devices_config *config = &dev->set->config;
	if (config->speed_progress && dev->phase == SP_PHASE_ROUND)
		config->speed_progress(config->arg, phase, done, bps);
}

void sp_speed_report(struct sp_device *dev, const struct sp_speed_report *report)
{
	const struct sp_devices_config *config = &dev->set->config;
	if (config->speed_report && dev->phase == SP_PHASE_ROUND)
		config->speed_report(config->arg, report);
}
