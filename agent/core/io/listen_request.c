// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// io.h: one request from the school's network, from its head to its end.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/base/mem.h"
#include "agent/core/io/listen.h"
#include "schoolpulse/clock.h"

enum { PATH_MAX_BYTES = 1024, BYTES_PER_SECOND = 100 };

// ---- whose it is ------------------------------------------------------------------------------------

/// No driver needs to think of these: nothing is served by file.
static bool is_trick(const char *path)
{
	if (path[0] != '/' || strstr(path, "/../") || strstr(path, "/./") || strstr(path, "%00"))
		return true;
	for (const char *c = path; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return true;
	return false;
}

static void refuse(struct sp_http_call *call, unsigned status, const char *text)
{
	sp_http_reply_header(call, "Connection", "close");
	sp_http_reply_text(call, status, text);
}

static struct sp_http_listener *owner_of(struct sp_http_inbound *in, struct sp_http_port *port)
{
	struct sp_http_listener *spare = NULL;
	for (struct sp_http_listener *each = port->listeners; each; each = each->next) {
		in->listener = each;
		enum sp_http_claim claim = each->service->claim(each->open.dev, in);
		if (in->answered || claim == SP_HTTP_MINE)
			return each;
		if (claim == SP_HTTP_IF_NOBODY && !spare)
			spare = each;
	}
	return spare;
}

// ---- its body and its end ---------------------------------------------------------------------------

static void on_piece(struct sp_http_call *call, const void *data, size_t length, void *port)
{
	struct sp_http_inbound *in = sp_http_call_context(call);
	(void)port;
	if (in->listener && !in->answered && in->listener->service->piece)
		in->listener->service->piece(in->listener->open.dev, in, data, length);
}

void sp_http_inbound_whole(struct sp_http_call *call, void *port)
{
	struct sp_http_inbound *in = sp_http_call_context(call);
	(void)port;
	if (!in || !in->listener) {
		sp_http_call_cut(call);
		return;
	}
	sp_http_call_defer(call);
	in->listener->service->whole(in->listener->open.dev, in);
}

static void unlink_inbound(struct sp_http_inbound *in)
{
	if (in->previous)
		in->previous->next = in->next;
	else
		in->listener->inbounds = in->next;
	if (in->next)
		in->next->previous = in->previous;
}

static void on_ended(const struct sp_http_moved *moved, void *context)
{
	struct sp_http_inbound *in = context;
	(void)moved;
	in->answered = true; // nothing can be asked of the call from now on
	if (in->listener) {
		unlink_inbound(in);
		if (in->listener->service->gone)
			in->listener->service->gone(in->listener->open.dev, in);
	}
	free(in);
}

void sp_http_inbound_leave(struct sp_http_inbound *in)
{
	unlink_inbound(in);
	in->listener = NULL;
	if (!in->answered)
		sp_http_call_cut(in->call);
	in->answered = true;
}

static void take(struct sp_http_inbound *in, struct sp_http_listener *owner)
{
	in->listener = owner;
	in->next = owner->inbounds;
	if (in->next)
		in->next->previous = in;
	owner->inbounds = in;
	if (in->answered)
		return;
	sp_http_call_stream(in->call, owner->max_body, on_piece);
	sp_http_call_keep_up(in->call, owner->stall_ms, BYTES_PER_SECOND);
	if (owner->service->begin)
		owner->service->begin(owner->open.dev, in);
}

void sp_http_inbound_came(struct sp_http_call *call, void *arg)
{
	const char *path = sp_http_call_path(call);
	if (strlen(path) > PATH_MAX_BYTES) {
		refuse(call, 414, "the path is too long\n");
		return;
	}
	if (is_trick(path)) {
		refuse(call, 400, "not a path\n");
		return;
	}
	struct sp_http_inbound *in = sp_alloc(sizeof(*in));
	in->call = call;
	struct sp_http_listener *owner = owner_of(in, arg);
	if (!owner) {
		free(in);
		refuse(call, 404, "not here\n");
		return;
	}
	sp_http_call_ended(call, on_ended, in);
	take(in, owner);
}

// ---- what a driver asks -----------------------------------------------------------------------------

const char *sp_http_inbound_method(const struct sp_http_inbound *in)
{
	return sp_http_call_method(in->call);
}

const char *sp_http_inbound_path(const struct sp_http_inbound *in)
{
	return sp_http_call_path(in->call);
}

const char *sp_http_inbound_query(const struct sp_http_inbound *in, const char *name)
{
	return sp_http_call_query(in->call, name);
}

const char *sp_http_inbound_header(const struct sp_http_inbound *in, const char *name)
{
	return sp_http_call_header(in->call, name);
}

const char *sp_http_inbound_peer(const struct sp_http_inbound *in)
{
	return sp_http_call_peer(in->call);
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
	if (!in->answered)
		sp_http_call_pause(in->call);
}

void sp_http_inbound_resume(struct sp_http_inbound *in)
{
	if (in->answered)
		return;
	sp_http_call_resume(in->call);
	sp_http_port_stir(in->listener->port);
}

// ---- the answer -------------------------------------------------------------------------------------

/// RFC 9110 §5.6.7, whatever the locale.
static void add_date(struct sp_http_call *call)
{
	static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct sp_clock_reading now = sp_clock_now();
	time_t seconds = (time_t)(now.wall_ms / 1000);
	struct tm tm;
	char text[64];
	if (!now.synced || !gmtime_r(&seconds, &tm))
		return;
	snprintf(text, sizeof(text), "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday], tm.tm_mday,
		 months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	sp_http_reply_header(call, "Date", text);
}

void sp_http_inbound_reply(struct sp_http_inbound *in, const struct sp_http_reply *reply)
{
	char text[32];
	if (in->answered)
		return;
	in->answered = true;
	if (reply->date)
		add_date(in->call);
	if (reply->retry_after_s > 0) {
		snprintf(text, sizeof(text), "%lld", (long long)reply->retry_after_s);
		sp_http_reply_header(in->call, "Retry-After", text);
	}
	sp_http_reply(in->call, reply->status, reply->content_type, reply->body, reply->length, SP_HTTP_COPY);
	sp_http_port_stir(in->listener->port);
}

void sp_http_inbound_cut(struct sp_http_inbound *in)
{
	if (in->answered)
		return;
	in->answered = true;
	sp_http_call_cut(in->call);
	sp_http_port_stir(in->listener->port);
}
