// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// HTTP: regional incidents, and summed up samples.
#include <string.h>

#include "tools/hub/serve/api.h"
#include "tools/hub/serve/api_incident.h"
#include "tools/hub/serve/serve_priv.h"

enum { MEMBERS_MAX = 50000 }; ///< of one incident: a country's boards

void sp_serve_incidents(struct sp_http_call *call, void *arg)
{
	struct sp_view view;
	struct sp_buf out = SP_BUF(SP_API_MAX);
	struct sp_incident_filter filter = {.to_ms = INT64_MAX};
	int64_t open, members, id;
	if (!sp_call_number(call, "open", 0, 1, &open) ||
	    !sp_call_number(call, "members", 0, MEMBERS_MAX, &members) ||
	    !sp_call_number(call, "incident", 0, INT64_MAX, &id) ||
	    !sp_call_number(call, "limit", SP_CALL_LIMIT, SP_CALL_LIMIT_MAX, &filter.limit))
		return;
	if (members > 0 && id == 0) {
		sp_call_error(call, 400, "members are of one incident: ?incident=ID&members=1000");
		return;
	}
	filter.open = open == 1;
	filter.id = id > 0 ? id : -1;
	if (sp_view_begin(&view, arg, call) && !sp_view_unchanged(&view))
		sp_view_end(&view, sp_api_incidents(view.serve->store, &filter, members, &out), &out);
}

void sp_serve_samples(struct sp_http_call *call, void *arg)
{
	struct sp_view view;
	struct sp_buf out = SP_BUF(SP_API_MAX);
	struct sp_period asked;
	const char *level = sp_call_query(call, "level");
	struct sp_sample_filter filter = {.device = sp_call_query(call, "device"),
					  .instance = sp_call_query(call, "instance")};
	if (!sp_call_period(call, &asked) ||
	    !sp_call_number(call, "limit", SP_CALL_LIMIT_MAX, 50000, &filter.limit))
		return;
	if (!filter.device || !sp_sample_level(level ? level : "hour", &filter.level)) {
		sp_call_error(call, 400, "of which device, and level minute, hour or day?");
		return;
	}
	filter.from_ms = asked.from_ms;
	filter.to_ms = asked.to_ms;
	if (sp_view_begin(&view, arg, call))
		sp_view_end(&view, sp_api_samples(view.serve->store, &filter, &out), &out);
}
