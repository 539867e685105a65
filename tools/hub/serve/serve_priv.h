// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the files of the HTTP server share. Private to serve*.c.
#pragma once

#include "agent/base/buf.h"
#include "agent/base/http_server.h"
#include "tools/hub/time/period.h"
#include "tools/hub/serve/serve.h"
#include "tools/hub/store/store.h"

enum { SP_CALL_LIMIT = 100, SP_CALL_LIMIT_MAX = 1000 }; ///< rows of a list, unless asked for; at most

struct sp_kpi_work;
struct sp_serve {
	const struct sp_hub_config *config;
	struct sp_http_server *server;
	struct sp_store *store;
	struct sp_metrics *metrics;
	struct sp_kpi_work *kpi;
};

/// What a handler needs of one moment.
struct sp_view {
	struct sp_serve *serve;
	struct sp_http_call *call;
	struct sp_store_status status;
	int64_t now_ms;
	char etag[96];
};

/// False: an error was answered.
bool sp_view_begin(struct sp_view *view, struct sp_serve *serve, struct sp_http_call *call);
/// The page's copy is still good, and it was told so.
bool sp_view_unchanged(struct sp_view *view);
/// Answers, with 503 when `result` says that the store failed. Takes what is in `out`.
void sp_view_end(struct sp_view *view, int result, struct sp_buf *out);

/// 200. Takes what is in `out`.
void sp_call_json(struct sp_http_call *call, struct sp_buf *out);
void sp_call_error(struct sp_http_call *call, unsigned status, const char *text);
/// NULL when it is missing or empty.
const char *sp_call_query(struct sp_http_call *call, const char *name);
/// False when it is there and no number; the error has then been answered.
bool sp_call_number(struct sp_http_call *call, const char *name, int64_t def, int64_t max, int64_t *out);

/// The period that was asked for; false: an error was answered.
bool sp_call_period(struct sp_http_call *call, struct sp_period *out);

// ---- serve_attendance.c -----------------------------------------------------------------------------------

void sp_serve_attendance(struct sp_http_call *call, void *arg);
void sp_serve_kiosks(struct sp_http_call *call, void *arg);

// ---- serve_incident.c -------------------------------------------------------------------------------------

void sp_serve_incidents(struct sp_http_call *call, void *arg);
void sp_serve_samples(struct sp_http_call *call, void *arg);

// ---- serve_kpi.c ------------------------------------------------------------------------------------------

void sp_serve_kpi(struct sp_http_call *call, void *arg);
void sp_serve_kpi_list(struct sp_http_call *call, void *arg);

// ---- serve_speed.c ----------------------------------------------------------------------------------------

void sp_serve_speed(struct sp_http_call *call, void *arg);
void sp_serve_site_speeds(struct sp_http_call *call, void *arg);
void sp_serve_tests(struct sp_http_call *call, void *arg);
