// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What http_server.c and http_call.c share.
#pragma once

#include <arpa/inet.h>
#include <microhttpd.h>

#include "agent/base/buf.h"
#include "agent/base/http_server.h"

enum { SP_HTTP_LEVELS = 8, SP_HTTP_REPLY_HEADERS = 16, SP_HTTP_SWEEP_US = 500 * 1000 };

/// One TCP connection, and how long it has been at what it does.
struct sp_http_peer {
	struct sp_http_peer *next, *previous;
	struct sp_http_call *call; ///< under way; NULL: its head is not here yet
	struct in6_addr network;   ///< IPv4 mapped; of IPv6 the first 64 bits
	bool good;                 ///< the answer under way is no error
	bool served;               ///< it had such a one before
	bool evicted;
	int fd;
	int64_t began_us;         ///< when what it does began
	int64_t since_us;         ///< from when on its time counts
	bool replying;            ///< the request is whole, or waits for us
	int64_t bytes_per_second; ///< its body's least pace; 0: it has a deadline
	/// Of the call under way, when it asked for a pace of its own; 0: the server's.
	int64_t allowed_us, stall_us;
	int64_t moved, moved_us; ///< bytes ever moved, and since when it is so many
};

struct sp_http_server {
	struct MHD_Daemon *daemon;
	const struct sp_http_route *routes;
	void *arg;
	void (*begin)(struct sp_http_call *call, void *arg);
	size_t max_body, crowd, peer_count;
	int64_t request_timeout_us, reply_timeout_us;
	int64_t swept_us;
	bool woken; ///< somebody was, since the last turn
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
	bool queueable; ///< libmicrohttpd takes a response now
	bool over;      ///< the body is, and the handler ran
	bool deferred;  ///< the reply comes later
	bool paused;    ///< the owner takes no more of the body
	bool suspended; ///< libmicrohttpd leaves the connection alone
	bool cut;
	struct MHD_Response *held; ///< made before it could be queued
	unsigned held_status;

	bool streamed;
	int64_t stream_left;
	void (*piece)(struct sp_http_call *call, const void *data, size_t length, void *arg);
	void (*ended)(const struct sp_http_moved *moved, void *context);
	void *ended_context;
	int64_t acked_before; ///< by the kernel's count, at the call's start
	int64_t received;
	int64_t reply_bytes; ///< of a repeated reply
};

struct sp_http_call *sp_http_call_new(struct sp_http_server *server, struct MHD_Connection *connection,
				      const char *method, const char *path);
void sp_http_call_free(struct sp_http_call *call);
/// Finds the route and lets it answer, or answers 404, 405, 413, 500.
void sp_http_call_dispatch(struct sp_http_call *call);
/// Gives the response that was made its headers, and queues it.
void sp_http_call_queue(struct sp_http_call *call, unsigned status, const char *content_type,
			struct MHD_Response *response);
/// Queues what was held. MHD_NO: it cannot be.
enum MHD_Result sp_http_call_release(struct sp_http_call *call);
/// Leaves the connection alone until sp_http_call_wake().
void sp_http_call_sleep(struct sp_http_call *call);
void sp_http_call_wake(struct sp_http_call *call);
/// A body beyond its limit or after its answer is read on for so long, so that the answer is seen. False:
/// cut.
bool sp_http_call_discard(struct sp_http_call *call, size_t length);

// ---- http_peers.c ---------------------------------------------------------------------------------

void sp_http_peer_came(struct sp_http_server *server, struct MHD_Connection *connection, void **context);
void sp_http_peer_left(struct sp_http_server *server, struct sp_http_peer *peer);
/// It does something else from now on.
void sp_http_peer_note(struct sp_http_peer *peer, bool replying);
/// Hangs up on those whose time is over.
void sp_http_peers_sweep(struct sp_http_server *server);
/// NULL when libmicrohttpd has forgotten it.
struct sp_http_peer *sp_http_peer_of(struct MHD_Connection *connection);
/// Takes a piece of a streamed body. False: it is too long.
bool sp_http_stream_piece(struct sp_http_call *call, const void *data, size_t length);
/// Before sp_http_call_free().
void sp_http_stream_end(struct sp_http_call *call, bool whole);
/// True when nothing has moved on this connection for longer than it may.
bool sp_http_stream_stalls(struct sp_http_peer *peer, int64_t now_us);
