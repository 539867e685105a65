// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Requests answered as a test says (fake_session.h).
#include "fake_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fake_session fake_session;

struct sp_http_session {
	struct sp_device *dev;
	struct sp_http_stream *streams;
};

struct sp_http_stream {
	struct sp_http_stream *next;
	struct sp_http_session *session;
	struct sp_timer *timer;
	const struct sp_http_stream_events *events;
	void *arg;
	char method[8], path[160], body[1024];
	int64_t max_bytes, received;
	struct fake_reply reply;
};

void fake_session_reset(fake_reply_fn reply)
{
	fake_session = (struct fake_session){.reply = reply};
}

struct sp_http_session *sp_http_session_new(struct sp_device *dev,
					    const struct sp_http_session_config *config)
{
	struct sp_http_session *session = calloc(1, sizeof(*session));
	assert_non_null(session);
	session->dev = dev;
	fake_session.sessions++;
	fake_session.logs_in = config->user && config->password;
	fake_session.pinned = config->fingerprint && *config->fingerprint;
	return session;
}

static void drop(struct sp_http_stream *stream)
{
	struct sp_http_stream **at = &stream->session->streams;
	while (*at != stream)
		at = &(*at)->next;
	*at = stream->next;
	if (fake_session.held == stream)
		fake_session.held = NULL;
	sp_timer_free(stream->timer);
	free(stream);
}

void sp_http_session_free(struct sp_http_session *session)
{
	if (!session)
		return;
	while (session->streams)
		drop(session->streams);
	fake_session.sessions--;
	free(session);
}

static void finish(struct sp_http_stream *stream, int result)
{
	struct sp_http_stream_end end = {.result = result,
					 .error = result ? "as the test says" : "",
					 .status = stream->reply.result < 0 ? 0 : stream->reply.status,
					 .received_bytes = stream->received};
	if (fake_session.held == stream)
		fake_session.held = NULL;
	stream->events->done(stream->session->dev, stream, &end, stream->arg);
	drop(stream);
}

static bool say(struct sp_http_stream *stream, const char *text)
{
	size_t length = strlen(text);
	char *copy = malloc(length + 1); // no more than what came may be read
	assert_non_null(copy);
	memcpy(copy, text, length);
	stream->received += (int64_t)length;
	assert_true(stream->received <= stream->max_bytes);
	bool wanted =
	    stream->events->received(stream->session->dev, stream, (uint8_t *)copy, length, stream->arg);
	free(copy);
	return wanted;
}

static void answer(struct sp_device *dev, void *arg)
{
	struct sp_http_stream *stream = arg;
	struct fake_reply *reply = &stream->reply;
	if (reply->result < 0) {
		finish(stream, reply->result);
		return;
	}
	struct sp_http_head head = {.status = reply->status,
				    .length = -1,
				    .location = "",
				    .retry_after = "",
				    .content_type = reply->type ? reply->type : ""};
	if (!stream->events->head(dev, stream, &head, stream->arg) ||
	    (reply->body[0] && !say(stream, reply->body))) {
		finish(stream, -ECANCELED);
	} else if (reply->open) {
		assert_null(fake_session.held);
		fake_session.held = stream;
		fake_session.paused = false;
	} else {
		finish(stream, 0);
	}
}

struct sp_http_stream *sp_http_stream_start(struct sp_http_session *session,
					    const struct sp_http_stream_request *request,
					    const struct sp_http_stream_events *events, void *arg)
{
	struct sp_http_stream *stream = calloc(1, sizeof(*stream));
	assert_non_null(stream);
	const char *host = strstr(request->url, "://"), *path = host ? strchr(host + 3, '/') : NULL;
	assert_non_null(path);
	*stream = (struct sp_http_stream){.next = session->streams,
					  .session = session,
					  .events = events,
					  .arg = arg,
					  .max_bytes = request->max_bytes,
					  .reply = {.status = 200, .delay_ms = 1}};
	session->streams = stream;
	snprintf(stream->method, sizeof(stream->method), "%s", request->method);
	snprintf(stream->path, sizeof(stream->path), "%s", path);
	assert_true(fake_session.request_count < FAKE_SESSION_REQUESTS);
	snprintf(fake_session.requests[fake_session.request_count++], 96, "%s %.80s", request->method, path);
	assert_true(request->send_bytes < (int64_t)sizeof(stream->body));
	if (request->send_bytes > 0) {
		// Twice, as when a login is asked for after the body went out.
		events->fill(session->dev, stream, (uint8_t *)stream->body, (size_t)request->send_bytes, arg);
		events->fill(session->dev, stream, (uint8_t *)stream->body, (size_t)request->send_bytes, arg);
		snprintf(fake_session.posted, sizeof(fake_session.posted), "%s", stream->body);
	}
	fake_session.reply(stream->method, stream->path, stream->body, &stream->reply);
	stream->timer = sp_timer_new(session->dev, answer, stream);
	sp_timer_start(stream->timer, stream->reply.delay_ms);
	return stream;
}

int64_t sp_http_stream_cancel(struct sp_http_stream *stream)
{
	if (stream)
		drop(stream);
	return 0;
}

void sp_http_stream_look(struct sp_http_stream *stream, struct sp_http_stream_end *out)
{
	*out = (struct sp_http_stream_end){.error = "", .received_bytes = stream->received};
}

int64_t sp_http_stream_acked(const struct sp_http_stream *stream)
{
	(void)stream;
	return -1;
}

void sp_http_stream_pause(struct sp_http_stream *stream)
{
	assert_ptr_equal(stream, fake_session.held);
	fake_session.paused = true;
	fake_session.pauses++;
}

void sp_http_stream_resume(struct sp_http_stream *stream)
{
	assert_ptr_equal(stream, fake_session.held);
	fake_session.paused = false;
}

bool fake_say(const char *text)
{
	assert_non_null(fake_session.held);
	assert_false(fake_session.paused);
	struct sp_http_stream *stream = fake_session.held;
	if (say(stream, text))
		return true;
	finish(stream, -ECANCELED);
	return false;
}

void fake_hang_up(int result)
{
	assert_non_null(fake_session.held);
	finish(fake_session.held, result);
}

size_t fake_asked(const char *path, size_t from)
{
	size_t count = 0;
	for (size_t i = from; i < fake_session.request_count; i++)
		count += strstr(fake_session.requests[i], path) != NULL;
	return count;
}
