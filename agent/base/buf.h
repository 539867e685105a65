// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A growing byte buffer that declares its maximum.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "schoolpulse/err.h"

/// `data` is always NUL-terminated once anything was appended; the NUL is not counted.
/// Once an append would pass `max`, the buffer is marked overflowed and takes nothing more.
struct sp_buf {
	char *data;
	size_t length, capacity, max;
	bool overflowed;
};

#define SP_BUF(limit) ((struct sp_buf){.max = (limit)})

void sp_buf_add(struct sp_buf *buf, const void *data, size_t length);
void sp_buf_text(struct sp_buf *buf, const char *text);
void sp_buf_printf(struct sp_buf *buf, const char *format, ...) SP_PRINTF(2, 3);
void sp_buf_reset(struct sp_buf *buf); ///< keeps the memory
void sp_buf_free(struct sp_buf *buf);
/// Gives the memory away (free()); NULL when nothing was appended.
char *sp_buf_take(struct sp_buf *buf);
