// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// HTTP: attendance as counts, and the kiosks that tell of it.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/hub/serve/api.h"
#include "tools/hub/serve/api_attendance.h"
#include "tools/hub/serve/serve_priv.h"

/// A running period grows by itself.
static bool begin(struct sp_view *view, struct sp_serve *serve, struct sp_http_call *call,
		  const struct sp_period *period)
{
	if (!sp_view_begin(view, serve, call))
		return false;
	int64_t grows = view->now_ms < period->to_ms ? view->now_ms / 60000 : 0;
	snprintf(view->etag + strlen(view->etag) - 1, 40, "-%" PRId64 "-%" PRId64 "\"", period->to_ms, grows);
	return !sp_view_unchanged(view);
}

void sp_serve_attendance(struct sp_http_call *call, void *arg)
{
	struct sp_view view;
	struct sp_buf out = SP_BUF(SP_API_MAX);
	struct sp_period asked;
	if (sp_call_period(call, &asked) && begin(&view, arg, call, &asked))
		sp_view_end(&view,
			    sp_api_attendance(view.serve->store, sp_call_query(call, "school"), &asked, &out),
			    &out);
}

void sp_serve_kiosks(struct sp_http_call *call, void *arg)
{
	struct sp_view view;
	struct sp_buf out = SP_BUF(SP_API_MAX);
	struct sp_period asked;
	if (sp_call_period(call, &asked) && begin(&view, arg, call, &asked))
		sp_view_end(&view,
			    sp_api_kiosks(view.serve->store, sp_call_query(call, "school"), &asked, &out),
			    &out);
}
