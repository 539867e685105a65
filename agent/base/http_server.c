// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Listening, and the turns that libmicrohttpd takes with a request.
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
	REQUEST_TIMEOUT_MS = 20 * 1000,
	REPLY_TIMEOUT_MS = 60 * 1000,
	BACKLOG = 4096, ///< the kernel cuts it to net.core.somaxconn
	POOL_STEP = 16 * 1024,
};

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		sp_http_peer_came(arg, connection, context);
	else if (*context)
		sp_http_peer_left(arg, *context);
}

// ---- requests ---------------------------------------------------------------------------------------

static enum MHD_Result on_head(struct sp_http_server *server, struct sp_http_call *call)
{
	call->queueable = true;
	if (server->begin)
		server->begin(call, server->arg);
	call->queueable = false;
	if (call->cut)
		return MHD_NO;
	if (call->replied || call->streamed)
		return call->replied ? call->queued : MHD_YES;
	const char *announced = sp_http_call_header(call, MHD_HTTP_HEADER_CONTENT_LENGTH);
	if (!announced || strtoull(announced, NULL, 10) <= server->max_body)
		return MHD_YES;
	call->discarded = 1; // not a byte of it is read
	sp_http_peer_note(sp_http_peer_of(call->connection), true);
	call->queueable = true;
	sp_http_call_dispatch(call);
	return call->queued;
}

/// How many bytes were left is told by `size`.
static enum MHD_Result on_piece(struct sp_http_call *call, const char *data, size_t *size)
{
	bool taken = true;
	if (call->paused) {
		// In chunks libmicrohttpd goes on to the next piece before it looks whether it may.
		sp_http_call_sleep(call);
		return MHD_YES;
	}
	if (call->streamed) {
		taken = sp_http_stream_piece(call, data, *size);
	} else {
		if (!call->body.overflowed)
			sp_buf_add(&call->body, data, *size);
		if (call->body.overflowed)
			taken = sp_http_call_discard(call, *size);
	}
	*size = 0;
	if (call->paused && !call->cut)
		sp_http_call_sleep(call);
	return taken && !call->cut ? MHD_YES : MHD_NO;
}

/// Runs once when the body is over, and once more when something that was waited for has come.
static enum MHD_Result on_whole(struct sp_http_call *call)
{
	if (call->paused && !call->replied) {
		sp_http_call_sleep(call);
		return MHD_YES;
	}
	call->queueable = true;
	if (call->held)
		return sp_http_call_release(call);
	if (!call->over) {
		call->over = true;
		sp_http_peer_note(sp_http_peer_of(call->connection), true);
		sp_http_call_dispatch(call);
		if (call->cut)
			return MHD_NO;
	}
	if (call->replied)
		return call->queued;
	call->queueable = false;
	sp_http_call_sleep(call);
	return MHD_YES;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *data, size_t *size,
				  void **context)
{
	struct sp_http_call *call = *context;
	(void)version;
	if (!call) {
		*context = call = sp_http_call_new(arg, connection, method, url);
		return on_head(arg, call);
	}
	if (call->cut)
		return MHD_NO;
	return *size > 0 ? on_piece(call, data, size) : on_whole(call);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **context,
			 enum MHD_RequestTerminationCode code)
{
	struct sp_http_peer *peer = sp_http_peer_of(connection);
	(void)arg;
	if (*context)
		sp_http_stream_end(*context, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
	if (peer) {
		peer->call = NULL;
		peer->served = peer->served || (code == MHD_REQUEST_TERMINATED_COMPLETED_OK && peer->good);
		peer->bytes_per_second = 0;
	}
	sp_http_peer_note(peer, false);
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

/// Every address, of both families where the kernel has both.
static int listen_anywhere(uint16_t port, char why[256])
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	const struct sockaddr *to = (const struct sockaddr *)&v6;
	socklen_t size = sizeof(v6);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, zero = 0;
	if (fd < 0) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		to = (const struct sockaddr *)&v4;
		size = sizeof(v4);
	} else {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	}
	if (fd < 0)
		return fail(fd, why, "every address", port, errno);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, to, size) != 0 || listen(fd, BACKLOG) != 0)
		return fail(fd, why, "every address", port, errno);
	return fd;
}

static int listen_on(const char *address, uint16_t port, char why[256])
{
	if (!*address)
		return listen_anywhere(port, why);
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

static int hex(char c)
{
	return c >= '0' && c <= '9'                     ? c - '0'
	       : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
							: -1;
}

/// In place. A NUL stays as it is written: what follows it would otherwise be cut off unseen.
static size_t unescape(void *arg, struct MHD_Connection *connection, char *text)
{
	char *out = text;
	(void)arg, (void)connection;
	for (const char *in = text; *in; out++) {
		int high = in[0] == '%' ? hex(in[1]) : -1, low = high >= 0 ? hex(in[2]) : -1;
		bool code = low >= 0 && high * 16 + low != 0;
		*out = code ? (char)(high * 16 + low) : *in;
		in += code ? 3 : 1;
	}
	*out = '\0';
	return (size_t)(out - text);
}

#define OR_DEFAULT(value, def) ((value) > 0 ? (value) : (def))

static struct MHD_Daemon *start(struct sp_http_server *server, const struct sp_http_server_config *config,
				int fd)
{
	unsigned flags = MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME;
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
	    on_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
	    MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_END);
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
	server->crowd = config->crowd;
	server->max_body = OR_DEFAULT(config->max_body, (size_t)BODY_MAX);
	server->request_timeout_us = OR_DEFAULT(config->request_timeout_ms, REQUEST_TIMEOUT_MS) * 1000;
	server->reply_timeout_us = OR_DEFAULT(config->reply_timeout_ms, REPLY_TIMEOUT_MS) * 1000;
	server->daemon = start(server, config, fd);
	if (!server->daemon) {
		fail(fd, why, address, config->port, ENOMEM);
		if (config->certificate)
			snprintf(why, 256, "the certificate or its key cannot be used");
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
	for (struct sp_http_peer *peer = server->peers; peer; peer = peer->next)
		if (peer->call)
			sp_http_call_cut(peer->call); // libmicrohttpd wants nobody asleep at its end
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
	if (server->woken)
		return 0;
	if (MHD_get_timeout(server->daemon, &timeout) != MHD_YES)
		return server->peers ? SP_HTTP_SWEEP_US / 1000 : -1;
	return timeout < SP_HTTP_SWEEP_US / 1000 ? (int64_t)timeout : SP_HTTP_SWEEP_US / 1000;
}

void sp_http_server_run(struct sp_http_server *server)
{
	sp_http_peers_sweep(server);
	server->woken = false;
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
