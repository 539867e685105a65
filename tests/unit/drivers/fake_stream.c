// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A scripted HTTP server behind a line, on virtual time (fake_stream.h).
#include "fake_stream.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { STEP_MS = 5, PIECE = 256 * 1024 };

struct fake_line fake_line;

struct sp_http_session {
	struct sp_device *dev;
	struct sp_http_stream *streams;
	struct sp_timer *timer;
	bool freed; ///< inside its own turn
	bool turning;
};

struct sp_http_stream {
	struct sp_http_stream *next;
	struct sp_http_session *session;
	struct sp_http_stream_request request;
	const struct sp_http_stream_events *events;
	void *arg;
	struct fake_script script;
	int64_t begun_us, moved_us, sent, received;
	double credit; ///< bytes of the line that are its own
	bool headed, posts, over;
};

static uint8_t piece[PIECE];

void fake_line_reset(double down_bps, double up_bps, fake_serve_fn serve)
{
	fake_line = (struct fake_line){
	    .down_bps = down_bps, .up_bps = up_bps, .serve = serve, .order = {.wanted = {true, true}}};
}

// ---- sessions -----------------------------------------------------------------------------------

static void turn(struct sp_device *dev, void *arg);

struct sp_http_session *sp_http_session_new(struct sp_device *dev,
					    const struct sp_http_session_config *config)
{
	struct sp_http_session *session = calloc(1, sizeof(*session));
	(void)config;
	session->dev = dev;
	session->timer = sp_timer_new(dev, turn, session);
	fake_line.sessions++;
	return session;
}

static void drop(struct sp_http_stream *stream)
{
	struct sp_http_stream **at = &stream->session->streams;
	while (*at != stream)
		at = &(*at)->next;
	*at = stream->next;
	fake_line.open--;
	free(stream);
}

void sp_http_session_free(struct sp_http_session *session)
{
	if (!session)
		return;
	while (session->streams)
		drop(session->streams);
	fake_line.sessions--;
	if (session->turning) {
		session->freed = true;
		return;
	}
	sp_timer_free(session->timer);
	free(session);
}

// ---- streams ------------------------------------------------------------------------------------

struct sp_http_stream *sp_http_stream_start(struct sp_http_session *session,
					    const struct sp_http_stream_request *request,
					    const struct sp_http_stream_events *events, void *arg)
{
	struct sp_http_stream *stream = calloc(1, sizeof(*stream));
	assert_true(request->timeout_ms > 0);
	*stream = (struct sp_http_stream){.next = session->streams,
					  .session = session,
					  .request = *request,
					  .events = events,
					  .arg = arg,
					  .begun_us = session->dev->now_us,
					  .moved_us = session->dev->now_us,
					  .posts = strcmp(request->method, "POST") == 0};
	stream->script =
	    (struct fake_script){.status = 200, .head_ms = 10, .announced = -1, .after_bytes = INT64_MAX};
	session->streams = stream;
	fake_line.requests++;
	if (++fake_line.open > fake_line.most_open)
		fake_line.most_open = fake_line.open;
	fake_line.serve(request, &stream->script);
	stream->request.url = stream->request.method = NULL; // nobody keeps them for us
	sp_timer_start(session->timer, STEP_MS);
	return stream;
}

void sp_http_stream_look(struct sp_http_stream *stream, struct sp_http_stream_end *out)
{
	const char *address = stream->script.address ? stream->script.address : "192.0.2.7";
	*out =
	    (struct sp_http_stream_end){.error = "",
					.status = stream->headed ? stream->script.status : 0,
					.sent_bytes = stream->sent,
					.received_bytes = stream->received,
					.acked_bytes = sp_http_stream_acked(stream),
					.bytes = 200 + stream->sent + stream->received,
					.retransmit_ratio = stream->sent ? 0.01 : (double)NAN,
					.first_byte_us = stream->headed ? stream->script.head_ms * 1000 : -1,
					.family = SP_FAMILY_IPV4};
	snprintf(out->address, sizeof(out->address), "%s", address);
}

int64_t sp_http_stream_cancel(struct sp_http_stream *stream)
{
	struct sp_http_stream_end end;
	if (!stream || stream->over)
		return 0;
	sp_http_stream_look(stream, &end);
	drop(stream);
	return end.bytes;
}

int64_t sp_http_stream_acked(const struct sp_http_stream *stream)
{
	return stream->sent;
}

static void end(struct sp_http_stream *stream, int result)
{
	struct sp_http_stream_end how;
	sp_http_stream_look(stream, &how);
	how.result = result;
	how.error = result ? "as the script says" : "";
	stream->over = true;
	stream->events->done(stream->session->dev, stream, &how, stream->arg);
}

// ---- time ---------------------------------------------------------------------------------------

static bool wants(const struct sp_http_stream *stream, bool up)
{
	const struct fake_script *script = &stream->script;
	if (up)
		return stream->posts && !stream->headed && stream->sent < stream->request.send_bytes &&
		       stream->sent < script->after_bytes;
	return !stream->posts && stream->headed && stream->received < script->length &&
	       stream->received < script->after_bytes;
}

static unsigned movers(const struct sp_http_session *session, bool up)
{
	unsigned count = 0;
	for (const struct sp_http_stream *s = session->streams; s; s = s->next)
		count += wants(s, up);
	return count;
}

static bool head_due(const struct sp_http_stream *stream, int64_t now)
{
	const struct fake_script *script = &stream->script;
	if (script->status == 0 || stream->headed)
		return false;
	// A refusal does not wait for the body.
	if (stream->posts && script->status == 200 && stream->sent < stream->request.send_bytes)
		return false;
	return now - (stream->posts ? stream->moved_us : stream->begun_us) >= script->head_ms * 1000 ||
	       (stream->posts && script->status != 200 && now - stream->begun_us >= script->head_ms * 1000);
}

/// False: the driver does not want it.
static bool send_head(struct sp_http_stream *stream)
{
	const struct fake_script *script = &stream->script;
	struct sp_http_head head = {.status = script->status,
				    .length = script->announced,
				    .location = script->location ? script->location : "",
				    .retry_after = script->retry_after ? script->retry_after : ""};
	stream->headed = true;
	return !stream->events->head ||
	       stream->events->head(stream->session->dev, stream, &head, stream->arg);
}

/// True: it is over, with this result.
static bool move(struct sp_http_stream *stream, int64_t now, double share[2], int *result)
{
	const struct fake_script *script = &stream->script;
	bool up = stream->posts;
	*result = 0;
	if (wants(stream, up)) {
		stream->credit += share[up];
		int64_t *count = up ? &stream->sent : &stream->received;
		int64_t most = up ? stream->request.send_bytes : script->length;
		int64_t bytes = (int64_t)stream->credit;
		if (most > script->after_bytes)
			most = script->after_bytes;
		if (bytes > most - *count)
			bytes = most - *count;
		stream->credit -= (double)bytes;
		*count += bytes;
		fake_line.wire += bytes;
		if (bytes > 0)
			stream->moved_us = now;
		*result = !up && stream->received > stream->request.max_bytes ? -EMSGSIZE : 0;
		for (int64_t left = bytes; left > 0 && !*result; left -= PIECE) {
			size_t length = left < PIECE ? (size_t)left : PIECE;
			if (up)
				stream->events->fill(stream->session->dev, stream, piece, length,
						     stream->arg);
			else if (stream->events->received &&
				 !stream->events->received(stream->session->dev, stream, piece, length,
							   stream->arg))
				*result = -ECANCELED;
		}
		if (*result)
			return true;
	}
	if (head_due(stream, now) && !send_head(stream)) {
		*result = -ECANCELED;
		return true;
	}
	int64_t moved = stream->sent + stream->received;
	bool at_end = moved >= script->after_bytes || (script->status == 0 && script->result);
	if (at_end && script->result && !script->stalls && now - stream->moved_us >= script->head_ms * 1000) {
		*result = script->result;
		return true;
	}
	if (now - stream->begun_us >= stream->request.timeout_ms * 1000 ||
	    (stream->request.stall_ms && now - stream->moved_us >= stream->request.stall_ms * 1000)) {
		*result = -ETIMEDOUT;
		return true;
	}
	if (!stream->headed ||
	    (stream->posts && script->status == 200 && stream->sent < stream->request.send_bytes))
		return false;
	return stream->posts || (stream->received >= script->length && !script->stalls);
}

static void turn(struct sp_device *dev, void *arg)
{
	struct sp_http_session *session = arg;
	unsigned down = movers(session, false), up = movers(session, true);
	double share[2] = {down ? fake_line.down_bps / 8e3 * STEP_MS / down : 0,
			   up ? fake_line.up_bps / 8e3 * STEP_MS / up : 0};
	struct sp_http_stream *todo[64];
	size_t count = 0;
	for (struct sp_http_stream *s = session->streams; s; s = s->next) {
		assert_true(count < SP_COUNT(todo));
		todo[count++] = s;
	}
	session->turning = true;
	for (size_t i = 0; i < count && !session->freed; i++) {
		struct sp_http_stream *s = session->streams;
		int result;
		while (s && s != todo[i])
			s = s->next; // it may be gone
		if (!s || !move(s, dev->now_us, share, &result))
			continue;
		end(s, result);
		if (!session->freed)
			drop(s);
	}
	session->turning = false;
	if (session->freed) {
		sp_timer_free(session->timer);
		free(session);
	} else if (session->streams) {
		sp_timer_start(session->timer, STEP_MS);
	}
}

// ---- speed.h --------------------------------------------------------------------------------------

const struct sp_speed_order *sp_speed_order(const struct sp_device *dev)
{
	(void)dev;
	return &fake_line.order;
}

void sp_speed_progress(struct sp_device *dev, enum sp_speed_phase phase, double done, double bps)
{
	(void)dev, (void)bps;
	assert_true(done >= 0 && done <= 1);
	if (phase == SP_SPEED_LOAD_DOWN || phase == SP_SPEED_LOAD_UP)
		assert_true(!fake_line.ended[phase]);
	fake_line.progress[phase]++;
	fake_line.began[phase] |= done == 0;
	fake_line.ended[phase] |= done == 1;
}

static const char *keep(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text ? text : "");
	return text ? out : NULL;
}

void sp_speed_report(struct sp_device *dev, const struct sp_speed_report *report)
{
	assert_true(dev->round);
	assert_false(fake_line.reported);
	fake_line.reported = true;
	fake_line.report = *report;
	fake_line.report.server = keep(fake_line.server, sizeof(fake_line.server), report->server);
	fake_line.report.address = keep(fake_line.address, sizeof(fake_line.address), report->address);
	fake_line.report.scope = keep(fake_line.scope, sizeof(fake_line.scope), report->scope);
	for (int i = 0; i < SP_SPEED_DIRECTIONS; i++) {
		struct sp_speed_result *kept = &fake_line.report.results[i];
		kept->reason = keep(fake_line.texts[i][0], 256, kept->reason);
		kept->text = keep(fake_line.texts[i][1], 256, kept->text);
	}
}
