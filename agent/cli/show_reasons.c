// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Evidence in people's language: the vocabulary of feed/README.md. What has no word here shows the board's
// own English text.
#include <stdio.h>
#include <string.h>

#include "agent/cli/language.h"
#include "agent/cli/show.h"

const char *sp_show_reason(const cJSON *evidence, char out[256])
{
	snprintf(out, 256, "%s", sp_json_text(evidence, "detail"));
	return out;
}
