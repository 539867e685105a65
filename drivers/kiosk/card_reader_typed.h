// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a reader types, put together: key codes of a keyboard-wedge reader (US layout: readers send key codes,
// not characters, and are made for it), or the characters of a serial one.
#pragma once

#include "schoolpulse/kiosk.h"

enum { SP_TYPED_MAX = SP_PERSON_MAX };

/// Zeroed to begin with, but for the rules. Wipe it after use.
struct sp_typed {
	int64_t gap_us;  ///< a longer pause between two keys parts two scans
	bool end_by_gap; ///< the pause ends a scan; false: Enter or Tab does, and what a pause cuts off is
			 ///< dropped
	int64_t last_us;
	bool shift, bad; ///< `bad`: what was typed holds something that no reader types, or is too long
	size_t length;
	char text[SP_TYPED_MAX];
};

enum sp_typed_result {
	SP_TYPED_MORE,
	SP_TYPED_SCAN, ///< text and length hold it: take it, then sp_typed_clear()
	SP_TYPED_BAD,  ///< a scan was dropped
};

/// A key of linux/input-event-codes.h; `value` 1 pressed, 0 released, 2 repeated.
enum sp_typed_result sp_typed_key(struct sp_typed *typed, unsigned code, int value, int64_t now_us);
/// A character of a serial reader; CR and LF end a scan.
enum sp_typed_result sp_typed_char(struct sp_typed *typed, uint8_t c, int64_t now_us);
/// The pause has passed without a key.
enum sp_typed_result sp_typed_pause(struct sp_typed *typed);
/// Keys were lost (SYN_DROPPED), or the reader is gone.
void sp_typed_clear(struct sp_typed *typed);
