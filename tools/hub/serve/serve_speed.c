// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// HTTP: single speed tests, and what a period's tests say of providers and plans.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schoolpulse/clock.h"
#include "tools/hub/serve/api_speed.h"
#include "tools/hub/time/period.h"
#include "tools/hub/serve/serve_priv.h"

bool sp_call_period(struct sp_http_call *call, struct sp_period *out)
{
	char why[SP_PERIOD_WHY];
	if (sp_period_parse(out, sp_call_query(call, "from"), sp_call_query(call, "to"),
			    sp_clock_now().wall_ms, why) == 0)
		return true;
	sp_call_error(call, 400, why);
	return false;
}

/// A period that was not named in full is another one tomorrow.
static bool begin(struct sp_view *view, struct sp_serve *serve, struct sp_http_call *call,
		  const struct sp_period *period)
{
	if (!sp_view_begin(view, serve, call))
		return false;
	snprintf(view->etag + strlen(view->etag) - 1, 32, "-%" PRId64 "\"", period->to_ms);
	return !sp_view_unchanged(view);
}

void sp_serve_speed(struct sp_http_call *call, void *arg)
{
	struct sp_view view;
	struct sp_buf out = SP_BUF(SP_API_MAX);
	struct sp_period asked;
	if (!sp_call_period(call, &asked) || !begin(&view, arg, call, &asked))
		return;
	const struct sp_evidence_rules rules = sp_hub_evidence_rules(view.serve->config);
	sp_view_end(&view,
		    sp_api_speed(view.serve->store, &asked, sp_call_query(call, "provider"),
				 sp_call_query(call, "plan"), &rules, &out),
		    &out);
}

void sp_serve_site_speeds(struct sp_http_call *call, void *arg)
{
	struct sp_view view;
	struct sp_buf out = SP_BUF(SP_API_MAX);
	struct sp_period asked;
	if (sp_call_period(call, &asked) && begin(&view, arg, call, &asked))
		sp_view_end(&view, sp_api_site_speeds(view.serve->store, &asked, &out), &out);
}

/// "1795230000000-12-345", as `next` of the page before says; NULL: the first page.
static bool cursor(const char *text, struct sp_test_cursor *out)
{
	int64_t parts[3];
	*out = (struct sp_test_cursor){.t_ms = -1};
	if (!text)
		return true;
	for (int i = 0; i < 3; i++) {
		char *end;
		if (*text < '0' || *text > '9')
			return false;
		errno = 0;
		parts[i] = strtoll(text, &end, 10);
		if (errno != 0 || *end != (i < 2 ? '-' : '\0'))
			return false;
		text = end + 1;
	}
	*out = (struct sp_test_cursor){parts[0], parts[1], parts[2]};
	return true;
}

void sp_serve_tests(struct sp_http_call *call, void *arg)
{
	struct sp_view view;
	struct sp_buf out = SP_BUF(SP_API_MAX);
	struct sp_period asked;
	struct sp_test_filter filter = {.school = sp_call_query(call, "school"),
					.site = sp_call_query(call, "site"),
					.line = sp_call_query(call, "line"),
					.device = sp_call_query(call, "device")};
	if (!sp_call_period(call, &asked) ||
	    !sp_call_number(call, "limit", SP_CALL_LIMIT, SP_CALL_LIMIT_MAX, &filter.limit))
		return;
	if (!cursor(sp_call_query(call, "after"), &filter.after)) {
		sp_call_error(call, 400, "after must be what next said, like 1795230000000-12-345");
		return;
	}
	filter.from_ms = asked.from_ms;
	filter.to_ms = asked.to_ms;
	if (begin(&view, arg, call, &asked))
		sp_view_end(&view, sp_api_tests(view.serve->store, &filter, &out), &out);
}
