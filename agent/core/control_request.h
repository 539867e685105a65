// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a local client may ask: one line of JSON, at most 4 KiB. Pure, and fuzzed.
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { SP_CONTROL_REQUEST_MAX = 4096, SP_CONTROL_NAME_MAX = 64 };

enum sp_control_command {
	SP_CONTROL_STATUS,
	SP_CONTROL_OUTAGES,
	SP_CONTROL_DRIVERS,
	SP_CONTROL_BUDGET,
	SP_CONTROL_KIOSKS,
	SP_CONTROL_SPEEDTEST,  ///< do one: lines follow
	SP_CONTROL_SPEEDTESTS, ///< those that were done
};

enum { SP_CONTROL_COMMANDS = SP_CONTROL_SPEEDTESTS + 1 };

enum sp_control_direction { SP_CONTROL_BOTH, SP_CONTROL_DOWN, SP_CONTROL_UP };

struct sp_control_request {
	enum sp_control_command command;
	char name[SP_CONTROL_NAME_MAX +
		  1]; ///< of a driver, "": all; of the device that tests, "": the only one
	// Of SP_CONTROL_SPEEDTEST:
	char line[SP_CONTROL_NAME_MAX + 1]; ///< ""; whichever
	enum sp_control_direction direction;
	bool force; ///< also while the line is in use
};

/// {"cmd":"status"}, {"cmd":"drivers","name":"reach"},
/// {"cmd":"speedtest","name":"neo","line":"main","direction":"down","force":true}. 0, or -EINVAL with a line
/// for people in `why`.
int sp_control_parse(struct sp_control_request *out, const char *line, size_t length, char why[160]);
