// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Listening, connections and their limits. libmicrohttpd's own timeout starts anew with every byte,
// so that a peer that drips keeps its place for hours; here a request has one deadline as a whole.
#include "agent/base/http_server.h"

#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/http_call.h"
#include "agent/base/mem.h"
#include "schoolpulse/clock.h"
#include "schoolpulse/log.h"

enum {
	CONNECTIONS = 200,
	PER_ADDRESS = 50,
	HEAD_MAX = 16 * 1024,
	BODY_MAX = 256 * 1024,
	DISCARD_MAX = 1024 * 1024, ///< read and thrown away so that the 413 is seen; then cut off
	REQUEST_TIMEOUT_MS = 20 * 1000,
	REPLY_TIMEOUT_MS = 60 * 1000,
	SWEEP_US = 500 * 1000,
	BACKLOG = 4096, ///< the kernel cuts it to net.core.somaxconn
	POOL_STEP = 16 * 1024,
};

// ---- connections ----------------------------------------------------------------------------------

static void on_connection(void *arg, struct MHD_Connection *connection, void **socket_context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct sp_http_server *server = arg;
	struct sp_http_peer *peer = *socket_context;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		peer = sp_alloc(sizeof(*peer));
		peer->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		peer->since_us = sp_clock_mono_us();
		peer->next = server->peers;
		if (peer->next)
			peer->next->previous = peer;
		server->peers = peer;
		*socket_context = peer;
	} else if (peer) {
		if (peer->previous)
			peer->previous->next = peer->next;
		else
			server->peers = peer->next;
		if (peer->next)
			peer->next->previous = peer->previous;
		free(peer);
		*socket_context = NULL;
	}
}

struct sp_http_peer *sp_http_peer_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info ? info->socket_context : NULL;
}

static void note(struct MHD_Connection *connection, bool replying)
{
	struct sp_http_peer *peer = sp_http_peer_of(connection);
	if (!peer)
		return;
	peer->replying = replying;
	if (replying && peer->allowed_us)
		return; // its own deadline is running
	peer->since_us = sp_clock_mono_us();
	peer->allowed_us = peer->stall_us = 0;
}

static bool overdue(const struct sp_http_server *server, struct sp_http_peer *peer, int64_t now)
{
	int64_t allowed = peer->replying ? server->reply_timeout_us : server->request_timeout_us;
	if (peer->allowed_us)
		allowed = peer->allowed_us;
	return now - peer->since_us >= allowed || sp_http_stream_stalls(peer, now);
}

/// libmicrohttpd sees the end of a socket that was shut down here, and closes it.
static void sweep(struct sp_http_server *server)
{
	int64_t now = sp_clock_mono_us();
	if (now - server->swept_us < SWEEP_US)
		return;
	server->swept_us = now;
	for (struct sp_http_peer *peer = server->peers; peer; peer = peer->next) {
		if (overdue(server, peer, now))
			shutdown(peer->fd, SHUT_RDWR);
	}
}

// ---- requests ---------------------------------------------------------------------------------------

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *data, size_t *size,
				  void **context)
{
	struct sp_http_server *server = arg;
	struct sp_http_call *call = *context;
	(void)version;
	if (!call) {
		*context = call = sp_http_call_new(server, connection, method, url);
		if (server->begin)
			server->begin(call, server->arg);
		if (call->replied || call->streamed)
			return call->replied ? call->queued : MHD_YES;
		const char *announced = sp_http_call_header(call, MHD_HTTP_HEADER_CONTENT_LENGTH);
		if (!announced || strtoull(announced, NULL, 10) <= server->max_body)
			return MHD_YES;
		call->discarded = 1; // not a byte of it is read
	} else if (*size > 0 && call->streamed) {
		bool taken = sp_http_stream_piece(call, data, *size);
		*size = 0;
		return taken ? MHD_YES : MHD_NO;
	} else if (*size > 0) {
		if (!call->body.overflowed)
			sp_buf_add(&call->body, data, *size);
		if (call->body.overflowed)
			call->discarded += *size;
		*size = 0;
		return call->discarded <= DISCARD_MAX ? MHD_YES : MHD_NO;
	}
	if (call->replied)
		return call->queued;
	note(connection, true);
	sp_http_call_dispatch(call);
	return call->queued;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **context,
			 enum MHD_RequestTerminationCode code)
{
	(void)arg;
	if (*context)
		sp_http_stream_end(*context, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
	note(connection, false);
	sp_http_call_free(*context);
	*context = NULL;
}

SP_PRINTF(2, 0) static void on_log(void *arg, const char *format, va_list args)
{
	char text[256];
	(void)arg;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\r\n")] = '\0';
	sp_debug("http", "%s", text);
}

// ---- listening --------------------------------------------------------------------------------------

static int fail(int fd, char why[256], const char *address, uint16_t port, int error)
{
	snprintf(why, 256, "cannot listen on %s port %u: %s", address, port, strerror(error));
	if (fd >= 0)
		close(fd);
	return -error;
}

static uint16_t port_of(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address;
	socklen_t size = sizeof(address);
	memset(&address, 0, sizeof(address));
	if (getsockname(fd, &address.any, &size) != 0)
		return 0;
	return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

static int listen_on(const char *address, uint16_t port, char why[256])
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
	struct addrinfo *info = NULL;
	char service[8];
	snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(address, service, &hints, &info) != 0)
		return fail(-1, why, address, port, EADDRNOTAVAIL);
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
	int error = fd < 0 ? errno : 0;
	if (!error) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0)
			error = errno;
	}
	freeaddrinfo(info);
	return error ? fail(fd, why, address, port, error) : fd;
}

#define OR_DEFAULT(value, def) ((value) > 0 ? (value) : (def))

static struct MHD_Daemon *start(struct sp_http_server *server, const struct sp_http_server_config *config,
				int fd)
{
	unsigned flags = MHD_USE_EPOLL | MHD_USE_ERROR_LOG;
	if (config->no_date)
		flags |= MHD_USE_SUPPRESS_DATE_NO_CLOCK;
	if (config->certificate)
		flags |= MHD_USE_TLS;
	struct MHD_OptionItem tls[] = {
	    {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)config->certificate},
	    {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)config->key},
	    {MHD_OPTION_END, 0, NULL},
	};
	int64_t idle_ms = server->request_timeout_us > server->reply_timeout_us ? server->request_timeout_us
										: server->reply_timeout_us;
	return MHD_start_daemon(
	    flags, 0, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
	    MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
	    (unsigned)OR_DEFAULT(config->max_connections, CONNECTIONS), MHD_OPTION_PER_IP_CONNECTION_LIMIT,
	    (unsigned)OR_DEFAULT(config->max_per_address, PER_ADDRESS), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    (size_t)OR_DEFAULT(config->max_head, HEAD_MAX), MHD_OPTION_CONNECTION_MEMORY_INCREMENT,
	    (size_t)POOL_STEP, MHD_OPTION_ARRAY, config->certificate ? tls : &tls[2],
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(idle_ms / 1000000 + 1), MHD_OPTION_NOTIFY_COMPLETED,
	    on_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_END);
}

struct sp_http_server *sp_http_server_new(const struct sp_http_server_config *config,
					  const struct sp_http_route *routes, void *arg, char why[256])
{
	const char *address = config->address ? config->address : "127.0.0.1";
	why[0] = '\0';
	int fd = listen_on(address, config->port, why);
	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	struct sp_http_server *server = sp_alloc(sizeof(*server));
	server->routes = routes;
	server->arg = arg;
	server->port = port_of(fd);
	server->begin = config->begin;
	server->max_body = OR_DEFAULT(config->max_body, (size_t)BODY_MAX);
	server->request_timeout_us = OR_DEFAULT(config->request_timeout_ms, REQUEST_TIMEOUT_MS) * 1000;
	server->reply_timeout_us = OR_DEFAULT(config->reply_timeout_ms, REPLY_TIMEOUT_MS) * 1000;
	server->daemon = start(server, config, fd);
	if (!server->daemon) {
		fail(fd, why, address, config->port, ENOMEM);
		free(server);
		errno = ENOMEM;
		return NULL;
	}
	server->epoll_fd = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	return server;
}

void sp_http_server_free(struct sp_http_server *server)
{
	if (!server)
		return;
	MHD_stop_daemon(server->daemon);
	free(server);
}

uint16_t sp_http_server_port(const struct sp_http_server *server)
{
	return server->port;
}

int sp_http_server_fd(const struct sp_http_server *server)
{
	return server->epoll_fd;
}

int64_t sp_http_server_timeout_ms(const struct sp_http_server *server)
{
	MHD_UNSIGNED_LONG_LONG timeout = 0;
	if (MHD_get_timeout(server->daemon, &timeout) != MHD_YES)
		return server->peers ? SWEEP_US / 1000 : -1;
	return timeout < SWEEP_US / 1000 ? (int64_t)timeout : SWEEP_US / 1000;
}

void sp_http_server_run(struct sp_http_server *server)
{
	sweep(server);
	MHD_run(server->daemon);
}

void sp_http_server_serve(struct sp_http_server *server, int stop_fd)
{
	struct pollfd fds[2] = {{.fd = server->epoll_fd, .events = POLLIN},
				{.fd = stop_fd, .events = POLLIN}};
	for (;;) {
		if (poll(fds, 2, (int)sp_http_server_timeout_ms(server)) < 0 && errno != EINTR)
			return;
		if (fds[1].revents)
			return;
		sp_http_server_run(server);
	}
}
