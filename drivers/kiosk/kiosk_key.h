// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What tells one punch of a ZKTeco terminal from every other. The same punch has the same key whether the
// terminal pushed it (ADMS) or it was read out of the terminal's memory (port 4370), so that a terminal which
// is asked both ways is not counted twice.
#pragma once

#include "schoolpulse/kiosk.h"

enum { SP_ZK_SERIAL_MAX = 64 };

/// `local_s`: the terminal's own reading of its clock, as seconds since 1970-01-01 00:00:00 of that clock, no
/// zone applied. `status` is the terminal's in/out state, `verify` its way of recognising, both as numbered
/// by it. Returns the key's length; 0 when serial or PIN is empty, too long, or the serial is not printable.
/// The key holds the person's number: wipe it after use.
size_t sp_zk_punch_key(uint8_t out[SP_PUNCH_KEY_MAX], const char *serial, const char *pin, size_t pin_length,
		       int64_t local_s, unsigned status, unsigned verify);
