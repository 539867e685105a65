// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Bytes that a real kernel, router or name server sent once: the fuzzers' seeds, read by the unit tests, too.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { RECORDED_MAX = 65536 };

/// Reads tests/fuzz/corpus/<folder>/<name>; fails the test when it is not there.
size_t recorded(const char *folder, const char *name, uint8_t out[RECORDED_MAX]);
