// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Any bytes as the file of the school's keys, also with the sum that makes a body whole: refused, or written
// again to the byte.
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/ids.h"
#include "agent/core/attendance/keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void parse(const char *text, size_t length)
{
	static struct sp_key_set set;
	static char again[SP_KEYS_FILE_MAX];
	if (sp_keys_parse(&set, text, length))
		return;
	check(set.count <= SP_KEY_YEARS_MAX);
	for (size_t i = 0; i < set.count; i++)
		check(set.years[i].year >= SP_KEY_YEAR_LEAST && set.years[i].year <= SP_KEY_YEAR_MOST);
	check(sp_keys_write(&set, again) == length && memcmp(again, text, length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char whole[SP_KEYS_FILE_MAX + 64];
	// A copy of its own, so that not a byte behind it is read.
	char *text = malloc(size ? size : 1);
	check(text != NULL);
	memcpy(text, data, size);
	parse(text, size);
	if (size < SP_KEYS_FILE_MAX) {
		char sum[SP_DIGEST_LENGTH + 1];
		sp_digest(text, size, sum);
		memcpy(whole, text, size);
		parse(whole, size + (size_t)snprintf(whole + size, 64, "sum %s\n", sum));
	}
	free(text);
	return 0;
}
