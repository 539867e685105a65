// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Memory for what must not be found: keys. On pages of its own, which neither a core file nor the swap nor a
// forked child gets to see, as far as the kernel grants it.
#pragma once

#include <stddef.h>

/// Zeroed; aborts without memory.
void *sp_secret_new(size_t size) __attribute__((returns_nonnull, warn_unused_result));
/// Wipes it. NULL is fine.
void sp_secret_free(void *secret, size_t size);
