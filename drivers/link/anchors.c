// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What is done with a list of anchors (anchors.h).
#include "anchors.h"

#include <stdio.h>
#include <string.h>

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

void sp_anchors_leave_by(struct sp_endpoint *endpoint, const char *interface)
{
	memset(endpoint->interface, 0, sizeof(endpoint->interface));
	memcpy(endpoint->interface, interface, strnlen(interface, sizeof(endpoint->interface) - 1));
}

unsigned sp_anchors_of(const struct sp_strings *list, int family, const char *interface,
		       struct sp_endpoint out[], unsigned most)
{
	unsigned count = 0;
	for (size_t i = 0; i < list->count && count < most; i++) {
		struct sp_endpoint *endpoint = &out[count];
		if (sp_endpoint_parse(endpoint, list->items[i], 53) < 0 ||
		    endpoint->address.ss_family != family)
			continue;
		sp_anchors_leave_by(endpoint, interface);
		count++;
	}
	return count;
}
