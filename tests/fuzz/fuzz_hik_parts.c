// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A terminal's Content-Type (the first line) and endless answer (the rest): whatever it says, the parts are
// the same in whatever pieces it comes, bounded, and none is a picture.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "drivers/kiosk/hikvision_event.h"
#include "drivers/kiosk/hikvision_parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
	uint64_t hash;
	size_t count;
};

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool on_part(void *arg, const char *text, size_t length, bool last)
{
	struct told *told = arg;
	struct sp_hik_event event;
	check(length > 0 && length <= SP_HIK_PART_MAX);
	for (size_t i = 0; i < length; i++)
		told->hash = (told->hash ^ (uint8_t)text[i]) * 1099511628211u;
	told->hash = (told->hash ^ last) * 1099511628211u;
	told->count++;
	return sp_hik_event_parse(text, length, &event) == 0;
}

static struct told feed(const char *type, const uint8_t *data, size_t size, size_t piece)
{
	struct sp_hik_parts parts = {0};
	struct told told = {.hash = 14695981039346656037u};
	if (sp_hik_parts_begin(&parts, type) == 0) {
		check(parts.delimiter_length >= 4 && parts.delimiter_length <= SP_HIK_BOUNDARY_MAX + 3);
		for (size_t at = 0; at < size; at += piece) {
			// A copy of its own, so that reading beyond the piece is seen.
			size_t length = size - at < piece ? size - at : piece;
			uint8_t *copy = malloc(length);
			memcpy(copy, data + at, length);
			sp_hik_parts_feed(&parts, copy, length, on_part, &told);
			free(copy);
		}
		check(parts.picture_bytes <= (int64_t)size);
	}
	sp_hik_parts_end(&parts);
	return told;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *line = size ? memchr(data, '\n', size) : NULL;
	if (!line)
		return 0;
	size_t head = (size_t)(line - data);
	char *type = sp_strndup((const char *)data, head);
	struct told whole = feed(type, line + 1, size - head - 1, size);
	static const size_t pieces[] = {1, 7, 1000};
	for (size_t i = 0; i < SP_COUNT(pieces); i++) {
		struct told told = feed(type, line + 1, size - head - 1, pieces[i]);
		check(told.hash == whole.hash && told.count == whole.count);
	}
	free(type);
	return 0;
}
