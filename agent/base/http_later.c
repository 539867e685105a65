// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A request that waits: its answer for the handler, its body for room. libmicrohttpd leaves the connection
// alone meanwhile, so that nothing more is read and the peer is held back by TCP.
#include <sys/socket.h>

#include "agent/base/http_call.h"

enum { DISCARD_MAX = 1024 * 1024 }; ///< read and thrown away so that the answer is seen; then cut off

void sp_http_call_sleep(struct sp_http_call *call)
{
	if (call->suspended)
		return;
	call->suspended = true;
	sp_http_peer_note(sp_http_peer_of(call->connection), true);
	MHD_suspend_connection(call->connection);
}

void sp_http_call_wake(struct sp_http_call *call)
{
	struct sp_http_peer *peer = sp_http_peer_of(call->connection);
	if (!call->suspended)
		return;
	call->suspended = false;
	if (!call->over)
		sp_http_peer_note(peer, false);
	MHD_resume_connection(call->connection);
	call->server->woken = true; // with a loop of one's own libmicrohttpd wakes nobody
}

bool sp_http_call_discard(struct sp_http_call *call, size_t length)
{
	call->discarded += length;
	return call->discarded <= DISCARD_MAX;
}

enum MHD_Result sp_http_call_release(struct sp_http_call *call)
{
	struct sp_http_peer *peer = sp_http_peer_of(call->connection);
	if (peer)
		peer->good = call->held_status < 400;
	enum MHD_Result queued = MHD_queue_response(call->connection, call->held_status, call->held);
	MHD_destroy_response(call->held);
	call->held = NULL;
	return queued;
}

void sp_http_call_defer(struct sp_http_call *call)
{
	call->deferred = true;
}

void sp_http_call_pause(struct sp_http_call *call)
{
	if (!call->over && !call->replied && !call->cut)
		call->paused = true;
}

void sp_http_call_resume(struct sp_http_call *call)
{
	if (!call->paused)
		return;
	call->paused = false;
	sp_http_call_wake(call);
}

void sp_http_call_cut(struct sp_http_call *call)
{
	struct sp_http_peer *peer = sp_http_peer_of(call->connection);
	call->cut = true;
	// What libmicrohttpd reads next is the end.
	if (peer)
		shutdown(peer->fd, SHUT_RDWR);
	sp_http_call_wake(call);
}

void *sp_http_call_context(const struct sp_http_call *call)
{
	return call->ended_context;
}
