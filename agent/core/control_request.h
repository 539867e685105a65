// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a local client may ask: one line of JSON, at most 24 KiB (a key back-up). Pure, and fuzzed.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/kiosk.h"

enum {
	SP_CONTROL_REQUEST_MAX = 24 * 1024,
	SP_CONTROL_NAME_MAX = 64,
	SP_CONTROL_KEY = 32,
	SP_CONTROL_CODE_MAX = 255,
	SP_CONTROL_BLOB_MAX = 16 * 1024,
};

enum sp_control_command {
	SP_CONTROL_STATUS,
	SP_CONTROL_OUTAGES,
	SP_CONTROL_DRIVERS,
	SP_CONTROL_BUDGET,
	SP_CONTROL_KIOSKS,
	SP_CONTROL_SPEEDTEST,  ///< do one: lines follow
	SP_CONTROL_SPEEDTESTS, ///< those that were done
	SP_CONTROL_EXPORT,     ///< what is held of a person
	SP_CONTROL_FORGET,
	SP_CONTROL_REMEMBER,
	SP_CONTROL_KEYS,      ///< how they are
	SP_CONTROL_KEYS_CODE, ///< a new recovery code's public half
	SP_CONTROL_KEYS_RESTORE,
};

enum { SP_CONTROL_COMMANDS = SP_CONTROL_KEYS_RESTORE + 1 };

enum sp_control_direction { SP_CONTROL_BOTH, SP_CONTROL_DOWN, SP_CONTROL_UP };

struct sp_control_request {
	enum sp_control_command command;
	char name[SP_CONTROL_NAME_MAX +
		  1]; ///< of a driver, "": all; of the device that tests, "": the only one
	// Of SP_CONTROL_SPEEDTEST:
	char line[SP_CONTROL_NAME_MAX + 1]; ///< ""; whichever
	enum sp_control_direction direction;
	bool force; ///< also while the line is in use
	// Of SP_CONTROL_EXPORT, FORGET and REMEMBER:
	enum sp_person_kind kind;
	char person[SP_CONTROL_CODE_MAX + 1]; ///< as it was typed
	bool once;
	// Of SP_CONTROL_KEYS_CODE and KEYS_RESTORE:
	uint8_t key[SP_CONTROL_KEY];
	char code[SP_CONTROL_CODE_MAX + 1], blob[SP_CONTROL_BLOB_MAX + 1];
};

/// {"cmd":"status"}, {"cmd":"drivers","name":"reach"},
/// {"cmd":"speedtest","name":"neo","line":"main","direction":"down","force":true}. 0, or -EINVAL with a line
/// for people in `why`. Persons and codes may be in it: wipe it, and the line.
int sp_control_parse(struct sp_control_request *out, const char *line, size_t length, char why[160]);
