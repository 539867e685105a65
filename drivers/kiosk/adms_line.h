// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The lines of an ATTLOG or OPERLOG upload out of a body that comes in pieces of any size, in constant
// memory. What is private is dropped here, unread: of ATTLOG everything behind the fourth field (temperature,
// mask, position, identity document), of OPERLOG every line that is not OPLOG (names, cards, passwords,
// templates, pictures) and the operator.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SP_ADMS_LINE_MAX = 160, SP_ADMS_PIN_MAX = 64, SP_ADMS_NOT_GIVEN = 255 };

/// A punch. `pin` is valid during the call.
struct sp_adms_punch {
	const char *pin; ///< as sent, leading zeros and all, without blanks around it
	size_t pin_length;
	int64_t local_s;         ///< the terminal's dial, as if it were UTC; meaningless if `epoch`
	bool epoch;              ///< it sent an integer, `local_s` is true seconds since 1970
	unsigned status, verify; ///< SP_ADMS_NOT_GIVEN where there is none, or no number of 0 to 255
};

/// What somebody, or nobody, did to the terminal.
struct sp_adms_operation {
	unsigned code;
	int64_t local_s;
	unsigned object; ///< of an alarm: which; 0 without
};

struct sp_adms_lines {
	void (*punch)(const struct sp_adms_punch *punch, void *arg);             ///< NULL: not ATTLOG
	void (*operation)(const struct sp_adms_operation *operation, void *arg); ///< NULL: not OPERLOG
	void *arg;
	int64_t count;     ///< lines so far, whatever was in them: what the terminal waits for
	int64_t malformed; ///< of them, punches that no one can read
	// ---- the line under way
	size_t length; ///< all of it so far
	size_t kept;
	unsigned tabs;
	bool skipping, overlong;
	char line[SP_ADMS_LINE_MAX];
};

/// Of an ATTLOG body if `punch`, of an OPERLOG body if `operation`; with neither its lines are but counted.
void sp_adms_lines_begin(struct sp_adms_lines *lines, void (*punch)(const struct sp_adms_punch *, void *arg),
			 void (*operation)(const struct sp_adms_operation *, void *arg), void *arg);
void sp_adms_lines_piece(struct sp_adms_lines *lines, const uint8_t *data, size_t length);
/// The body is over: its last line may have had no end.
void sp_adms_lines_end(struct sp_adms_lines *lines);
/// Wipes what is left of a line; `count` and `malformed` stay.
void sp_adms_lines_wipe(struct sp_adms_lines *lines);
