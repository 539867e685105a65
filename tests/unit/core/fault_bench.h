// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the tests of the journal's file in bad times share.
#pragma once

#include <sys/types.h>

#include "tests/unit/core/fault_vfs.h"
#include "tests/unit/core/journal_util.h"

extern struct test_place place;

int bench_setup(void **state);
int bench_teardown(void **state);
/// A journal through the VFS that fails as it is told.
struct sp_journal_store_config faulty(void);
off_t size_of(const char *file);
