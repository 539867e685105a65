// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// `schoolpulse speedtest`: asks for a test, shows how it goes, and what came of it.
#pragma once

#include <stdbool.h>

struct sp_speedtest_arguments {
	const char *socket;
	const char *device, *line; ///< NULL: whichever
	bool down, up;             ///< neither: both
	bool force, json;
};

/// The exit status: 0 measured; 1 failed, skipped or refused; 3 the agent is not there.
int sp_speedtest_run(const struct sp_speedtest_arguments *arguments);
