// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the commands say when they do not understand.
#include "tools/hub/cli/cli.h"

#include <stdio.h>

int sp_cli_usage(const char *text, const char *word)
{
	fprintf(stderr, "schoolpulse-hub: %s%s\n(schoolpulse-hub --help lists the commands)\n", text, word);
	return SP_EXIT_USAGE;
}

void sp_cli_errors(struct sp_config_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		fprintf(stderr, "%s\n", errors->lines[i]);
	sp_config_errors_free(errors);
}
