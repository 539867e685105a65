// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A small HTTP/1.1 server over libmicrohttpd, on its owner's thread: a descriptor to watch, a
// timeout, a function to run. Requests reach a handler whole and bounded. Plain HTTP: what must be
// encrypted stands behind a proxy.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/err.h"

struct sp_http_server;
struct sp_http_call; ///< one request being answered; lives during its handler

/// `method` GET serves HEAD, too. `pattern` is an absolute path; a level ":name" matches one
/// non-empty level, a last level "*" everything from there on. The first row that matches wins.
struct sp_http_route {
	const char *method;
	const char *pattern;
	/// Must call sp_http_reply() once; 500 otherwise. Blocks every other request.
	void (*handle)(struct sp_http_call *call, void *arg);
};

/// Zeros mean the defaults.
struct sp_http_server_config {
	const char *address; ///< a literal; NULL: 127.0.0.1
	uint16_t port;       ///< 0: any that is free
	size_t max_connections;
	size_t max_per_address;
	size_t max_head;            ///< request line and header fields
	size_t max_body;            ///< 413 beyond
	int64_t request_timeout_ms; ///< from the connection (or the last answer) to a whole request
	int64_t reply_timeout_ms;   ///< to take the answer
	/// Leaves `Date:` to the handlers: kiosk terminals set their clock by it, and ours may be wrong.
	bool no_date;
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
/// How long sp_http_server_run() may be put off when the descriptor stays silent; -1: for ever.
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
