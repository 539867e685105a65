// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a local client may ask: one line of JSON, at most 4 KiB. Pure, and fuzzed.
#pragma once

#include <stddef.h>

enum { SP_CONTROL_REQUEST_MAX = 4096, SP_CONTROL_NAME_MAX = 64 };

enum sp_control_command {
	SP_CONTROL_STATUS,
	SP_CONTROL_OUTAGES,
	SP_CONTROL_DRIVERS,
	SP_CONTROL_BUDGET,
};

enum { SP_CONTROL_COMMANDS = SP_CONTROL_BUDGET + 1 };

struct sp_control_request {
	enum sp_control_command command;
	char name[SP_CONTROL_NAME_MAX + 1]; ///< of a driver; "": all
};

/// {"cmd":"status"}, {"cmd":"drivers","name":"reach"}. 0, or -EINVAL with a line for people in `why`.
int sp_control_parse(struct sp_control_request *out, const char *line, size_t length, char why[160]);
