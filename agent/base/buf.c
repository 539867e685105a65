// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The growing buffer: doubles up to its maximum, and stays valid text at every step.
#include "agent/base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/mem.h"

enum { FIRST_CAPACITY = 64 };

/// Room for `length` more bytes and the NUL; false, and overflowed, when the maximum forbids it.
static bool reserve(struct sp_buf *buf, size_t length)
{
	if (buf->overflowed || length > buf->max - buf->length || buf->length + length == SIZE_MAX) {
		buf->overflowed = true;
		return false;
	}
	size_t needed = buf->length + length + 1;
	if (needed <= buf->capacity)
		return true;
	size_t capacity = buf->capacity < FIRST_CAPACITY ? FIRST_CAPACITY : buf->capacity;
	while (capacity < needed)
		capacity = capacity > SIZE_MAX / 2 ? SIZE_MAX : capacity * 2;
	if (buf->max < SIZE_MAX && capacity > buf->max + 1)
		capacity = buf->max + 1;
	buf->data = sp_realloc(buf->data, capacity);
	buf->capacity = capacity;
	return true;
}

void sp_buf_add(struct sp_buf *buf, const void *data, size_t length)
{
	if (length == 0 || !reserve(buf, length))
		return;
	memcpy(buf->data + buf->length, data, length);
	buf->length += length;
	buf->data[buf->length] = '\0';
}

void sp_buf_text(struct sp_buf *buf, const char *text)
{
	sp_buf_add(buf, text, strlen(text));
}

void sp_buf_printf(struct sp_buf *buf, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (length < 0)
		buf->overflowed = true; // more than INT_MAX bytes: beyond any maximum of ours
	else if (length > 0 && reserve(buf, (size_t)length)) {
		vsnprintf(buf->data + buf->length, (size_t)length + 1, format, again);
		buf->length += (size_t)length;
	}
	va_end(again);
}

void sp_buf_reset(struct sp_buf *buf)
{
	buf->length = 0;
	buf->overflowed = false;
	if (buf->data)
		buf->data[0] = '\0';
}

void sp_buf_free(struct sp_buf *buf)
{
	free(buf->data);
	*buf = SP_BUF(buf->max);
}

char *sp_buf_take(struct sp_buf *buf)
{
	char *data = buf->data;
	if (buf->length == 0) {
		free(data);
		data = NULL;
	}
	*buf = SP_BUF(buf->max);
	return data;
}
