// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Small internal allocations abort on failure; sizes that come from outside are bounded by the
// caller before they reach these.
#pragma once

#include <stddef.h>
#include <stdlib.h>

#include "schoolpulse/err.h"

void *sp_alloc(size_t size) __attribute__((returns_nonnull, malloc, warn_unused_result)); ///< zeroed
void *sp_realloc(void *old, size_t size) __attribute__((returns_nonnull, warn_unused_result));
char *sp_strdup(const char *text) __attribute__((returns_nonnull, malloc, warn_unused_result));
char *sp_strndup(const char *text, size_t max) __attribute__((returns_nonnull, malloc, warn_unused_result));
char *sp_asprintf(const char *format, ...) SP_PRINTF(1, 2)
    __attribute__((returns_nonnull, malloc, warn_unused_result));
