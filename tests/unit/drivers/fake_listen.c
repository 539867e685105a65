// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// io.h's HTTP server without a socket (fake_listen.h).
#include "fake_listen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "schoolpulse/err.h"

struct sp_http_listener {
	struct sp_http_listener *next;
	struct sp_device *dev;
	const struct sp_http_service *service;
	uint16_t port;
	struct sp_http_inbound *open[64];
};

static struct sp_http_listener *listeners;
char fake_listen_why[256];
char fake_peer[64] = "192.0.2.10";

// ---- listening --------------------------------------------------------------------------------------

struct sp_http_listener *sp_http_listen(struct sp_device *dev, const struct sp_http_listener_config *config,
					const struct sp_http_service *service, char why[256])
{
	if (fake_listen_why[0]) {
		snprintf(why, 256, "%s", fake_listen_why);
		errno = EADDRINUSE;
		return NULL;
	}
	struct sp_http_listener *listener = calloc(1, sizeof(*listener));
	assert_non_null(listener);
	*listener = (struct sp_http_listener){.dev = dev, .service = service, .port = config->port};
	struct sp_http_listener **at = &listeners;
	while (*at)
		at = &(*at)->next;
	*at = listener;
	return listener;
}

void sp_http_listener_free(struct sp_http_listener *listener)
{
	if (!listener)
		return;
	for (size_t i = 0; i < SP_COUNT(listener->open); i++)
		if (listener->open[i])
			listener->open[i]->listener = NULL;
	struct sp_http_listener **at = &listeners;
	while (*at != listener)
		at = &(*at)->next;
	*at = listener->next;
	free(listener);
}

uint16_t sp_http_listener_port(const struct sp_http_listener *listener)
{
	return listener->port;
}

// ---- a request's head -------------------------------------------------------------------------------

static int hex(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c | 0x20) : NULL;
	return at ? (int)(at - digits) : -1;
}

/// In place, as libmicrohttpd does: `+` is a space in a query only.
static char *decode(char *text, bool query)
{
	char *out = text;
	for (const char *in = text; *in; in++) {
		if (*in == '%' && hex(in[1]) >= 0 && hex(in[2]) >= 0) {
			*out++ = (char)(hex(in[1]) * 16 + hex(in[2]));
			in += 2;
		} else {
			*out++ = query && *in == '+' ? ' ' : *in;
		}
	}
	*out = '\0';
	return text;
}

static void read_query(struct sp_http_inbound *in, char *text)
{
	for (char *part; (part = strsep(&text, "&"));) {
		char *name = strsep(&part, "=");
		assert_true(in->query_count < SP_COUNT(in->queries));
		in->queries[in->query_count++] =
		    (struct fake_pair){decode(name, true), part ? decode(part, true) : NULL};
	}
}

static void read_head(struct sp_http_inbound *in)
{
	char *rest = in->head, *line = strsep(&rest, "\n");
	in->method = strsep(&line, " ");
	assert_non_null(line);
	char *query = strsep(&line, " "), *path = strsep(&query, "?");
	in->path = decode(path, false);
	if (query)
		read_query(in, query);
	while ((line = strsep(&rest, "\n"))) {
		line[strcspn(line, "\r")] = '\0';
		if (!*line)
			continue;
		char *name = strsep(&line, ":");
		assert_non_null(line);
		assert_true(in->header_count < SP_COUNT(in->headers));
		in->headers[in->header_count++] = (struct fake_pair){name, line + strspn(line, " ")};
	}
}

static enum sp_http_claim claim(struct sp_http_inbound *in, struct sp_http_listener *listener)
{
	in->listener = listener;
	in->claiming = true;
	enum sp_http_claim claimed = listener->service->claim(listener->dev, in);
	in->claiming = false;
	return in->replied || in->cut ? SP_HTTP_MINE : claimed;
}

static void give_to(struct sp_http_inbound *in, struct sp_http_listener *listener)
{
	size_t free_place = 0;
	while (free_place < SP_COUNT(listener->open) && listener->open[free_place])
		free_place++;
	assert_true(free_place < SP_COUNT(listener->open));
	listener->open[free_place] = in;
	in->listener = listener;
	if (!in->replied && !in->cut && listener->service->begin)
		listener->service->begin(listener->dev, in);
}

static void free_inbound(struct sp_http_inbound *in)
{
	free(in->head);
	free(in->body);
	free(in);
}

struct sp_http_inbound *fake_request(uint16_t port, const char *head)
{
	struct sp_http_inbound *in = calloc(1, sizeof(*in));
	struct sp_http_listener *owner = NULL;
	assert_non_null(in);
	assert_non_null(listeners);
	in->head = strdup(head);
	read_head(in);
	for (struct sp_http_listener *each = listeners; each; each = each->next) {
		if (port && each->port != port)
			continue;
		enum sp_http_claim claimed = claim(in, each);
		if (claimed == SP_HTTP_MINE) {
			owner = each;
			break;
		}
		if (claimed == SP_HTTP_IF_NOBODY && !owner)
			owner = each;
	}
	if (!owner) {
		free_inbound(in);
		return NULL;
	}
	give_to(in, owner);
	return in;
}

// ---- its body and its end ---------------------------------------------------------------------------

size_t fake_body(struct sp_http_inbound *in, const void *data, size_t length, size_t step)
{
	size_t went = 0;
	while (went < length && in->listener && !in->paused && !in->replied && !in->cut) {
		size_t next = step && step < length - went ? step : length - went;
		// A copy of just that size, so that a sanitizer sees who reads beyond it.
		uint8_t *piece = malloc(next);
		assert_non_null(piece);
		memcpy(piece, (const uint8_t *)data + went, next);
		if (in->listener->service->piece)
			in->listener->service->piece(in->listener->dev, in, piece, next);
		free(piece);
		went += next;
	}
	return went;
}

void fake_whole(struct sp_http_inbound *in)
{
	if (!in->listener || in->replied || in->cut)
		return;
	assert_false(in->paused);
	assert_false(in->whole);
	in->whole = true;
	in->listener->service->whole(in->listener->dev, in);
}

struct sp_http_inbound *fake_ask(uint16_t port, const char *head, const char *body)
{
	struct sp_http_inbound *in = fake_request(port, head);
	assert_non_null(in);
	fake_body(in, body, strlen(body), 0);
	fake_whole(in);
	return in;
}

void fake_gone(struct sp_http_inbound *in)
{
	struct sp_http_listener *listener = in->listener;
	if (listener) {
		for (size_t i = 0; i < SP_COUNT(listener->open); i++)
			if (listener->open[i] == in)
				listener->open[i] = NULL;
		if (listener->service->gone)
			listener->service->gone(listener->dev, in);
	}
	free_inbound(in);
}

// ---- what the driver asks and does ------------------------------------------------------------------

static const char *find(const struct fake_pair *pairs, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(pairs[i].name, name) == 0)
			return pairs[i].value;
	return NULL;
}

const char *sp_http_inbound_method(const struct sp_http_inbound *in)
{
	return in->method;
}

const char *sp_http_inbound_path(const struct sp_http_inbound *in)
{
	return in->path;
}

const char *sp_http_inbound_query(const struct sp_http_inbound *in, const char *name)
{
	return find(in->queries, in->query_count, name);
}

const char *sp_http_inbound_header(const struct sp_http_inbound *in, const char *name)
{
	return find(in->headers, in->header_count, name);
}

const char *sp_http_inbound_peer(const struct sp_http_inbound *in)
{
	(void)in;
	return fake_peer;
}

void sp_http_inbound_set(struct sp_http_inbound *in, void *context)
{
	in->context = context;
}

void *sp_http_inbound_get(const struct sp_http_inbound *in)
{
	return in->context;
}

void sp_http_inbound_pause(struct sp_http_inbound *in)
{
	in->paused = true;
}

void sp_http_inbound_resume(struct sp_http_inbound *in)
{
	in->paused = false;
}

void sp_http_inbound_reply(struct sp_http_inbound *in, const struct sp_http_reply *reply)
{
	assert_false(in->replied); // once
	assert_false(in->cut);
	in->replied = true;
	in->status = reply->status;
	snprintf(in->content_type, sizeof(in->content_type), "%s",
		 reply->content_type ? reply->content_type : "");
	in->body = calloc(1, reply->length + 1);
	assert_non_null(in->body);
	if (reply->length)
		memcpy(in->body, reply->body, reply->length);
	in->length = reply->length;
	in->date = reply->date;
	in->retry_after_s = reply->retry_after_s;
}

void sp_http_inbound_cut(struct sp_http_inbound *in)
{
	in->cut = true;
}
