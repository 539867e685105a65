// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// io.h: HTTP sessions and their streams. A session is a client of base's own, so that its connections are
// nobody else's.
#include <stdlib.h>
#include <string.h>

#include "agent/base/http_flow.h"
#include "agent/base/mem.h"
#include "agent/core/device_priv.h"
#include "agent/core/io/http.h"

struct sp_http_session {
	struct sp_resource open;
	struct sp_http_pool *pool;
	struct sp_http_session_config config;
	char *resolve, *interface, *ca_file, *user, *password, *fingerprint;
	struct sp_http_stream *streams;
};

struct sp_http_stream {
	struct sp_http_stream *next, *previous;
	struct sp_http_session *session;
	struct sp_device *dev;
	struct sp_http_flow *flow;
	const struct sp_http_stream_events *events;
	void *arg;
	bool over; ///< its done() runs
};

static void unlink_stream(struct sp_http_stream *stream)
{
	if (stream->previous)
		stream->previous->next = stream->next;
	else
		stream->session->streams = stream->next;
	if (stream->next)
		stream->next->previous = stream->previous;
}

// ---- what base tells --------------------------------------------------------------------------

static bool on_head(void *arg, const struct sp_http_head *head)
{
	struct sp_http_stream *stream = arg;
	return !stream->events->head || stream->events->head(stream->dev, stream, head, stream->arg);
}

static bool on_received(void *arg, const uint8_t *data, size_t length)
{
	struct sp_http_stream *stream = arg;
	return !stream->events->received ||
	       stream->events->received(stream->dev, stream, data, length, stream->arg);
}

static void on_fill(void *arg, uint8_t *data, size_t size)
{
	struct sp_http_stream *stream = arg;
	stream->events->fill(stream->dev, stream, data, size, stream->arg);
}

static void on_done(void *arg, const struct sp_http_stream_end *end)
{
	struct sp_http_stream *stream = arg;
	stream->over = true;
	unlink_stream(stream);
	stream->events->done(stream->dev, stream, end, stream->arg);
	free(stream);
}

static const struct sp_http_flow_events flow_events = {on_head, on_received, on_fill, on_done};

// ---- what a driver asks -------------------------------------------------------------------------

static char *copy(const char *text)
{
	return text ? sp_strdup(text) : NULL;
}

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

static void close_session(struct sp_resource *resource)
{
	struct sp_http_session *session = (struct sp_http_session *)resource;
	sp_resource_unlink(resource);
	for (struct sp_http_stream *stream = session->streams, *next; stream; stream = next) {
		next = stream->next;
		sp_http_flow_cancel(stream->flow);
		free(stream);
	}
	sp_http_pool_free(session->pool);
	free(session->resolve);
	free(session->interface);
	free(session->ca_file);
	free(session->fingerprint);
	wipe(session->user);
	wipe(session->password);
	free(session);
}

struct sp_http_session *sp_http_session_new(struct sp_device *dev,
					    const struct sp_http_session_config *config)
{
	struct sp_http_session *session = sp_alloc(sizeof(*session));
	session->config = *config;
	session->config.resolve = session->resolve = copy(config->resolve);
	session->config.interface = session->interface = copy(config->interface);
	session->config.ca_file = session->ca_file = copy(config->ca_file);
	session->config.user = session->user = copy(config->user);
	session->config.password = session->password = copy(config->password);
	session->config.fingerprint = session->fingerprint = copy(config->fingerprint);
	session->pool = sp_http_pool_new(sp_device_loop(dev));
	sp_resource_open(&session->open, dev, close_session);
	return session;
}

void sp_http_session_free(struct sp_http_session *session)
{
	if (session)
		close_session(&session->open);
}

struct sp_http_stream *sp_http_stream_start(struct sp_http_session *session,
					    const struct sp_http_stream_request *request,
					    const struct sp_http_stream_events *events, void *arg)
{
	struct sp_http_stream *stream = sp_alloc(sizeof(*stream));
	stream->session = session;
	stream->dev = session->open.dev;
	stream->events = events;
	stream->arg = arg;
	stream->next = session->streams;
	if (stream->next)
		stream->next->previous = stream;
	session->streams = stream;
	stream->flow =
	    sp_http_flow_start(session->pool->client, &session->config, request, &flow_events, stream);
	return stream;
}

void sp_http_stream_look(struct sp_http_stream *stream, struct sp_http_stream_end *out)
{
	sp_http_flow_look(stream->flow, out);
}

int64_t sp_http_stream_cancel(struct sp_http_stream *stream)
{
	struct sp_http_stream_end end;
	if (!stream || stream->over)
		return 0;
	sp_http_flow_look(stream->flow, &end);
	unlink_stream(stream);
	sp_http_flow_cancel(stream->flow);
	free(stream);
	return end.bytes;
}

int64_t sp_http_stream_acked(const struct sp_http_stream *stream)
{
	return sp_http_flow_acked(stream->flow);
}

void sp_http_stream_pause(struct sp_http_stream *stream)
{
	sp_http_flow_pause(stream->flow);
}

void sp_http_stream_resume(struct sp_http_stream *stream)
{
	sp_http_flow_resume(stream->flow);
}
