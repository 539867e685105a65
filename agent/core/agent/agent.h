// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The agent as a whole: puts the parts together, runs the loop, takes it apart again.
#pragma once

#include "agent/core/settings.h"

enum sp_agent_exit {
	SP_EXIT_CLEAN = 0,
	SP_EXIT_CONFIG = 1, ///< the configuration has mistakes
	SP_EXIT_USAGE = 2,  ///< the command line has
	SP_EXIT_START = 3,  ///< the folder, its lock or a thread could not be had
};

/// Runs until SIGTERM or SIGINT, which the caller has blocked in the whole process. Once begun, no
/// trouble of disk, broker or devices ends it. `drivers` ends with NULL. Returns an exit code.
enum sp_agent_exit sp_agent_run(struct sp_settings *settings, const struct sp_driver *const *drivers);
