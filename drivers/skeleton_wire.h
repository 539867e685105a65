// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The protocol of the template driver, as pure functions over bytes: no socket, no clock, no memory. Fuzzed
// and tested by itself. The invented device answers "STATUS\n" with "OK <celsius> <lamp hours>\n" or "ERR
// <word>\n".
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/err.h"

struct sp_skeleton_status {
	char error[33]; ///< the device's word for its trouble, "" when it has none
	double celsius; ///< -55 … 150; meaningless with an error
	int64_t lamp_hours;
};

/// The question; its length.
size_t sp_skeleton_ask(uint8_t *out, size_t size);

/// 0, or -EBADMSG for anything that is not exactly one answer.
int sp_skeleton_parse(const uint8_t *data, size_t length, struct sp_skeleton_status *out) SP_MUST_CHECK;
