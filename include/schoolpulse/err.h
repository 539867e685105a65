// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The error convention of every room: 0 or -errno, and the attributes that let the
// compiler hold us to it.
#pragma once

#include <errno.h>
#include <stddef.h>

/// The caller must look at the result.
#define SP_MUST_CHECK __attribute__((warn_unused_result))
/// printf-like: `at` is the index of the format string, `args` of the first value.
#define SP_PRINTF(at, args) __attribute__((format(printf, at, args)))

#define SP_COUNT(array) (sizeof(array) / sizeof((array)[0]))
