// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Allocation that does not fail: a board without memory for a few bytes is better restarted by
// its supervisor than limping on half-built state.
#include "agent/base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/// No formatting and no log here: both may allocate.
static void *checked(void *memory)
{
	static const char text[] = "error mem: out of memory\n";
	if (!memory) {
		ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);
		(void)ignored;
		abort();
	}
	return memory;
}

void *sp_alloc(size_t size)
{
	return checked(calloc(1, size ? size : 1));
}

void *sp_realloc(void *old, size_t size)
{
	return checked(realloc(old, size ? size : 1));
}

char *sp_strdup(const char *text)
{
	return checked(strdup(text));
}

char *sp_strndup(const char *text, size_t max)
{
	// Not strndup(): the text may be a slice of a larger one, which strict string checks call
	// unterminated.
	size_t length = strnlen(text, max);
	char *copy = sp_alloc(length + 1);
	memcpy(copy, text, length);
	return copy;
}

char *sp_asprintf(const char *format, ...)
{
	char *out = NULL;
	va_list args;
	va_start(args, format);
	int length = vasprintf(&out, format, args);
	va_end(args);
	return checked(length < 0 ? NULL : out);
}
