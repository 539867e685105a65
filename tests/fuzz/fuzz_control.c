// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Local requests: any bytes, and what was parsed stays inside its bounds.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/control_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_control_request request;
	char why[160] = "";
	char *line = malloc(size ? size : 1); // exact, so that a byte too far is seen
	if (!line)
		return 0;
	if (size)
		memcpy(line, data, size);
	int result = sp_control_parse(&request, line, size, why);
	free(line);
	if (result == 0 &&
	    ((int)request.command >= SP_CONTROL_COMMANDS || strlen(request.name) > SP_CONTROL_NAME_MAX))
		abort();
	// A refusal has words, and they go into JSON as they are but for quotes.
	if (result != 0 && (!why[0] || strpbrk(why, "\\\n\t")))
		abort();
	return 0;
}
