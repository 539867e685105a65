// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a punch of a ZKTeco terminal is, whether the terminal pushed it (ADMS) or it was read out of the
// terminal's memory (port 4370): its key, so that a terminal which is asked both ways is not counted twice,
// and what its status and verification code mean.
#pragma once

#include "direction.h"

enum { SP_ZK_SERIAL_MAX = 64 };

/// `local_s`: the terminal's own reading of its clock, as seconds since 1970-01-01 00:00:00 of that clock, no
/// zone applied. `status` is the terminal's in/out state, `verify` its way of recognising, both as numbered
/// by it. Returns the key's length; 0 when serial or PIN is empty, too long, or the serial is not printable.
/// The key holds the person's number: wipe it after use.
size_t sp_zk_punch_key(uint8_t out[SP_PUNCH_KEY_MAX], const char *serial, const char *pin, size_t pin_length,
		       int64_t local_s, unsigned status, unsigned verify);

/// `status_is_direction`: pupils press the keys that set the status, or it switches by a timetable.
enum sp_punch_direction sp_zk_direction(enum sp_direction_option option, bool status_is_direction,
					unsigned status);

/// Option `verify_codes`: newer (v5) and older units do not agree on 0, 2, 3 and 4.
enum sp_zk_verify { SP_ZK_VERIFY_AUTO, SP_ZK_VERIFY_V5, SP_ZK_VERIFY_OLD };
#define SP_ZK_VERIFY_CHOICES "auto v5 old"

/// With AUTO those four are not known.
enum sp_punch_method sp_zk_method(enum sp_zk_verify codes, unsigned verify);
