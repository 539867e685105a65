// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Reading recorded bytes (recorded.h); tests run in their source folder.
#include "recorded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

size_t recorded(const char *folder, const char *name, uint8_t out[RECORDED_MAX])
{
	char path[256];
	snprintf(path, sizeof(path), "../../fuzz/corpus/%s/%s", folder, name);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	size_t length = fread(out, 1, RECORDED_MAX, file);
	fclose(file);
	return length;
}
