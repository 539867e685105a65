// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The process that does one speed test: the same program, the same configuration, one device, one round. It
// says on its standard output what it does (line.h) and is gone.
#pragma once

#include "agent/core/agent/agent.h"

/// `device` names an instance of a speed driver, `order` is the agent's line. Returns an exit code.
enum sp_agent_exit sp_speed_child_run(const struct sp_settings *settings, const char *device,
				      const char *order);
/// Says instead that no test is done, and why.
void sp_speed_child_refuse(const char *text);
