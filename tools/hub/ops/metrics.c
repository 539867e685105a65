// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One answer: its head is made at once, the lines' gauges while they are sent, from a snapshot that all
// answers of some seconds share.
#include "tools/hub/ops/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "schoolpulse/clock.h"
#include "schoolpulse/log.h"
#include "tools/hub/ops/counters.h"
#include "tools/hub/ops/snapshot.h"

enum {
	HEAD_MAX = 1024 * 1024,
	PIECE_MAX = 4 * 1024 * 1024, ///< of 100 rows; a label is as long as a cell of the register at most
};

struct sp_metrics {
	const struct sp_hub_config *config;
	struct sp_snapshot *latest; ///< NULL: none yet, or the store failed
};

struct sp_metrics *sp_metrics_new(const struct sp_hub_config *config)
{
	struct sp_metrics *metrics = sp_alloc(sizeof(*metrics));
	*metrics = (struct sp_metrics){.config = config};
	return metrics;
}

void sp_metrics_free(struct sp_metrics *metrics)
{
	if (!metrics)
		return;
	sp_snapshot_release(metrics->latest);
	free(metrics);
}

// ---- the snapshot ---------------------------------------------------------------------------------------

static int read_store(struct sp_metrics *metrics, struct sp_store *store, int64_t now_ms)
{
	sp_store_set_silence(store, metrics->config->hub.silence_ms);
	int result = sp_store_read_begin(store, now_ms);
	if (result == 0)
		result = sp_snapshot_new(&metrics->latest, store, true, now_ms);
	if (result < 0)
		sp_warning("metrics", "the store cannot be read: %s",
			   result == -EFBIG ? "too many lines" : sp_store_error(store));
	sp_store_read_end(store);
	return result;
}

static void refresh(struct sp_metrics *metrics, struct sp_store *(*open)(void *arg), void *arg)
{
	int64_t now_ms = sp_clock_now().wall_ms;
	int64_t age_ms = metrics->latest ? now_ms - sp_snapshot_ms(metrics->latest) : INT64_MAX;
	if (age_ms >= 0 && age_ms < metrics->config->metrics.cache_ms)
		return;
	sp_snapshot_release(metrics->latest);
	metrics->latest = NULL;
	struct sp_store *store = open(arg);
	if (store)
		(void)!read_store(metrics, store, now_ms); // told as schoolpulse_store_readable
}

// ---- the answer -----------------------------------------------------------------------------------------

struct answer {
	enum sp_expo_format format;
	struct sp_snapshot *snapshot; ///< NULL: nothing but the head
	struct sp_snapshot_walk walk;
	char *area, *school;
	struct sp_buf piece;
	size_t sent;
	bool ended;
};

static void more(struct answer *answer)
{
	sp_buf_reset(&answer->piece);
	answer->sent = 0;
	if (answer->snapshot && sp_snapshot_sites(&answer->walk, &answer->piece))
		return;
	sp_expo_end(&answer->piece, answer->format);
	answer->ended = true;
}

static ssize_t make(void *context, char *out, size_t most)
{
	struct answer *answer = context;
	size_t length = 0;
	while (length < most) {
		size_t left = answer->piece.length - answer->sent;
		size_t step = left < most - length ? left : most - length;
		if (answer->piece.overflowed)
			return -1;
		memcpy(out + length, answer->piece.data + answer->sent, step);
		answer->sent += step;
		length += step;
		if (answer->sent < answer->piece.length)
			break;
		if (answer->ended)
			break;
		more(answer);
		if (answer->piece.length == 0 && answer->ended)
			break;
	}
	return (ssize_t)length;
}

static void done(void *context)
{
	struct answer *answer = context;
	sp_snapshot_release(answer->snapshot);
	sp_buf_free(&answer->piece);
	free(answer->area);
	free(answer->school);
	free(answer);
}

static void head(struct sp_buf *out, enum sp_expo_format format, const struct sp_snapshot *snapshot,
		 bool has_store)
{
	static const struct sp_expo_family build = {SP_EXPO_INFO, "schoolpulse_hub", NULL, "The program."};
	static const struct sp_expo_family readable = {SP_EXPO_GAUGE, "schoolpulse_store_readable", NULL,
						       "1 while the database answers."};
	struct sp_buf labels = SP_BUF(256);
	sp_expo_head(out, format, &build);
	sp_expo_label(&labels, "version", SP_VERSION);
	sp_expo_int(out, &build, labels.data, 1);
	sp_buf_free(&labels);
	sp_counters_expose(out, format);
	if (!has_store)
		return;
	sp_expo_head(out, format, &readable);
	sp_expo_int(out, &readable, "", snapshot != NULL);
	if (snapshot)
		sp_snapshot_hub(snapshot, out, format);
}

/// ?sites=yes or no, else as configured. False: it was refused.
static bool wants_sites(const struct sp_metrics *metrics, struct sp_http_call *call, bool *sites)
{
	const char *asked = sp_http_call_query(call, "sites");
	*sites = asked && asked[0] ? strcmp(asked, "yes") == 0 : metrics->config->metrics.sites;
	if (!asked || !asked[0] || strcmp(asked, "yes") == 0 || strcmp(asked, "no") == 0)
		return true;
	sp_http_reply_text(call, 400, "sites must be yes or no\n");
	return false;
}

/// ?format=openmetrics or classic, for those who cannot say it by Accept. False: it was refused.
static bool wants_format(struct sp_http_call *call, enum sp_expo_format *format)
{
	const char *asked = sp_http_call_query(call, "format");
	*format = sp_expo_accepted(sp_http_call_header(call, "Accept"));
	if (!asked || !asked[0])
		return true;
	if (strcmp(asked, "openmetrics") == 0)
		*format = SP_EXPO_OPENMETRICS;
	else if (strcmp(asked, "classic") == 0)
		*format = SP_EXPO_CLASSIC;
	else
		sp_http_reply_text(call, 400, "format must be openmetrics or classic\n");
	return strcmp(asked, "openmetrics") == 0 || strcmp(asked, "classic") == 0;
}

static char *query(struct sp_http_call *call, const char *name)
{
	const char *text = sp_http_call_query(call, name);
	return text && text[0] ? sp_strdup(text) : NULL;
}

void sp_metrics_answer(struct sp_metrics *metrics, struct sp_http_call *call,
		       struct sp_store *(*open)(void *arg), void *arg)
{
	enum sp_expo_format format;
	bool sites;
	if (!wants_sites(metrics, call, &sites) || !wants_format(call, &format))
		return;
	if (open)
		refresh(metrics, open, arg);
	struct answer *answer = sp_alloc(sizeof(*answer));
	*answer = (struct answer){.format = format,
				  .piece = SP_BUF(PIECE_MAX),
				  .area = query(call, "area"),
				  .school = query(call, "school")};
	if (metrics->latest && (sites || answer->area || answer->school))
		answer->snapshot = sp_snapshot_hold(metrics->latest);
	answer->walk = (struct sp_snapshot_walk){.snapshot = answer->snapshot,
						 .format = answer->format,
						 .area = answer->area,
						 .school = answer->school};
	head(&answer->piece, answer->format, metrics->latest, open != NULL);
	sp_http_reply_header(call, "Cache-Control", "no-store");
	sp_http_reply_header(call, "X-Content-Type-Options", "nosniff");
	sp_http_reply_header(call, "Vary", "Accept");
	sp_http_reply_made(call, 200, sp_expo_content_type(answer->format), make, done, answer);
}

// ---- of an ingest without a page ------------------------------------------------------------------------

struct sp_metrics_server {
	struct sp_metrics *metrics;
	struct sp_http_server *http;
};

static void get_metrics(struct sp_http_call *call, void *arg)
{
	struct sp_metrics_server *server = arg;
	sp_metrics_answer(server->metrics, call, NULL, NULL);
}

struct sp_metrics_server *sp_metrics_server_new(const struct sp_hub_config *config, char why[256])
{
	static const struct sp_http_route routes[] = {{"GET", "/metrics", get_metrics}, {0}};
	const struct sp_http_server_config http = {
	    .address = config->metrics.listen, .port = (uint16_t)config->metrics.port, .max_body = 1024};
	struct sp_metrics_server *server = sp_alloc(sizeof(*server));
	server->metrics = sp_metrics_new(config);
	server->http = sp_http_server_new(&http, routes, server, why);
	if (server->http)
		return server;
	sp_metrics_server_free(server);
	return NULL;
}

void sp_metrics_server_free(struct sp_metrics_server *server)
{
	if (!server)
		return;
	sp_http_server_free(server->http);
	sp_metrics_free(server->metrics);
	free(server);
}

void sp_metrics_server_run(struct sp_metrics_server *server, int stop_fd)
{
	sp_http_server_serve(server->http, stop_fd);
}

uint16_t sp_metrics_server_port(const struct sp_metrics_server *server)
{
	return sp_http_server_port(server->http);
}
