// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Any bytes as an ATTLOG or OPERLOG body, in pieces cut anywhere: what comes out does not depend on the cuts,
// every line that is not empty is counted, and nothing private is looked at.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/kiosk/adms_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	uint64_t hash;
	int64_t punches, operations;
};

static void mix(struct seen *seen, const void *data, size_t length)
{
	const uint8_t *at = data;
	for (size_t i = 0; i < length; i++)
		seen->hash = (seen->hash ^ at[i]) * UINT64_C(0x100000001b3);
}

static void on_punch(const struct sp_adms_punch *punch, void *arg)
{
	struct seen *seen = arg;
	if (punch->pin_length < 1 || punch->pin_length > SP_ADMS_PIN_MAX || punch->status > 255 ||
	    punch->verify > 255 || memchr(punch->pin, '\t', punch->pin_length) ||
	    memchr(punch->pin, '\0', punch->pin_length))
		abort();
	seen->punches++;
	mix(seen, punch->pin, punch->pin_length);
	mix(seen, &punch->local_s, sizeof(punch->local_s));
	mix(seen, &punch->status, sizeof(punch->status));
	mix(seen, &punch->verify, sizeof(punch->verify));
}

static void on_operation(const struct sp_adms_operation *operation, void *arg)
{
	struct seen *seen = arg;
	if (operation->code > 65535 || operation->object > 65535)
		abort();
	seen->operations++;
	mix(seen, operation, sizeof(operation->code));
	mix(seen, &operation->local_s, sizeof(operation->local_s));
}

static struct sp_adms_lines run(const uint8_t *data, size_t size, size_t step, bool attlog, struct seen *seen)
{
	struct sp_adms_lines lines;
	*seen = (struct seen){.hash = 1};
	sp_adms_lines_begin(&lines, attlog ? on_punch : NULL, attlog ? NULL : on_operation, seen);
	for (size_t at = 0; at < size; at += step) {
		size_t piece = step < size - at ? step : size - at;
		uint8_t *copy = malloc(piece); // so that a sanitizer sees its end
		memcpy(copy, data + at, piece);
		sp_adms_lines_piece(&lines, copy, piece);
		free(copy);
	}
	sp_adms_lines_end(&lines);
	for (size_t i = 0; i < sizeof(lines.line); i++)
		if (lines.line[i] != 0)
			abort(); // wiped
	return lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole, pieces;
	if (size < 2)
		return 0;
	bool attlog = data[0] & 1;
	size_t step = 1 + data[1] % 97;
	data += 2;
	size -= 2;
	struct sp_adms_lines a = run(data, size, size ? size : 1, attlog, &whole);
	struct sp_adms_lines b = run(data, size, step, attlog, &pieces);
	if (a.count != b.count || a.malformed != b.malformed || whole.hash != pieces.hash)
		abort();
	if (attlog && a.count != a.malformed + whole.punches)
		abort();
	if (whole.operations > a.count)
		abort();
	return 0;
}
