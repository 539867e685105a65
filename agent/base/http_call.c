// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One request from its route to its reply.
#include "agent/base/http_call.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"

/// On a socket for both families an IPv4 peer comes in IPv6's clothes.
static void peer_of_v6(const struct in6_addr *address, char out[INET6_ADDRSTRLEN])
{
	if (IN6_IS_ADDR_V4MAPPED(address))
		inet_ntop(AF_INET, address->s6_addr + 12, out, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, address, out, INET6_ADDRSTRLEN);
}

struct sp_http_call *sp_http_call_new(struct sp_http_server *server, struct MHD_Connection *connection,
				      const char *method, const char *path)
{
	struct sp_http_call *call = sp_alloc(sizeof(*call));
	call->server = server;
	call->connection = connection;
	struct sp_http_peer *own = sp_http_peer_of(connection);
	if (own)
		own->call = call;
	call->method = sp_strdup(method);
	call->path = sp_strdup(path);
	call->body = SP_BUF(server->max_body);
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	if (info && info->client_addr->sa_family == AF_INET)
		inet_ntop(AF_INET, &((struct sockaddr_in *)info->client_addr)->sin_addr, call->peer,
			  sizeof(call->peer));
	else if (info && info->client_addr->sa_family == AF_INET6)
		peer_of_v6(&((struct sockaddr_in6 *)info->client_addr)->sin6_addr, call->peer);
	return call;
}

static void forget_levels(struct sp_http_call *call)
{
	for (size_t i = 0; i < call->level_count; i++)
		free(call->levels[i]);
	call->level_count = 0;
}

void sp_http_call_free(struct sp_http_call *call)
{
	if (!call)
		return;
	forget_levels(call);
	for (size_t i = 0; i < call->header_count; i++) {
		free(call->headers[i].name);
		free(call->headers[i].value);
	}
	sp_buf_free(&call->body);
	if (call->held)
		MHD_destroy_response(call->held);
	free(call->method);
	free(call->path);
	free(call);
}

// ---- routes -------------------------------------------------------------------------------------

static void keep_level(struct sp_http_call *call, const char *text, size_t length)
{
	if (call->level_count < SP_HTTP_LEVELS)
		call->levels[call->level_count++] = sp_strndup(text, length);
}

static bool matches(struct sp_http_call *call, const char *pattern)
{
	const char *path = call->path;
	forget_levels(call);
	while (*pattern == '/' && *path == '/') {
		pattern++;
		path++;
		size_t want = strcspn(pattern, "/"), have = strcspn(path, "/");
		if (strcmp(pattern, "*") == 0) {
			keep_level(call, path, strlen(path));
			return true;
		}
		if (*pattern == ':') {
			if (have == 0)
				return false;
			keep_level(call, path, have);
		} else if (want != have || memcmp(pattern, path, have) != 0) {
			return false;
		}
		pattern += want;
		path += have;
	}
	return *pattern == '\0' && *path == '\0';
}

static bool serves(const struct sp_http_route *route, const char *method)
{
	return strcmp(route->method, method) == 0 || strcmp(route->method, "*") == 0 ||
	       (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

void sp_http_call_dispatch(struct sp_http_call *call)
{
	struct sp_buf allow = SP_BUF(128);
	if (call->discarded > 0 || call->body.overflowed) {
		sp_http_reply_text(call, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large\n");
		return;
	}
	for (const struct sp_http_route *route = call->server->routes; route->method; route++) {
		if (!matches(call, route->pattern))
			continue;
		if (serves(route, call->method)) {
			route->handle(call, call->server->arg);
			if (!call->replied && !call->deferred && !call->cut)
				sp_http_reply_text(call, MHD_HTTP_INTERNAL_SERVER_ERROR, "no answer\n");
			sp_buf_free(&allow);
			return;
		}
		sp_buf_printf(&allow, "%s%s", allow.length ? ", " : "", route->method);
	}
	if (allow.length) {
		sp_http_reply_header(call, "Allow", allow.data);
		sp_http_reply_text(call, MHD_HTTP_METHOD_NOT_ALLOWED, "not by this method\n");
	} else {
		sp_http_reply_text(call, MHD_HTTP_NOT_FOUND, "not here\n");
	}
	sp_buf_free(&allow);
}

// ---- what a handler asks ------------------------------------------------------------------------

const char *sp_http_call_method(const struct sp_http_call *call)
{
	return call->method;
}

const char *sp_http_call_path(const struct sp_http_call *call)
{
	return call->path;
}

const char *sp_http_call_level(const struct sp_http_call *call, unsigned n)
{
	return n < call->level_count ? call->levels[n] : "";
}

const char *sp_http_call_header(const struct sp_http_call *call, const char *name)
{
	return MHD_lookup_connection_value(call->connection, MHD_HEADER_KIND, name);
}

const char *sp_http_call_query(const struct sp_http_call *call, const char *name)
{
	return MHD_lookup_connection_value(call->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *sp_http_call_body(const struct sp_http_call *call, size_t *length)
{
	if (length)
		*length = call->body.length;
	return call->body.data ? call->body.data : "";
}

const char *sp_http_call_peer(const struct sp_http_call *call)
{
	return call->peer;
}

// ---- replies ------------------------------------------------------------------------------------

static bool printable(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	}
	return true;
}

void sp_http_reply_header(struct sp_http_call *call, const char *name, const char *value)
{
	if (call->header_count == SP_HTTP_REPLY_HEADERS || !printable(name) || !printable(value))
		return;
	call->headers[call->header_count].name = sp_strdup(name);
	call->headers[call->header_count++].value = sp_strdup(value);
}

static struct MHD_Response *make_response(const void *body, size_t length, enum sp_http_body how)
{
	void *data = (void *)(uintptr_t)body;
	switch (how) {
	case SP_HTTP_COPY:
		return MHD_create_response_from_buffer(length, data, MHD_RESPMEM_MUST_COPY);
	case SP_HTTP_STATIC:
		return MHD_create_response_from_buffer(length, data, MHD_RESPMEM_PERSISTENT);
	case SP_HTTP_TAKE:
		return MHD_create_response_from_buffer(length, data, MHD_RESPMEM_MUST_FREE);
	}
	return NULL;
}

void sp_http_call_queue(struct sp_http_call *call, unsigned status, const char *content_type,
			struct MHD_Response *response)
{
	call->replied = true;
	if (content_type)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
	for (size_t i = 0; i < call->header_count; i++)
		MHD_add_response_header(response, call->headers[i].name, call->headers[i].value);
	call->paused = false;
	call->held = response;
	call->held_status = status;
	if (call->queueable)
		call->queued = sp_http_call_release(call);
	else
		sp_http_call_wake(call);
}

void sp_http_reply(struct sp_http_call *call, unsigned status, const char *content_type, const void *body,
		   size_t length, enum sp_http_body how)
{
	struct MHD_Response *response = call->replied ? NULL : make_response(body, length, how);
	if (!response) {
		if (how == SP_HTTP_TAKE)
			free((void *)(uintptr_t)body);
		return;
	}
	sp_http_call_queue(call, status, content_type, response);
}

void sp_http_reply_text(struct sp_http_call *call, unsigned status, const char *text)
{
	sp_http_reply(call, status, "text/plain; charset=utf-8", text, strlen(text), SP_HTTP_COPY);
}
