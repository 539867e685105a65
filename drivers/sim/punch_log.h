// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The log of the simulated kiosk: the numbers that were reported as committed, one a line, as the other
// side's memory.
#pragma once

#include <stdint.h>

#include "schoolpulse/err.h"

/// Opens for appending and finds the last whole line; an end torn by a crash is cut off. The descriptor, or
/// -errno; -EBADMSG when the last line is no number. `*last` is 0 for an empty log.
int sp_punch_log_open(const char *path, int64_t *last) SP_MUST_CHECK;
/// The number up to which numbers may have been used, beside the log in `<path>.used`; 0 when there is no
/// such file. Set before the first of them is. 0 or -errno.
int sp_punch_log_used(const char *path, int64_t *upto) SP_MUST_CHECK;
int sp_punch_log_use(const char *path, int64_t upto) SP_MUST_CHECK;
/// 0 or -errno.
int sp_punch_log_append(int fd, int64_t number) SP_MUST_CHECK;
