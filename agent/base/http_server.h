// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A small HTTP/1.1 server over libmicrohttpd, on its owner's thread: a descriptor to watch, a
// timeout, a function to run. Requests reach a handler whole and bounded; bodies too large to be held
// are streamed ("Streams" below). Plain HTTP, or TLS with a certificate of one's own.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "schoolpulse/err.h"

struct sp_http_server;
struct sp_http_call; ///< one request being answered; lives during its handler, or as long as it is deferred

/// `method` GET serves HEAD, too, and "*" every one. `pattern` is an absolute path; a level ":name" matches
/// one non-empty level, a last level "*" everything from there on. The first row that matches wins.
struct sp_http_route {
	const char *method;
	const char *pattern;
	/// Must call sp_http_reply() once, or sp_http_call_defer(); 500 otherwise. Blocks every other
	/// request.
	void (*handle)(struct sp_http_call *call, void *arg);
};

/// Zeros mean the defaults.
struct sp_http_server_config {
	const char *address; ///< a literal; NULL: 127.0.0.1; "": every address, both families
	uint16_t port;       ///< 0: any that is free
	size_t max_connections;
	size_t max_per_address;
	/// From so many connections on a new one takes the place of another: of one that has asked nothing
	/// for a second, then of an idle one, of a slow body; each time of the address that has most, the
	/// oldest. One whose answer is awaited stays. 0: who comes beyond max_connections is refused.
	size_t crowd;
	size_t max_head;            ///< request line and header fields
	size_t max_body;            ///< 413 beyond
	int64_t request_timeout_ms; ///< from the connection (or the last answer) to a whole request
	int64_t reply_timeout_ms;   ///< to take the answer
	/// Leaves `Date:` to the handlers: kiosk terminals set their clock by it, and ours may be wrong.
	bool no_date;
	/// PEM texts, to be kept until the server is freed; both or none. None: plain HTTP.
	const char *certificate, *key;
	/// Runs as soon as a request's head is here, before its body. It may reply at once: the body is then
	/// not read, and the connection ends. Or it takes the body in pieces. NULL: every body is held.
	void (*begin)(struct sp_http_call *call, void *arg);
};

/// `routes` ends with a row whose method is NULL and outlives the server, as `arg` does. NULL and
/// errno with `why`.
struct sp_http_server *sp_http_server_new(const struct sp_http_server_config *config,
					  const struct sp_http_route *routes, void *arg, char why[256]);
/// Closes all connections at once.
void sp_http_server_free(struct sp_http_server *server);
uint16_t sp_http_server_port(const struct sp_http_server *server);

/// To be watched for reading (an epoll descriptor).
int sp_http_server_fd(const struct sp_http_server *server);
/// How long sp_http_server_run() may be put off when the descriptor stays silent; -1: for ever. To be asked
/// again after a reply, a cut or a resume that came from outside of sp_http_server_run().
int64_t sp_http_server_timeout_ms(const struct sp_http_server *server);
void sp_http_server_run(struct sp_http_server *server);
/// All of that in a loop, for a thread that does nothing else, until `stop_fd` is readable.
void sp_http_server_serve(struct sp_http_server *server, int stop_fd);

// ---- within a handler ---------------------------------------------------------------------------

const char *sp_http_call_method(const struct sp_http_call *call);
const char *sp_http_call_path(const struct sp_http_call *call); ///< decoded, without the query
/// What the n-th ":name" or the "*" of the pattern stood for, decoded; "" without one.
const char *sp_http_call_level(const struct sp_http_call *call, unsigned n);
/// NULL when there is none; header names in any case. Decoded.
const char *sp_http_call_header(const struct sp_http_call *call, const char *name);
const char *sp_http_call_query(const struct sp_http_call *call, const char *name);
/// NUL-terminated; "" without one.
const char *sp_http_call_body(const struct sp_http_call *call, size_t *length);
/// The peer's address literal.
const char *sp_http_call_peer(const struct sp_http_call *call);

enum sp_http_body {
	SP_HTTP_COPY,   ///< copied now
	SP_HTTP_STATIC, ///< stays as it is until the program ends
	SP_HTTP_TAKE,   ///< given away, free()d when sent; also when the reply fails
};

/// For the coming reply; both are copied. Ignored beyond 16, or when it holds a control character.
void sp_http_reply_header(struct sp_http_call *call, const char *name, const char *value);
/// `content_type` NULL: none.
void sp_http_reply(struct sp_http_call *call, unsigned status, const char *content_type, const void *body,
		   size_t length, enum sp_http_body how);
/// A short plain text.
void sp_http_reply_text(struct sp_http_call *call, unsigned status, const char *text);

// ---- streams ------------------------------------------------------------------------------------

struct sp_http_moved {
	int64_t sent,
	    received; ///< bytes of this call: sent ones the peer's kernel has, or all of a whole reply
	bool whole;   ///< the reply was sent to its end
};

/// Within begin(): each piece of the body goes to `piece` instead of being held; then the route's handler
/// runs as ever. 413 beyond `max_bytes`. `piece` may be NULL: thrown away.
void sp_http_call_stream(struct sp_http_call *call, int64_t max_bytes,
			 void (*piece)(struct sp_http_call *call, const void *data, size_t length,
				       void *arg));
/// From now until the reply is taken: the whole may last `whole_ms`, and within `stall_ms` some byte must
/// move. The connection is cut otherwise.
void sp_http_call_pace(struct sp_http_call *call, int64_t whole_ms, int64_t stall_ms);
/// Runs when the call is over, in whatever way: also when the peer has gone.
void sp_http_call_ended(struct sp_http_call *call,
			void (*ended)(const struct sp_http_moved *moved, void *context), void *context);
/// A body of `count` times the same block, which stays as it is until the server has ended.
void sp_http_reply_repeat(struct sp_http_call *call, unsigned status, const char *content_type,
			  const void *block, size_t length, size_t count);
/// A body that is made while it is sent, in pieces: `make` puts at most `most` bytes into `out` and says how
/// many, 0 at the end, or -1 to cut the connection. `done` follows in every case, also when nothing was sent.
void sp_http_reply_made(struct sp_http_call *call, unsigned status, const char *content_type,
			ssize_t (*make)(void *context, char *out, size_t most), void (*done)(void *context),
			void *context);
/// Instead of the server's time for a request: its body may come as slowly as that and may pause for so long.
/// With sp_http_call_stream(). Time during which it is paused does not count.
void sp_http_call_keep_up(struct sp_http_call *call, int64_t stall_ms, int64_t bytes_per_second);
/// No further piece until it is resumed: what has not come yet waits with the peer. Not for longer than a
/// reply may take.
void sp_http_call_pause(struct sp_http_call *call);
void sp_http_call_resume(struct sp_http_call *call);

// ---- answers that come later ----------------------------------------------------------------------

/// Within a handler: sp_http_reply() comes after it has returned, within the reply's time. `call` lives until
/// ended() of sp_http_call_ended(), which must be set.
void sp_http_call_defer(struct sp_http_call *call);
/// Cuts the connection without an answer; ended() comes later.
void sp_http_call_cut(struct sp_http_call *call);
/// What was given to sp_http_call_ended(); NULL before.
void *sp_http_call_context(const struct sp_http_call *call);
