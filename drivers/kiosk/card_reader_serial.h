// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The serial port of a reader: 8N1, raw, locked (flock) against others who ask.
#pragma once

#include "schoolpulse/kiosk.h"

/// A speed that termios knows: 1200 to 115200.
bool sp_card_baud(int64_t baud);
/// A non-blocking descriptor, or -errno; -ENOTTY: it is no terminal, -EBUSY: another program has locked it.
int sp_card_serial_open(const char *path, int64_t baud) SP_MUST_CHECK;
