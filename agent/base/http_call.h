// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What http_server.c and http_call.c share.
#pragma once

#include <arpa/inet.h>
#include <microhttpd.h>

#include "agent/base/buf.h"
#include "agent/base/http_server.h"

enum { SP_HTTP_LEVELS = 8, SP_HTTP_REPLY_HEADERS = 16 };

/// One TCP connection, and how long it has been at what it does.
struct sp_http_peer {
	struct sp_http_peer *next, *previous;
	int fd;
	int64_t since_us;
	bool replying; ///< the request is whole
};

struct sp_http_server {
	struct MHD_Daemon *daemon;
	const struct sp_http_route *routes;
	void *arg;
	size_t max_body;
	int64_t request_timeout_us, reply_timeout_us;
	int64_t swept_us;
	int epoll_fd;
	uint16_t port;
	struct sp_http_peer *peers;
};

struct sp_http_call {
	struct sp_http_server *server;
	struct MHD_Connection *connection;
	char *method, *path;
	char *levels[SP_HTTP_LEVELS];
	size_t level_count;
	struct sp_buf body;
	size_t discarded; ///< bytes beyond max_body
	char peer[INET6_ADDRSTRLEN];
	struct {
		char *name, *value;
	} headers[SP_HTTP_REPLY_HEADERS];
	size_t header_count;
	bool replied;
	enum MHD_Result queued;
};

struct sp_http_call *sp_http_call_new(struct sp_http_server *server, struct MHD_Connection *connection,
				      const char *method, const char *path);
void sp_http_call_free(struct sp_http_call *call);
/// Finds the route and lets it answer, or answers 404, 405, 413, 500.
void sp_http_call_dispatch(struct sp_http_call *call);
