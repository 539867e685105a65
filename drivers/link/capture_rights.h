// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What schoolpulse-capture keeps once its interface is open: the right to read it, to write to its standard
// output, to wait and to end.
#pragma once

#include "schoolpulse/err.h"

/// Gives up capabilities, new descriptors, core dumps and nearly all system calls, for good. 0 or -errno.
int sp_capture_lock(void) SP_MUST_CHECK;
