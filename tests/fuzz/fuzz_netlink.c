// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Any bytes as a datagram of rtnetlink, at any alignment, and the choice of an interface from what it says.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/link/netlink.h"
#include "drivers/link/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add(const struct sp_nl_event *event, void *arg)
{
	if ((event->kind == SP_NL_LINK || event->kind == SP_NL_LINK_GONE) &&
	    (!memchr(event->link.name, '\0', sizeof(event->link.name)) || !event->link.name[0] ||
	     !event->link.index))
		abort();
	if (event->kind == SP_NL_ROUTE && !event->route.index)
		abort();
	sp_view_add(arg, event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sp_view view;
	memset(&view, 0, sizeof(view));
	int result = sp_nl_parse(data, size, add, &view);
	if (result != 0 && result != -EBADMSG)
		abort();
	for (size_t i = 0; i < view.link_count; i++) {
		(void)sp_view_has_address(&view, 2, view.links[i].index);
		(void)sp_view_default(&view, 10, view.links[i].index);
	}
	const struct sp_nl_link *link = sp_view_choose(&view, "auto", "line0");
	if (link && sp_view_link(&view, link->index) == NULL)
		abort();
	return 0;
}
