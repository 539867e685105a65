// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The check of a list of anchors (anchors.h).
#include "anchors.h"

#include <stdio.h>

#include "schoolpulse/io.h"

int sp_anchors_check(const struct sp_strings *list, char *why, size_t size)
{
	for (size_t i = 0; i < list->count; i++) {
		struct sp_endpoint endpoint;
		if (sp_endpoint_parse(&endpoint, list->items[i], 53) < 0) {
			snprintf(
			    why, size,
			    "\"%s\" is no address; names are not asked for here, since asking needs the line",
			    list->items[i]);
			return -EINVAL;
		}
	}
	return 0;
}
