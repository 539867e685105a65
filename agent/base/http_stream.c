// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Bodies that are never held: pieces of a request as they come, a reply that repeats one block, the pace
// that both must keep.
#include "agent/base/http_call.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/base/wire.h"
#include "schoolpulse/clock.h"

enum {
	REPEAT_STEP = 128 * 1024, ///< held per reply: what one send() is offered
	MADE_STEP = 64 * 1024,    ///< the same, of a reply that is made on the way
};

void sp_http_call_stream(struct sp_http_call *call, int64_t max_bytes,
			 void (*piece)(struct sp_http_call *call, const void *data, size_t length, void *arg))
{
	const char *announced = sp_http_call_header(call, MHD_HTTP_HEADER_CONTENT_LENGTH);
	if (announced && strtoull(announced, NULL, 10) > (uint64_t)max_bytes) {
		sp_http_reply_text(call, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large\n");
		return;
	}
	call->streamed = true;
	call->stream_left = max_bytes;
	call->piece = piece;
}

bool sp_http_stream_piece(struct sp_http_call *call, const void *data, size_t length)
{
	struct sp_http_peer *peer = sp_http_peer_of(call->connection);
	call->received += (int64_t)length;
	if (peer && peer->bytes_per_second > 0) {
		int64_t now = sp_clock_mono_us();
		peer->since_us += (int64_t)length * 1000000 / peer->bytes_per_second;
		if (peer->since_us > now)
			peer->since_us = now;
	}
	if (call->replied || call->discarded > 0 || (int64_t)length > call->stream_left)
		return sp_http_call_discard(call, length);
	call->stream_left -= (int64_t)length;
	if (call->piece)
		call->piece(call, data, length, call->server->arg);
	return true;
}

void sp_http_call_pace(struct sp_http_call *call, int64_t whole_ms, int64_t stall_ms)
{
	struct sp_http_peer *peer = sp_http_peer_of(call->connection);
	if (!peer)
		return;
	peer->since_us = peer->moved_us = sp_clock_mono_us();
	peer->moved = -1;
	peer->allowed_us = whole_ms * 1000;
	peer->stall_us = stall_ms * 1000;
}

void sp_http_call_keep_up(struct sp_http_call *call, int64_t stall_ms, int64_t bytes_per_second)
{
	struct sp_http_peer *peer = sp_http_peer_of(call->connection);
	if (!peer)
		return;
	peer->since_us = sp_clock_mono_us();
	peer->allowed_us = stall_ms * 1000;
	peer->stall_us = 0;
	peer->bytes_per_second = bytes_per_second;
}

bool sp_http_stream_stalls(struct sp_http_peer *peer, int64_t now_us)
{
	int64_t acked, received;
	if (!peer->stall_us)
		return false;
	sp_wire_moved(peer->fd, &acked, &received);
	if (acked + received != peer->moved) {
		peer->moved = acked + received;
		peer->moved_us = now_us;
	}
	return now_us - peer->moved_us >= peer->stall_us;
}

void sp_http_call_ended(struct sp_http_call *call,
			void (*ended)(const struct sp_http_moved *moved, void *context), void *context)
{
	struct sp_http_peer *peer = sp_http_peer_of(call->connection);
	int64_t received;
	call->ended = ended;
	call->ended_context = context;
	if (peer)
		sp_wire_moved(peer->fd, &call->acked_before, &received);
}

void sp_http_stream_end(struct sp_http_call *call, bool whole)
{
	if (!call->ended)
		return;
	struct sp_http_moved moved = {.sent = call->reply_bytes, .received = call->received, .whole = whole};
	struct sp_http_peer *peer = sp_http_peer_of(call->connection);
	if (!whole && call->reply_bytes) {
		int64_t acked = call->acked_before, received;
		if (peer)
			sp_wire_moved(peer->fd, &acked, &received);
		moved.sent = acked - call->acked_before;
	}
	call->ended(&moved, call->ended_context);
}

/// A reply under way.
struct repeat {
	const uint8_t *block;
	size_t length;
};

static ssize_t read_repeat(void *arg, uint64_t at, char *out, size_t most)
{
	const struct repeat *repeat = arg;
	size_t from = (size_t)(at % repeat->length), here = repeat->length - from;
	if (here > most)
		here = most;
	memcpy(out, repeat->block + from, here);
	return (ssize_t)here;
}

/// Not libmicrohttpd's iovec replies, which would copy nothing: 0.9.75 ends the program when a connection's
/// pool, which the peer can fill with his head, has no room for the list.
void sp_http_reply_repeat(struct sp_http_call *call, unsigned status, const char *content_type,
			  const void *block, size_t length, size_t count)
{
	if (call->replied)
		return;
	struct repeat *repeat = sp_alloc(sizeof(*repeat));
	*repeat = (struct repeat){block, length};
	int64_t bytes = (int64_t)length * (int64_t)count;
	struct MHD_Response *response =
	    MHD_create_response_from_callback((uint64_t)bytes, REPEAT_STEP, read_repeat, repeat, free);
	if (!response) {
		free(repeat);
		return;
	}
	if (strcmp(call->method, "HEAD") != 0)
		call->reply_bytes = bytes;
	sp_http_call_queue(call, status, content_type, response);
}

struct made {
	ssize_t (*make)(void *context, char *out, size_t most);
	void (*done)(void *context);
	void *context;
};

static ssize_t read_made(void *arg, uint64_t at, char *out, size_t most)
{
	const struct made *made = arg;
	(void)at;
	ssize_t length = made->make(made->context, out, most);
	return length > 0    ? length
	       : length == 0 ? MHD_CONTENT_READER_END_OF_STREAM
			     : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void free_made(void *arg)
{
	struct made *made = arg;
	made->done(made->context);
	free(made);
}

void sp_http_reply_made(struct sp_http_call *call, unsigned status, const char *content_type,
			ssize_t (*make)(void *context, char *out, size_t most), void (*done)(void *context),
			void *context)
{
	struct made *made = sp_alloc(sizeof(*made));
	*made = (struct made){make, done, context};
	struct MHD_Response *response =
	    call->replied
		? NULL
		: MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, MADE_STEP, read_made, made, free_made);
	if (response)
		sp_http_call_queue(call, status, content_type, response);
	else
		free_made(made);
}
