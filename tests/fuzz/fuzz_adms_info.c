// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Any bytes as what a terminal says of itself and as results of commands.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/kiosk/adms_info.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_result(const struct sp_adms_result *result, void *arg)
{
	size_t *count = arg;
	if (result->sum < -1)
		abort();
	++*count;
}

static void look(const struct sp_adms_info *info)
{
	if (info->records < -1 || info->capacity < -1 || info->users < -1)
		abort();
	if (strlen(info->firmware) >= SP_ADMS_TEXT || strlen(info->model) >= SP_ADMS_TEXT)
		abort();
	for (const char *c = info->firmware; *c; c++)
		if ((uint8_t)*c < ' ')
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_adms_info info;
	size_t count = 0;
	char *copy = malloc(size + 1);
	memcpy(copy, data, size);
	copy[size] = '\0';
	sp_adms_info_clear(&info);
	sp_adms_info_positional(&info, copy);
	look(&info);
	copy = realloc(copy, size ? size : 1); // without the NUL, so that a sanitizer sees its end
	sp_adms_info_clear(&info);
	if (sp_adms_info_pairs(&info, copy, size, on_result, &count) != count)
		abort();
	look(&info);
	free(copy);
	return 0;
}
