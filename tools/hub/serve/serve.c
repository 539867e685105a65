// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// HTTP: routes, caching, and the errors of both. The store is opened at the first question, so that
// the page may start before the first ingest, and again after it failed.
#include "tools/hub/serve/serve_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/http_server.h"
#include "agent/base/mem.h"
#include "schoolpulse/clock.h"
#include "schoolpulse/log.h"
#include "tools/hub/serve/api.h"
#include "tools/hub/text/json_out.h"
#include "tools/hub/time/local_time.h"
#include "tools/hub/ops/metrics.h"
#include "tools/hub/serve/page.h"
#include "tools/hub/serve/serve_kpi_work.h"

#define JSON "application/json; charset=utf-8"

// ---- answers --------------------------------------------------------------------------------------

static void headers(struct sp_http_call *call)
{
	sp_http_reply_header(
	    call, "Content-Security-Policy",
	    "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'");
	sp_http_reply_header(call, "X-Content-Type-Options", "nosniff");
	sp_http_reply_header(call, "Referrer-Policy", "no-referrer");
	sp_http_reply_header(call, "Cache-Control", "no-cache");
}

void sp_call_error(struct sp_http_call *call, unsigned status, const char *text)
{
	struct sp_buf out = SP_BUF(2048);
	sp_out_open(&out, NULL, '{');
	sp_out_text(&out, "error", text);
	sp_out_close(&out, '}');
	headers(call);
	sp_http_reply(call, status, JSON, out.data, out.length, SP_HTTP_COPY);
	sp_buf_free(&out);
}

void sp_call_json(struct sp_http_call *call, struct sp_buf *out)
{
	size_t length = out->length;
	headers(call);
	sp_http_reply(call, 200, JSON, sp_buf_take(out), length, SP_HTTP_TAKE);
}

/// Entity tags in If-None-Match are compared weakly (RFC 9110 §13.1.2).
static bool matches(struct sp_http_call *call, const char *etag)
{
	const char *asked = sp_http_call_header(call, "If-None-Match");
	return asked && (strcmp(asked, "*") == 0 || strstr(asked, etag));
}

static bool not_modified(struct sp_http_call *call, const char *etag)
{
	headers(call);
	sp_http_reply_header(call, "ETag", etag);
	if (!matches(call, etag))
		return false;
	sp_http_reply(call, 304, NULL, "", 0, SP_HTTP_STATIC);
	return true;
}

// ---- questions ----------------------------------------------------------------------------------------

static void store_failed(struct sp_serve *serve, struct sp_http_call *call, const char *why)
{
	char text[512];
	snprintf(text, sizeof(text), "the store cannot be read: %s", why);
	sp_warning("serve", "%s", text);
	sp_call_error(call, 503, text);
	sp_store_close(serve->store);
	serve->store = NULL;
}

bool sp_view_begin(struct sp_view *view, struct sp_serve *serve, struct sp_http_call *call)
{
	char why[256];
	*view = (struct sp_view){.serve = serve, .call = call, .now_ms = sp_clock_now().wall_ms};
	if (!serve->store && sp_store_open(&serve->store, serve->config->hub.db, SP_STORE_READ, why) < 0) {
		sp_call_error(call, 503, why);
		return false;
	}
	sp_store_set_silence(serve->store, serve->config->hub.silence_ms);
	int result = sp_store_read_begin(serve->store, view->now_ms);
	if (result == 0)
		result = sp_store_status(serve->store, &view->status);
	if (result < 0) {
		store_failed(serve, call, sp_store_error(serve->store));
		return false;
	}
	// The epoch tells a restored database from the one that had this revision before. Between two
	// revisions boards can only fall silent, so that their number tells which.
	snprintf(view->etag, sizeof(view->etag), "\"%.8s-%" PRId64 "-%s-%" PRId64 "\"", view->status.epoch,
		 view->status.rev, sp_api_ingest(&view->status, view->now_ms), view->status.silent);
	return true;
}

void sp_view_end(struct sp_view *view, int result, struct sp_buf *out)
{
	sp_store_read_end(view->serve->store);
	if (result == 0 && !out->overflowed) {
		size_t length = out->length;
		sp_http_reply(view->call, 200, JSON, sp_buf_take(out), length, SP_HTTP_TAKE);
		return;
	}
	sp_buf_free(out);
	if (result < 0)
		store_failed(view->serve, view->call, sp_store_error(view->serve->store));
	else
		sp_call_error(view->call, 500, "the answer is too large");
}

bool sp_view_unchanged(struct sp_view *view)
{
	if (!not_modified(view->call, view->etag))
		return false;
	sp_store_read_end(view->serve->store);
	return true;
}

bool sp_call_number(struct sp_http_call *call, const char *name, int64_t def, int64_t max, int64_t *out)
{
	const char *text = sp_http_call_query(call, name);
	char message[96], *end;
	*out = def;
	if (!text || !text[0])
		return true;
	errno = 0;
	long long value = strtoll(text, &end, 10);
	if (errno == 0 && *end == '\0' && value >= 0 && text[0] >= '0' && text[0] <= '9') {
		*out = value < max ? value : max;
		return true;
	}
	snprintf(message, sizeof(message), "%s must be a whole number from 0", name);
	sp_call_error(call, 400, message);
	return false;
}

const char *sp_call_query(struct sp_http_call *call, const char *name)
{
	const char *text = sp_http_call_query(call, name);
	return text && text[0] ? text : NULL;
}

static void get_overview(struct sp_http_call *call, void *arg)
{
	struct sp_view view;
	struct sp_buf out = SP_BUF(SP_API_MAX);
	if (sp_view_begin(&view, arg, call) && !sp_view_unchanged(&view))
		sp_view_end(&view, sp_api_overview(view.serve->store, &view.status, view.now_ms, &out), &out);
}

static void get_outages(struct sp_http_call *call, void *arg)
{
	struct sp_view view;
	struct sp_buf out = SP_BUF(SP_API_MAX);
	struct sp_outage_filter filter = {.school = sp_call_query(call, "school"),
					  .site = sp_call_query(call, "site"),
					  .line = sp_call_query(call, "line"),
					  .device = sp_call_query(call, "device")};
	if (sp_call_number(call, "limit", SP_CALL_LIMIT, SP_CALL_LIMIT_MAX, &filter.limit) &&
	    sp_view_begin(&view, arg, call) && !sp_view_unchanged(&view))
		sp_view_end(&view, sp_api_outages(view.serve->store, &filter, &out), &out);
}

static void get_silences(struct sp_http_call *call, void *arg)
{
	struct sp_view view;
	struct sp_buf out = SP_BUF(SP_API_MAX);
	int64_t limit;
	if (sp_call_number(call, "limit", SP_CALL_LIMIT, SP_CALL_LIMIT_MAX, &limit) &&
	    sp_view_begin(&view, arg, call) && !sp_view_unchanged(&view))
		sp_view_end(&view,
			    sp_api_silences(view.serve->store, sp_call_query(call, "device"), limit, &out),
			    &out);
}

static void get_day(struct sp_http_call *call, void *arg)
{
	struct sp_view view;
	struct sp_buf out = SP_BUF(SP_API_MAX);
	char today[SP_LOCAL_TIME_SIZE];
	const char *date = sp_call_query(call, "date");
	int64_t from_ms;
	if (!date)
		date = sp_local_date(sp_clock_now().wall_ms, today);
	if (!sp_local_date_parse(date, &from_ms)) {
		sp_call_error(call, 400, "date must be like 2026-11-21");
		return;
	}
	if (!sp_view_begin(&view, arg, call))
		return;
	// A running day grows by itself.
	if (view.now_ms < from_ms + SP_DAY_MS)
		snprintf(view.etag + strlen(view.etag) - 1, 32, "-%" PRId64 "\"", view.now_ms / 10000);
	if (!sp_view_unchanged(&view))
		sp_view_end(&view, sp_api_day(view.serve->store, date, from_ms, view.now_ms, &out), &out);
}

static void get_devices(struct sp_http_call *call, void *arg)
{
	struct sp_view view;
	struct sp_buf out = SP_BUF(SP_API_MAX);
	if (sp_view_begin(&view, arg, call) && !sp_view_unchanged(&view))
		sp_view_end(&view, sp_api_devices(view.serve->store, sp_call_query(call, "device"), &out),
			    &out);
}

static void get_facts(struct sp_http_call *call, void *arg)
{
	struct sp_view view;
	struct sp_buf out = SP_BUF(SP_API_MAX);
	const char *cls = sp_call_query(call, "class");
	int64_t after, limit;
	if (cls && strcmp(cls, "facts") != 0 && strcmp(cls, "all") != 0)
		sp_call_error(call, 400, "class must be facts or all");
	else if (sp_call_number(call, "after", 0, INT64_MAX, &after) &&
		 sp_call_number(call, "limit", SP_CALL_LIMIT, SP_CALL_LIMIT_MAX, &limit) &&
		 sp_view_begin(&view, arg, call) && !sp_view_unchanged(&view))
		sp_view_end(&view,
			    sp_api_facts(view.serve->store, sp_call_query(call, "device"),
					 cls && strcmp(cls, "all") == 0, after, limit, &out),
			    &out);
}

static void get_anomalies(struct sp_http_call *call, void *arg)
{
	struct sp_view view;
	struct sp_buf out = SP_BUF(SP_API_MAX);
	if (sp_view_begin(&view, arg, call) && !sp_view_unchanged(&view))
		sp_view_end(&view, sp_api_anomalies(view.serve->store, &out), &out);
}

static void get_gaps(struct sp_http_call *call, void *arg)
{
	struct sp_view view;
	struct sp_buf out = SP_BUF(SP_API_MAX);
	if (sp_view_begin(&view, arg, call) && !sp_view_unchanged(&view))
		sp_view_end(&view, sp_api_gaps(view.serve->store, &out), &out);
}

static void get_health(struct sp_http_call *call, void *arg)
{
	struct sp_view view;
	struct sp_buf out = SP_BUF(1024);
	if (!sp_view_begin(&view, arg, call))
		return;
	sp_out_open(&out, NULL, '{');
	sp_out_text(&out, "status", "ok");
	sp_out_text(&out, "ingest", sp_api_ingest(&view.status, view.now_ms));
	sp_out_close(&out, '}');
	headers(call);
	sp_view_end(&view, 0, &out);
}

static struct sp_store *metrics_store(void *arg)
{
	struct sp_serve *serve = arg;
	char why[256];
	if (!serve->store && sp_store_open(&serve->store, serve->config->hub.db, SP_STORE_READ, why) < 0) {
		sp_warning("serve", "the store cannot be read: %s", why);
		return NULL;
	}
	return serve->store;
}

void sp_serve_look(struct sp_serve *serve)
{
	(void)metrics_store(serve);
}

static void get_metrics(struct sp_http_call *call, void *arg)
{
	struct sp_serve *serve = arg;
	sp_metrics_answer(serve->metrics, call, metrics_store, serve);
}

static void get_unknown(struct sp_http_call *call, void *arg)
{
	(void)arg;
	sp_call_error(call, 404, "there is no such question");
}

static void get_page(struct sp_http_call *call, void *arg)
{
	const char *path = sp_http_call_path(call);
	(void)arg;
	if (strcmp(path, "/") == 0)
		path = "/index.html";
	for (const struct sp_page_file *file = sp_page_files; file->path; file++) {
		if (strcmp(file->path, path + 1) != 0)
			continue;
		if (!not_modified(call, file->etag))
			sp_http_reply(call, 200, file->content_type, file->data, file->length,
				      SP_HTTP_STATIC);
		return;
	}
	sp_call_error(call, 404, "there is no such page");
}

static void refuse_method(struct sp_http_call *call, void *arg)
{
	(void)arg;
	sp_http_reply_header(call, "Allow", "GET, HEAD");
	sp_call_error(call, 405, "this server only answers GET and HEAD");
}

static const struct sp_http_route routes[] = {
    {"GET", "/api/v1/overview", get_overview},
    {"GET", "/api/v1/incidents", sp_serve_incidents},
    {"GET", "/api/v1/samples", sp_serve_samples},
    {"GET", "/api/v1/outages", get_outages},
    {"GET", "/api/v1/silences", get_silences},
    {"GET", "/api/v1/day", get_day},
    {"GET", "/api/v1/devices", get_devices},
    {"GET", "/api/v1/facts", get_facts},
    {"GET", "/api/v1/anomalies", get_anomalies},
    {"GET", "/api/v1/gaps", get_gaps},
    {"GET", "/api/v1/speed", sp_serve_speed},
    {"GET", "/api/v1/speed/sites", sp_serve_site_speeds},
    {"GET", "/api/v1/tests", sp_serve_tests},
    {"GET", "/api/v1/attendance", sp_serve_attendance},
    {"GET", "/api/v1/kiosks", sp_serve_kiosks},
    {"GET", "/api/v1/kpi", sp_serve_kpi},
    {"GET", "/api/v1/kpi/list", sp_serve_kpi_list},
    {"GET", "/healthz", get_health},
    {"GET", "/metrics", get_metrics},
    {"GET", "/api/*", get_unknown},
    {"GET", "/", get_page},
    {"GET", "/*", get_page},
    {"POST", "/*", refuse_method},
    {"PUT", "/*", refuse_method},
    {"PATCH", "/*", refuse_method},
    {"DELETE", "/*", refuse_method},
    {"OPTIONS", "/*", refuse_method},
    {0},
};

// ---- life -------------------------------------------------------------------------------------------------

struct sp_serve *sp_serve_new(const struct sp_hub_config *config, char why[256])
{
	struct sp_serve *serve = sp_alloc(sizeof(*serve));
	const struct sp_http_server_config http = {
	    .address = config->http.listen, .port = (uint16_t)config->http.port, .max_body = 1024};
	serve->config = config;
	serve->metrics = sp_metrics_new(config);
	serve->kpi = sp_kpi_work_new(config, why);
	serve->server = serve->kpi ? sp_http_server_new(&http, routes, serve, why) : NULL;
	if (serve->server)
		return serve;
	sp_kpi_work_free(serve->kpi);
	sp_metrics_free(serve->metrics);
	free(serve);
	return NULL;
}

void sp_serve_free(struct sp_serve *serve)
{
	if (!serve)
		return;
	sp_http_server_free(serve->server);
	sp_kpi_work_free(serve->kpi);
	sp_metrics_free(serve->metrics);
	sp_store_close(serve->store);
	free(serve);
}

void sp_serve_run(struct sp_serve *serve, int stop_fd)
{
	struct pollfd fds[] = {{.fd = sp_http_server_fd(serve->server), .events = POLLIN},
			       {.fd = sp_kpi_work_fd(serve->kpi), .events = POLLIN},
			       {.fd = stop_fd, .events = POLLIN}};
	for (;;) {
		if (poll(fds, SP_COUNT(fds), (int)sp_http_server_timeout_ms(serve->server)) < 0 &&
		    errno != EINTR)
			return;
		if (fds[2].revents)
			return;
		sp_kpi_work_answer(serve->kpi);
		sp_http_server_run(serve->server);
	}
}

uint16_t sp_serve_port(const struct sp_serve *serve)
{
	return sp_http_server_port(serve->server);
}
